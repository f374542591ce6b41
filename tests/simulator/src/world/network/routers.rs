//! Routers.

use axum::http::Method;
use serde_json::{Value, json};

use super::{ids_of, missing};
use crate::world::request::{Refusal, Request};
use crate::world::table::{list, text};
use crate::world::{Answer, Caller, Reply, Resource, World};

const INTERFACE: &str = "network:router_interface";
const GATEWAY: &str = "network:router_gateway";

impl World {
    pub(super) fn make_router(&mut self, caller: &Caller, mut row: Value) -> Result<(), Refusal> {
        let gateway = row["external_gateway_info"].take();
        let id = text(&row, "id").to_owned();
        if !gateway.is_null() {
            self.check_gateway(caller, &gateway)?;
        }
        self.table_mut(Resource::Routers).insert(row);
        let result = self.change_gateway(&id, &json!({"external_gateway_info": gateway}));
        if result.is_err() {
            self.table_mut(Resource::Routers).remove(&id);
        }
        result
    }

    fn check_gateway(&self, caller: &Caller, gateway: &Value) -> Result<(), Refusal> {
        let network_id = text(gateway, "network_id");
        let network = self.find(caller, Resource::Networks, network_id);
        let network = network.ok_or_else(|| missing(Resource::Networks, network_id))?;
        if network["router:external"] == true {
            return Ok(());
        }
        let message =
            format!("Bad router request: Network {network_id} is not an external network.");
        Err(Refusal::new(400, "BadRequest", message))
    }

    /// Moves the gateway where the body says something of it.
    pub(super) fn change_gateway(&mut self, router: &str, body: &Value) -> Result<(), Refusal> {
        let Some(wanted) = body.get("external_gateway_info") else {
            return Ok(());
        };
        let old = self
            .row(Resource::Routers, router)
            .map(|row| row["external_gateway_info"].clone());
        let old = old.unwrap_or_default();
        let keeps = old["network_id"] == wanted["network_id"]
            && list(wanted, "external_fixed_ips").next().is_none();
        if keeps && !old.is_null() {
            return Ok(());
        }
        if !old.is_null() {
            self.remove_gateway(router)?;
        }
        let network_id = text(wanted, "network_id");
        if network_id.is_empty() {
            return Ok(());
        }
        let network = self.row(Resource::Networks, network_id);
        if network.is_none_or(|network| network["router:external"] != true) {
            let message =
                format!("Bad router request: Network {network_id} is not an external network.");
            return Err(Refusal::new(400, "BadRequest", message));
        }
        let wishes = Some(&wanted["external_fixed_ips"]).filter(|ips| ips.is_array());
        let fields = json!({"device_id": router, "device_owner": GATEWAY, "status": "ACTIVE", "security_groups": []});
        let port = self.service_port("", network_id, fields, wishes)?;
        let ips = self
            .row(Resource::Ports, &port)
            .map(|row| row["fixed_ips"].clone());
        if let Some(row) = self.row_mut(Resource::Routers, router) {
            row["external_gateway_info"] = json!({
                "network_id": network_id,
                "external_fixed_ips": ips,
                "enable_snat": wanted["enable_snat"].as_bool().unwrap_or(true),
            });
        }
        Ok(())
    }

    fn remove_gateway(&mut self, router: &str) -> Result<(), Refusal> {
        if self
            .table(Resource::FloatingIps)
            .with("router_id", router)
            .next()
            .is_some()
        {
            return Err(Refusal::new(
                409,
                "RouterExternalGatewayInUseByFloatingIp",
                format!(
                    "Gateway cannot be updated for router {router}, since a gateway to external network is required by one or more floating IPs."
                ),
            ));
        }
        for port in self.ports_of(router, GATEWAY) {
            self.forget_port(&port);
        }
        if let Some(row) = self.row_mut(Resource::Routers, router) {
            row["external_gateway_info"] = Value::Null;
        }
        Ok(())
    }

    fn ports_of(&self, device: &str, owner: &str) -> Vec<String> {
        let ports = self.table(Resource::Ports).with("device_id", device);
        ports
            .filter(|port| text(port, "device_owner") == owner)
            .map(super::id)
            .collect()
    }

