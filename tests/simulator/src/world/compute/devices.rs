//! The disks of servers.

use serde_json::{Value, json};

use super::Microversion;
use crate::world::request::Refusal;
use crate::world::table::{id, list, text};
use crate::world::{Caller, Resource, World};

/// The first microversion that attaches volumes which several servers can share.
const MULTIATTACH: Microversion = (2, 60);

impl World {
    pub(super) fn check_devices(
        &self,
        caller: &Caller,
        given: &Value,
        flavor: &Value,
        version: Microversion,
    ) -> Result<(), Refusal> {
        let mut local = 0;
        for device in list(given, "block_device_mapping_v2") {
            let kind = (
                text(device, "source_type"),
                text(device, "destination_type"),
            );
            let size = device["volume_size"].as_i64();
            match kind {
                ("volume", _) => self.check_volume(caller, text(device, "uuid"), version)?,
                ("blank", "local") => local += size.unwrap_or_default(),
                (_, "volume") if size.is_none_or(|size| size <= 0) => {
                    return Err(Refusal::bad(
                        "Block Device Mapping is Invalid: Images and blank volumes need to have a non-zero size specified.",
                    ));
                }
                _ => {}
            }
        }
        if local
            > flavor["OS-FLV-EXT-DATA:ephemeral"]
                .as_i64()
                .unwrap_or_default()
        {
            return Err(Refusal::bad(
                "Ephemeral disks requested are larger than the instance type allows.",
            ));
        }
        Ok(())
    }

    fn check_volume(
        &self,
        caller: &Caller,
        wanted: &str,
        version: Microversion,
    ) -> Result<(), Refusal> {
        let failed = format!("Block Device Mapping is Invalid: failed to get volume {wanted}.");
        let volume = self.find(caller, Resource::Volumes, wanted);
        let volume = volume.ok_or_else(|| Refusal::bad(failed))?;
        let is_shared = volume["multiattach"] == true;
        if is_shared && version < MULTIATTACH {
            return Err(Refusal::bad(
                "Multiattach volumes are only supported starting with compute API version 2.60.",
            ));
        }
        match text(volume, "status") {
            "available" => Ok(()),
            "in-use" if is_shared => Ok(()),
            status => Err(Refusal::bad(format!(
                "Invalid volume: volume '{wanted}' status must be 'available'. Currently in '{status}'"
            ))),
        }
    }

    /// Keeps the volumes of a new server from others; what Nova shows of them.
    pub(super) fn reserve_volumes(&mut self, given: &Value) -> Vec<Value> {
        let mut shown = Vec::new();
        for device in list(given, "block_device_mapping_v2") {
            if text(device, "source_type") != "volume" {
                continue;
            }
            let volume = text(device, "uuid");
            if let Some(row) = self.row_mut(Resource::Volumes, volume)
                && row["status"] == "available"
            {
                row["status"] = json!("reserved");
            }
            shown.push(attached(volume, device));
        }
        shown
    }

    /// Attaches and makes the volumes of a server; what Nova shows of them.
    pub(super) fn attach_volumes(&mut self, row: &Value) -> Vec<Value> {
        let server = id(row);
        let mut shown = Vec::new();
        for device in list(row, "_devices") {
            let source = text(device, "source_type");
            if source != "volume" && text(device, "destination_type") != "volume" {
                continue;
            }
            let volume = if source == "volume" {
                text(device, "uuid").to_owned()
            } else {
                self.volume_of_server(row, device)
            };
            self.attach_volume(&volume, &server);
            shown.push(attached(&volume, device));
        }
        shown
    }
}

fn attached(volume: &str, device: &Value) -> Value {
    json!({"id": volume, "delete_on_termination": device["delete_on_termination"] == true})
}
