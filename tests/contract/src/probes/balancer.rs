//! Octavia.

use anyhow::Result;
use serde_json::{Value, json};

use super::{NOTHING, Place, Probes};
use crate::wire::{BALANCER, NETWORK, Wire, text};

const BALANCERS: &str = "/lbaas/loadbalancers";

async fn settled(wire: &Wire, path: &str) -> Result<()> {
    wire.reaches(
        BALANCER,
        path,
        "loadbalancer",
        "provisioning_status",
        "ACTIVE",
    )
    .await
    .map(drop)
}

impl Probes {
    pub(super) async fn balancer(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        wire.get("providers", BALANCER, "/lbaas/providers")
            .await?
            .is(200)?;
        wire.get("flavors of balancers", BALANCER, "/lbaas/flavors")
            .await?
            .is(200)?;
        wire.get(
            "no such balancer",
            BALANCER,
            &format!("{BALANCERS}/{NOTHING}"),
        )
        .await?
        .is(404)?;
        wire.delete(
            "no such balancer",
            BALANCER,
            &format!("{BALANCERS}/{NOTHING}"),
        )
        .await?
        .is(404)?;
        let balancer = json!({"name": self.name, "description": "d", "vip_network_id": place.network,
            "vip_subnet_id": place.subnet, "vip_address": "10.8.0.60", "tags": ["a"]});
        for (what, field, value, status) in [
            (
                "no such provider",
                "provider",
                json!("no-such-provider"),
                400,
            ),
            (
                "no such subnet for a VIP",
                "vip_subnet_id",
                json!(NOTHING),
                400,
            ),
        ] {
            let mut wrong = balancer.clone();
            wrong[field] = value;
            wire.post(what, BALANCER, BALANCERS, json!({"loadbalancer": wrong}))
                .await?
                .is(status)?;
        }
        let id = wire
            .make("a balancer", BALANCER, BALANCERS, "loadbalancer", balancer)
            .await?;
        let path = format!("{BALANCERS}/{id}");
        wire.delete("a pending balancer", BALANCER, &path)
            .await?
            .is(409)?;
        settled(wire, &path).await?;
        let seen = wire.get("a balancer", BALANCER, &path).await?.is(200)?;
        wire.get(
            "balancers by name",
            BALANCER,
            &format!("{BALANCERS}?name={}", self.name),
        )
        .await?
        .is(200)?;
        let port = text(&seen["loadbalancer"], "vip_port_id");
        wire.get("the port of a balancer", NETWORK, &format!("/ports/{port}"))
            .await?
            .is(200)?;
        self.children(&id).await?;
        let wire = &mut self.wire;
        wire.delete("a balancer with children", BALANCER, &path)
            .await?
            .is(400)?;
        wire.delete(
            "a balancer with its children",
            BALANCER,
            &format!("{path}?cascade=true"),
        )
        .await?
        .is(204)?;
        wire.gone(BALANCER, &path).await?;
        wire.gone(NETWORK, &format!("/ports/{port}")).await?;
        self.ovn(place).await
    }

    async fn children(&mut self, id: &str) -> Result<()> {
        let path = format!("{BALANCERS}/{id}");
        let wire = &mut self.wire;
        let listener = json!({"name": self.name, "loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443,
            "allowed_cidrs": ["10.0.0.0/8"], "tags": ["a"]});
        let first = wire
            .make(
                "a listener",
                BALANCER,
                "/lbaas/listeners",
                "listener",
                listener.clone(),
            )
            .await?;
        let mut other = listener.clone();
        other["protocol_port"] = json!(80);
        wire.post(
            "a listener while pending",
            BALANCER,
            "/lbaas/listeners",
            json!({"listener": other}),
        )
        .await?
        .is(409)?;
        settled(wire, &path).await?;
        wire.post(
            "a listener of a taken port",
            BALANCER,
            "/lbaas/listeners",
            json!({"listener": listener}),
        )
        .await?
        .is(409)?;
        let mut orphan = listener.clone();
        orphan["loadbalancer_id"] = json!(NOTHING);
        wire.post(
            "a listener of nothing",
            BALANCER,
            "/lbaas/listeners",
            json!({"listener": orphan}),
        )
        .await?
        .is(404)?;
        let listener = format!("/lbaas/listeners/{first}");
        let cidrs = json!({"listener": {"allowed_cidrs": ["10.8.0.0/24"]}});
        wire.put("allowed CIDRs", BALANCER, &listener, cidrs)
            .await?
            .is(200)?;
        settled(wire, &path).await?;
        wire.get("a listener", BALANCER, &listener).await?.is(200)?;
        let pool = json!({"name": self.name, "listener_id": first, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "tags": ["a"]});
        let pool_id = wire
            .make("a pool", BALANCER, "/lbaas/pools", "pool", pool.clone())
            .await?;
        settled(wire, &path).await?;
        wire.post(
            "a second pool of a listener",
            BALANCER,
            "/lbaas/pools",
            json!({"pool": pool}),
        )
        .await?
        .is(409)?;
        let monitor = json!({"name": self.name, "pool_id": pool_id, "type": "TCP", "delay": 10, "timeout": 5, "max_retries": 5});
        let monitor_id = wire
            .make(
                "a monitor",
                BALANCER,
                "/lbaas/healthmonitors",
                "healthmonitor",
                monitor.clone(),
            )
            .await?;
        settled(wire, &path).await?;
        wire.post(
            "a second monitor",
            BALANCER,
            "/lbaas/healthmonitors",
            json!({"healthmonitor": monitor}),
        )
        .await?
        .is(409)?;
        let change = json!({"healthmonitor": {"delay": 11}});
        wire.put(
            "a changed monitor",
            BALANCER,
            &format!("/lbaas/healthmonitors/{monitor_id}"),
            change,
        )
        .await?
        .is(200)?;
        settled(wire, &path).await?;
        self.members(&path, &pool_id).await?;
        let wire = &mut self.wire;
        for (what, collection) in [
            ("listeners", "listeners"),
            ("pools", "pools"),
            ("monitors", "healthmonitors"),
        ] {
            wire.get(what, BALANCER, &format!("/lbaas/{collection}"))
                .await?
                .is(200)?;
        }
        wire.delete(
            "a monitor",
            BALANCER,
            &format!("/lbaas/healthmonitors/{monitor_id}"),
        )
        .await?
        .is(204)?;
        settled(wire, &path).await?;
        wire.delete("a pool", BALANCER, &format!("/lbaas/pools/{pool_id}"))
            .await?
            .is(204)?;
        settled(wire, &path).await?;
        wire.get("a listener whose pool is gone", BALANCER, &listener)
            .await?
            .is(200)?;
        Ok(())
    }

