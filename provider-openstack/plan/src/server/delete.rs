//! Towards nothing: the server, then its volumes, trunks and ports, then the claim of its floating
//! IP. Nothing is created here.

use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServerStatus;

use super::report::{self, Outcome};
use super::{Action, Seen, Want, block_devices, owned};
use crate::names;
use crate::step::{Awaited, Resource, Step};
use crate::world::{Port, Server, State, Trunk};

const REASON: Reason = Reason::Deleting;

/// The next step of a server that should go.
pub fn step(want: &Want, seen: &Seen, status: &mut OpenStackServerStatus) -> Outcome {
    status.ready = false;
    let servers: Vec<&Server> = owned::servers(want, seen)
        .into_iter()
        .filter(|server| !owned::gone(server))
        .collect();
    match servers.first() {
        Some(server) => status.instance_state = Some(server.status.clone()),
        None => status.instance_state = Some("DELETED".to_string()),
    }
    if servers.is_empty() {
        rest(want, seen)
    } else {
        end_servers(&servers)
    }
}

fn end_servers(servers: &[&Server]) -> Outcome {
    let actions: Vec<Action> = servers
        .iter()
        .filter(|server| !server.deleting)
        .map(|server| Action::DeleteServer(server.id.clone()))
        .collect();
    let ids: Vec<&str> = servers.iter().map(|server| server.id.as_str()).collect();
    let message = format!("waiting for the end of server {}", ids.join(", "));
    let on = ids.iter().map(|id| Awaited::new(Resource::Server, *id));
    report::doing(actions, REASON, message, on)
}

/// Volumes that the server left behind, its trunks and ports, which Nova does not delete because it
/// did not make them, and the claim of its floating IP.
fn rest(want: &Want, seen: &Seen) -> Outcome {
    let ports = owned::all_ports(want, seen);
    let mut actions = Vec::new();
    // Neutron keeps a port that is in a trunk.
    let in_trunk = |port: &&&Port| {
        let mut trunks = seen.trunks.iter();
        trunks.any(|trunk| trunk.sub_port_ids.contains(&port.id))
    };
    for port in ports.iter().filter(|port| !in_trunk(port)) {
        match seen.trunks.iter().find(|trunk| trunk.port_id == port.id) {
            Some(trunk) => actions.extend(end_trunk(want, trunk, &ports)),
            None => actions.push(Action::DeletePort(port.id.clone())),
        }
    }
    let mut pending = Vec::new();
    for wanted in block_devices::volumes(want, "") {
        for volume in owned::volumes(want, seen, &wanted) {
            // Nova lets go of a volume, or deletes it, a moment after the end of the server.
            if volume.state == State::Deleting || volume.status == "in-use" {
                pending.push(volume.id.clone());
            } else {
                actions.push(Action::DeleteVolume(volume.id.clone()));
            }
        }
    }
    if actions.is_empty() && pending.is_empty() {
        return claim(want, seen);
    }
    let on = pending
        .into_iter()
        .map(|id| Awaited::new(Resource::Volume, id));
    report::doing(actions, REASON, "removing ports and volumes", on)
}

/// The next step towards the end of a trunk: its subports go with it.
fn end_trunk(want: &Want, trunk: &Trunk, ours: &[&Port]) -> Vec<Action> {
    if trunk.sub_port_ids.is_empty() {
        return vec![Action::DeleteTrunk(trunk.id.clone())];
    }
    let is_marked = |id: &&String| ours.iter().any(|port| port.id == **id);
    let unmarked = trunk.sub_port_ids.iter().filter(|id| !is_marked(id));
    let marks: Vec<Action> = unmarked
        .map(|id| Action::MarkSubPort {
            id: id.clone(),
            name: names::sub_port(&want.name),
            description: names::sub_port_description(&want.namespace, &want.name),
        })
        .collect();
    if marks.is_empty() {
        return vec![Action::RemoveSubPorts {
            trunk_id: trunk.id.clone(),
            port_ids: trunk.sub_port_ids.clone(),
        }];
    }
    marks
}

/// The claim goes with the object that owns it, once we let it go.
fn claim(want: &Want, seen: &Seen) -> Outcome {
    let held = seen.claim.as_ref().is_some_and(|claim| claim.held);
    let actions: Vec<Action> = want
        .claim()
        .filter(|_| held)
        .map(Action::ReleaseClaim)
        .into_iter()
        .collect();
    let said = report::not_ready(REASON, "nothing is left in the cloud");
    (Step::of(actions, || Step::Done), said)
}
