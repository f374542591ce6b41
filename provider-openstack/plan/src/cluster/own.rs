//! Which resources are the cluster's own: those that it published, and those of its name that are
//! described as CAPO and we describe them, unless another cluster has them. Whatever else has the
//! name is left alone.
//!
//! Normally there is one of each name. There are two when the answer to a creation was lost, and
//! its effect showed up only after it was made again: then the one in use stays, and the others go,
//! if they are described as ours. Which of several is meant is never guessed.

use super::seen::Seen;
use super::want::Identity;
use crate::conditions::listed;
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

/// How a resource shows whose it is.
struct Marks<'a> {
    id: &'a str,
    project_id: &'a str,
    named: bool,
    described: bool,
}

fn is_ours(seen: &Seen, marks: &Marks<'_>) -> bool {
    let by_name = marks.named
        && marks.described
        && seen.is_own(marks.project_id)
        && seen.holder(marks.id).is_none()
        && seen.rival().is_none();
    by_name || seen.is_published(marks.id)
}

pub(super) fn networks<'a>(identity: &Identity, seen: &'a Seen) -> Vec<&'a Network> {
    let (name, description) = (identity.names.network(), identity.names.description());
    let is_ours = |network: &&Network| {
        let marks = Marks {
            id: &network.id,
            project_id: &network.project_id,
            named: network.name == name,
            // CAPO does not describe networks.
            described: network.description.is_empty() || network.description == description,
        };
        is_ours(seen, &marks)
    };
    seen.networks.iter().filter(is_ours).collect()
}

pub(super) fn network<'a>(
    identity: &Identity,
    seen: &'a Seen,
) -> Result<Own<'a, Network>, Problem> {
    let (name, description) = (identity.names.network(), identity.names.description());
    let facts = |network: &'a Network| Facts {
        id: &network.id,
        used: seen
            .subnets
            .iter()
            .any(|subnet| subnet.network_id == network.id),
        described: network.description == description,
    };
    choose(identity, "network", &name, networks(identity, seen), facts)
}

pub(super) fn routers<'a>(identity: &Identity, seen: &'a Seen) -> Vec<&'a Router> {
    let (name, description) = (identity.names.router(), identity.names.description());
    let is_ours = |router: &&Router| {
        let marks = Marks {
            id: &router.id,
            project_id: &router.project_id,
            named: router.name == name,
            described: router.description == description,
        };
        is_ours(seen, &marks)
    };
    seen.routers.iter().filter(is_ours).collect()
}

pub(super) fn router<'a>(identity: &Identity, seen: &'a Seen) -> Result<Own<'a, Router>, Problem> {
    let (name, description) = (identity.names.router(), identity.names.description());
    let facts = |router: &'a Router| Facts {
        id: &router.id,
        used: seen.ports.iter().any(|port| {
            port.device_id == router.id && port.device_owner != "network:router_gateway"
        }),
        described: router.description == description,
    };
    choose(identity, "router", &name, routers(identity, seen), facts)
}

pub(super) fn security_groups<'a>(
    identity: &Identity,
    role: Role,
    seen: &'a Seen,
) -> Vec<&'a SecurityGroup> {
    let name = identity.names.security_group(role);
    let is_ours = |group: &&SecurityGroup| {
        let described = group.description == SECURITY_GROUP_DESCRIPTION;
        let marks = Marks {
            id: &group.id,
            project_id: &group.project_id,
            named: group.name == name,
            described,
        };
        // Three groups are published, of three names.
        group.name == name && is_ours(seen, &marks)
    };
    seen.security_groups.iter().filter(is_ours).collect()
}

pub(super) fn security_group<'a>(
    identity: &Identity,
    role: Role,
    seen: &'a Seen,
) -> Result<Own<'a, SecurityGroup>, Problem> {
    let name = identity.names.security_group(role);
    let facts = |group: &'a SecurityGroup| Facts {
        id: &group.id,
        // A new group has two rules, for egress.
        used: group.rules.len() > 2,
        described: group.description == SECURITY_GROUP_DESCRIPTION,
    };
    let found = security_groups(identity, role, seen);
    choose(identity, "security group", &name, found, facts)
}

pub(super) fn load_balancers<'a>(identity: &Identity, seen: &'a Seen) -> Vec<&'a LoadBalancer> {
    let (name, description) = (identity.names.load_balancer(), identity.names.description());
    let is_ours = |balancer: &&LoadBalancer| {
        let marks = Marks {
            id: &balancer.id,
            // Those of other projects are not seen.
            project_id: "",
            named: balancer.name == name,
            described: balancer.description == description,
        };
        is_ours(seen, &marks)
    };
    seen.load_balancers.iter().filter(is_ours).collect()
}

pub(super) fn load_balancer<'a>(
    identity: &Identity,
    seen: &'a Seen,
) -> Result<Own<'a, LoadBalancer>, Problem> {
    let (name, description) = (identity.names.load_balancer(), identity.names.description());
    let facts = |balancer: &'a LoadBalancer| Facts {
        id: &balancer.id,
        // A listener without a pool leads nowhere.
        used: (seen.pools.iter()).any(|pool| pool.load_balancer_id == balancer.id),
        described: balancer.description == description,
    };
    let found = load_balancers(identity, seen);
    choose(identity, "load balancer", &name, found, facts)
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
            listed(&ids)
        ),
    })
}
