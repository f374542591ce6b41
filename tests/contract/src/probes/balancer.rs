//! Octavia.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::{NOTHING, Place, Probes};
use crate::wire::{BALANCER, NETWORK, Wire, text};

pub(super) const BALANCERS: &str = "/lbaas/loadbalancers";

/// How often Octavia is tried to be met while it is busy.
const TRIES: usize = 5;

pub(super) async fn settled(wire: &Wire, path: &str) -> Result<()> {
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

/// The balancer is not made with this value in one of its fields.
pub(super) async fn refused(
    wire: &mut Wire,
    what: &str,
    balancer: &Value,
    (field, value): (&str, Value),
    status: u16,
) -> Result<()> {
    let mut wrong = balancer.clone();
    wrong[field] = value;
    let body = json!({"loadbalancer": wrong});
    wire.post(what, BALANCER, BALANCERS, body, status).await?;
    Ok(())
}

impl Probes {
    pub(super) async fn balancer(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        wire.get("providers", BALANCER, "/lbaas/providers", 200)
            .await?;
        wire.get("flavors of balancers", BALANCER, "/lbaas/flavors", 200)
            .await?;
        let balancer = json!({"name": self.name, "description": "d", "vip_network_id": place.network,
            "vip_subnet_id": place.subnet, "vip_address": "10.8.0.60", "tags": ["a"]});
        self.balancer_refusals(&balancer).await?;
        let wire = &mut self.wire;
        let id = wire
            .make("a balancer", BALANCER, BALANCERS, "loadbalancer", balancer)
            .await?;
        let path = format!("{BALANCERS}/{id}");
        wire.delete("a pending balancer", BALANCER, &path, 409)
            .await?;
        settled(wire, &path).await?;
        let seen = wire.get("a balancer", BALANCER, &path, 200).await?;
        wire.get(
            "balancers by name",
            BALANCER,
            &format!("{BALANCERS}?name={}", self.name),
            200,
        )
        .await?;
        let port = text(&seen["loadbalancer"], "vip_port_id");
        wire.get(
            "the port of a balancer",
            NETWORK,
            &format!("/ports/{port}"),
            200,
        )
        .await?;
        self.children(&id).await?;
        let wire = &mut self.wire;
        wire.delete("a balancer with children", BALANCER, &path, 400)
            .await?;
        wire.delete(
            "a balancer with its children",
            BALANCER,
            &format!("{path}?cascade=true"),
            204,
        )
        .await?;
        wire.gone(BALANCER, &path).await?;
        wire.gone(NETWORK, &format!("/ports/{port}")).await?;
        self.ovn(place).await
    }

    async fn balancer_refusals(&mut self, balancer: &Value) -> Result<()> {
        let wire = &mut self.wire;
        wire.get(
            "no such balancer",
            BALANCER,
            &format!("{BALANCERS}/{NOTHING}"),
            404,
        )
        .await?;
        wire.delete(
            "no such balancer",
            BALANCER,
            &format!("{BALANCERS}/{NOTHING}"),
            404,
        )
        .await?;
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
            refused(wire, what, balancer, (field, value), status).await?;
        }
        Ok(())
    }

    async fn children(&mut self, id: &str) -> Result<()> {
        let path = format!("{BALANCERS}/{id}");
        let listener = self.listeners(id, &path).await?;
        let pool = self.pool(&path, &listener).await?;
        let monitor = self.monitor(&path, &pool).await?;
        self.members(&path, &pool).await?;
        let wire = &mut self.wire;
        for (what, collection) in [
            ("listeners", "listeners"),
            ("pools", "pools"),
            ("monitors", "healthmonitors"),
        ] {
            wire.get(what, BALANCER, &format!("/lbaas/{collection}"), 200)
                .await?;
        }
        wire.delete(
            "a monitor",
            BALANCER,
            &format!("/lbaas/healthmonitors/{monitor}"),
            204,
        )
        .await?;
        settled(wire, &path).await?;
        wire.delete("a pool", BALANCER, &format!("/lbaas/pools/{pool}"), 204)
            .await?;
        settled(wire, &path).await?;
        let listener = format!("/lbaas/listeners/{listener}");
        wire.get("a listener whose pool is gone", BALANCER, &listener, 200)
            .await?;
        Ok(())
    }

    /// A listener; its id.
    async fn listeners(&mut self, id: &str, balancer: &str) -> Result<String> {
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
        let path = format!("/lbaas/listeners/{first}");
        self.listener_while_pending(&path, balancer, other).await?;
        let wire = &mut self.wire;
        settled(wire, balancer).await?;
        wire.post(
            "a listener of a taken port",
            BALANCER,
            "/lbaas/listeners",
            json!({"listener": listener}),
            409,
        )
        .await?;
        let mut orphan = listener.clone();
        orphan["loadbalancer_id"] = json!(NOTHING);
        wire.post(
            "a listener of nothing",
            BALANCER,
            "/lbaas/listeners",
            json!({"listener": orphan}),
            404,
        )
        .await?;
        let listener = format!("/lbaas/listeners/{first}");
        let cidrs = json!({"listener": {"allowed_cidrs": ["10.8.0.0/24"]}});
        wire.put("allowed CIDRs", BALANCER, &listener, cidrs, 200)
            .await?;
        settled(wire, balancer).await?;
        wire.get("a listener", BALANCER, &listener, 200).await?;
        Ok(first)
    }

    /// Octavia may be done before the second request: then it is made busy again.
    async fn listener_while_pending(
        &mut self,
        first: &str,
        balancer: &str,
        other: Value,
    ) -> Result<()> {
        let wire = &mut self.wire;
        let (what, path) = ("a listener while pending", "/lbaas/listeners");
        let body = json!({"listener": other});
        for tries in 1.. {
            let answer = wire.ask(Method::POST, BALANCER, path, &body).await?;
            if answer.status != 201 || tries == TRIES {
                wire.note(what, &format!("POST {BALANCER} {path}"), answer, 409)?;
                break;
            }
            let made = text(&answer.body["listener"], "id");
            settled(wire, balancer).await?;
            wire.remove(BALANCER, &format!("{path}/{made}")).await?;
            settled(wire, balancer).await?;
            let busy = json!({"listener": {"description": "d"}});
            wire.ask(Method::PUT, BALANCER, first, &busy).await?;
        }
        Ok(())
    }

    /// A pool of the listener; its id.
    async fn pool(&mut self, balancer: &str, listener: &str) -> Result<String> {
        let wire = &mut self.wire;
        let pool = json!({"name": self.name, "listener_id": listener, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "tags": ["a"]});
        let id = wire
            .make("a pool", BALANCER, "/lbaas/pools", "pool", pool.clone())
            .await?;
        settled(wire, balancer).await?;
        wire.post(
            "a second pool of a listener",
            BALANCER,
            "/lbaas/pools",
            json!({"pool": pool}),
            409,
        )
        .await?;
        Ok(id)
    }

    /// A monitor of the pool; its id.
    async fn monitor(&mut self, balancer: &str, pool: &str) -> Result<String> {
        let wire = &mut self.wire;
        let monitor = json!({"name": self.name, "pool_id": pool, "type": "TCP", "delay": 10, "timeout": 5, "max_retries": 5});
        let id = wire
            .make(
                "a monitor",
                BALANCER,
                "/lbaas/healthmonitors",
                "healthmonitor",
                monitor.clone(),
            )
            .await?;
        settled(wire, balancer).await?;
        wire.post(
            "a second monitor",
            BALANCER,
            "/lbaas/healthmonitors",
            json!({"healthmonitor": monitor}),
            409,
        )
        .await?;
        let change = json!({"healthmonitor": {"delay": 11, "timeout": 6, "max_retries": 4, "max_retries_down": 2}});
        wire.put(
            "a changed monitor",
            BALANCER,
            &format!("/lbaas/healthmonitors/{id}"),
            change,
            200,
        )
        .await?;
        settled(wire, balancer).await?;
        Ok(id)
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
            409,
        )
        .await?;
        settled(wire, balancer).await?;
        wire.post(
            "a member that exists",
            BALANCER,
            &path,
            json!({"member": member}),
            409,
        )
        .await?;
        let wrong = json!({"member": {"address": "no address", "protocol_port": 1}});
        wire.post("a member without address", BALANCER, &path, wrong, 400)
            .await?;
        wire.get("members", BALANCER, &path, 200).await?;
        wire.get(
            "members of nothing",
            BALANCER,
            &format!("/lbaas/pools/{NOTHING}/members"),
            404,
        )
        .await?;
        wire.get(
            "a pool with a member",
            BALANCER,
            &format!("/lbaas/pools/{pool}"),
            200,
        )
        .await?;
        wire.delete("a member", BALANCER, &format!("{path}/{id}"), 204)
            .await?;
        settled(wire, balancer).await?;
        wire.delete(
            "a member that is gone",
            BALANCER,
            &format!("{path}/{id}"),
            404,
        )
        .await?;
        Ok(())
    }

    /// What the OVN provider refuses, where the cloud has one.
    async fn ovn(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let providers = wire
            .ask(Method::GET, BALANCER, "/lbaas/providers", &Value::Null)
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
            501,
        )
        .await?;
        let pool = json!({"loadbalancer_id": id, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
        wire.post(
            "round robin for OVN",
            BALANCER,
            "/lbaas/pools",
            json!({"pool": pool}),
            501,
        )
        .await?;
        wire.delete(
            "a balancer of OVN",
            BALANCER,
            &format!("{path}?cascade=true"),
            204,
        )
        .await?;
        wire.gone(BALANCER, &path).await
    }
}
