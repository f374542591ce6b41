//! The infrastructure of a cluster: network, router, security groups, API endpoint.
//!
//! [`plan`] makes it and keeps it as wanted, [`delete`](fn@delete) takes it away. Parts that do not
//! depend on each other are planned together, so that their calls run side by side:
//!
//! ```text
//! network ─ subnet ─┬─ router interface ─┐
//! router ───────────┘                    ├─ floating IP to the load balancer
//! floating IP ───────────────────────────┤
//! subnet ─ load balancer ─ listener ─ pool ─ monitor, for each port
//! security groups ─ rules
//! ```
//!
//! The bastion comes when all of this is there.

mod access;
mod action;
mod balance;
mod bastion;
mod delete;
mod endpoint;
mod exposure;
mod floating_ip;
mod load_balancer;
mod namesakes;
mod network;
mod own;
mod part;
mod resolve;
mod router;
mod security_groups;
mod seen;
mod status;
mod validate;
mod vip;
mod want;
mod warnings;

use crds::openstack::conditions::{ConditionType as Type, Reason};
use crds::openstack::v1beta2::OpenStackClusterStatus;
use ipnet::IpNet;
use jiff::Timestamp;

pub use access::locks_out;
pub use action::{Action, NewFloatingIp, NewNetwork, NewRouter, NewSubnet};
pub use balance::{Balance, Balancing, NewListener, NewLoadBalancer, NewPool};
pub use bastion::{Bastion, name as bastion_name};
pub use delete::delete;
pub use seen::{Management, Namesake, Octavia, Seen};
pub use validate::Owner;
pub use want::{
    Api, Brought, By, External, ExternalAddress, Gone, Groups, Identity, LoadBalancer, Managed,
    ManagedSubnet, Named, Network, Probe, Router, UserRule, Want, Zones,
};
pub use warnings::Warning;

use access::Access;
use endpoint::Surroundings;
use namesakes::Way;
use part::Part;
use resolve::{Net, Resolved, Unresolved};
use status::Draft;

use crate::step::Problem;

/// Reasons of problems that only a change of an object solves.
const OF_OBJECTS: [&str; 5] = [
    "BastionNameTaken",
    "InvalidSpec",
    "LocksOutManagement",
    "NamesTaken",
    "NoEndpoint",
];

/// Whether the cloud could solve the problem, so that it is worth being asked again.
pub fn is_of_cloud(problem: &Problem) -> bool {
    !OF_OBJECTS.contains(&problem.reason.as_str())
}

/// What to do next about a cluster's infrastructure.
pub type Decision = crate::step::Decision<Action, Published>;

/// What to write into the object.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    pub status: OpenStackClusterStatus,
    /// Host and port for `spec.controlPlaneEndpoint`, as long as the object has none.
    pub endpoint: Option<(String, u16)>,
    /// Reason and text of events about wishes that the cloud cannot fulfil, and that are not
    /// important enough to stop for. Only when they matter: when the thing is created.
    pub warnings: Vec<Warning>,
}

/// Decides what comes next, from what is wanted and what is there at `now`.
pub fn plan(want: &Want, seen: &Seen, now: Timestamp) -> Decision {
    let mut draft = Draft::new(&want.identity, seen, now);
    match namesakes::make_way(&want.identity, seen) {
        Some(Way::Wait(waiting)) => {
            draft.take::<()>(
                Type::NetworkReady,
                Reason::OpenStackError,
                Ok(Part::waits(waiting)),
            );
            return draft.finish();
        }
        Some(Way::Blocked(problem)) => {
            draft.fail(Type::NetworkReady, Reason::OpenStackError, problem);
            return draft.finish();
        }
        None => {}
    }
    match resolve::resolve(want, seen) {
        Ok(resolved) => parts(want, &resolved, seen, &mut draft),
        Err(Unresolved::Network(problem)) => {
            draft.fail(Type::NetworkReady, Reason::OpenStackError, problem);
        }
        Err(Unresolved::Router(problem)) => {
            draft.fail(Type::RouterReady, Reason::OpenStackError, problem);
        }
    }
    draft.published.warnings = warnings::of(&draft.actions, want, seen);
    draft.finish()
}

