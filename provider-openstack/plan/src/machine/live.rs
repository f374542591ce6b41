//! Towards a machine that is part of its cluster.

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::MachineInitialization;

use super::report::{Outcome, Said, Saying};
use super::{Action, Seen, Want, ingress, object};
use crate::conditions::Status;
use crate::step::{Problem, Step, Waiting};

/// The next step of a machine that should live.
pub fn step(want: &Want, seen: &Seen, status: &mut super::Status) -> Outcome {
    let Some(server) = &seen.server else {
        return begin(want);
    };
    let reported = server.status.clone().unwrap_or_default();
    status.status.instance_id.clone_from(&reported.instance_id);
    let (step, mut told) = match (reported.instance_state.as_deref(), &reported.instance_id) {
        (Some("ACTIVE"), Some(id)) if reported.ready => {
            active(want, id, server, status);
            let (step, mut told) = ingress::step(want, seen, server);
            // Its controller may not be able to look at it any more.
            let instance = said(server, ConditionType::InstanceReady);
            let unseen = instance.filter(|saying| saying.status == Status::Unknown);
            told.instance = unseen.or(told.instance);
            (step, told)
        }
        (Some("DELETED"), id) => lost(want, id.as_deref().unwrap_or_default()),
        _ => mirror(server),
    };
    // The server's controller is the one that logs in.
    told.authentication = said(server, ConditionType::OpenStackAuthenticationSucceeded);
    (step, told)
}

/// There is no object for the server yet.
fn begin(want: &Want) -> Outcome {
    let waits = |reason: Reason, message: &str| {
        let said = Said::instance(Saying::not(reason, message));
        (Step::Wait(Waiting::for_event(reason, message)), said)
    };
    if !want.cluster.provisioned {
        let message = "waiting for the OpenStackCluster to be provisioned";
        return waits(Reason::WaitingForClusterInfrastructure, message);
    }
    let Some(secret) = &want.bootstrap_secret else {
        let message = "waiting for the bootstrap provider to write the user data";
        return waits(Reason::WaitingForBootstrapData, message);
    };
    if want.cluster.network.is_none() && want.spec.ports.is_empty() {
        return no_network(want);
    }
    let action = Action::CreateServerObject(Box::new(object::server(want, secret)));
    // The words of the next step already, which saves a write.
    (Step::Do(vec![action]), Said::instance(awaits(&want.name)))
}

fn no_network(want: &Want) -> Outcome {
    let problem = Problem {
        reason: Reason::InvalidMachineSpec.into(),
        object: format!("OpenStackMachine {}/{}", want.namespace, want.name),
        field: "spec.ports".to_string(),
        value: String::new(),
        way_out: "no port is listed, and status.network of the OpenStackCluster is not set: whoever manages the \
                  cluster sets it, or list a port with its network"
            .to_string(),
    };
    let said = Said::instance(Saying::not(Reason::InvalidMachineSpec, problem.to_string()));
    (Step::Blocked(problem), said)
}

/// Somebody else's server, which runs or goes as its own object says.
pub fn name_taken(want: &Want) -> Outcome {
    let problem = Problem {
        reason: Reason::InstanceNotReady.into(),
        object: format!("OpenStackMachine {}/{}", want.namespace, want.name),
        field: "metadata.name".to_string(),
        value: want.name.clone(),
        way_out: "an OpenStackServer of this name is there and does not belong to the machine: delete or rename \
                  it, or delete the Machine to have it replaced by one of another name"
            .to_string(),
    };
    let said = Said::instance(Saying::not(Reason::InstanceNotReady, problem.to_string()));
    (Step::Blocked(problem), said)
}

/// The server was there and is gone. A machine is a promise about one server, so another one is
/// another machine.
fn lost(want: &Want, id: &str) -> Outcome {
    let problem = Problem {
        reason: Reason::InstanceDeleted.into(),
        object: format!("OpenStackMachine {}/{}", want.namespace, want.name),
        field: "spec.providerID".to_string(),
        value: id.to_string(),
        way_out: "this server no longer exists; delete the Machine to have it replaced".to_string(),
    };
    let said = Said::instance(Saying::not(Reason::InstanceDeleted, problem.to_string()));
    (Step::Blocked(problem), said)
}

fn active(want: &Want, id: &str, server: &OpenStackServer, status: &mut super::Status) {
    let identity = want.spec.identity_ref.as_ref();
    let region = identity
        .and_then(|identity| identity.region.as_deref())
        .unwrap_or_default();
    status
        .provider_id
        .get_or_insert_with(|| format!("openstack://{region}/{id}"));
    status.status.initialization = Some(MachineInitialization {
        provisioned: Some(true),
    });
    // CAPO leaves them out there: what it wrote here holds until the server's controller has looked.
    let reported = server.status.as_ref().map(|status| &status.addresses);
    if let Some(addresses) = reported.filter(|addresses| !addresses.is_empty()) {
        status.status.addresses.clone_from(addresses);
    }
}

/// Neither there nor lost: as the server object says.
fn mirror(server: &OpenStackServer) -> Outcome {
    let name = server.metadata.name.as_deref().unwrap_or_default();
    let saying = match said(server, ConditionType::InstanceReady) {
        Some(saying) if saying.status != Status::True => saying,
        _ => awaits(name),
    };
    let waiting = Waiting::for_event(saying.reason.clone(), saying.message.clone());
    (Step::Wait(waiting), Said::instance(saying))
}

fn awaits(server: &str) -> Saying {
    let message = format!("waiting for OpenStackServer {server}");
    Saying::not(Reason::InstanceNotReady, message)
}

fn said(server: &OpenStackServer, type_: ConditionType) -> Option<Saying> {
    let mut all = server.status.iter().flat_map(|status| &status.conditions);
    all.find(|condition| condition.type_ == type_.as_str())
        .map(Saying::from)
}
