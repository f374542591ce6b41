//! Towards nothing: API traffic first, then the server object, which takes the server with it.
//!
//! The floating IP of the API belongs to the cluster: it is let go of, never deleted.

use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServer;

use super::ingress::{delete_member, one_at_a_time, own_ports};
use super::report::{Outcome, Said, Saying};
use super::{Action, Ingress, SeenIngress, Want};
use crate::step::{Step, Waiting};
use crate::world::{LoadBalancer, State};

const REASON: Reason = Reason::Deleting;

/// The next step of a machine that should go, with its server object and what traffic goes through.
pub fn step(
    want: &Want,
    server: Option<&OpenStackServer>,
    around: Option<&SeenIngress>,
) -> Outcome {
    if let Some(outcome) = leave_traffic(want, server, around) {
        return outcome;
    }
    let Some(server) = server else {
        return (Step::Done, say("nothing is left".to_string()));
    };
    let name = server.metadata.name.clone().unwrap_or_default();
    if server.metadata.deletion_timestamp.is_some() {
        let waiting = Waiting::for_event(
            REASON,
            format!("waiting for the end of OpenStackServer {name}"),
        );
        let said = say(waiting.message.clone());
        return (Step::Wait(waiting), said);
    }
    let action = Action::DeleteServerObject { name };
    let said = say(action.to_string());
    (Step::Do(vec![action]), said)
}

fn say(message: String) -> Said {
    Said::instance(Saying::not(REASON, message))
}

fn leave_traffic(
    want: &Want,
    server: Option<&OpenStackServer>,
    around: Option<&SeenIngress>,
) -> Option<Outcome> {
    if !want.needs_ingress() {
        return None;
    }
    let around = around?;
    match &want.cluster.ingress {
        Ingress::None => None,
        Ingress::LoadBalancer { id, .. } => {
            let balancer = around
                .load_balancers
                .iter()
                .find(|balancer| balancer.id == *id)?;
            // A load balancer that goes takes its members along.
            let goes = balancer.state == State::Deleting;
            (!goes).then(|| one_at_a_time(balancer, members(want, around, balancer), say))?
        }
        Ingress::FloatingIp { address } => {
            let server = server?;
            let floating_ip = around
                .floating_ips
                .iter()
                .find(|ip| ip.address == *address)?;
            let port = floating_ip.port_id.as_ref()?;
            own_ports(around, server).find(|own| own.id == *port)?;
            let action = Action::DisassociateFloatingIp {
                floating_ip: floating_ip.id.clone(),
            };
            let said = say(action.to_string());
            Some((Step::Do(vec![action]), said))
        }
    }
}

/// The machine's members in whatever pools the load balancer has, also those of ports that are no
/// longer wanted.
fn members(want: &Want, seen: &SeenIngress, balancer: &LoadBalancer) -> Vec<Action> {
    let pools = seen
        .pools
        .iter()
        .filter(|pool| pool.load_balancer_id == balancer.id);
    let ours = pools.flat_map(|pool| {
        let name = format!("{}-{}", pool.name, want.name);
        let members = seen
            .members
            .iter()
            .filter(|member| member.pool_id == pool.id);
        members.filter(move |member| member.name == name && member.state != State::Deleting)
    });
    ours.map(|member| delete_member(&balancer.id, member))
        .collect()
}
