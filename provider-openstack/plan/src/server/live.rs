//! Towards a server that runs.

use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServerStatus;
use crds::openstack::v1beta2::{PortStatus, ResolvedPortSpec, SchedulerHintValueType};

use super::report::{self, Outcome, problem};
use super::{Action, NewServer, Seen, Want, block_devices, owned, resolve};
use crate::step::{Awaited, Problem, Resource, Step};
use crate::tags;
use crate::world::{Port, Server, State};

/// The next step of a server that should run.
pub fn step(want: &Want, seen: &Seen, status: &mut OpenStackServerStatus) -> Outcome {
    if status.resolved.is_none() {
        match resolve::server(want, &seen.catalog) {
            Ok(resolved) => status.resolved = Some(resolved),
            Err(problem) => return report::blocked(Reason::DependencyFailed, problem),
        }
    }
    // From here on names, networks and ids are the resolved ones.
    let want = &Want {
        status: status.clone(),
        ..want.clone()
    };
    let ports = Ports::of(want, seen);
    status.resources.get_or_insert_default().ports = ports.recorded();
    match (
        owned::servers(want, seen).as_slice(),
        &want.status.instance_id,
    ) {
        ([], Some(id)) => vanished(want, id, status),
        ([], None) => create(want, seen, &ports),
        ([server], _) => running(want, server, status),
        ([server, surplus @ ..], _) => remove_surplus(server, surplus, status),
    }
}

/// The ports of the server as they are found.
struct Ports<'a> {
    /// For each port that is wanted, the one to use.
    slots: Vec<Option<&'a Port>>,
    /// Made twice because an answer was lost.
    surplus: Vec<&'a Port>,
}

impl<'a> Ports<'a> {
    fn of(want: &Want, seen: &'a Seen) -> Self {
        let mut ports = Self {
            slots: Vec::new(),
            surplus: Vec::new(),
        };
        for slot in owned::slots(want) {
            let found = owned::ports(want, seen, &slot);
            ports.slots.push(found.first().copied());
            ports.surplus.extend(found.iter().skip(1));
        }
        ports
    }

    /// What is missing, and what is too much.
    fn actions(&self, wanted: &[ResolvedPortSpec], tagging: bool) -> Vec<Action> {
        let pairs = wanted.iter().zip(&self.slots);
        let made = pairs.filter_map(|(wanted, found)| match found {
            None => Some(Action::CreatePort(wanted.clone())),
            Some(port) => tags::missing(&wanted.tags, &port.tags)
                .filter(|_| tagging)
                .map(|tags| Action::TagPort {
                    id: port.id.clone(),
                    tags,
                }),
        });
        let surplus = self.surplus.iter();
        made.chain(surplus.map(|port| Action::DeletePort(port.id.clone())))
            .collect()
    }

    fn recorded(&self) -> Vec<PortStatus> {
        let found = self.slots.iter().flatten();
        found
            .map(|port| PortStatus {
                id: port.id.clone(),
            })
            .collect()
    }
}

fn create(want: &Want, seen: &Seen, ports: &Ports) -> Outcome {
    let Some(resolved) = &want.status.resolved else {
        return (Step::Done, report::not_ready(Reason::InstanceNotReady, ""));
    };
    let mut actions = ports.actions(&resolved.ports, seen.tagging);
    let image_id = resolved.image_id.as_deref().unwrap_or_default();
    let volumes = match Volumes::of(want, seen, image_id) {
        Ok(volumes) => volumes,
        Err(problem) => return report::blocked(Reason::InstanceCreateFailed, problem),
    };
    actions.extend(volumes.missing.iter().cloned());
    if !actions.is_empty() {
        return report::doing(
            actions,
            Reason::InstanceNotReady,
            "creating ports and volumes",
            [],
        );
    }
    if !volumes.pending.is_empty() {
        let message = format!("waiting for volume {}", volumes.pending.join(", "));
        let on = volumes
            .pending
            .into_iter()
            .map(|id| Awaited::new(Resource::Volume, id));
        return report::waiting(Reason::InstanceNotReady, message, on);
    }
    let server = new_server(want, resolved, ports, &volumes);
    let message = format!("creating server {}", want.name);
    report::doing(
        vec![Action::CreateServer(Box::new(server))],
        Reason::InstanceNotReady,
        message,
        [],
    )
}

/// The volumes of the server as they are found.
struct Volumes {
    missing: Vec<Action>,
    /// Ids of those that Cinder still works on.
    pending: Vec<String>,
    /// Device (`None` is the root) and id of those that are there.
    ids: Vec<(Option<String>, String)>,
}

