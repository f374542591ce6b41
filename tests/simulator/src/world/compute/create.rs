//! Requests for servers.

use serde_json::{Value, json};

use super::Microversion;
use crate::world::request::{Refusal, Reply};
use crate::world::schedule::Event;
use crate::world::table::{id, list, text};
use crate::world::{Answer, Caller, Resource, World, inner};

/// The longest user data in base64.
const USER_DATA: usize = 65535;

impl World {
    pub(super) fn create_server(
        &mut self,
        caller: &Caller,
        body: &Value,
        version: Microversion,
    ) -> Answer {
        let given = inner(body, "server")?;
        check_fields(given, version)?;
        let flavor = self.check_flavor(given)?;
        self.check_image(given)?;
        self.check_placement(caller, given, body)?;
        self.check_ports(caller, given)?;
        self.check_devices(caller, given, &flavor, version)?;
        self.check_server_quota(caller, &flavor)?;
        let id = self.new_id();
        let mut row = self.server_row(caller, &id, given, &flavor);
        let group = text(&body["os:scheduler_hints"], "group");
        row["_group"] = json!(group);
        row["server_groups"] = json!(if group.is_empty() {
            vec![]
        } else {
            vec![group]
        });
        row["_networks"] = given["networks"].clone();
        row["_devices"] = given["block_device_mapping_v2"].clone();
        row["_hints"] = body["os:scheduler_hints"].clone();
        self.join_group(&row, &id);
        row["os-extended-volumes:volumes_attached"] = json!(self.reserve_volumes(given));
        self.table_mut(Resource::Servers).insert(row);
        self.after(self.delays.server_build, Event::ServerBuilt(id.clone()));
        let links =
            [json!({"rel": "self", "href": format!("{}/compute/v2.1/servers/{id}", self.url)})];
        let groups: Vec<Value> = list(given, "security_groups").cloned().collect();
        Ok(Reply::new(
            202,
            json!({"server": {"id": id, "links": links, "OS-DCF:diskConfig": "MANUAL",
            "security_groups": groups, "adminPass": "secret"}}),
        ))
    }

    fn server_row(&self, caller: &Caller, id: &str, given: &Value, flavor: &Value) -> Value {
        let stamp = self.stamp();
        let empty = json!({});
        json!({
            "id": id, "name": given["name"], "status": "BUILD", "tenant_id": caller.project_id,
            "project_id": caller.project_id, "user_id": caller.user_id,
            "metadata": given.get("metadata").unwrap_or(&empty), "tags": given.get("tags").unwrap_or(&json!([])),
            "hostId": "", "image": given.get("imageRef").filter(|image| !image.is_null()).map_or(json!(""), |image| json!({"id": image, "links": []})),
            "flavor": {"original_name": flavor["name"], "vcpus": flavor["vcpus"], "ram": flavor["ram"],
                "disk": flavor["disk"], "ephemeral": flavor["OS-FLV-EXT-DATA:ephemeral"], "swap": 0, "extra_specs": {}},
            "created": stamp, "updated": stamp, "addresses": {}, "accessIPv4": "", "accessIPv6": "", "links": [],
            "OS-DCF:diskConfig": "MANUAL", "progress": 0,
            "OS-EXT-AZ:availability_zone": given["availability_zone"].as_str().unwrap_or_default(),
            "config_drive": if given["config_drive"] == true { "True" } else { "" },
            "key_name": given["key_name"], "OS-SRV-USG:launched_at": null, "OS-SRV-USG:terminated_at": null,
            "OS-EXT-STS:task_state": "scheduling", "OS-EXT-STS:vm_state": "building", "OS-EXT-STS:power_state": 0,
            "os-extended-volumes:volumes_attached": [], "locked": false, "description": null,
            "security_groups": [{"name": "default"}], "OS-EXT-SRV-ATTR:user_data": given["user_data"], "OS-EXT-SRV-ATTR:host": null,
            "_flavor_id": flavor["id"],
        })
    }

    fn check_flavor(&self, given: &Value) -> Result<Value, Refusal> {
        let wanted = text(given, "flavorRef");
        let found = self.row(Resource::Flavors, wanted).cloned();
        found.ok_or_else(|| Refusal::bad(format!("Flavor {wanted} could not be found.")))
    }

    fn check_image(&self, given: &Value) -> Result<(), Refusal> {
        let image = text(given, "imageRef");
        if image.is_empty() {
            let mut devices = list(given, "block_device_mapping_v2");
            if devices.any(|device| device["boot_index"] == 0) {
                return Ok(());
            }
            return Err(Refusal::bad(
                "Invalid image: no image and no boot device were given.",
            ));
        }
        match self.row(Resource::Images, image) {
            None => Err(Refusal::bad(format!(
                "Can not find requested image {image}"
            ))),
            Some(row) if row["status"] != "active" => {
                Err(Refusal::bad(format!("Image {image} is not active.")))
            }
            Some(_) => Ok(()),
        }
    }