    pub(super) fn router_action(
        &mut self,
        caller: &Caller,
        id: &str,
        action: &str,
        request: &Request,
    ) -> Answer {
        self.owned_network_row(caller, Resource::Routers, id)?;
        match (&request.method, action) {
            (&Method::PUT, "add_router_interface") => self.add_interface(caller, id, &request.body),
            (&Method::PUT, "remove_router_interface") => {
                self.remove_interface(caller, id, &request.body)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn add_interface(&mut self, caller: &Caller, router: &str, body: &Value) -> Answer {
        let given = text(body, "port_id").to_owned();
        let (port, subnet_id) = if given.is_empty() {
            let subnet_id = text(body, "subnet_id").to_owned();
            (self.plug_subnet(caller, router, &subnet_id)?, subnet_id)
        } else {
            let known = self.row_mut(Resource::Ports, &given);
            let row = known.ok_or_else(|| missing(Resource::Ports, &given))?;
            if !text(row, "device_id").is_empty() {
                return Err(Refusal::new(
                    409,
                    "PortInUse",
                    format!("Port {given} is in use."),
                ));
            }
            row["device_id"] = json!(router);
            row["device_owner"] = json!(INTERFACE);
            row["status"] = json!("ACTIVE");
            (given, text(&row["fixed_ips"][0], "subnet_id").to_owned())
        };
        let network_id = self
            .row(Resource::Ports, &port)
            .map(|row| row["network_id"].clone());
        Reply::ok(
            json!({"id": router, "port_id": port, "subnet_id": subnet_id, "subnet_ids": [subnet_id],
            "network_id": network_id, "project_id": caller.project_id}),
        )
    }

    fn plug_subnet(
        &mut self,
        caller: &Caller,
        router: &str,
        subnet_id: &str,
    ) -> Result<String, Refusal> {
        let subnet = self.find(caller, Resource::Subnets, subnet_id).cloned();
        let subnet = subnet.ok_or_else(|| missing(Resource::Subnets, subnet_id))?;
        let gateway = text(&subnet, "gateway_ip").to_owned();
        let bad = |message: String| {
            Refusal::new(400, "BadRequest", format!("Bad router request: {message}"))
        };
        if gateway.is_empty() {
            return Err(bad(
                "Subnet for router interface must have a gateway IP.".to_owned()
            ));
        }
        for port in self.ports_of(router, INTERFACE) {
            let port = self.row(Resource::Ports, &port);
            if port.is_some_and(|port| {
                list(port, "fixed_ips").any(|ip| text(ip, "subnet_id") == subnet_id)
            }) {
                return Err(bad(format!(
                    "Router already has a port on subnet {subnet_id}."
                )));
            }
        }
        let fields = json!({"device_id": router, "device_owner": INTERFACE, "status": "ACTIVE", "security_groups": []});
        let address = json!([{"subnet_id": subnet_id, "ip_address": gateway}]);
        self.service_port(
            &caller.project_id,
            text(&subnet, "network_id"),
            fields,
            Some(&address),
        )
    }

    fn remove_interface(&mut self, caller: &Caller, router: &str, body: &Value) -> Answer {
        let (subnet_id, port_id) = (text(body, "subnet_id"), text(body, "port_id"));
        let fits = |port: &&String| {
            let row = self.row(Resource::Ports, port);
            *port == port_id
                || row.is_some_and(|row| {
                    list(row, "fixed_ips").any(|ip| text(ip, "subnet_id") == subnet_id)
                })
        };
        let found = self.ports_of(router, INTERFACE).iter().find(fits).cloned();
        let Some(port) = found else {
            let message = format!("Router {router} has no interface on subnet {subnet_id}.");
            return Err(Refusal::new(
                404,
                "RouterInterfaceNotFoundForSubnet",
                message,
            ));
        };
        let network = self
            .row(Resource::Ports, &port)
            .map(|row| text(row, "network_id").to_owned());
        let network = network.unwrap_or_default();
        for ip in self.table(Resource::FloatingIps).with("router_id", router) {
            let target = self.row(Resource::Ports, text(ip, "port_id"));
            if target.is_some_and(|target| text(target, "network_id") == network) {
                return Err(Refusal::new(
                    409,
                    "RouterInterfaceInUseByFloatingIP",
                    format!(
                        "Router interface for subnet {subnet_id} on router {router} cannot be deleted, as it is required by one or more floating IPs."
                    ),
                ));
            }
        }
        self.forget_port(&port);
        Reply::ok(
            json!({"id": router, "port_id": port, "subnet_id": subnet_id, "subnet_ids": [subnet_id],
            "network_id": network, "project_id": caller.project_id}),
        )
    }

    pub(super) fn delete_router(&mut self, id: &str) -> Result<(), Refusal> {
        let ports = self.table(Resource::Ports).with("device_id", id);
        let left = ids_of(ports.filter(|port| text(port, "device_owner") == INTERFACE));
        if !left.is_empty() {
            let message = format!("Router {id} still has ports");
            return Err(Refusal::new(409, "RouterInUse", message));
        }
        self.remove_gateway(id)?;
        self.table_mut(Resource::Routers).remove(id);
        Ok(())
    }

    /// The router that connects a subnet with an external network.
    pub(super) fn router_between(&self, subnet_id: &str, external: &str) -> Option<String> {
        let routers = self.table(Resource::Routers).iter();
        let fits = |router: &&Value| {
            router["external_gateway_info"]["network_id"] == external
                && self
                    .ports_of(text(router, "id"), INTERFACE)
                    .iter()
                    .any(|port| {
                        let port = self.row(Resource::Ports, port);
                        port.is_some_and(|port| {
                            list(port, "fixed_ips").any(|ip| text(ip, "subnet_id") == subnet_id)
                        })
                    })
        };
        routers
            .filter(|router| !text(router, "id").is_empty())
            .find(fits)
            .map(super::id)
    }
}
