//! Octavia: load balancers with every field that the provider can ask for, two of each kind, and their lists in pages.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::balancer::{BALANCERS, refused, settled};
use super::{NOTHING, Place, Probes};
use crate::wire::{BALANCER, NETWORK, text};

const FLAVORS: &str = "/lbaas/flavors";

impl Probes {
    pub(super) async fn vips(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        // Beside the version that all other paths are below.
        wire.get("versions", BALANCER, "/../", 200).await?;
        let sixth = json!({"network_id": place.network, "ip_version": 6, "cidr": "fd00:8::/64"});
        let what = "a subnet for a second VIP";
        let sixth = wire
            .make(what, NETWORK, "/subnets", "subnet", sixth)
            .await?;
        let paths = self.balancers(place, &sixth).await?;
        self.both(&paths).await?;
        self.two_of_each(&paths).await?;
        let wire = &self.wire;
        for path in &paths {
            wire.remove(BALANCER, &format!("{path}?cascade=true"))
                .await?;
        }
        for path in &paths {
            wire.gone(BALANCER, path).await?;
        }
        wire.remove(NETWORK, &format!("/subnets/{sixth}")).await
    }

    /// Two balancers with a second VIP each: one with every field, one with as few as can be.
    async fn balancers(&mut self, place: &Place, sixth: &str) -> Result<[String; 2]> {
        let flavor = self.balancer_flavor().await?;
        let first = json!({"name": self.name, "description": "d", "vip_network_id": place.network,
            "vip_subnet_id": place.subnet, "vip_address": "10.8.0.61", "provider": "amphora", "flavor_id": flavor,
            "availability_zone": "az1", "tags": ["a"],
            "additional_vips": [{"subnet_id": sixth, "ip_address": "fd00:8::61"}]});
        let second = json!({"name": self.name, "vip_network_id": place.network,
            "additional_vips": [{"subnet_id": sixth}]});
        self.vip_refusals(&first).await?;
        let mut paths = [String::new(), String::new()];
        for (what, body, path) in [
            ("a balancer with everything", first, 0),
            ("a balancer on a network", second, 1),
        ] {
            let made = self
                .wire
                .make(what, BALANCER, BALANCERS, "loadbalancer", body);
            paths[path] = format!("{BALANCERS}/{}", made.await?);
        }
        Ok(paths)
    }

    async fn balancer_flavor(&mut self) -> Result<String> {
        let wire = &mut self.wire;
        wire.listed("flavors", BALANCER, FLAVORS, "flavors").await?;
        let flavors = wire.ask(Method::GET, BALANCER, FLAVORS, &Value::Null);
        let flavors = flavors.await?.is(200)?;
        let mut flavors = flavors["flavors"].as_array().into_iter().flatten();
        let flavor = flavors.find(|flavor| flavor["name"] == "SINGLE");
        Ok(text(flavor.context("no flavor SINGLE")?, "id"))
    }

    async fn vip_refusals(&mut self, balancer: &Value) -> Result<()> {
        let same = json!([{"subnet_id": balancer["vip_subnet_id"]}]);
        let elsewhere = json!([{"subnet_id": NOTHING}]);
        for (what, field, value, status) in [
            (
                "no such flavor of balancers",
                "flavor_id",
                json!(NOTHING),
                400,
            ),
            (
                "no such zone for a balancer",
                "availability_zone",
                json!("no-such-zone"),
                400,
            ),
            (
                "a flavor of another provider",
                "provider",
                json!("ovn"),
                400,
            ),
            (
                "a second VIP on the same subnet",
                "additional_vips",
                same,
                400,
            ),
            (
                "a second VIP on no subnet",
                "additional_vips",
                elsewhere,
                400,
            ),
            (
                "a VIP outside of its subnet",
                "vip_address",
                json!("10.9.0.1"),
                500,
            ),
            ("a taken VIP", "vip_address", json!("10.8.0.1"), 409),
        ] {
            refused(&mut self.wire, what, balancer, (field, value), status).await?;
        }
        Ok(())
    }

