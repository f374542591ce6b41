//! The volumes of a server: which are there, which are missing.

use jiff::Timestamp;

use super::report::{self, problem};
use super::{Action, Seen, Want, block_devices, owned};
use crate::step::Problem;
use crate::world::State;

/// The volumes of the server as they are found.
pub struct Volumes {
    pub missing: Vec<Action>,
    /// Ids of those that Cinder still works on.
    pub pending: Vec<String>,
    /// One of the pending has been so for longer than a server may take to create.
    pub late: bool,
    /// One of them can be attached to several servers.
    pub multiattach: bool,
    /// Device (`None` is the root) and id of those that are there.
    ids: Vec<(Option<String>, String)>,
}

impl Volumes {
    /// Finds them.
    pub fn of(want: &Want, seen: &Seen, image_id: &str, now: Timestamp) -> Result<Self, Problem> {
        let mut volumes = Self {
            missing: Vec::new(),
            pending: Vec::new(),
            late: false,
            multiattach: false,
            ids: Vec::new(),
        };
        for wanted in block_devices::volumes(want, image_id) {
            let found = owned::volumes(want, seen, &wanted);
            let Some(volume) = found.first() else {
                volumes.missing.push(Action::CreateVolume(wanted.new));
                continue;
            };
            volumes.missing.extend(
                found
                    .iter()
                    .skip(1)
                    .map(|v| Action::DeleteVolume(v.id.clone())),
            );
            if volume.size_gib != wanted.new.size_gib {
                return Err(problem(
                    want,
                    &wanted.field("sizeGiB"),
                    wanted.new.size_gib.to_string(),
                    format!(
                        "volume {} ({}) exists with {} GiB; delete it, or ask for that size",
                        volume.name, volume.id, volume.size_gib
                    ),
                ));
            }
            volumes.multiattach |= volume.multiattach;
            match volume.state {
                State::Active => volumes.ids.push((wanted.device, volume.id.clone())),
                State::Error => {
                    return Err(problem(
                        want,
                        &wanted.field("type"),
                        wanted.new.volume_type.unwrap_or_default(),
                        format!(
                            "Cinder could not make volume {} ({}, {}); delete it, or choose another type or zone",
                            volume.name, volume.id, volume.status
                        ),
                    ));
                }
                _ => {
                    volumes.late |= report::is_late(want, volume.created, now);
                    volumes.pending.push(volume.id.clone());
                }
            }
        }
        Ok(volumes)
    }

    /// The id of a volume; all are there when the server is made.
    pub fn id(&self, device: Option<&str>) -> String {
        let found = self.ids.iter().find(|(name, _)| name.as_deref() == device);
        found.map(|(_, id)| id.clone()).unwrap_or_default()
    }
}
