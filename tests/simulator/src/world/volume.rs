//! Cinder.

use axum::http::Method;
use serde_json::{Value, json};

use super::list::{page, remove, shown};
use super::request::{Refusal, Request};
use super::schedule::Event;
use super::table::text;
use super::{Answer, Caller, Filters, Reply, Resource, World, inner};

/// Rows of a page.
const PAGE: usize = 1000;
/// The only zone: whichever is asked for, volumes come there, as where
/// `allow_availability_zone_fallback` is set.
const ZONE: &str = "nova";
/// The type whose volumes several servers can share.
const MULTIATTACH: &str = "multiattach";

impl World {
    pub(crate) fn volume(&mut self, caller: &Caller, request: &Request) -> Answer {
        match (&request.method, request.segments().as_slice()) {
            (&Method::GET, ["volumes"] | ["volumes", "detail"]) => {
                self.list_volumes(caller, request)
            }
            (&Method::POST, ["volumes"]) => self.create_volume(caller, &request.body),
            (&Method::GET, ["volumes", id]) => {
                let row = self.volume_row(caller, id)?;
                Reply::ok(json!({"volume": view(row)}))
            }
            (&Method::DELETE, ["volumes", id]) => self.delete_volume(caller, id),
            (&Method::GET, ["types"]) => {
                let types = self.volume_types.iter();
                let types: Vec<Value> = types
                    .map(|name| json!({"id": name, "name": name, "is_public": true}))
                    .collect();
                Reply::ok(json!({"volume_types": types}))
            }
            (_, ["os-quota-sets", project]) => {
                let project = (*project).to_owned();
                self.quotas(caller, request, &project, "quota_set")
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn list_volumes(&self, caller: &Caller, request: &Request) -> Answer {
        let filters = Filters::read(request, None)?;
        let everywhere =
            caller.is_admin && request.query("all_tenants").is_some_and(|all| all != "0");
        let rows = self.rows(caller, Resource::Volumes, &filters);
        let own = rows.filter(|row| everywhere || text(row, "project_id") == caller.project_id);
        let mut rows: Vec<Value> = own.map(view).collect();
        rows.reverse();
        let version = format!("v3/{}", caller.project_id);
        let paging = self.paging(request, &version, PAGE, PAGE);
        page(request, "volumes", rows, &paging)
    }

    fn volume_row(&self, caller: &Caller, id: &str) -> Result<&Value, Refusal> {
        let missing = || Refusal::not_found(format!("Volume {id} could not be found."));
        self.find(caller, Resource::Volumes, id).ok_or_else(missing)
    }

    fn create_volume(&mut self, caller: &Caller, body: &Value) -> Answer {
        let given = inner(body, "volume")?;
        let size = given["size"].as_i64().filter(|&size| size > 0);
        let size = size.ok_or_else(|| {
            Refusal::bad("Invalid input received: Invalid volume size provided for create request")
        })?;
        let kind = text(given, "volume_type");
        if !kind.is_empty() && !self.volume_types.iter().any(|known| known == kind) {
            return Err(Refusal::not_found(format!(
                "Volume type {kind} could not be found."
            )));
        }
        let image = text(given, "imageRef");
        if !image.is_empty() && self.row(Resource::Images, image).is_none() {
            return Err(Refusal::bad(
                "Invalid image identifier or unable to access requested image.",
            ));
        }
        self.check_volume_quota(caller, size)?;
        let id = self.insert_volume(&caller.project_id, size, given);
        let mut row = self
            .row(Resource::Volumes, &id)
            .map(view)
            .unwrap_or_default();
        remove(&mut row, "os-vol-tenant-attr:tenant_id");
        remove(&mut row, "volume_image_metadata");
        self.after(self.delays.volume_create, Event::VolumeReady(id));
        Ok(Reply::new(202, json!({"volume": row})))
    }

    fn insert_volume(&mut self, project: &str, size: i64, given: &Value) -> String {
        let id = self.new_id();
        let default = self.volume_types.first().cloned().unwrap_or_default();
        let kind = given["volume_type"]
            .as_str()
            .filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or(&default);
        let image = text(given, "imageRef");
        let stamp = self.zoneless_stamp();
        let mut row = json!({
            "id": id, "name": given["name"], "description": given["description"], "size": size, "status": "creating",
            "availability_zone": ZONE, "volume_type": kind, "multiattach": kind == MULTIATTACH, "attachments": [],
            "metadata": given.get("metadata").unwrap_or(&json!({})), "bootable": if image.is_empty() { "false" } else { "true" },
            "encrypted": false, "created_at": stamp, "updated_at": stamp, "project_id": project, "links": [],
            "os-vol-tenant-attr:tenant_id": project, "snapshot_id": null, "source_volid": null, "user_id": "",
            "consistencygroup_id": null, "replication_status": null,
        });
        if !image.is_empty() {
            row["volume_image_metadata"] = json!({"image_id": image});
        }
        self.table_mut(Resource::Volumes).insert(row);
        id
    }

    fn check_volume_quota(&self, caller: &Caller, size: i64) -> Result<(), Refusal> {
        let project = &caller.project_id;
        let over = |message: String| Err(Refusal::new(413, "OverLimit", message));
        if !self.is_within(project, "volumes", Resource::Volumes, 1) {
            return over("VolumeLimitExceeded: Maximum number of volumes allowed exceeded for quota 'volumes'.".to_owned());
        }
        let own = self.table(Resource::Volumes).with("project_id", project);
        let used: i64 = own.filter_map(|row| row["size"].as_i64()).sum();
        match self.limit(project, "gigabytes") {
            Some(limit) if used + size > limit => over(format!(
                "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested {size}G, quota is {limit}G and {used}G has been consumed."
            )),
            _ => Ok(()),
        }
    }

    fn delete_volume(&mut self, caller: &Caller, id: &str) -> Answer {
        let row = self.volume_row(caller, id)?;
        let status = text(row, "status");
        if !matches!(
            status,
            "available" | "error" | "error_deleting" | "downloading"
        ) {
            let message = "Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer.";
            return Err(Refusal::bad(message));
        }
        self.end_volume(id);
        Reply::empty(202)
    }

    fn end_volume(&mut self, id: &str) {
        if let Some(row) = self.row_mut(Resource::Volumes, id) {
            row["status"] = json!("deleting");
        }
        self.after(self.delays.volume_delete, Event::VolumeGone(id.to_owned()));
    }

    pub(crate) fn volume_ready(&mut self, id: &str) {
        let name = self
            .row(Resource::Volumes, id)
            .map(|row| text(row, "name").to_owned());
        let doom = name.and_then(|name| self.doomed(Resource::Volumes, &name));
        let Some(row) = self.row_mut(Resource::Volumes, id) else {
            return;
        };
        if row["status"] == "creating" {
            row["status"] = json!(if doom.is_some() { "error" } else { "available" });
        }
    }

    pub(crate) fn volume_gone(&mut self, id: &str) {
        self.table_mut(Resource::Volumes).remove(id);
    }

    /// A volume that Nova makes for a server.
    pub(crate) fn volume_of_server(&mut self, server: &Value, device: &Value) -> String {
        let size = device["volume_size"].as_i64().unwrap_or(1);
        let image = if text(device, "source_type") == "image" {
            text(device, "uuid")
        } else {
            ""
        };
        let given = json!({"name": "", "imageRef": image, "volume_type": device["volume_type"]});
        self.insert_volume(text(server, "project_id"), size, &given)
    }

    pub(crate) fn attach_volume(&mut self, id: &str, server: &str) {
        let stamp = self.zoneless_stamp();
        let Some(row) = self.row_mut(Resource::Volumes, id) else {
            return;
        };
        row["status"] = json!("in-use");
        let attachment = json!({"id": id, "attachment_id": id, "volume_id": id, "server_id": server,
            "device": "/dev/vdb", "host_name": null, "attached_at": stamp});
        if let Some(attachments) = row["attachments"].as_array_mut() {
            attachments.push(attachment);
        }
    }

    /// A server gives a volume back, which `ends` with its last server if so asked.
    pub(crate) fn detach_volume(&mut self, volume: &str, server: &str, ends: bool) {
        let Some(row) = self.row_mut(Resource::Volumes, volume) else {
            return;
        };
        if let Some(attachments) = row["attachments"].as_array_mut() {
            attachments.retain(|one| one["server_id"] != server);
            if !attachments.is_empty() {
                return;
            }
        }
        row["status"] = json!("available");
        if ends {
            self.end_volume(volume);
        }
    }
}

fn view(row: &Value) -> Value {
    let mut view = shown(row, None);
    // Only newer microversions have it.
    remove(&mut view, "project_id");
    view
}
