//! What the provider asks for if a user wants it, and what clouds let only administrators have.

use anyhow::{Result, ensure};
use serde_json::json;

use super::{Place, Probes};
use crate::wire::NETWORK;

/// An address of the external network that nobody has.
const CHOSEN: &str = "172.29.31.77";
const GATEWAY: &str = "172.29.31.78";

impl Probes {
    /// Goes to the same transcript, but as an administrator.
    pub(super) async fn admins(&mut self, place: &Place) -> Result<()> {
        let Some(mut admin) = self.admin.take() else {
            return Ok(());
        };
        admin.transcript = std::mem::take(&mut self.wire.transcript);
        std::mem::swap(&mut self.wire, &mut admin);
        let result = self.as_admin(place).await;
        std::mem::swap(&mut self.wire, &mut admin);
        self.wire.transcript = std::mem::take(&mut admin.transcript);
        self.wire.differences.append(&mut admin.differences);
        self.admin = Some(admin);
        result
    }

    async fn as_admin(&mut self, place: &Place) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        let port = json!({"name": name, "network_id": place.network, "binding:host_id": "a-host",
            "binding:vnic_type": "direct"});
        let mut profile = port.clone();
        profile["binding:profile"] = json!({"capabilities": ["switchdev"]});
        // Not even an administrator may, only other services.
        let what = "a profile by an administrator";
        wire.post(what, NETWORK, "/ports", json!({"port": profile}), 403)
            .await?;
        let port = wire
            .make("a port on a host", NETWORK, "/ports", "port", port)
            .await?;
        let port = format!("/ports/{port}");
        let seen = wire.get("the port on a host", NETWORK, &port, 200).await?;
        ensure!(seen["port"]["binding:host_id"] == "a-host", "{seen}");
        wire.remove(NETWORK, &port).await?;
        let ip = json!({"floating_network_id": place.external, "floating_ip_address": CHOSEN});
        let what = "a floating IP of a chosen address";
        let ip = wire
            .make(what, NETWORK, "/floatingips", "floatingip", ip)
            .await?;
        let ip = format!("/floatingips/{ip}");
        let seen = wire.get(what, NETWORK, &ip, 200).await?;
        ensure!(
            seen["floatingip"]["floating_ip_address"] == CHOSEN,
            "{seen}"
        );
        wire.remove(NETWORK, &ip).await?;
        self.gateways(place).await
    }

    async fn gateways(&mut self, place: &Place) -> Result<()> {
        let (wire, name) = (&mut self.wire, &self.name);
        let external = wire
            .ask(
                reqwest::Method::GET,
                NETWORK,
                &format!("/subnets?network_id={}", place.external),
                &json!(null),
            )
            .await?;
        let subnet = &external.body["subnets"][0]["id"];
        let gateway = json!({"network_id": place.external, "enable_snat": false,
            "external_fixed_ips": [{"subnet_id": subnet, "ip_address": GATEWAY}]});
        let router = json!({"name": name, "external_gateway_info": gateway});
        let what = "a router with a chosen address";
        let router = wire
            .make(what, NETWORK, "/routers", "router", router)
            .await?;
        let router = format!("/routers/{router}");
        let addresses = json!({"router": {"external_gateway_info": {"network_id": place.external,
            "enable_snat": true, "external_fixed_ips": [{"subnet_id": subnet, "ip_address": GATEWAY}]}}});
        let what = "the chosen address again";
        let seen = wire.put(what, NETWORK, &router, addresses, 200).await?;
        let led = &seen["router"]["external_gateway_info"]["external_fixed_ips"];
        ensure!(led[0]["ip_address"] == GATEWAY, "{seen}");
        wire.remove(NETWORK, &router).await
    }
}
