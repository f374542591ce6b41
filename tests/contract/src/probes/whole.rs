//! Neutron: every kind with every field and tag that the provider gives it, and its list in pages.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Place, Probes};
use crate::wire::{NETWORK, text};

impl Probes {
    /// Makes, lists and deletes a second one of each kind; the first is in `place`.
    pub(super) async fn whole(&mut self, place: &Place) -> Result<()> {
        let (network, subnet) = self.whole_network().await?;
        let router = self.whole_router(place).await?;
        let groups = self.whole_groups().await?;
        let ports = self.whole_ports(&network, &subnet, &groups).await?;
        self.whole_trunks(&ports).await?;
        self.whole_floating_ips(place).await?;
        let wire = &mut self.wire;
        wire.remove(NETWORK, &format!("/routers/{router}")).await?;
        for port in ports {
            wire.remove(NETWORK, &format!("/ports/{port}")).await?;
        }
        for group in groups {
            wire.remove(NETWORK, &format!("/security-groups/{group}"))
                .await?;
        }
        wire.remove(NETWORK, &format!("/networks/{network}")).await
    }

    async fn tag(&mut self, what: &str, path: &str) -> Result<()> {
        let tags = json!({"tags": ["b", "a"]});
        let wire = &mut self.wire;
        wire.put(
            &format!("tags of {what}"),
            NETWORK,
            &format!("{path}/tags"),
            tags,
            200,
        )
        .await?;
        let seen = wire
            .get(&format!("{what} with tags"), NETWORK, path, 200)
            .await?;
        let row = seen.as_object().and_then(|body| body.values().next());
        let mut tags: Vec<&str> = row
            .and_then(|row| row["tags"].as_array())
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        tags.sort_unstable();
        anyhow::ensure!(tags == ["a", "b"], "{seen}");
        Ok(())
    }

    /// The own rows of a kind in pages.
    async fn own(&mut self, what: &str, collection: &str, key: &str) -> Result<()> {
        let list = format!("/{collection}?project_id={}", self.wire.project_id);
        self.wire.listed(what, NETWORK, &list, key).await
    }

    /// A network with a subnet of each family; its id and that of the IPv4 one.
    async fn whole_network(&mut self) -> Result<(String, String)> {
        let (wire, name) = (&mut self.wire, &self.name);
        let network = json!({"name": name, "description": "d", "admin_state_up": true, "mtu": 1400,
            "port_security_enabled": true});
        let network = wire
            .make(
                "a network with everything",
                NETWORK,
                "/networks",
                "network",
                network,
            )
            .await?;
        let fourth = json!({"name": name, "description": "d", "network_id": network, "ip_version": 4,
            "cidr": "10.18.0.0/24", "dns_nameservers": ["10.0.0.1"], "enable_dhcp": true,
            "allocation_pools": [{"start": "10.18.0.10", "end": "10.18.0.99"}]});
        let sixth = json!({"name": name, "network_id": network, "ip_version": 6, "cidr": "fd00:18::/64",
            "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac"});
        let mut subnets = Vec::new();
        for (what, body) in [
            ("a subnet with everything", fourth),
            ("a second IPv6 subnet", sixth),
        ] {
            let id = wire.make(what, NETWORK, "/subnets", "subnet", body).await?;
            subnets.push(id);
        }
        let fourth = subnets.swap_remove(0);
        self.tag("a subnet", &format!("/subnets/{fourth}")).await?;
        let wire = &mut self.wire;
        wire.listed("all networks", NETWORK, "/networks", "networks")
            .await?;
        wire.listed("all subnets", NETWORK, "/subnets", "subnets")
            .await?;
        Ok((network, fourth))
    }

    async fn whole_router(&mut self, place: &Place) -> Result<String> {
        let (wire, name) = (&mut self.wire, &self.name);
        let router = json!({"name": name, "description": "d", "external_gateway_info": {"network_id": place.external}});
        let what = "a router with everything";
        let router = wire
            .make(what, NETWORK, "/routers", "router", router)
            .await?;
        self.tag("a router", &format!("/routers/{router}")).await?;
        self.own("own routers", "routers", "routers").await?;
        Ok(router)
    }