/// Plans part after part; what one has come to is what the next builds on.
fn parts<'a>(want: &Want, resolved: &Resolved<'a>, seen: &'a Seen, draft: &mut Draft<'_>) {
    draft.external(resolved.external);
    let network = match &want.network {
        Network::Managed(managed) => network::plan(want, managed, seen),
        Network::Brought(_) => Ok(resolved
            .network
            .clone()
            .map_or_else(Part::waits_for_part, Part::ready)),
    };
    let net = draft.take(Type::NetworkReady, Reason::NetworkCreateFailed, network);
    if let Some(net) = &net {
        draft.network(net);
    }

    let router = match &want.network {
        Network::Managed(managed) => router::plan(want, managed, resolved, net.as_ref(), seen),
        Network::Brought(_) => Ok(Part::ready(resolved.router)),
    };
    let connected = router.as_ref().is_ok_and(Part::is_settled);
    let router = draft.take(Type::RouterReady, Reason::RouterCreateFailed, router);
    if let Some(router) = router {
        draft.router(router);
    }

    let own = own::load_balancer(&want.identity, seen);
    let balancer = own.as_ref().ok().and_then(|own| own.kept);
    let access = access::plan(want, balancer, net.as_ref(), router.flatten(), seen);
    let access = access.as_ref();
    draft.access(want, access);

    groups(want, net.as_ref(), access, seen, draft);

    let around = Surroundings {
        resolved,
        net: net.as_ref(),
        access,
        connected,
    };
    api(want, &around, seen, draft);
}

/// The endpoint of the API and, once nothing else lacks, the bastion.
fn api<'a>(want: &Want, around: &Surroundings<'a, '_>, seen: &'a Seen, draft: &mut Draft<'_>) {
    let endpoint = endpoint::plan(want, around, seen);
    let endpoint = draft.take(
        Type::APIEndpointReady,
        Reason::APIEndpointConfigFailed,
        endpoint,
    );
    let Some(endpoint) = endpoint else { return };
    draft.endpoint(around.resolved, around.net, &endpoint, around.access);
    if !draft.is_settled() {
        return;
    }
    draft.provisioned(want, seen, &endpoint);
    let bastion = bastion::plan(&bastion::Context {
        want,
        external: around.resolved.external,
        seen,
        status: &draft.published.status,
        api_host: &endpoint.host,
    });
    draft.bastion(bastion);
}

/// The security groups, if they are ours to make; their rules name who may reach the API.
fn groups(
    want: &Want,
    net: Option<&Net<'_>>,
    access: Option<&Access>,
    seen: &Seen,
    draft: &mut Draft<'_>,
) {
    let Some(groups) = &want.groups else { return };
    let api_from = access::of_rules(want, access);
    let api_from = api_from.as_deref();
    let part = security_groups::plan(want, groups, &subnets(want, net), api_from, seen);
    let groups = draft.take(
        Type::SecurityGroupsReady,
        Reason::SecurityGroupCreateFailed,
        part,
    );
    if let Some(groups) = groups {
        draft.groups(&groups);
    }
}

/// The subnets of the machines. Those of a managed network are known before they exist.
fn subnets(want: &Want, net: Option<&Net<'_>>) -> Vec<IpNet> {
    match (&want.network, net) {
        (Network::Managed(managed), _) => {
            managed.subnets.iter().map(|subnet| subnet.cidr).collect()
        }
        (Network::Brought(_), Some(net)) => net.subnets.iter().map(|subnet| subnet.cidr).collect(),
        (Network::Brought(_), None) => Vec::new(),
    }
}
