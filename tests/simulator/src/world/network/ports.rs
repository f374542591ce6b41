//! Ports.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::missing;
use crate::world::request::Refusal;
use crate::world::table::{id, list, text, texts};
use crate::world::{Caller, Resource, World};

impl World {
    pub(super) fn make_port(&mut self, caller: &Caller, mut row: Value) -> Result<(), Refusal> {
        let network_id = text(&row, "network_id").to_owned();
        let network = self
            .find(caller, Resource::Networks, &network_id)
            .ok_or_else(|| missing(Resource::Networks, &network_id))?;
        let by_default = network["port_security_enabled"] != false;
        check_policy(caller, &row)?;
        let bulk = |alias: &String| alias == "tag-ports-during-bulk-creation";
        if !self.extensions.iter().any(bulk) {
            // Taken without complaint, but not kept.
            row["tags"] = json!([]);
        }
        let secured = row["port_security_enabled"].as_bool().unwrap_or(by_default);
        row["port_security_enabled"] = json!(secured);
        self.complete_security(caller, &mut row, secured)?;
        if text(&row, "mac_address").is_empty() {
            self.ids += 1;
            let n = crate::seeded::mix(self.ids);
            row["mac_address"] = json!(format!(
                "fa:16:3e:{:02x}:{:02x}:{:02x}",
                (n >> 16) & 0xff,
                (n >> 8) & 0xff,
                n & 0xff
            ));
        }
        complete_pairs(&mut row);
        let wanted = row.get("fixed_ips").cloned();
        row["fixed_ips"] = json!(self.allocate(&network_id, wanted.as_ref())?);
        if !text(&row, "binding:host_id").is_empty() {
            row["status"] = json!("ACTIVE");
        }
        self.table_mut(Resource::Ports).insert(row);
        Ok(())
    }

    /// Groups of a port: the project's default one when none are given.
    fn complete_security(
        &mut self,
        caller: &Caller,
        row: &mut Value,
        secured: bool,
    ) -> Result<(), Refusal> {
        let given = row
            .get("security_groups")
            .filter(|groups| !groups.is_null());
        if !secured {
            if given.is_some() && list(row, "security_groups").next().is_some() {
                return Err(Refusal::new(
                    400,
                    "PortSecurityAndIPRequiredForSecurityGroups",
                    "Port security must be enabled and port must have an IP address in order to use security groups.",
                ));
            }
            if list(row, "allowed_address_pairs").next().is_some() {
                return Err(Refusal::new(
                    409,
                    "AddressPairAndPortSecurityRequired",
                    "Port Security must be enabled in order to have allowed address pairs on a port.",
                ));
            }
            row["security_groups"] = json!([]);
            return Ok(());
        }
        let is_own = |owner: &str| !owner.starts_with("network:");
        if given.is_none() {
            let project = text(row, "project_id").to_owned();
            let group = if is_own(text(row, "device_owner")) {
                self.default_group(&project)
            } else {
                None
            };
            row["security_groups"] = json!(group.into_iter().collect::<Vec<_>>());
        }
        for group in texts(row, "security_groups") {
            let known = self.find(caller, Resource::SecurityGroups, &group);
            known.ok_or_else(|| missing(Resource::SecurityGroups, &group))?;
        }
        Ok(())
    }

    /// Takes the addresses that are asked for; without wishes one of each family.
    pub(super) fn allocate(
        &mut self,
        network_id: &str,
        wanted: Option<&Value>,
    ) -> Result<Vec<Value>, Refusal> {
        let subnets: Vec<Value> = self.subnets_of(network_id).into_iter().cloned().collect();
        let mut taken = Vec::new();
        let result = match wanted.and_then(Value::as_array) {
            Some(wishes) => wishes.iter().try_for_each(|wish| {
                taken.push(self.allocate_one(network_id, &subnets, wish)?);
                Ok(())
            }),
            None => [4, 6].into_iter().try_for_each(|version| {
                let fitting: Vec<&Value> = subnets
                    .iter()
                    .filter(|row| row["ip_version"] == version)
                    .collect();
                if !fitting.is_empty() {
                    taken.push(self.allocate_any(network_id, &fitting)?);
                }
                Ok(())
            }),
        };
        if result.is_err() {
            self.release_addresses(&taken);
        }
        result.map(|()| taken)
    }

