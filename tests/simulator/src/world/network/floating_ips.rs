//! Floating IPs.

use serde_json::{Value, json};

use super::missing;
use super::ports::first_address;
use crate::world::request::Refusal;
use crate::world::table::{list, text};
use crate::world::{Caller, Resource, World};

impl World {
    pub(super) fn make_floating_ip(
        &mut self,
        caller: &Caller,
        mut row: Value,
    ) -> Result<(), Refusal> {
        let network_id = text(&row, "floating_network_id").to_owned();
        let network = self
            .find(caller, Resource::Networks, &network_id)
            .ok_or_else(|| missing(Resource::Networks, &network_id))?;
        if network["router:external"] != true {
            let message = format!(
                "Bad floatingip request: Network {network_id} is not a valid external network."
            );
            return Err(Refusal::new(400, "BadRequest", message));
        }
        let mut subnets = self.subnets_of(&network_id).into_iter();
        if !subnets.any(|subnet| subnet["ip_version"] == 4) {
            let message = format!(
                "Bad floatingip request: Network {network_id} does not contain any IPv4 subnet."
            );
            return Err(Refusal::new(400, "BadRequest", message));
        }
        let wanted = text(&row, "floating_ip_address").to_owned();
        if !wanted.is_empty() && !caller.is_admin {
            return Err(Refusal::new(
                403,
                "PolicyNotAuthorized",
                "(rule:create_floatingip and rule:create_floatingip:floating_ip_address) is disallowed by policy",
            ));
        }
        let wish = if wanted.is_empty() {
            let subnets = self.subnets_of(&network_id);
            let v4 = subnets.into_iter().find(|subnet| subnet["ip_version"] == 4);
            v4.map(|subnet| json!([{"subnet_id": subnet["id"]}]))
        } else {
            Some(json!([{"ip_address": wanted}]))
        };
        let id = text(&row, "id").to_owned();
        let fields = json!({"device_id": id, "device_owner": "network:floatingip", "status": "N/A", "security_groups": []});
        let port = self.service_port("", &network_id, fields, wish.as_ref())?;
        let address = self
            .row(Resource::Ports, &port)
            .and_then(|port| first_address(port, true));
        row["floating_ip_address"] = json!(address);
        row["_port"] = json!(port);
        let target = row["port_id"].take();
        let wishes = json!({"fixed_ip_address": row["fixed_ip_address"].take()});
        self.table_mut(Resource::FloatingIps).insert(row);
        let result = self.lead(caller, &id, &target, &wishes);
        if result.is_err() {
            self.delete_floating_ip(&id)?;
        }
        result
    }

    /// Leads a floating IP to a port, or (null) nowhere.
    pub(super) fn lead(
        &mut self,
        caller: &Caller,
        id: &str,
        port_id: &Value,
        body: &Value,
    ) -> Result<(), Refusal> {
        let Some(port_id) = port_id.as_str() else {
            if body.get("port_id").is_some() || body.get("fixed_ip_address").is_none() {
                self.unlead(id);
            }
            return Ok(());
        };
        let ip = self
            .row(Resource::FloatingIps, id)
            .cloned()
            .unwrap_or_default();
        let port = self.find(caller, Resource::Ports, port_id).cloned();
        let port = port.ok_or_else(|| missing(Resource::Ports, port_id))?;
        let Some(fixed) = target(&port, text(body, "fixed_ip_address")) else {
            let message = format!(
                "Bad floatingip request: Cannot add floating IP to port {port_id} that has no fixed IPv4 addresses."
            );
            return Err(Refusal::new(400, "BadRequest", message));
        };
        let external = text(&ip, "floating_network_id");
        let Some(router) = self.router_between(text(fixed, "subnet_id"), external) else {
            let message = format!(
                "External network {external} is not reachable from subnet {}.  Therefore, cannot associate Port {port_id} with a Floating IP.",
                text(fixed, "subnet_id")
            );
            return Err(Refusal::new(
                404,
                "ExternalGatewayForFloatingIPNotFound",
                message,
            ));
        };
        if self.is_led_to(&ip, port_id, fixed) {
            let message = format!(
                "Cannot associate floating IP {} ({id}) with port {port_id} using fixed IP {}, as that fixed IP already has a floating IP on external network {external}.",
                text(&ip, "floating_ip_address"),
                text(fixed, "ip_address")
            );
            return Err(Refusal::new(
                409,
                "FloatingIPPortAlreadyAssociated",
                message,
            ));
        }
        self.unlead(id);
        let fixed = fixed["ip_address"].clone();
        if let Some(row) = self.row_mut(Resource::FloatingIps, id) {
            row["port_id"] = json!(port_id);
            row["fixed_ip_address"] = fixed;
            row["router_id"] = json!(router);
            row["status"] = json!("ACTIVE");
        }
        self.refresh_addresses(text(&port, "device_id"));
        Ok(())
    }

    /// Whether another floating IP than `ip` leads to the fixed address of the port.
    fn is_led_to(&self, ip: &Value, port_id: &str, fixed: &Value) -> bool {
        let mut others = self.table(Resource::FloatingIps).with("port_id", port_id);
        others.any(|other| {
            text(other, "id") != text(ip, "id") && other["fixed_ip_address"] == fixed["ip_address"]
        })
    }

    pub(super) fn unlead(&mut self, id: &str) {
        let Some(row) = self.row_mut(Resource::FloatingIps, id) else {
            return;
        };
        let port = text(row, "port_id").to_owned();
        for field in ["port_id", "fixed_ip_address", "router_id"] {
            row[field] = Value::Null;
        }
        row["status"] = json!("DOWN");
        let server = self
            .row(Resource::Ports, &port)
            .map(|port| text(port, "device_id").to_owned());
        self.refresh_addresses(&server.unwrap_or_default());
    }

    pub(super) fn delete_floating_ip(&mut self, id: &str) -> Result<(), Refusal> {
        self.unlead(id);
        if let Some(row) = self.table_mut(Resource::FloatingIps).remove(id) {
            self.forget_port(text(&row, "_port"));
        }
        Ok(())
    }
}

/// The fixed address that a floating IP leads to: the wanted one, or the first of IPv4.
fn target<'p>(port: &'p Value, wanted: &str) -> Option<&'p Value> {
    list(port, "fixed_ips").find(|address| {
        let address = text(address, "ip_address");
        if wanted.is_empty() {
            !address.contains(':')
        } else {
            address == wanted
        }
    })
}