    /// The balancers, and the port of their VIPs.
    async fn both(&mut self, paths: &[String; 2]) -> Result<()> {
        let wire = &mut self.wire;
        for (what, path) in ["with everything", "on a network"].iter().zip(paths) {
            settled(wire, path).await?;
            let seen = wire
                .get(&format!("the balancer {what}"), BALANCER, path, 200)
                .await?;
            let seen = &seen["loadbalancer"];
            ensure!(
                seen["additional_vips"]
                    .as_array()
                    .is_some_and(|all| all.len() == 1),
                "{seen}"
            );
            let port = format!("/ports/{}", text(seen, "vip_port_id"));
            let port = wire
                .get(
                    &format!("the port of the balancer {what}"),
                    NETWORK,
                    &port,
                    200,
                )
                .await?;
            let addresses = port["port"]["fixed_ips"].as_array().into_iter().flatten();
            let addresses: Vec<&Value> = addresses.map(|one| &one["ip_address"]).collect();
            let wanted = [
                &seen["vip_address"],
                &seen["additional_vips"][0]["ip_address"],
            ];
            ensure!(
                addresses.len() == 2 && wanted.iter().all(|address| addresses.contains(address)),
                "{seen} {port}"
            );
        }
        let list = format!("{BALANCERS}?project_id={}", wire.project_id);
        wire.listed("balancers", BALANCER, &list, "loadbalancers")
            .await
    }

    /// A listener, a pool, a monitor and a member on each balancer, with every field.
    async fn two_of_each(&mut self, paths: &[String; 2]) -> Result<()> {
        let name = self.name.clone();
        let listeners = self
            .on_each(paths, "listener", "/lbaas/listeners", |number| {
                let id = paths[number].rsplit('/').next();
                json!({"name": name, "description": "d", "loadbalancer_id": id, "protocol": "TCP",
                    "protocol_port": 6443, "allowed_cidrs": ["10.0.0.0/8", "fd00:8::/64"], "tags": ["a"]})
            })
            .await?;
        let pools = self
            .on_each(paths, "pool", "/lbaas/pools", |number| {
                json!({"name": name, "description": "d", "listener_id": listeners[number], "protocol": "TCP",
                    "lb_algorithm": "ROUND_ROBIN", "tags": ["a"]})
            })
            .await?;
        self.on_each(paths, "healthmonitor", "/lbaas/healthmonitors", |number| {
            json!({"name": name, "pool_id": pools[number], "type": "TCP", "delay": 10, "timeout": 5, "max_retries": 5,
                "max_retries_down": 3, "tags": ["a"]})
        })
        .await?;
        self.members_of(&pools[0], &paths[0]).await?;
        let wire = &mut self.wire;
        let other = json!({"name": name, "loadbalancer_id": paths[0].rsplit('/').next(), "protocol": "TCP",
            "protocol_port": 6444, "default_pool_id": pools[0]});
        let (what, path) = ("a listener of a pool", "/lbaas/listeners");
        let other = wire.make(what, BALANCER, path, "listener", other).await?;
        settled(wire, &paths[0]).await?;
        let project = wire.project_id.clone();
        for key in ["listeners", "pools", "healthmonitors"] {
            let list = format!("/lbaas/{key}?project_id={project}");
            wire.listed(&format!("own {key}"), BALANCER, &list, key)
                .await?;
        }
        let other = format!("/lbaas/listeners/{other}");
        wire.delete("a listener", BALANCER, &other, 204).await?;
        settled(wire, &paths[0]).await?;
        wire.delete("a listener that is gone", BALANCER, &other, 404)
            .await?;
        Ok(())
    }

    /// One on each balancer, at the same time; their ids.
    async fn on_each(
        &mut self,
        balancers: &[String; 2],
        key: &str,
        path: &str,
        body: impl Fn(usize) -> Value,
    ) -> Result<Vec<String>> {
        let mut ids = Vec::new();
        for (number, which) in ["first", "second"].iter().enumerate() {
            let what = format!("a {key} of the {which}");
            let body = body(number);
            ids.push(self.wire.make(&what, BALANCER, path, key, body).await?);
        }
        for balancer in balancers {
            settled(&self.wire, balancer).await?;
        }
        Ok(ids)
    }

    async fn members_of(&mut self, pool: &str, balancer: &str) -> Result<()> {
        let wire = &mut self.wire;
        let seen = wire
            .ask(Method::GET, BALANCER, balancer, &Value::Null)
            .await?;
        let subnet = text(&seen.body["loadbalancer"], "vip_subnet_id");
        let path = format!("/lbaas/pools/{pool}/members");
        for address in ["10.8.0.71", "10.8.0.72"] {
            let member = json!({"name": self.name, "address": address, "protocol_port": 6443, "subnet_id": subnet,
                "tags": ["a"]});
            wire.make(
                &format!("the member {address}"),
                BALANCER,
                &path,
                "member",
                member,
            )
            .await?;
            settled(wire, balancer).await?;
        }
        wire.listed("several members", BALANCER, &path, "members")
            .await
    }
}
