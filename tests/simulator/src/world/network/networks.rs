//! Networks.

use serde_json::{Value, json};

use super::ids_of;
use crate::world::request::Refusal;
use crate::world::table::{text, texts};
use crate::world::{Caller, Resource, World};

impl World {
    pub(super) fn make_network(&mut self, caller: &Caller, mut row: Value) -> Result<(), Refusal> {
        let only_admin = ["router:external", "shared"];
        if !caller.is_admin && only_admin.iter().any(|field| row[*field] == true) {
            return Err(Refusal::new(
                403,
                "PolicyNotAuthorized",
                "(rule:create_network) is disallowed by policy",
            ));
        }
        if row["router:external"] == true && row["is_default"].is_null() {
            row["is_default"] = json!(false);
        }
        self.table_mut(Resource::Networks).insert(row);
        Ok(())
    }

    pub(super) fn delete_network(&mut self, id: &str) -> Result<(), Refusal> {
        let ports = self.table(Resource::Ports).with("network_id", id);
        let left = ids_of(ports.filter(|port| text(port, "device_owner") != "network:dhcp"));
        if !left.is_empty() {
            return Err(Refusal::new(
                409,
                "NetworkInUse",
                format!(
                    "Unable to complete operation on network {id}. There are one or more ports still in use on the network, id for these ports is: {left}."
                ),
            ));
        }
        let subnets = self
            .row(Resource::Networks, id)
            .map(|row| texts(row, "subnets"));
        for subnet in subnets.unwrap_or_default() {
            self.forget_subnet(&subnet);
        }
        self.table_mut(Resource::Networks).remove(id);
        Ok(())
    }

    /// The subnets of a network.
    pub(super) fn subnets_of(&self, network_id: &str) -> Vec<&Value> {
        let ids = self
            .row(Resource::Networks, network_id)
            .map(|row| texts(row, "subnets"));
        let ids = ids.unwrap_or_default();
        ids.iter()
            .filter_map(|id| self.row(Resource::Subnets, id))
            .collect()
    }

    pub(super) fn list_subnet(&mut self, network_id: &str, subnet_id: &str) {
        if let Some(network) = self.row_mut(Resource::Networks, network_id) {
            let mut ids = texts(network, "subnets");
            ids.push(subnet_id.to_owned());
            network["subnets"] = json!(ids);
        }
    }

    pub(super) fn unlist_subnet(&mut self, network_id: &str, subnet_id: &str) {
        if let Some(network) = self.row_mut(Resource::Networks, network_id) {
            let mut ids = texts(network, "subnets");
            ids.retain(|id| id != subnet_id);
            network["subnets"] = json!(ids);
        }
    }
}
