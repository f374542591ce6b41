//! What becomes of servers.

use axum::http::Method;
use serde_json::{Value, json};

use super::CUT_OFF;
use crate::world::request::{Refusal, Reply, Request};
use crate::world::schedule::Event;
use crate::world::table::{list, text, texts};
use crate::world::{Answer, Caller, Resource, World};

/// What Nova says when no hypervisor fits.
const NO_HOST: &str = "No valid host was found. There are not enough hosts available.";

impl World {
    pub(crate) fn server_built(&mut self, id: &str) {
        let Some(mut row) = self.row(Resource::Servers, id).cloned() else {
            return;
        };
        if row["OS-EXT-STS:task_state"] == "deleting" || row["status"] != "BUILD" {
            return;
        }
        if let Some(message) = self.doomed(Resource::Servers, text(&row, "name")) {
            return self.fail_server(id, &message);
        }
        let Some((zone, host)) = self.place(&row) else {
            return self.fail_server(id, NO_HOST);
        };
        row["OS-EXT-AZ:availability_zone"] = json!(zone);
        row["OS-EXT-SRV-ATTR:host"] = json!(host);
        if let Err(message) = self.plug(&row) {
            return self.fail_server(id, &message);
        }
        let volumes = self.attach_volumes(&row);
        let (stamp, launched) = (self.stamp(), self.zoneless_stamp());
        if let Some(server) = self.row_mut(Resource::Servers, id) {
            for (field, value) in [
                ("status", json!("ACTIVE")),
                ("OS-EXT-STS:vm_state", json!("active")),
                ("OS-EXT-STS:task_state", Value::Null),
                ("OS-EXT-STS:power_state", json!(1)),
                ("OS-EXT-AZ:availability_zone", json!(zone)),
                ("OS-EXT-SRV-ATTR:host", json!(host)),
                (
                    "hostId",
                    json!(format!("{:016x}", crate::seeded::hash(&host))),
                ),
                ("OS-SRV-USG:launched_at", json!(launched)),
                ("os-extended-volumes:volumes_attached", json!(volumes)),
                ("updated", json!(stamp)),
            ] {
                server[field] = value;
            }
        }
        self.refresh_addresses(id);
    }

    /// The zone and host of a server: one host for each zone, which anti-affinity uses once.
    fn place(&self, row: &Value) -> Option<(String, String)> {
        let wanted = text(row, "OS-EXT-AZ:availability_zone");
        let group = self.row(Resource::ServerGroups, text(row, "_group"));
        let taken: Vec<String> = group
            .filter(|group| text(group, "policy") == "anti-affinity")
            .map(|group| texts(group, "members"))
            .unwrap_or_default()
            .iter()
            .filter_map(|member| self.row(Resource::Servers, member))
            .map(|member| text(member, "OS-EXT-SRV-ATTR:host").to_owned())
            .collect();
        let start =
            usize::try_from(crate::seeded::hash(text(row, "id")) % 1024).unwrap_or_default();
        let zones = self.zones.iter().cycle().skip(start).take(self.zones.len());
        zones
            .filter(|zone| wanted.is_empty() || *zone == wanted)
            .map(|zone| (zone.clone(), format!("host-{zone}")))
            .find(|(_, host)| !taken.contains(host))
    }

    pub(super) fn join_group(&mut self, row: &Value, id: &str) {
        if let Some(group) = self.row_mut(Resource::ServerGroups, text(row, "_group")) {
            let mut members = texts(group, "members");
            members.push(id.to_owned());
            group["members"] = json!(members);
        }
    }

    /// Puts a server into ERROR.
    pub fn fail_server(&mut self, id: &str, message: &str) {
        let stamp = self.stamp();
        if let Some(row) = self.row_mut(Resource::Servers, id) {
            row["status"] = json!("ERROR");
            row["OS-EXT-STS:vm_state"] = json!("error");
            row["OS-EXT-STS:task_state"] = Value::Null;
            row["fault"] = json!({"code": 500, "created": stamp, "message": message});
            row["updated"] = json!(stamp);
        }
    }

