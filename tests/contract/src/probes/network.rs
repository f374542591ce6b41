//! Neutron: networks, subnets, routers, security groups, tags.

use anyhow::Result;
use serde_json::json;

use super::{NOTHING, Place, Probes};
use crate::wire::{NETWORK, text};

impl Probes {
    pub(super) async fn network(&mut self, place: &Place) -> Result<()> {
        self.networks(place).await?;
        self.subnets(place).await?;
        self.routers(place).await?;
        self.security_groups().await?;
        self.ports(place).await?;
        self.port_refusals(place).await?;
        self.floating_ips(place).await
    }

    async fn networks(&mut self, place: &Place) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        let path = format!("/networks/{}", place.network);
        wire.get("extensions", NETWORK, "/extensions")
            .await?
            .is(200)?;
        wire.get("a network", NETWORK, &path).await?.is(200)?;
        wire.get("no such network", NETWORK, &format!("/networks/{NOTHING}"))
            .await?
            .is(404)?;
        wire.get(
            "networks by name",
            NETWORK,
            &format!("/networks?name={name}"),
        )
        .await?
        .is(200)?;
        wire.get("an unknown filter", NETWORK, "/networks?nonsense=1")
            .await?
            .is(400)?;
        let unknown = json!({"network": {"name": name, "nonsense": 1}});
        wire.post("an unknown attribute", NETWORK, "/networks", unknown)
            .await?
            .is(400)?;
        let external = json!({"network": {"name": name, "router:external": true}});
        wire.post(
            "an external network by a tenant",
            NETWORK,
            "/networks",
            external,
        )
        .await?
        .is(403)?;
        let foreign = format!("/networks/{}", place.external);
        wire.delete("another's network", NETWORK, &foreign)
            .await?
            .is(403)?;
        wire.delete("a network in use", NETWORK, &path)
            .await?
            .is(409)?;
        let tags = format!("{path}/tags");
        wire.put("tags", NETWORK, &tags, json!({"tags": ["b", "a"]}))
            .await?
            .is(200)?;
        wire.put(
            "tags that are no list",
            NETWORK,
            &tags,
            json!({"tags": "a"}),
        )
        .await?
        .is(400)?;
        wire.get("tags", NETWORK, &tags).await?.is(200)?;
        let nothing = format!("/networks/{NOTHING}/tags");
        wire.put("tags of nothing", NETWORK, &nothing, json!({"tags": []}))
            .await?
            .is(404)?;
        let found = wire
            .get("networks by tags", NETWORK, "/networks?tags=a,b")
            .await?
            .is(200)?;
        anyhow::ensure!(
            found["networks"]
                .as_array()
                .is_some_and(|found| found.len() == 1),
            "{found}"
        );
        Ok(())
    }

    async fn subnets(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let path = format!("/subnets/{}", place.subnet);
        wire.get("a subnet", NETWORK, &path).await?.is(200)?;
        wire.get("no such subnet", NETWORK, &format!("/subnets/{NOTHING}"))
            .await?
            .is(404)?;
        let dns = json!({"subnet": {"dns_nameservers": ["10.0.0.2", "10.0.0.3"]}});
        wire.put("name servers", NETWORK, &path, dns)
            .await?
            .is(200)?;
        let moved = json!({"subnet": {"cidr": "10.9.0.0/24"}});
        wire.put("another CIDR", NETWORK, &path, moved)
            .await?
            .is(400)?;
        let mut body = json!({"network_id": place.network, "ip_version": 4, "cidr": "10.8.0.0/25"});
        wire.post(
            "an overlapping subnet",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
        )
        .await?
        .is(400)?;
        body["cidr"] = json!("10.99.0.0/24");
        body["ip_version"] = json!(6);
        wire.post(
            "a CIDR of the other family",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
        )
        .await?
        .is(400)?;
        body["ip_version"] = json!(4);
        body["allocation_pools"] = json!([{"start": "10.98.0.1", "end": "10.98.0.9"}]);
        wire.post(
            "a pool outside",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
        )
        .await?
        .is(400)?;
        body["allocation_pools"] = json!([]);
        body["network_id"] = json!(NOTHING);
        wire.post(
            "a subnet of nothing",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
        )
        .await?
        .is(404)?;
        wire.delete("a subnet in use", NETWORK, &path)
            .await?
            .is(409)?;
        let sixth = json!({"network_id": place.network, "ip_version": 6, "cidr": "fd00:8::/64",
            "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"});
        let sixth = wire
            .make("an IPv6 subnet", NETWORK, "/subnets", "subnet", sixth)
            .await?;
        wire.delete("an IPv6 subnet", NETWORK, &format!("/subnets/{sixth}"))
            .await?
            .is(204)?;
        Ok(())
    }

    async fn routers(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let path = format!("/routers/{}", place.router);
        wire.get("a router", NETWORK, &path).await?.is(200)?;
        wire.get("no such router", NETWORK, &format!("/routers/{NOTHING}"))
            .await?
            .is(404)?;
        let again = json!({"subnet_id": place.subnet});
        wire.put(
            "plugging twice",
            NETWORK,
            &format!("{path}/add_router_interface"),
            again,
        )
        .await?
        .is(400)?;
        let nothing = json!({"subnet_id": NOTHING});
        wire.put(
            "plugging nothing",
            NETWORK,
            &format!("{path}/add_router_interface"),
            nothing,
        )
        .await?
        .is(404)?;
        let inner = json!({"router": {"external_gateway_info": {"network_id": place.network}}});
        wire.put("a gateway to an inner network", NETWORK, &path, inner)
            .await?
            .is(400)?;
        let same = json!({"router": {"external_gateway_info": {"network_id": place.external}}});
        wire.put("the same gateway", NETWORK, &path, same)
            .await?
            .is(200)?;
        let list = format!("/ports?device_id={}", place.router);
        wire.get("ports of a router", NETWORK, &list)
            .await?
            .is(200)?;
        Ok(())
    }

    async fn security_groups(&mut self) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        let group = json!({"name": name, "description": "d"});
        let group = wire
            .make(
                "a security group",
                NETWORK,
                "/security-groups",
                "security_group",
                group,
            )
            .await?;
        let path = format!("/security-groups/{group}");
        wire.get("a security group", NETWORK, &path)
            .await?
            .is(200)?;
        wire.get(
            "security groups by name",
            NETWORK,
            &format!("/security-groups?name={name}"),
        )
        .await?
        .is(200)?;
        let default = json!({"security_group": {"name": "default"}});
        wire.post(
            "a second default group",
            NETWORK,
            "/security-groups",
            default,
        )
        .await?
        .is(409)?;
        let rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
            "port_range_min": 6443, "port_range_max": 6443, "remote_group_id": group, "description": "d"});
        let rules = json!({"security_group_rules": [rule]});
        let made = wire
            .post("rules", NETWORK, "/security-group-rules", rules.clone())
            .await?
            .is(201)?;
        wire.post("rules that exist", NETWORK, "/security-group-rules", rules)
            .await?
            .is(409)?;
        let id = text(&made["security_group_rules"][0], "id");
        for (what, field, value, status) in [
            ("a rule of no direction", "direction", json!("up"), 400),
            ("a rule without protocol", "protocol", json!(null), 400),
            (
                "a rule with a turned range",
                "port_range_max",
                json!(80),
                400,
            ),
            (
                "a rule with two remotes",
                "remote_ip_prefix",
                json!("10.0.0.0/8"),
                400,
            ),
            (
                "a rule of an unknown family",
                "ethertype",
                json!("IPv5"),
                400,
            ),
            (
                "a rule with an unknown remote group",
                "remote_group_id",
                json!(NOTHING),
                404,
            ),
            (
                "a rule of no group",
                "security_group_id",
                json!(NOTHING),
                404,
            ),
        ] {
            let mut wrong = rule.clone();
            wrong[field] = value;
            let body = json!({"security_group_rule": wrong});
            wire.post(what, NETWORK, "/security-group-rules", body)
                .await?
                .is(status)?;
        }
        wire.delete("a rule", NETWORK, &format!("/security-group-rules/{id}"))
            .await?
            .is(204)?;
        wire.delete(
            "a rule that is gone",
            NETWORK,
            &format!("/security-group-rules/{id}"),
        )
        .await?
        .is(404)?;
        wire.put(
            "tags of a group",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
        )
        .await?
        .is(200)?;
        wire.delete("a security group", NETWORK, &path)
            .await?
            .is(204)?;
        wire.delete("a security group that is gone", NETWORK, &path)
            .await?
            .is(404)?;
        Ok(())
    }
}