    async fn members(&mut self, balancer: &str, pool: &str) -> Result<()> {
        let wire = &mut self.wire;
        let path = format!("/lbaas/pools/{pool}/members");
        let member = json!({"name": self.name, "address": "10.8.0.77", "protocol_port": 6443, "tags": ["a"]});
        let id = wire
            .make("a member", BALANCER, &path, "member", member.clone())
            .await?;
        wire.delete(
            "a pool while pending",
            BALANCER,
            &format!("/lbaas/pools/{pool}"),
        )
        .await?
        .is(409)?;
        settled(wire, balancer).await?;
        wire.post(
            "a member that exists",
            BALANCER,
            &path,
            json!({"member": member}),
        )
        .await?
        .is(409)?;
        let wrong = json!({"member": {"address": "no address", "protocol_port": 1}});
        wire.post("a member without address", BALANCER, &path, wrong)
            .await?
            .is(400)?;
        wire.get("members", BALANCER, &path).await?.is(200)?;
        wire.get(
            "members of nothing",
            BALANCER,
            &format!("/lbaas/pools/{NOTHING}/members"),
        )
        .await?
        .is(404)?;
        wire.get(
            "a pool with a member",
            BALANCER,
            &format!("/lbaas/pools/{pool}"),
        )
        .await?
        .is(200)?;
        wire.delete("a member", BALANCER, &format!("{path}/{id}"))
            .await?
            .is(204)?;
        settled(wire, balancer).await?;
        wire.delete("a member that is gone", BALANCER, &format!("{path}/{id}"))
            .await?
            .is(404)?;
        Ok(())
    }

    /// What the OVN provider refuses, where the cloud has one.
    async fn ovn(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let providers = wire
            .ask(
                reqwest::Method::GET,
                BALANCER,
                "/lbaas/providers",
                &Value::Null,
            )
            .await?
            .body;
        if !providers["providers"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|found| found["name"] == "ovn")
        {
            return Ok(());
        }
        let balancer = json!({"name": self.name, "vip_subnet_id": place.subnet, "provider": "ovn"});
        let id = wire
            .make(
                "a balancer of OVN",
                BALANCER,
                BALANCERS,
                "loadbalancer",
                balancer,
            )
            .await?;
        let path = format!("{BALANCERS}/{id}");
        settled(wire, &path).await?;
        let mut listener = json!({"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443});
        listener["allowed_cidrs"] = json!(["10.0.0.0/8"]);
        wire.post(
            "CIDRs for OVN",
            BALANCER,
            "/lbaas/listeners",
            json!({"listener": listener}),
        )
        .await?
        .is(501)?;
        let pool = json!({"loadbalancer_id": id, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
        wire.post(
            "round robin for OVN",
            BALANCER,
            "/lbaas/pools",
            json!({"pool": pool}),
        )
        .await?
        .is(501)?;
        wire.delete(
            "a balancer of OVN",
            BALANCER,
            &format!("{path}?cascade=true"),
        )
        .await?
        .is(204)?;
        wire.gone(BALANCER, &path).await
    }
}
