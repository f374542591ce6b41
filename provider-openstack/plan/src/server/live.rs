//! Towards a server that runs.

use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServerStatus;
use crds::openstack::v1beta2::SchedulerHintValueType;
use jiff::Timestamp;

use super::ports::Ports;
use super::report::{self, Outcome, problem};
use super::resolve::{self, Unresolved};
use super::volumes::Volumes;
use super::{Action, NewServer, Seen, Want, block_devices, floating, owned, pairs};
use crate::step::{Awaited, Resource, Step};
use crate::tags;
use crate::world::Server;

/// The next step of a server that should run.
pub fn step(
    want: &Want,
    seen: &Seen,
    status: &mut OpenStackServerStatus,
    now: Timestamp,
) -> Outcome {
    if want.needs_catalog() {
        match resolve::server(want, &seen.catalog) {
            Ok(resolved) => status.resolved = Some(resolved),
            // What is there already needs no image any more.
            Err(_) if !owned::servers(want, seen).is_empty() => {}
            Err(Unresolved::Wrong(problem)) => {
                return report::blocked(Reason::DependencyFailed, problem);
            }
            Err(Unresolved::NotYet(problem)) => {
                return report::blocked(Reason::InstanceNotReady, problem);
            }
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
        ([], Some(id)) => vanished(want, id, Reason::InstanceNotFound, status),
        ([], None) => create(want, seen, &ports, now),
        ([server], _) => running(want, seen, &ports, server, status, now),
        ([server, surplus @ ..], _) => remove_surplus(server, surplus, status),
    }
}

fn create(want: &Want, seen: &Seen, ports: &Ports, now: Timestamp) -> Outcome {
    let Some(resolved) = &want.status.resolved else {
        return (Step::Done, report::not_ready(Reason::InstanceNotReady, ""));
    };
    let mut actions = ports.actions(&resolved.ports, seen);
    let image_id = resolved.image_id.as_deref().unwrap_or_default();
    let volumes = match Volumes::of(want, seen, image_id, now) {
        Ok(volumes) => volumes,
        Err(problem) => return report::blocked(Reason::InstanceCreateFailed, problem),
    };
    actions.extend(volumes.missing.iter().cloned());
    actions.extend(floating::claim(want, seen));
    if !actions.is_empty() {
        let message = "creating ports and volumes";
        return report::doing(actions, Reason::InstanceNotReady, message, []);
    }
    if !volumes.pending.is_empty() {
        let volume = format!("volume {}", volumes.pending.join(", "));
        let on = volumes
            .pending
            .iter()
            .map(|id| Awaited::new(Resource::Volume, id));
        return making(want, &volume, volumes.late, on);
    }
    if let Some(outcome) = floating::awaited(want, seen) {
        return outcome;
    }
    let server = new_server(want, resolved, ports, &volumes);
    let action = Action::CreateServer(Box::new(server));
    let message = format!("creating server {}", want.name);
    report::doing(vec![action], Reason::InstanceNotReady, message, [])
}

/// Waits for what the cloud makes, and says so when that takes too long.
fn making(want: &Want, what: &str, late: bool, on: impl IntoIterator<Item = Awaited>) -> Outcome {
    if !late {
        let message = format!("waiting for {what}");
        return report::waiting(Reason::InstanceNotReady, message, on);
    }
    let minutes = want.create_timeout.as_mins();
    let message = format!("still waiting for {what} after {minutes} minutes");
    report::waiting(Reason::InstanceCreateFailed, message, on)
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
        port_ids: ports.iter().map(|port| port.id.clone()).collect(),
        key_name: spec.ssh_key_name.clone(),
        user_data_secret: spec
            .user_data_ref
            .as_ref()
            .map(|secret| secret.name.clone()),
        tags: tags::merged([spec.tags.as_slice()]),
        metadata,
        config_drive: spec.config_drive.unwrap_or_default(),
        block_devices: block_devices::devices(want, &image_id, |device| volumes.id(device)),
        multiattach: volumes.multiattach,
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
fn running(
    want: &Want,
    seen: &Seen,
    ports: &Ports,
    server: &Server,
    status: &mut OpenStackServerStatus,
    now: Timestamp,
) -> Outcome {
    report::instance(status, server, floating::attached(want, seen, ports));
    let was_ready = std::mem::replace(&mut status.ready, false);
    match server.status.as_str() {
        "ACTIVE" => {
            if let Some(outcome) = floating::attach(want, seen, ports) {
                // A server does not stop to run because its floating IP was taken away.
                status.ready = was_ready;
                return outcome;
            }
            status.ready = true;
            let mut actions = ports.unused();
            actions.extend(pairs::follow(want, ports, status));
            (Step::of(actions, || Step::Done), report::ready())
        }
        "BUILD" => {
            let what = format!("Nova to build server {}", server.id);
            let on = [Awaited::new(Resource::Server, &server.id)];
            making(want, &what, report::is_late(want, server.created, now), on)
        }
        "ERROR" => {
            let fault = server.fault.as_deref().unwrap_or("Nova gives no reason");
            let way_out = format!("server {} failed: {fault}; replace the machine", server.id);
            let problem = problem(want, "status.instanceState", "ERROR", way_out);
            report::blocked(Reason::InstanceStateError, problem)
        }
        "DELETED" | "SOFT_DELETED" => {
            let id = server.id.clone();
            vanished(want, &id, Reason::InstanceDeleted, status)
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
/// the owner of the object to decide. As with CAPO, the reason tells whether Nova still knows of it.
fn vanished(want: &Want, id: &str, reason: Reason, status: &mut OpenStackServerStatus) -> Outcome {
    status.ready = false;
    status.instance_state = Some("DELETED".to_string());
    let way_out = "this server no longer exists in Nova; replace the machine";
    report::blocked(reason, problem(want, "status.instanceID", id, way_out))
}

fn remove_surplus(
    keep: &Server,
    surplus: &[&Server],
    status: &mut OpenStackServerStatus,
) -> Outcome {
    report::instance(status, keep, None);
    // Which of them gets the ports is known when it is built.
    let is_known = keep.status != "BUILD";
    let actions: Vec<Action> = surplus
        .iter()
        .filter(|server| is_known && !server.deleting && !owned::gone(server))
        .map(|server| Action::DeleteServer(server.id.clone()))
        .collect();
    let ids: Vec<&str> = surplus.iter().map(|server| server.id.as_str()).collect();
    let message = format!("removing server {}, made twice", ids.join(", "));
    let on = [keep].into_iter().chain(surplus.iter().copied());
    let on = on.map(|server| Awaited::new(Resource::Server, &server.id));
    report::doing(actions, Reason::InstanceNotReady, message, on)
}
