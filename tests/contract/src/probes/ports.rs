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
        wire.get("a port", NETWORK, &path).await?.is(200)?;
        wire.get(
            "ports by address",
            NETWORK,
            "/ports?fixed_ips=ip_address=10.8.0.50",
        )
        .await?
        .is(200)?;
        wire.get(
            "ports by name and network",
            NETWORK,
            &format!("/ports?name={name}&network_id={}", place.network),
        )
        .await?
        .is(200)?;
        wire.get(
            "some fields of ports",
            NETWORK,
            &format!("/ports?name={name}&fields=id&fields=name"),
        )
        .await?
        .is(200)?;
        let pairs = json!({"port": {"allowed_address_pairs": []}});
        wire.put("no more pairs", NETWORK, &path, pairs)
            .await?
            .is(200)?;
        let name_only = json!({"port": {"name": format!("{name}-2")}});
        wire.put("another name", NETWORK, &path, name_only)
            .await?
            .is(200)?;
        wire.put(
            "tags of a port",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
        )
        .await?
        .is(200)?;
        wire.delete(
            "a group in use",
            NETWORK,
            &format!("/security-groups/{group}"),
        )
        .await?
        .is(409)?;
        wire.delete("a port", NETWORK, &path).await?.is(204)?;
        wire.delete("a port that is gone", NETWORK, &path)
            .await?
            .is(404)?;
        wire.delete(
            "a group that is free",
            NETWORK,
            &format!("/security-groups/{group}"),
        )
        .await?
        .is(204)?;
        let bare = json!({"network_id": place.network, "port_security_enabled": false});
        let bare = wire
            .make("a port without security", NETWORK, "/ports", "port", bare)
            .await?;
        wire.delete(
            "a port without security",
            NETWORK,
            &format!("/ports/{bare}"),
        )
        .await?
        .is(204)?;
        let several = json!({"ports": [{"network_id": place.network, "tags": ["a"]}, {"network_id": place.network}]});
        let several = wire
            .post("several ports", NETWORK, "/ports", several)
            .await?
            .is(201)?;
        for row in several["ports"].as_array().into_iter().flatten() {
            wire.ask(
                reqwest::Method::DELETE,
                NETWORK,
                &format!("/ports/{}", text(row, "id")),
                &json!(null),
            )
            .await?
            .is(204)?;
        }
        Ok(())
    }

    pub(super) async fn port_refusals(&mut self, place: &Place) -> Result<()> {
        let wire = &mut self.wire;
        let gateway = json!([{"ip_address": "10.8.0.1"}]);
        for (what, body, status) in [
            (
                "a taken address",
                json!({"network_id": place.network, "fixed_ips": gateway}),
                409,
            ),
            (
                "an address outside",
                json!({"network_id": place.network, "fixed_ips": [{"ip_address": "10.9.0.1"}]}),
                400,
            ),
            (
                "a subnet that is not there",
                json!({"network_id": place.network, "fixed_ips": [{"subnet_id": NOTHING}]}),
                404,
            ),
            ("a port of no network", json!({"network_id": NOTHING}), 404),
            (
                "an unknown group",
                json!({"network_id": place.network, "security_groups": [NOTHING]}),
                404,
            ),
            (
                "tags for one port",
                json!({"network_id": place.network, "tags": ["a"]}),
                400,
            ),
            (
                "an unknown attribute of a port",
                json!({"network_id": place.network, "nonsense": 1}),
                400,
            ),
            (
                "a host",
                json!({"network_id": place.network, "binding:host_id": "x"}),
                403,
            ),
            (
                "a profile",
                json!({"network_id": place.network, "binding:profile": {"a": "b"}}),
                403,
            ),
            (
                "groups without security",
                json!({"network_id": place.network, "port_security_enabled": false,
                "security_groups": [NOTHING]}),
                400,
            ),
            (
                "pairs without security",
                json!({"network_id": place.network, "port_security_enabled": false,
                "allowed_address_pairs": [{"ip_address": "10.8.0.9"}]}),
                409,
            ),
        ] {
            wire.post(what, NETWORK, "/ports", json!({"port": body}))
                .await?
                .is(status)?;
        }
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
        )
        .await?
        .is(409)?;
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
        wire.put("leading a floating IP", NETWORK, &path, lead)
            .await?
            .is(200)?;
        wire.reaches(NETWORK, &path, "floatingip", "status", "ACTIVE")
            .await?;
        wire.get("a floating IP", NETWORK, &path).await?.is(200)?;
        let second =
            json!({"floatingip": {"floating_network_id": place.external, "port_id": port}});
        wire.post(
            "a second floating IP for a port",
            NETWORK,
            "/floatingips",
            second,
        )
        .await?
        .is(409)?;
        let unplug = format!("/routers/{}/remove_router_interface", place.router);
        wire.put(
            "unplugging what a floating IP needs",
            NETWORK,
            &unplug,
            json!({"subnet_id": place.subnet}),
        )
        .await?
        .is(409)?;
        wire.put(
            "leading it nowhere",
            NETWORK,
            &path,
            json!({"floatingip": {"port_id": null}}),
        )
        .await?
        .is(200)?;
        wire.put(
            "leading it to nothing",
            NETWORK,
            &path,
            json!({"floatingip": {"port_id": NOTHING}}),
        )
        .await?
        .is(404)?;
        let lead = json!({"floatingip": {"port_id": port}});
        wire.put("leading it again", NETWORK, &path, lead)
            .await?
            .is(200)?;
        wire.delete(
            "a port that a floating IP leads to",
            NETWORK,
            &format!("/ports/{port}"),
        )
        .await?
        .is(204)?;
        wire.get("a floating IP whose port is gone", NETWORK, &path)
            .await?
            .is(200)?;
        wire.put(
            "tags of a floating IP",
            NETWORK,
            &format!("{path}/tags"),
            json!({"tags": ["a"]}),
        )
        .await?
        .is(200)?;
        wire.delete("a floating IP", NETWORK, &path)
            .await?
            .is(204)?;
        wire.delete("a floating IP that is gone", NETWORK, &path)
            .await?
            .is(404)?;
        for (what, body, status) in [
            (
                "a floating IP of an inner network",
                json!({"floating_network_id": place.network}),
                400,
            ),
            (
                "a floating IP of no network",
                json!({"floating_network_id": NOTHING}),
                400,
            ),
            (
                "a chosen address by a tenant",
                json!({"floating_network_id": place.external,
                "floating_ip_address": "172.29.16.200"}),
                403,
            ),
        ] {
            wire.post(what, NETWORK, "/floatingips", json!({"floatingip": body}))
                .await?
                .is(status)?;
        }
        Ok(())
    }
}
