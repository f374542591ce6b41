//! Subnets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::{address, ids_of, missing};
use crate::world::request::Refusal;
use crate::world::table::{list, text};
use crate::world::{Caller, Resource, World};

impl World {
    pub(super) fn make_subnet(&mut self, caller: &Caller, mut row: Value) -> Result<(), Refusal> {
        let network_id = text(&row, "network_id").to_owned();
        let network = self
            .find(caller, Resource::Networks, &network_id)
            .ok_or_else(|| missing(Resource::Networks, &network_id))?;
        if !caller.owns(network) {
            return Err(missing(Resource::Networks, &network_id));
        }
        row["router:external"] = network["router:external"].clone();
        let cidr = read_cidr(&row)?;
        for other in self.subnets_of(&network_id) {
            let overlaps = text(other, "cidr")
                .parse::<IpNet>()
                .is_ok_and(|other| other.contains(&cidr) || cidr.contains(&other));
            if overlaps {
                return Err(Refusal::new(
                    400,
                    "InvalidInput",
                    format!(
                        "Invalid input for operation: Requested subnet with cidr: {cidr} for network: {network_id} overlaps with another subnet."
                    ),
                ));
            }
        }
        row["cidr"] = json!(cidr.trunc().to_string());
        let (gateway, start, end) = address::defaults(cidr);
        if row.get("gateway_ip").is_none() {
            row["gateway_ip"] = json!(gateway.to_string());
        }
        if list(&row, "allocation_pools").next().is_none() {
            // A gateway elsewhere leaves the first address to hosts.
            let start = if row["gateway_ip"] == gateway.to_string() {
                start
            } else {
                gateway
            };
            row["allocation_pools"] = json!([{"start": start.to_string(), "end": end.to_string()}]);
        }
        check_pools(&row, cidr)?;
        let id = text(&row, "id").to_owned();
        self.table_mut(Resource::Subnets).insert(row);
        self.list_subnet(&network_id, &id);
        Ok(())
    }

    pub(super) fn check_subnet_update(&mut self, id: &str, body: &Value) -> Result<(), Refusal> {
        let known = self.row(Resource::Subnets, id);
        let mut row = known
            .cloned()
            .ok_or_else(|| missing(Resource::Subnets, id))?;
        for (field, value) in body.as_object().into_iter().flatten() {
            row[field] = value.clone();
        }
        check_pools(&row, read_cidr(&row)?)
    }

    pub(super) fn delete_subnet(&mut self, id: &str) -> Result<(), Refusal> {
        let uses = |port: &&Value| {
            list(port, "fixed_ips").any(|ip| text(ip, "subnet_id") == id)
                && text(port, "device_owner") != "network:dhcp"
        };
        let left = ids_of(self.table(Resource::Ports).iter().filter(uses));
        if !left.is_empty() {
            return Err(Refusal::new(
                409,
                "SubnetInUse",
                format!(
                    "Unable to complete operation on subnet {id}: One or more ports have an IP allocation from this subnet."
                ),
            ));
        }
        self.forget_subnet(id);
        Ok(())
    }

    pub(crate) fn forget_subnet(&mut self, id: &str) {
        self.addresses.forget(id);
        if let Some(row) = self.table_mut(Resource::Subnets).remove(id) {
            self.unlist_subnet(text(&row, "network_id"), id);
        }
    }
}

fn read_cidr(row: &Value) -> Result<IpNet, Refusal> {
    let given = text(row, "cidr");
    let invalid = |why: String| Refusal::new(400, "InvalidInput", why);
    let cidr: IpNet = given.parse().map_err(|_| {
        invalid(format!(
            "Invalid input for cidr. Reason: '{given}' is not a valid IP subnet."
        ))
    })?;
    let version = if cidr.addr().is_ipv4() { 4 } else { 6 };
    if row["ip_version"] != version {
        return Err(invalid(format!(
            "Invalid input for operation: cidr {given} does not match the ip_version."
        )));
    }
    Ok(cidr.trunc())
}

fn check_pools(row: &Value, cidr: IpNet) -> Result<(), Refusal> {
    for pool in list(row, "allocation_pools") {
        let end = |field| text(pool, field).parse::<IpAddr>().ok();
        let (Some(start), Some(end)) = (end("start"), end("end")) else {
            return Err(Refusal::new(
                400,
                "HTTPBadRequest",
                "Invalid data format for IP pool.",
            ));
        };
        if !cidr.contains(&start) || !cidr.contains(&end) || start > end {
            let message =
                format!("The allocation pool {start}-{end} spans beyond the subnet cidr {cidr}.");
            return Err(Refusal::new(400, "OutOfBoundsAllocationPool", message));
        }
    }
    Ok(())
}