impl Volumes {
    fn of(want: &Want, seen: &Seen, image_id: &str) -> Result<Self, Problem> {
        let mut volumes = Self {
            missing: Vec::new(),
            pending: Vec::new(),
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
                _ => volumes.pending.push(volume.id.clone()),
            }
        }
        Ok(volumes)
    }

    /// The id of a volume; all are there when the server is made.
    fn id(&self, device: Option<&str>) -> String {
        let found = self.ids.iter().find(|(name, _)| name.as_deref() == device);
        found.map(|(_, id)| id.clone()).unwrap_or_default()
    }
}

fn new_server(
    want: &Want,
    resolved: &resolve::Resolved,
    ports: &Ports,
    volumes: &Volumes,
) -> NewServer {
    let spec = &want.spec;
    let image_id = resolved.image_id.clone().unwrap_or_default();
    let mut metadata: Vec<(String, String)> = spec
        .server_metadata
        .iter()
        .filter(|pair| pair.key != owned::CLUSTER_METADATA_KEY)
        .map(|pair| (pair.key.clone(), pair.value.clone()))
        .collect();
    metadata.push((owned::CLUSTER_METADATA_KEY.to_string(), owned::mark(want)));
    let hint = |value: &crds::openstack::v1beta2::SchedulerHintAdditionalValue| match value.type_ {
        SchedulerHintValueType::Bool => serde_json::json!(value.bool),
        SchedulerHintValueType::Number => serde_json::json!(value.number),
        SchedulerHintValueType::String => serde_json::json!(value.string),
    };
    NewServer {
        name: want.name.clone(),
        flavor_id: resolved.flavor_id.clone().unwrap_or_default(),
        image_id: spec.root_volume.is_none().then(|| image_id.clone()),
        availability_zone: spec.availability_zone.clone(),
        port_ids: ports
            .slots
            .iter()
            .flatten()
            .map(|port| port.id.clone())
            .collect(),
        key_name: spec.ssh_key_name.clone(),
        user_data_secret: spec
            .user_data_ref
            .as_ref()
            .map(|secret| secret.name.clone()),
        tags: tags::merged([spec.tags.as_slice()]),
        metadata,
        config_drive: spec.config_drive.unwrap_or_default(),
        block_devices: block_devices::devices(want, &image_id, |device| volumes.id(device)),
        server_group_id: resolved.server_group_id.clone(),
        hints: spec
            .scheduler_hint_additional_properties
            .iter()
            .map(|property| (property.name.clone(), hint(&property.value)))
            .collect(),
    }
}

/// What a server in this state means. Only a server that Nova works on is awaited: the others stay
/// as they are until somebody acts.
fn running(want: &Want, server: &Server, status: &mut OpenStackServerStatus) -> Outcome {
    report::instance(status, server);
    status.ready = server.status == "ACTIVE";
    match server.status.as_str() {
        "ACTIVE" => (Step::Done, report::ready()),
        "BUILD" => {
            let message = format!("Nova builds server {}", server.id);
            let on = [Awaited::new(Resource::Server, &server.id)];
            report::waiting(Reason::InstanceNotReady, message, on)
        }
        "ERROR" => {
            let fault = server.fault.as_deref().unwrap_or("Nova gives no reason");
            let way_out = format!("server {} failed: {fault}; replace the machine", server.id);
            let problem = problem(want, "status.instanceState", "ERROR", way_out);
            report::blocked(Reason::InstanceStateError, problem)
        }
        "DELETED" | "SOFT_DELETED" => {
            let id = server.id.clone();
            vanished(want, &id, status)
        }
        other => {
            let way_out = format!(
                "server {} does not run; start it, or replace the machine",
                server.id
            );
            let problem = problem(want, "status.instanceState", other, way_out);
            let said = report::unknown(Reason::InstanceNotReady, problem.to_string());
            (report::blocked(Reason::InstanceNotReady, problem).0, said)
        }
    }
}

/// A server that is gone is never made again: its data is gone too, and what replaces it is for
/// the owner of the object to decide.
fn vanished(want: &Want, id: &str, status: &mut OpenStackServerStatus) -> Outcome {
    status.ready = false;
    status.instance_state = Some("DELETED".to_string());
    let way_out = "this server no longer exists in Nova; replace the machine";
    report::blocked(
        Reason::InstanceDeleted,
        problem(want, "status.instanceID", id, way_out),
    )
}

fn remove_surplus(
    keep: &Server,
    surplus: &[&Server],
    status: &mut OpenStackServerStatus,
) -> Outcome {
    report::instance(status, keep);
    let actions: Vec<Action> = surplus
        .iter()
        .filter(|server| !server.deleting && !owned::gone(server))
        .map(|server| Action::DeleteServer(server.id.clone()))
        .collect();
    let ids: Vec<&str> = surplus.iter().map(|server| server.id.as_str()).collect();
    let message = format!("removing server {}, made twice", ids.join(", "));
    let on = surplus
        .iter()
        .map(|server| Awaited::new(Resource::Server, &server.id));
    report::doing(actions, Reason::InstanceNotReady, message, on)
}
