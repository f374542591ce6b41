//! Load balancers and their VIP.

use serde_json::{Value, json};

use crate::world::request::Refusal;
use crate::world::schedule::Event;
use crate::world::table::{list, text};
use crate::world::{Caller, Resource, World};

impl World {
    pub(super) fn create_balancer(
        &mut self,
        caller: &Caller,
        given: &Value,
    ) -> Result<String, Refusal> {
        self.check_balancer_quota(&caller.project_id, "load_balancer", Resource::LoadBalancers)?;
        let provider = self.check_offers(given)?;
        let (network_id, subnet_id) = self.vip_place(caller, given)?;
        self.check_additional(caller, given, &network_id)?;
        let id = self.new_id();
        let port_id = match given["vip_port_id"].as_str() {
            Some(port) => port.to_owned(),
            None => {
                let fields = json!({"name": format!("octavia-lb-{id}"), "device_id": format!("lb-{id}"),
                    "device_owner": "Octavia", "admin_state_up": false, "security_groups": []});
                let wishes = vips(given, &subnet_id)?;
                let made =
                    self.service_port(&caller.project_id, &network_id, fields, Some(&wishes));
                made.map_err(|refusal| reported(&provider, refusal))?
            }
        };
        let port = self
            .row(Resource::Ports, &port_id)
            .cloned()
            .unwrap_or_default();
        let additional: Vec<Value> = list(&port, "fixed_ips")
            .skip(1)
            .map(|ip| json!({"subnet_id": ip["subnet_id"], "ip_address": ip["ip_address"], "port_id": port_id}))
            .collect();
        let stamp = self.zoneless_stamp();
        let row = json!({
            "id": id, "name": given["name"].as_str().unwrap_or_default(), "description": given["description"].as_str().unwrap_or_default(),
            "project_id": caller.project_id, "tenant_id": caller.project_id, "admin_state_up": true,
            "provisioning_status": "PENDING_CREATE", "operating_status": "OFFLINE", "provider": provider,
            "flavor_id": given["flavor_id"], "availability_zone": given["availability_zone"],
            "vip_address": port["fixed_ips"][0]["ip_address"], "vip_subnet_id": port["fixed_ips"][0]["subnet_id"],
            "vip_network_id": network_id, "vip_port_id": port_id, "vip_qos_policy_id": null, "vip_vnic_type": "normal", "vip_sg_ids": [],
            "additional_vips": additional, "listeners": [], "pools": [], "tags": given["tags"].as_array().cloned().unwrap_or_default(),
            "created_at": stamp, "updated_at": null, "_balancer": id, "_made_port": given["vip_port_id"].is_null(),
        });
        self.table_mut(Resource::LoadBalancers).insert(row);
        self.after(self.delays.balancer, Event::BalancerSettled(id.clone()));
        Ok(id)
    }

    /// The provider of a new load balancer, if the cloud has it and its flavor.
    fn check_offers(&self, given: &Value) -> Result<String, Refusal> {
        let default = self.providers.first().map(|(name, _)| name.as_str());
        let provider = given["provider"].as_str().or(default).unwrap_or_default();
        if !self.providers.iter().any(|(name, _)| *name == provider) {
            let message = format!("Provider '{provider}' is not enabled.");
            return Err(Refusal::new(400, "ProviderNotEnabledError", message));
        }
        let flavor = text(given, "flavor_id");
        // Flavors and zones are those of the default provider.
        let zone = text(given, "availability_zone");
        if Some(provider) != default && !(flavor.is_empty() && zone.is_empty()) {
            let message =
                format!("Validation failure: Provider '{provider}' is not that of the flavor.");
            return Err(Refusal::bad(message));
        }
        let mut flavors = self.balancer_flavors.iter();
        if !flavor.is_empty() && !flavors.any(|row| text(row, "id") == flavor) {
            let message = format!("Validation failure: Invalid flavor_id: {flavor}.");
            return Err(Refusal::bad(message));
        }
        if !zone.is_empty() && !self.balancer_zones.iter().any(|known| known == zone) {
            let message = format!("Validation failure: Invalid availability zone: {zone}.");
            return Err(Refusal::bad(message));
        }
        Ok(provider.to_owned())
    }