    async fn whole_groups(&mut self) -> Result<Vec<String>> {
        let (wire, name) = (&mut self.wire, &self.name);
        let mut groups = Vec::new();
        for what in ["a group for rules", "a second group for rules"] {
            let group = json!({"name": name, "description": "d"});
            let path = "/security-groups";
            groups.push(
                wire.make(what, NETWORK, path, "security_group", group)
                    .await?,
            );
        }
        let rule = |ethertype: &str, prefix: &str| {
            json!({"security_group_id": groups[0], "direction": "ingress", "ethertype": ethertype, "protocol": "tcp",
                "port_range_min": 1, "port_range_max": 9, "remote_ip_prefix": prefix, "description": "d"})
        };
        let of_other = json!({"security_group_id": groups[1], "direction": "egress", "ethertype": "IPv4",
            "remote_group_id": groups[0]});
        let of_one = vec![rule("IPv4", "10.0.0.0/8"), rule("IPv6", "fd00::/8")];
        let of_two = vec![rule("IPv4", "10.0.0.0/9"), of_other.clone()];
        for (what, rules, status) in [
            ("rules of two groups", of_two, 400),
            ("rules of one group", of_one, 201),
            ("rules of the other group", vec![of_other], 201),
        ] {
            let rules = json!({"security_group_rules": rules});
            wire.post(what, NETWORK, "/security-group-rules", rules, status)
                .await?;
        }
        let list = format!("/security-groups?id={}", groups[0]);
        wire.get("security groups by id", NETWORK, &list, 200)
            .await?;
        self.own("own groups", "security-groups", "security_groups")
            .await?;
        Ok(groups)
    }

    /// A port alone and two in one request, with all that a tenant may ask for.
    async fn whole_ports(
        &mut self,
        network: &str,
        subnet: &str,
        groups: &[String],
    ) -> Result<Vec<String>> {
        let (wire, name) = (&mut self.wire, &self.name);
        let port = |number: u8| {
            json!({"name": name, "description": "d", "network_id": network, "admin_state_up": true,
                "fixed_ips": [{"subnet_id": subnet, "ip_address": format!("10.18.0.{number}")}], "security_groups": groups,
                "allowed_address_pairs": [{"ip_address": "10.18.0.0/28", "mac_address": "fa:16:3e:00:00:01"}],
                "mac_address": format!("fa:16:3e:00:01:{number}"), "port_security_enabled": true,
                "binding:vnic_type": "normal", "tags": ["a"]})
        };
        let what = "a port with everything";
        let alone = wire.make(what, NETWORK, "/ports", "port", port(50)).await?;
        let bare = json!({"name": name, "network_id": network, "security_groups": []});
        let both = json!({"ports": [port(51), bare]});
        let made = wire
            .post("ports with everything", NETWORK, "/ports", both, 201)
            .await?;
        let made = made["ports"].as_array().into_iter().flatten();
        let ports = made.map(|port| text(port, "id")).chain([alone]);
        let ports: Vec<String> = ports.collect();
        for (what, field) in [
            ("a trusted port", "trusted"),
            ("a port that passes the link on", "propagate_uplink_status"),
        ] {
            // These take an extension that neither cloud has.
            let port = json!({"port": {"network_id": network, field: true}});
            wire.post(what, NETWORK, "/ports", port, 400).await?;
        }
        let marked = json!({"port": {"name": name, "description": "other"}});
        let path = format!("/ports/{}", ports[1]);
        wire.put("another description", NETWORK, &path, marked, 200)
            .await?;
        let pairs = json!({"port": {"allowed_address_pairs":
            [{"ip_address": "10.18.0.7", "mac_address": "fa:16:3e:00:00:03"}]}});
        let path = format!("/ports/{}", ports[0]);
        wire.put("other pairs", NETWORK, &path, pairs, 200).await?;
        for filter in ["id", "tags"] {
            let value = if filter == "id" { &ports[0] } else { "a" };
            let list = format!("/ports?{filter}={value}");
            wire.get(&format!("ports by {filter}"), NETWORK, &list, 200)
                .await?;
        }
        self.own("own ports", "ports", "ports").await?;
        Ok(ports)
    }

    async fn whole_trunks(&mut self, ports: &[String]) -> Result<()> {
        let mut trunks = Vec::new();
        for port in ports {
            let trunk = json!({"trunk": {"name": self.name, "description": "d", "port_id": port}});
            let made = self
                .wire
                .ask(Method::POST, NETWORK, "/trunks", &trunk)
                .await?;
            trunks.push(text(&made.is(201)?["trunk"], "id"));
        }
        self.own("own trunks", "trunks", "trunks").await?;
        for trunk in trunks {
            self.wire
                .remove(NETWORK, &format!("/trunks/{trunk}"))
                .await?;
        }
        Ok(())
    }

    async fn whole_floating_ips(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let port = json!({"name": self.name, "network_id": place.network});
        let what = "a port that gets a floating IP";
        let port = wire.make(what, NETWORK, "/ports", "port", port).await?;
        let bare = json!({"floating_network_id": place.external});
        let led =
            json!({"floating_network_id": place.external, "description": "d", "port_id": port});
        let mut paths = Vec::new();
        for (what, body) in [
            ("a floating IP for nobody", bare),
            ("a floating IP that leads to a port", led),
        ] {
            let id = wire
                .make(what, NETWORK, "/floatingips", "floatingip", body)
                .await?;
            paths.push(format!("/floatingips/{id}"));
        }
        self.own("own floating IPs", "floatingips", "floatingips")
            .await?;
        for path in paths.iter().chain([&format!("/ports/{port}")]) {
            self.wire.remove(NETWORK, path).await?;
        }
        Ok(())
    }
}
