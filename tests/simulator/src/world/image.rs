//! Glance.

use axum::http::Method;
use serde_json::{Value, json};

use super::list::{page, shown};
use super::request::{Refusal, Request};
use super::table::{list, text};
use super::{Answer, Caller, Reply, Resource, World};

/// Images of a page, by default and at most.
const PAGE: usize = 25;
const LARGEST_PAGE: usize = 1000;

impl World {
    pub(crate) fn image(&mut self, caller: &Caller, request: &Request) -> Answer {
        match (&request.method, request.segments().as_slice()) {
            (&Method::GET, ["images"]) => self.list_images(caller, request),
            (&Method::GET, ["images", id]) => {
                let row = self
                    .row(Resource::Images, id)
                    .filter(|row| sees(caller, row));
                let missing = || Refusal::not_found(format!("No image found with ID {id}"));
                Reply::ok(shown(row.ok_or_else(missing)?, None))
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn list_images(&self, caller: &Caller, request: &Request) -> Answer {
        let fits = |row: &&Value| {
            sees(caller, row)
                && request
                    .query
                    .iter()
                    .all(|(key, wanted)| match key.as_str() {
                        "tag" => list(row, "tags").any(|tag| tag == wanted),
                        "limit" | "marker" | "sort" | "sort_key" | "sort_dir" => true,
                        key => text(row, key) == wanted,
                    })
        };
        let found = self.table(Resource::Images).iter().filter(fits);
        let mut rows: Vec<Value> = found.map(|row| shown(row, None)).collect();
        rows.reverse();
        let mut paging = self.paging(request, "v2", PAGE, LARGEST_PAGE);
        paging.bare_next = true;
        let mut reply = page(request, "images", rows, &paging)?;
        reply.body["first"] = json!("/v2/images");
        reply.body["schema"] = json!("/v2/schemas/images");
        Ok(reply)
    }

    /// Adds an active image, for everybody; its id.
    pub fn add_image(&mut self, name: &str, tags: &[&str]) -> String {
        let id = self.new_id();
        let row = json!({"id": id, "name": name, "status": "active", "tags": tags, "visibility": "public",
            "size": 1_048_576, "min_disk": 1, "min_ram": 0, "hw_disk_bus": "scsi", "os_distro": "ubuntu",
            "virtual_size": 1_048_576, "os_hidden": false, "stores": "file", "checksum": "0", "os_hash_algo": "sha512",
            "os_hash_value": "0", "disk_format": "raw", "container_format": "bare", "protected": false, "owner": "",
            "created_at": self.stamp(), "updated_at": self.stamp(), "self": format!("/v2/images/{id}"),
            "file": format!("/v2/images/{id}/file"), "schema": "/v2/schemas/image"});
        self.table_mut(Resource::Images).insert(row);
        id
    }
}

fn sees(caller: &Caller, row: &Value) -> bool {
    caller.is_admin || row["visibility"] == "public" || text(row, "owner") == caller.project_id
}