    fn allocate_any(&mut self, network_id: &str, subnets: &[&Value]) -> Result<Value, Refusal> {
        for subnet in subnets {
            if let Some(address) = self.addresses.take_any(subnet) {
                return Ok(json!({"subnet_id": id(subnet), "ip_address": address.to_string()}));
            }
        }
        Err(Refusal::new(
            409,
            "IpAddressGenerationFailure",
            format!("No more IP addresses available on network {network_id}."),
        ))
    }

    fn allocate_one(
        &mut self,
        network_id: &str,
        subnets: &[Value],
        wish: &Value,
    ) -> Result<Value, Refusal> {
        let subnet_id = text(wish, "subnet_id");
        let invalid = |kind, message: String| Refusal::new(400, kind, message);
        let fitting: Vec<&Value> = subnets
            .iter()
            .filter(|row| subnet_id.is_empty() || text(row, "id") == subnet_id)
            .collect();
        if fitting.is_empty() {
            return Err(match self.row(Resource::Subnets, subnet_id) {
                Some(_) => invalid(
                    "InvalidInput",
                    format!(
                        "Invalid input for operation: Failed to create port on network {network_id}, because fixed_ips included invalid subnet {subnet_id}."
                    ),
                ),
                None => missing(Resource::Subnets, subnet_id),
            });
        }
        let given = text(wish, "ip_address");
        if given.is_empty() {
            return self.allocate_any(network_id, &fitting);
        }
        let address: IpAddr = given.parse().map_err(|_| {
            invalid(
                "HTTPBadRequest",
                format!(
                    "Invalid input for fixed_ips. Reason: '{given}' is not a valid IP address."
                ),
            )
        })?;
        let within = |row: &&&Value| {
            text(row, "cidr")
                .parse::<IpNet>()
                .is_ok_and(|cidr| cidr.contains(&address))
        };
        let Some(subnet) = fitting.iter().find(within) else {
            return Err(invalid(
                "InvalidIpForNetwork",
                format!(
                    "IP address {given} is not a valid IP for any of the subnets on the specified network."
                ),
            ));
        };
        let subnet_id = id(subnet);
        if !self.addresses.take(&subnet_id, address) {
            return Err(Refusal::new(
                409,
                "IpAddressAlreadyAllocated",
                format!("IP address {address} already allocated in subnet {subnet_id}"),
            ));
        }
        Ok(json!({"subnet_id": subnet_id, "ip_address": address.to_string()}))
    }

    fn release_addresses(&mut self, addresses: &[Value]) {
        for ip in addresses {
            self.addresses
                .release(text(ip, "subnet_id"), text(ip, "ip_address"));
        }
    }

    pub(super) fn check_port_update(
        &mut self,
        caller: &Caller,
        id: &str,
        body: &Value,
    ) -> Result<(), Refusal> {
        let known = self.row(Resource::Ports, id).cloned();
        let old = known.ok_or_else(|| missing(Resource::Ports, id))?;
        check_policy(caller, body)?;
        let mut new = old.clone();
        for (field, value) in body.as_object().into_iter().flatten() {
            new[field] = value.clone();
        }
        let secured = new["port_security_enabled"] != false;
        self.complete_security(caller, &mut new, secured)?;
        complete_pairs(&mut new);
        if body.get("fixed_ips").is_some() {
            let held: Vec<Value> = list(&old, "fixed_ips").cloned().collect();
            self.release_addresses(&held);
            let network_id = text(&old, "network_id");
            match self.allocate(network_id, body.get("fixed_ips")) {
                Ok(taken) => new["fixed_ips"] = json!(taken),
                Err(refusal) => {
                    for ip in &held {
                        if let Ok(address) = text(ip, "ip_address").parse() {
                            self.addresses.take(text(ip, "subnet_id"), address);
                        }
                    }
                    return Err(refusal);
                }
            }
        }
        let server = text(&new, "device_id").to_owned();
        if let Some(row) = self.row_mut(Resource::Ports, id) {
            *row = new;
        }
        self.refresh_addresses(&server);
        Ok(())
    }