    fn check_placement(&self, caller: &Caller, given: &Value, body: &Value) -> Result<(), Refusal> {
        let zone = text(given, "availability_zone");
        if !zone.is_empty() && !self.zones.iter().any(|known| known == zone) {
            return Err(Refusal::bad(
                "The requested availability zone is not available",
            ));
        }
        let key = text(given, "key_name");
        if !key.is_empty()
            && self
                .table(Resource::Keypairs)
                .with("name", key)
                .next()
                .is_none()
        {
            return Err(Refusal::bad("Invalid key_name provided."));
        }
        let group = text(&body["os:scheduler_hints"], "group");
        if !group.is_empty() && self.find(caller, Resource::ServerGroups, group).is_none() {
            return Err(Refusal::bad(format!(
                "Server group {group} could not be found."
            )));
        }
        Ok(())
    }

    fn check_ports(&self, caller: &Caller, given: &Value) -> Result<(), Refusal> {
        for wanted in list(given, "networks") {
            let (port, network) = (text(wanted, "port"), text(wanted, "uuid"));
            if port.is_empty() {
                let known = self.find(caller, Resource::Networks, network);
                known.ok_or_else(|| {
                    Refusal::bad(format!("Network {network} could not be found."))
                })?;
                continue;
            }
            let row = self.find(caller, Resource::Ports, port);
            let row =
                row.ok_or_else(|| Refusal::bad(format!("Port id {port} could not be found.")))?;
            if !text(row, "device_id").is_empty() {
                return Err(Refusal::conflict(format!("Port {port} is still in use.")));
            }
        }
        Ok(())
    }

    fn check_server_quota(&self, caller: &Caller, flavor: &Value) -> Result<(), Refusal> {
        let limits = ["instances", "cores", "ram"].map(|name| self.limit(&caller.project_id, name));
        if limits.iter().all(Option::is_none) {
            return Ok(());
        }
        let own = self
            .table(Resource::Servers)
            .with("project_id", &caller.project_id);
        let used = own.fold([0, 0, 0], |used, row| {
            let size = |field: &str| row["flavor"][field].as_i64().unwrap_or_default();
            [used[0] + 1, used[1] + size("vcpus"), used[2] + size("ram")]
        });
        let size = |field: &str| flavor[field].as_i64().unwrap_or_default();
        let wanted = [1, size("vcpus"), size("ram")];
        for (index, resource) in ["instances", "cores", "ram"].into_iter().enumerate() {
            if let Some(limit) = limits[index].filter(|&limit| used[index] + wanted[index] > limit)
            {
                return Err(Refusal::forbidden(format!(
                    "Quota exceeded for {resource}: Requested {}, but already used {} of {limit} {resource}",
                    wanted[index], used[index]
                )));
            }
        }
        Ok(())
    }

    /// Gives a server its ports when it is built; an error is its fault.
    pub(super) fn plug(&mut self, server: &Value) -> Result<(), String> {
        let caller = Caller {
            project_id: text(server, "project_id").to_owned(),
            user_id: text(server, "user_id").to_owned(),
            is_admin: false,
        };
        let owner = format!("compute:{}", text(server, "OS-EXT-AZ:availability_zone"));
        for wanted in list(server, "_networks") {
            let given = text(wanted, "port").to_owned();
            let port = if given.is_empty() {
                let made =
                    self.service_port(&caller.project_id, text(wanted, "uuid"), json!({}), None);
                let port = made.map_err(|refusal| refusal.message)?;
                self.mark(&port, "_made_by_nova", json!(true));
                port
            } else {
                given
            };
            let row = self.row_mut(Resource::Ports, &port);
            let row = row.ok_or_else(|| format!("Port {port} could not be found."))?;
            if !text(row, "device_id").is_empty() {
                return Err(format!("Port {port} is still in use."));
            }
            row["device_id"] = json!(id(server));
            row["device_owner"] = json!(owner);
            row["status"] = json!("ACTIVE");
        }
        Ok(())
    }

    fn mark(&mut self, port: &str, field: &str, value: Value) {
        if let Some(row) = self.row_mut(Resource::Ports, port) {
            row[field] = value;
        }
    }
}

fn check_fields(given: &Value, version: Microversion) -> Result<(), Refusal> {
    if text(given, "name").is_empty() {
        return Err(Refusal::bad(
            "Invalid input for field/attribute name. Value: . '' is too short",
        ));
    }
    for (field, since) in [
        ("tags", (2, 52)),
        ("description", (2, 19)),
        ("host", (2, 74)),
    ] {
        if version < since && given.get(field).is_some() {
            let message = format!(
                "Invalid input for field/attribute server. Additional properties are not allowed ('{field}' was unexpected)"
            );
            return Err(Refusal::bad(message));
        }
    }
    if version >= (2, 37) && given.get("networks").is_none() {
        let message = "Invalid input for field/attribute server. 'networks' is a required property";
        return Err(Refusal::bad(message));
    }
    if text(given, "user_data").len() > USER_DATA {
        return Err(Refusal::bad(
            "Invalid input for field/attribute user_data. It is too long",
        ));
    }
    Ok(())
}
