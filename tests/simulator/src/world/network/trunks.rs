//! Trunks.

use axum::http::Method;
use serde_json::{Value, json};

use super::missing;
use crate::world::request::{Refusal, Request};
use crate::world::table::{list, text};
use crate::world::{Answer, Caller, Reply, Resource, World};

impl World {
    pub(super) fn make_trunk(&mut self, caller: &Caller, row: Value) -> Result<(), Refusal> {
        let port_id = text(&row, "port_id").to_owned();
        self.owned_network_row(caller, Resource::Ports, &port_id)?;
        self.check_free(&port_id)?;
        let parent = self.row(Resource::Ports, &port_id);
        if parent.is_some_and(|port| !text(port, "device_id").is_empty()) {
            let message = format!("Port {port_id} is in use by another device.");
            return Err(Refusal::new(409, "ParentPortInUse", message));
        }
        for sub in list(&row, "sub_ports") {
            self.owned_network_row(caller, Resource::Ports, text(sub, "port_id"))?;
            self.check_free(text(sub, "port_id"))?;
        }
        let subs: Vec<Value> = list(&row, "sub_ports").cloned().collect();
        let id = text(&row, "id").to_owned();
        self.table_mut(Resource::Trunks).insert(row);
        self.mark_subports(&id, &subs);
        self.show_trunk(&id);
        Ok(())
    }

    /// A port can be in one trunk.
    fn check_free(&self, port_id: &str) -> Result<(), Refusal> {
        for trunk in self.table(Resource::Trunks).iter() {
            let id = text(trunk, "id");
            if text(trunk, "port_id") == port_id {
                let message = format!("Port {port_id} is currently a parent port for trunk {id}.");
                return Err(Refusal::new(409, "PortInUseAsTrunkParent", message));
            }
            if list(trunk, "sub_ports").any(|sub| text(sub, "port_id") == port_id) {
                let message = format!("Port {port_id} is currently a subport for trunk {id}.");
                return Err(Refusal::new(409, "PortInUseAsSubPort", message));
            }
        }
        Ok(())
    }

    fn mark_subports(&mut self, trunk: &str, subs: &[Value]) {
        for sub in subs {
            if let Some(port) = self.row_mut(Resource::Ports, text(sub, "port_id")) {
                port["device_owner"] = json!("trunk:subport");
                port["device_id"] = json!(trunk);
            }
        }
    }

    pub(super) fn trunk_action(
        &mut self,
        caller: &Caller,
        id: &str,
        action: &str,
        request: &Request,
    ) -> Answer {
        let row = self.owned_network_row(caller, Resource::Trunks, id)?;
        let mut subs: Vec<Value> = list(row, "sub_ports").cloned().collect();
        match (&request.method, action) {
            (&Method::GET, "get_subports") => return Reply::ok(json!({"sub_ports": subs})),
            (&Method::PUT, "add_subports") => {
                for sub in list(&request.body, "sub_ports") {
                    self.owned_network_row(caller, Resource::Ports, text(sub, "port_id"))?;
                    self.check_free(text(sub, "port_id"))?;
                    if subs
                        .iter()
                        .any(|other| other["segmentation_id"] == sub["segmentation_id"])
                    {
                        let message = format!(
                            "segmentation_type and segmentation_id already in use on trunk {id}."
                        );
                        return Err(Refusal::new(409, "DuplicateSubPort", message));
                    }
                    subs.push(sub.clone());
                }
                self.mark_subports(id, &subs);
            }
            (&Method::PUT, "remove_subports") => {
                for sub in list(&request.body, "sub_ports") {
                    let port = text(sub, "port_id");
                    let at = subs.iter().position(|found| text(found, "port_id") == port);
                    let missing = || {
                        Refusal::new(
                            404,
                            "SubPortNotFound",
                            format!(
                                "SubPort on trunk {id} with parent port {port} could not be found."
                            ),
                        )
                    };
                    subs.remove(at.ok_or_else(missing)?);
                    self.free_subport(port);
                }
            }
            _ => return Err(Refusal::no_route(request)),
        }
        if let Some(row) = self.row_mut(Resource::Trunks, id) {
            row["sub_ports"] = json!(subs);
        }
        self.show_trunk(id);
        let row = self.network_view_of(Resource::Trunks, id);
        Reply::ok(row)
    }

    /// The parent of a trunk says so (extension `trunk-details`).
    fn show_trunk(&mut self, id: &str) {
        let row = self.row(Resource::Trunks, id).cloned().unwrap_or_default();
        let subs = list(&row, "sub_ports").map(|sub| {
            let port = self.row(Resource::Ports, text(sub, "port_id"));
            let mut sub = sub.clone();
            sub["mac_address"] = port
                .map(|port| port["mac_address"].clone())
                .unwrap_or_default();
            sub
        });
        let details = json!({"trunk_id": id, "sub_ports": subs.collect::<Vec<_>>()});
        if let Some(port) = self.row_mut(Resource::Ports, text(&row, "port_id")) {
            port["trunk_details"] = details;
        }
    }

    fn free_subport(&mut self, port: &str) {
        if let Some(row) = self.row_mut(Resource::Ports, port) {
            row["device_owner"] = json!("");
            row["device_id"] = json!("");
        }
    }

    pub(super) fn delete_trunk(&mut self, id: &str) -> Result<(), Refusal> {
        let row = self
            .row(Resource::Trunks, id)
            .ok_or_else(|| missing(Resource::Trunks, id))?;
        let parent = self.row(Resource::Ports, text(row, "port_id"));
        if parent.is_some_and(|port| !text(port, "device_id").is_empty()) {
            return Err(Refusal::new(
                409,
                "TrunkInUse",
                format!("Trunk {id} is currently in use."),
            ));
        }
        let subs: Vec<String> = list(row, "sub_ports")
            .map(|sub| text(sub, "port_id").to_owned())
            .collect();
        let parent = text(row, "port_id").to_owned();
        for sub in subs {
            self.free_subport(&sub);
        }
        let port = self.row_mut(Resource::Ports, &parent);
        if let Some(fields) = port.and_then(Value::as_object_mut) {
            fields.remove("trunk_details");
        }
        self.table_mut(Resource::Trunks).remove(id);
        Ok(())
    }
}