    pub(super) fn delete_port(&mut self, id: &str) -> Result<(), Refusal> {
        let row = self
            .row(Resource::Ports, id)
            .ok_or_else(|| missing(Resource::Ports, id))?;
        let owner = text(row, "device_owner");
        let by_others = [
            "network:router_interface",
            "network:router_gateway",
            "network:floatingip",
        ];
        if by_others.contains(&owner) {
            return Err(Refusal::new(
                409,
                "ServicePortInUse",
                format!(
                    "Port {id} cannot be deleted directly via the port API: has device owner {owner}."
                ),
            ));
        }
        for trunk in self.table(Resource::Trunks).iter() {
            if text(trunk, "port_id") == id {
                return Err(Refusal::new(
                    409,
                    "PortInUseAsTrunkParent",
                    format!(
                        "Port {id} is currently a parent port for trunk {}.",
                        text(trunk, "id")
                    ),
                ));
            }
            if list(trunk, "sub_ports").any(|sub| text(sub, "port_id") == id) {
                return Err(Refusal::new(
                    409,
                    "PortInUseAsSubPort",
                    format!(
                        "Port {id} is currently a subport for trunk {}.",
                        text(trunk, "id")
                    ),
                ));
            }
        }
        self.forget_port(id);
        Ok(())
    }

    /// Takes a port away with what leads to it.
    pub(crate) fn forget_port(&mut self, id: &str) {
        self.release_port(id);
        let Some(row) = self.table_mut(Resource::Ports).remove(id) else {
            return;
        };
        for ip in self.table(Resource::FloatingIps).ids_with("port_id", id) {
            self.unlead(&ip);
        }
        self.refresh_addresses(text(&row, "device_id"));
    }

    pub(super) fn release_port(&mut self, id: &str) {
        let held = self
            .row(Resource::Ports, id)
            .map(|row| list(row, "fixed_ips").cloned().collect::<Vec<_>>());
        self.release_addresses(&held.unwrap_or_default());
    }

    /// A port that a service makes for itself.
    pub(crate) fn service_port(
        &mut self,
        project: &str,
        network_id: &str,
        fields: Value,
        fixed_ips: Option<&Value>,
    ) -> Result<String, Refusal> {
        let admin = Caller {
            project_id: project.to_owned(),
            user_id: String::new(),
            is_admin: true,
        };
        let id = self.new_id();
        let mut row = super::attributes::template(Resource::Ports);
        row["id"] = json!(id);
        row["project_id"] = json!(project);
        row["tenant_id"] = json!(project);
        row["network_id"] = json!(network_id);
        row["created_at"] = json!(self.stamp());
        row["updated_at"] = json!(self.stamp());
        row["revision_number"] = json!(1);
        if let Some(fixed_ips) = fixed_ips {
            row["fixed_ips"] = fixed_ips.clone();
        }
        for (field, value) in fields.as_object().into_iter().flatten() {
            row[field] = value.clone();
        }
        self.make_port(&admin, row)?;
        Ok(id)
    }
}

/// Where a port is bound is for administrators, and how for other services alone.
fn check_policy(caller: &Caller, row: &Value) -> Result<(), Refusal> {
    let asks = |field: &str| row.get(field).is_some_and(|value| !value.is_null());
    let field = match asks("binding:profile") {
        true => "binding:profile",
        false if caller.is_admin || !asks("binding:host_id") => return Ok(()),
        false => "binding:host_id",
    };
    Err(Refusal::new(
        403,
        "PolicyNotAuthorized",
        format!("(rule:create_port and rule:create_port:{field}) is disallowed by policy"),
    ))
}

/// A pair without a MAC has that of the port.
fn complete_pairs(row: &mut Value) {
    let mac = row["mac_address"].clone();
    for pair in row["allowed_address_pairs"]
        .as_array_mut()
        .into_iter()
        .flatten()
    {
        if pair["mac_address"].is_null() {
            pair["mac_address"] = mac.clone();
        }
    }
}

/// The first address of a family of a port.
pub(crate) fn first_address(port: &Value, v4: bool) -> Option<String> {
    let addresses = list(port, "fixed_ips").map(|ip| text(ip, "ip_address"));
    let fits = |address: &&str| address.contains(':') != v4;
    addresses.filter(fits).map(str::to_owned).next()
}