    /// Gives a server another status, for example SHUTOFF, as an operator or a crash does.
    pub fn set_server_status(&mut self, id: &str, status: &str) {
        let stamp = self.stamp();
        if let Some(row) = self.row_mut(Resource::Servers, id) {
            row["status"] = json!(status);
            row["OS-EXT-STS:task_state"] = Value::Null;
            row["updated"] = json!(stamp);
            if status != "ERROR"
                && let Some(fields) = row.as_object_mut()
            {
                fields.remove("fault");
            }
        }
    }

    /// Whether Nova reaches the cell of a server. While it does not, lists leave the server out without a
    /// word (so below microversion 2.69), and what concerns it alone fails.
    pub fn cut_server_off(&mut self, id: &str, is_cut_off: bool) {
        if let Some(row) = self.row_mut(Resource::Servers, id) {
            row[CUT_OFF] = json!(is_cut_off);
        }
    }

    pub(super) fn delete_server(&mut self, caller: &Caller, id: &str) -> Answer {
        let row = self.server(caller, id)?;
        let is_first = row["OS-EXT-STS:task_state"] != "deleting";
        let stamp = self.stamp();
        if let Some(row) = self.row_mut(Resource::Servers, id) {
            row["OS-EXT-STS:task_state"] = json!("deleting");
            row["updated"] = json!(stamp);
        }
        if is_first {
            self.after(self.delays.server_delete, Event::ServerGone(id.to_owned()));
        }
        Reply::empty(204)
    }

    /// The end of a server: ports that Nova made go, others are free again.
    pub(crate) fn server_gone(&mut self, id: &str) {
        let Some(mut row) = self.table_mut(Resource::Servers).remove(id) else {
            return;
        };
        for port in self.ports_of_server(id) {
            self.detach_port(&port);
        }
        for volume in list(&row, "os-extended-volumes:volumes_attached") {
            let ends = volume["delete_on_termination"] == true;
            self.detach_volume(text(volume, "id"), id, ends);
        }
        if let Some(group) = self.row_mut(Resource::ServerGroups, text(&row, "_group")) {
            let mut members = texts(group, "members");
            members.retain(|member| member != id);
            group["members"] = json!(members);
        }
        let stamp = self.stamp();
        row["status"] = json!("DELETED");
        row["OS-EXT-STS:vm_state"] = json!("deleted");
        row["OS-EXT-STS:task_state"] = Value::Null;
        row["OS-SRV-USG:terminated_at"] = json!(self.zoneless_stamp());
        row["updated"] = json!(stamp);
        self.deleted_servers.push(row);
    }

    pub(super) fn detach_port(&mut self, port: &str) {
        let Some(row) = self.row_mut(Resource::Ports, port) else {
            return;
        };
        if row["_made_by_nova"] == true {
            return self.forget_port(port);
        }
        row["device_id"] = json!("");
        row["device_owner"] = json!("");
        row["status"] = json!("DOWN");
    }

    pub(super) fn server_action(&mut self, caller: &Caller, id: &str, request: &Request) -> Answer {
        if request.method != Method::POST {
            return Err(Refusal::no_route(request));
        }
        let row = self.server(caller, id)?;
        let status = text(row, "status").to_owned();
        let has = |action: &str| request.body.get(action).is_some();
        let wrong = |action: &str| {
            Refusal::conflict(format!(
                "Cannot '{action}' instance {id} while it is in vm_state {}",
                status.to_lowercase()
            ))
        };
        if has("os-stop") {
            if status != "ACTIVE" {
                return Err(wrong("stop"));
            }
            self.set_server_status(id, "SHUTOFF");
        } else if has("os-start") {
            if status != "SHUTOFF" {
                return Err(wrong("start"));
            }
            self.set_server_status(id, "ACTIVE");
        } else if has("os-resetState") {
            if !caller.is_admin {
                return Err(Refusal::forbidden(
                    "Policy doesn't allow os_compute_api:os-admin-actions:reset_state to be performed.",
                ));
            }
            let state = text(&request.body["os-resetState"], "state").to_uppercase();
            self.set_server_status(id, &state);
        } else if !has("reboot") {
            return Err(Refusal::bad("There is no such action"));
        }
        Reply::empty(202)
    }
}
