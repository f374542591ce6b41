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
        wire.get("extensions", NETWORK, "/extensions", 200).await?;
        wire.get("a network", NETWORK, &path, 200).await?;
        wire.get(
            "no such network",
            NETWORK,
            &format!("/networks/{NOTHING}"),
            404,
        )
        .await?;
        wire.get(
            "networks by name",
            NETWORK,
            &format!("/networks?name={name}"),
            200,
        )
        .await?;
        wire.get("an unknown filter", NETWORK, "/networks?nonsense=1", 400)
            .await?;
        let unknown = json!({"network": {"name": name, "nonsense": 1}});
        wire.post("an unknown attribute", NETWORK, "/networks", unknown, 400)
            .await?;
        let tagged = json!({"network": {"name": name, "tags": ["a"]}});
        wire.post("tags at creation", NETWORK, "/networks", tagged, 400)
            .await?;
        let external = json!({"network": {"name": name, "router:external": true}});
        wire.post(
            "an external network by a tenant",
            NETWORK,
            "/networks",
            external,
            403,
        )
        .await?;
        let foreign = format!("/networks/{}", place.external);
        wire.delete("another's network", NETWORK, &foreign, 403)
            .await?;
        wire.delete("a network in use", NETWORK, &path, 409).await?;
        self.tags(&path).await
    }

    async fn tags(&mut self, network: &str) -> Result<()> {
        let wire = &mut self.wire;
        let tags = format!("{network}/tags");
        wire.put("tags", NETWORK, &tags, json!({"tags": ["b", "a"]}), 200)
            .await?;
        wire.put(
            "tags that are no list",
            NETWORK,
            &tags,
            json!({"tags": "a"}),
            400,
        )
        .await?;
        wire.get("tags", NETWORK, &tags, 200).await?;
        let found = wire
            .get("networks by tags", NETWORK, "/networks?tags=a,b", 200)
            .await?;
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
        wire.get("a subnet", NETWORK, &path, 200).await?;
        wire.get(
            "no such subnet",
            NETWORK,
            &format!("/subnets/{NOTHING}"),
            404,
        )
        .await?;
        let dns = json!({"subnet": {"dns_nameservers": ["10.0.0.2", "10.0.0.3"]}});
        wire.put("name servers", NETWORK, &path, dns, 200).await?;
        let moved = json!({"subnet": {"cidr": "10.9.0.0/24"}});
        wire.put("another CIDR", NETWORK, &path, moved, 400).await?;
        let mut body = json!({"network_id": place.network, "ip_version": 4, "cidr": "10.8.0.0/25"});
        wire.post(
            "an overlapping subnet",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
            400,
        )
        .await?;
        body["cidr"] = json!("10.99.0.0/24");
        body["ip_version"] = json!(6);
        wire.post(
            "a CIDR of the other family",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
            400,
        )
        .await?;
        body["ip_version"] = json!(4);
        body["allocation_pools"] = json!([{"start": "10.98.0.1", "end": "10.98.0.9"}]);
        wire.post(
            "a pool outside",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
            400,
        )
        .await?;
        body["allocation_pools"] = json!([]);
        body["network_id"] = json!(NOTHING);
        wire.post(
            "a subnet of nothing",
            NETWORK,
            "/subnets",
            json!({"subnet": body}),
            404,
        )
        .await?;
        wire.delete("a subnet in use", NETWORK, &path, 409).await?;
        self.ipv6_subnet(place).await
    }

    async fn ipv6_subnet(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let sixth = json!({"network_id": place.network, "ip_version": 6, "cidr": "fd00:8::/64",
            "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"});
        let sixth = wire
            .make("an IPv6 subnet", NETWORK, "/subnets", "subnet", sixth)
            .await?;
        wire.delete("an IPv6 subnet", NETWORK, &format!("/subnets/{sixth}"), 204)
            .await?;
        Ok(())
    }

    async fn routers(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let path = format!("/routers/{}", place.router);
        wire.get("a router", NETWORK, &path, 200).await?;
        wire.get(
            "no such router",
            NETWORK,
            &format!("/routers/{NOTHING}"),
            404,
        )
        .await?;
        let again = json!({"subnet_id": place.subnet});
        wire.put(
            "plugging twice",
            NETWORK,
            &format!("{path}/add_router_interface"),
            again,
            400,
        )
        .await?;
        let nothing = json!({"subnet_id": NOTHING});
        wire.put(
            "plugging nothing",
            NETWORK,
            &format!("{path}/add_router_interface"),
            nothing,
            404,
        )
        .await?;
        let inner = json!({"router": {"external_gateway_info": {"network_id": place.network}}});
        wire.put("a gateway to an inner network", NETWORK, &path, inner, 400)
            .await?;
        let same = json!({"router": {"external_gateway_info": {"network_id": place.external}}});
        wire.put("the same gateway", NETWORK, &path, same, 200)
            .await?;
        let list = format!("/ports?device_id={}", place.router);
        wire.get("ports of a router", NETWORK, &list, 200).await?;
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
        wire.get("a security group", NETWORK, &path, 200).await?;
        wire.get(
            "security groups by name",
            NETWORK,
            &format!("/security-groups?name={name}"),
            200,
        )
        .await?;
        let default = json!({"security_group": {"name": "default"}});
        wire.post(
            "a second default group",
            NETWORK,
            "/security-groups",
            default,
            409,
        )
        .await?;
        self.rules(&group).await?;
        let wire = &mut self.wire;
        wire.put(
            "tags of a group",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
            200,
        )
        .await?;
        wire.delete("a security group", NETWORK, &path, 204).await?;
        wire.delete("a security group that is gone", NETWORK, &path, 404)
            .await?;
        Ok(())
    }

    async fn rules(&mut self, group: &str) -> Result<()> {
        let wire = &mut self.wire;
        const RULES: &str = "/security-group-rules";
        let rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
            "port_range_min": 6443, "port_range_max": 6443, "remote_group_id": group, "description": "d"});
        let rules = json!({"security_group_rules": [rule]});
        let made = wire
            .post("rules", NETWORK, RULES, rules.clone(), 201)
            .await?;
        wire.post("rules that exist", NETWORK, RULES, rules, 409)
            .await?;
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
            wire.post(what, NETWORK, RULES, body, status).await?;
        }
        wire.delete("a rule", NETWORK, &format!("{RULES}/{id}"), 204)
            .await?;
        wire.delete(
            "a rule that is gone",
            NETWORK,
            &format!("{RULES}/{id}"),
            404,
        )
        .await?;
        Ok(())
    }
}
