//! Neutron: ports and floating IPs.

use anyhow::Result;
use serde_json::json;

use super::{NOTHING, Place, Probes};
use crate::wire::{NETWORK, text};

impl Probes {
    pub(super) async fn ports(&mut self, place: &Place) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        let group = json!({"name": name});
        let group = wire
            .make(
                "a group for a port",
                NETWORK,
                "/security-groups",
                "security_group",
                group,
            )
            .await?;
        let port = json!({"name": name, "network_id": place.network, "security_groups": [group],
            "fixed_ips": [{"subnet_id": place.subnet, "ip_address": "10.8.0.50"}],
            "allowed_address_pairs": [{"ip_address": "10.8.0.100"}], "binding:vnic_type": "normal"});
        let port = wire.make("a port", NETWORK, "/ports", "port", port).await?;
        let path = format!("/ports/{port}");
        wire.get("a port", NETWORK, &path, 200).await?;
        wire.get(
            "ports by address",
            NETWORK,
            "/ports?fixed_ips=ip_address=10.8.0.50",
            200,
        )
        .await?;
        wire.get(
            "ports by name and network",
            NETWORK,
            &format!("/ports?name={name}&network_id={}", place.network),
            200,
        )
        .await?;
        wire.get(
            "some fields of ports",
            NETWORK,
            &format!("/ports?name={name}&fields=id&fields=name"),
            200,
        )
        .await?;
        self.port_changes(&path).await?;
        let wire = &mut self.wire;
        wire.delete(
            "a group in use",
            NETWORK,
            &format!("/security-groups/{group}"),
            409,
        )
        .await?;
        wire.delete("a port", NETWORK, &path, 204).await?;
        wire.delete("a port that is gone", NETWORK, &path, 404)
            .await?;
        wire.delete(
            "a group that is free",
            NETWORK,
            &format!("/security-groups/{group}"),
            204,
        )
        .await?;
        self.other_ports(place).await
    }

    async fn port_changes(&mut self, path: &str) -> Result<()> {
        let pairs = json!({"port": {"allowed_address_pairs": []}});
        let wire = &mut self.wire;
        wire.put("no more pairs", NETWORK, path, pairs, 200).await?;
        let name_only = json!({"port": {"name": format!("{}-2", self.name)}});
        wire.put("another name", NETWORK, path, name_only, 200)
            .await?;
        wire.put(
            "tags of a port",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
            200,
        )
        .await?;
        Ok(())
    }

    /// A port without security, and several at once.
    async fn other_ports(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let bare = json!({"network_id": place.network, "port_security_enabled": false});
        let bare = wire
            .make("a port without security", NETWORK, "/ports", "port", bare)
            .await?;
        wire.delete(
            "a port without security",
            NETWORK,
            &format!("/ports/{bare}"),
            204,
        )
        .await?;
        // Not all clouds keep these tags, but all take them.
        let tagged = json!({"network_id": place.network, "tags": ["a"]});
        let tagged = wire
            .make("tags for one port", NETWORK, "/ports", "port", tagged)
            .await?;
        wire.remove(NETWORK, &format!("/ports/{tagged}")).await?;
        let several = json!({"ports": [{"network_id": place.network, "tags": ["a"]}, {"network_id": place.network}]});
        let several = wire
            .post("several ports", NETWORK, "/ports", several, 201)
            .await?;
        for row in several["ports"].as_array().into_iter().flatten() {
            wire.remove(NETWORK, &format!("/ports/{}", text(row, "id")))
                .await?;
        }
        Ok(())
    }

    pub(super) async fn port_refusals(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let taken = json!([{"ip_address": "10.8.0.1"}]);
        let outside = json!([{"ip_address": "10.9.0.1"}]);
        let pairs = json!([{"ip_address": "10.8.0.9"}]);
        let security = "port_security_enabled";
        for (what, own, status) in [
            ("a taken address", json!({"fixed_ips": taken}), 409),
            ("an address outside", json!({"fixed_ips": outside}), 400),
            (
                "a subnet that is not there",
                json!({"fixed_ips": [{"subnet_id": NOTHING}]}),
                404,
            ),
            ("a port of no network", json!({"network_id": NOTHING}), 404),
            (
                "an unknown group",
                json!({"security_groups": [NOTHING]}),
                404,
            ),
            (
                "an unknown attribute of a port",
                json!({"nonsense": 1}),
                400,
            ),
            ("a host", json!({"binding:host_id": "x"}), 403),
            ("a profile", json!({"binding:profile": {"a": "b"}}), 403),
            (
                "groups without security",
                json!({security: false, "security_groups": [NOTHING]}),
                400,
            ),
            (
                "pairs without security",
                json!({security: false, "allowed_address_pairs": pairs}),
                409,
            ),
        ] {
            let mut port = json!({"network_id": place.network});
            for (field, value) in own.as_object().into_iter().flatten() {
                port[field] = value.clone();
            }
            wire.post(what, NETWORK, "/ports", json!({"port": port}), status)
                .await?;
        }
        self.router_port(place).await
    }

    async fn router_port(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let ports = wire
            .ask(
                reqwest::Method::GET,
                NETWORK,
                &format!("/ports?device_id={}", place.router),
                &json!(null),
            )
            .await?;
        let interface = text(&ports.body["ports"][0], "id");
        wire.delete(
            "the port of a router",
            NETWORK,
            &format!("/ports/{interface}"),
            409,
        )
        .await?;
        Ok(())
    }

    pub(super) async fn floating_ips(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let port = json!({"name": self.name, "network_id": place.network});
        let port = wire
            .make("a port for a floating IP", NETWORK, "/ports", "port", port)
            .await?;
        let ip = json!({"floating_network_id": place.external, "description": "d"});
        let ip = wire
            .make("a floating IP", NETWORK, "/floatingips", "floatingip", ip)
            .await?;
        let path = format!("/floatingips/{ip}");
        let lead = json!({"floatingip": {"port_id": port}});
        wire.put("leading a floating IP", NETWORK, &path, lead, 200)
            .await?;
        wire.reaches(NETWORK, &path, "floatingip", "status", "ACTIVE")
            .await?;
        wire.get("a floating IP", NETWORK, &path, 200).await?;
        let second =
            json!({"floatingip": {"floating_network_id": place.external, "port_id": port}});
        wire.post(
            "a second floating IP for a port",
            NETWORK,
            "/floatingips",
            second,
            409,
        )
        .await?;
        self.leading(place, &path, &port).await?;
        self.floating_ip_refusals(place).await
    }

    /// Where a floating IP leads to, until it and its `port` are gone.
    async fn leading(&mut self, place: &Place, path: &str, port: &str) -> Result<()> {
        let wire = &mut self.wire;
        let unplug = format!("/routers/{}/remove_router_interface", place.router);
        wire.put(
            "unplugging what a floating IP needs",
            NETWORK,
            &unplug,
            json!({"subnet_id": place.subnet}),
            409,
        )
        .await?;
        wire.put(
            "leading it nowhere",
            NETWORK,
            path,
            json!({"floatingip": {"port_id": null}}),
            200,
        )
        .await?;
        wire.put(
            "leading it to nothing",
            NETWORK,
            path,
            json!({"floatingip": {"port_id": NOTHING}}),
            404,
        )
        .await?;
        let lead = json!({"floatingip": {"port_id": port}});
        wire.put("leading it again", NETWORK, path, lead, 200)
            .await?;
        wire.delete(
            "a port that a floating IP leads to",
            NETWORK,
            &format!("/ports/{port}"),
            204,
        )
        .await?;
        wire.get("a floating IP whose port is gone", NETWORK, path, 200)
            .await?;
        wire.put(
            "tags of a floating IP",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
            200,
        )
        .await?;
        wire.delete("a floating IP", NETWORK, path, 204).await?;
        wire.delete("a floating IP that is gone", NETWORK, path, 404)
            .await?;
        Ok(())
    }

    async fn floating_ip_refusals(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        for (what, body, status) in [
            (
                "a floating IP of an inner network",
                json!({"floating_network_id": place.network}),
                400,
            ),
            (
                "a floating IP of no network",
                json!({"floating_network_id": NOTHING}),
                404,
            ),
            (
                "a chosen address by a tenant",
                json!({"floating_network_id": place.external,
                "floating_ip_address": "172.29.16.200"}),
                403,
            ),
        ] {
            wire.post(
                what,
                NETWORK,
                "/floatingips",
                json!({"floatingip": body}),
                status,
            )
            .await?;
        }
        Ok(())
    }
}
