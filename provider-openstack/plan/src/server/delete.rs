//! Towards nothing: the server, then its volumes and ports. Nothing is created here.

use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServerStatus;

use super::report::{self, Outcome};
use super::{Action, Seen, Want, block_devices, owned};
use crate::step::{Awaited, Resource, Step};
use crate::world::{Server, State};

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

/// Volumes that the server left behind, and its ports, which Nova does not delete because it did
/// not make them.
fn rest(want: &Want, seen: &Seen) -> Outcome {
    let ports = owned::all_ports(want, seen).into_iter();
    let mut actions: Vec<Action> = ports
        .map(|port| Action::DeletePort(port.id.clone()))
        .collect();
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
        return (
            Step::Done,
            report::not_ready(REASON, "nothing is left in the cloud"),
        );
    }
    let on = pending
        .into_iter()
        .map(|id| Awaited::new(Resource::Volume, id));
    report::doing(actions, REASON, "removing ports and volumes", on)
}