    /// Network and subnet of the VIP.
    fn vip_place(&self, caller: &Caller, given: &Value) -> Result<(String, String), Refusal> {
        let bad = |message: String| Refusal::bad(format!("Validation failure: {message}"));
        let subnet_id = text(given, "vip_subnet_id").to_owned();
        if !subnet_id.is_empty() {
            let subnet = self.find(caller, Resource::Subnets, &subnet_id);
            let subnet = subnet.ok_or_else(|| bad(format!("Subnet {subnet_id} not found.")))?;
            return Ok((text(subnet, "network_id").to_owned(), subnet_id));
        }
        if let Some(port) = given["vip_port_id"].as_str() {
            let port = self.find(caller, Resource::Ports, port);
            let port = port.ok_or_else(|| bad("Port not found.".to_owned()))?;
            return Ok((text(port, "network_id").to_owned(), String::new()));
        }
        let network_id = text(given, "vip_network_id");
        if network_id.is_empty() {
            let message = "VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id.";
            return Err(bad(message.to_owned()));
        }
        self.find(caller, Resource::Networks, network_id)
            .ok_or_else(|| bad(format!("Network {network_id} not found.")))?;
        let v4 = self.table(Resource::Subnets).with("network_id", network_id);
        let v4 = v4
            .filter(|subnet| subnet["ip_version"] == 4)
            .map(super::id)
            .next();
        let subnet =
            v4.ok_or_else(|| bad("Supplied network does not contain a subnet.".to_owned()))?;
        Ok((network_id.to_owned(), subnet))
    }

    /// Further VIPs are on the network of the first.
    fn check_additional(
        &self,
        caller: &Caller,
        given: &Value,
        network_id: &str,
    ) -> Result<(), Refusal> {
        for vip in list(given, "additional_vips") {
            let wanted = text(vip, "subnet_id");
            let subnet = self.find(caller, Resource::Subnets, wanted);
            let fits = |subnet: &Value| text(subnet, "network_id") == network_id;
            if !subnet.is_some_and(fits) {
                let message = format!("Validation failure: Subnet {wanted} not found.");
                return Err(Refusal::bad(message));
            }
        }
        Ok(())
    }

    pub(super) fn check_balancer_quota(
        &self,
        project: &str,
        name: &str,
        of: Resource,
    ) -> Result<(), Refusal> {
        if self.is_within(project, name, of, 1) {
            return Ok(());
        }
        let message = format!(
            "Quota has been met for resources: {}",
            super::octavia_name(of)
        );
        Err(Refusal::new(403, "QuotaException", message))
    }
}

/// What Octavia makes of Neutron's refusal of a VIP port.
fn reported(provider: &str, refusal: Refusal) -> Refusal {
    match refusal.status {
        409 => {
            let message = format!("The VIP IP address is already in use: {}", refusal.message);
            Refusal::new(409, "VIPAddressInUse", message)
        }
        400 => {
            let message = format!("Provider '{provider}' reports error: BadRequestException: 400");
            Refusal::new(500, "ProviderDriverError", message)
        }
        _ => refusal,
    }
}

/// The addresses of a VIP port: the VIP itself, then one for each additional VIP.
fn vips(given: &Value, subnet_id: &str) -> Result<Value, Refusal> {
    let mut first = json!({});
    if !subnet_id.is_empty() {
        first["subnet_id"] = json!(subnet_id);
    }
    if let Some(address) = given["vip_address"].as_str() {
        first["ip_address"] = json!(address);
    }
    let mut wishes = vec![first];
    for vip in list(given, "additional_vips") {
        if wishes
            .iter()
            .any(|wish| wish["subnet_id"] == vip["subnet_id"])
        {
            let message = "Validation failure: Duplicate VIP subnet(s) specified. Only one IP can be bound per subnet.";
            return Err(Refusal::bad(message));
        }
        wishes.push(vip.clone());
    }
    Ok(Value::Array(wishes))
}
