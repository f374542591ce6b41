//! Which resources are the cluster's own, recognised by name.
//!
//! Normally there is one of each name. There are two when the answer to a creation was lost, and
//! its effect showed up only after it was made again: then the one in use stays, and the others go,
//! if they are described as ours. Which of several is meant is never guessed.

use super::seen::Seen;
use super::want::Identity;
use crate::names::{Role, SECURITY_GROUP_DESCRIPTION};
use crate::step::Problem;
use crate::world::{LoadBalancer, Network, Router, SecurityGroup};

/// The resource of the cluster, and what is left over from lost answers.
pub(super) struct Own<'a, T> {
    pub kept: Option<&'a T>,
    pub surplus: Vec<&'a T>,
}

/// What a choice is made by.
struct Facts<'a> {
    id: &'a str,
    /// Something else builds on it.
    used: bool,
    /// Its description says that the cluster made it.
    described: bool,
}

pub(super) fn network<'a>(
    identity: &Identity,
    seen: &'a Seen,
) -> Result<Own<'a, Network>, Problem> {
    let (name, description) = (identity.names.network(), identity.names.description());
    let is_ours = |network: &&Network| network.name == name && seen.is_own(&network.project_id);
    let facts = |network: &'a Network| Facts {
        id: &network.id,
        used: seen
            .subnets
            .iter()
            .any(|subnet| subnet.network_id == network.id),
        described: network.description == description,
    };
    choose(
        identity,
        "network",
        &name,
        seen.networks.iter().filter(is_ours).collect(),
        facts,
    )
}

pub(super) fn router<'a>(identity: &Identity, seen: &'a Seen) -> Result<Own<'a, Router>, Problem> {
    let (name, description) = (identity.names.router(), identity.names.description());
    let is_ours = |router: &&Router| router.name == name && seen.is_own(&router.project_id);
    let facts = |router: &'a Router| Facts {
        id: &router.id,
        used: seen.ports.iter().any(|port| {
            port.device_id == router.id && port.device_owner != "network:router_gateway"
        }),
        described: router.description == description,
    };
    choose(
        identity,
        "router",
        &name,
        seen.routers.iter().filter(is_ours).collect(),
        facts,
    )
}

pub(super) fn security_group<'a>(
    identity: &Identity,
    role: Role,
    seen: &'a Seen,
) -> Result<Own<'a, SecurityGroup>, Problem> {
    let name = identity.names.security_group(role);
    let is_ours = |group: &&SecurityGroup| group.name == name && seen.is_own(&group.project_id);
    let facts = |group: &'a SecurityGroup| Facts {
        id: &group.id,
        // A new group has two rules, for egress.
        used: group.rules.len() > 2,
        described: group.description == SECURITY_GROUP_DESCRIPTION,
    };
    choose(
        identity,
        "security group",
        &name,
        seen.security_groups.iter().filter(is_ours).collect(),
        facts,
    )
}

pub(super) fn load_balancer<'a>(
    identity: &Identity,
    seen: &'a Seen,
) -> Result<Own<'a, LoadBalancer>, Problem> {
    let (name, description) = (identity.names.load_balancer(), identity.names.description());
    let is_ours = |balancer: &&LoadBalancer| balancer.name == name;
    let facts = |balancer: &'a LoadBalancer| Facts {
        id: &balancer.id,
        used: seen
            .listeners
            .iter()
            .any(|listener| listener.load_balancer_id == balancer.id),
        described: balancer.description == description,
    };
    choose(
        identity,
        "load balancer",
        &name,
        seen.load_balancers.iter().filter(is_ours).collect(),
        facts,
    )
}

fn choose<'a, T>(
    identity: &Identity,
    kind: &str,
    name: &str,
    mut found: Vec<&'a T>,
    facts: impl Fn(&'a T) -> Facts<'a>,
) -> Result<Own<'a, T>, Problem> {
    // The one in use first, and always the same of several.
    found.sort_by_key(|one| (!facts(one).used, facts(one).id));
    let mut rest = found.into_iter();
    let kept = rest.next();
    let surplus: Vec<&T> = rest.collect();
    if surplus
        .iter()
        .all(|one| facts(one).described && !facts(one).used)
    {
        return Ok(Own { kept, surplus });
    }
    let ids: Vec<&str> = kept
        .into_iter()
        .chain(surplus)
        .map(|one| facts(one).id)
        .collect();
    Err(Problem {
        reason: "Ambiguous".into(),
        object: identity.object.clone(),
        field: format!("{kind} in the cloud"),
        value: name.to_string(),
        way_out: format!(
            "{} have this name ({}): rename or delete those that are not in use",
            ids.len(),
            ids.join(", ")
        ),
    })
}
