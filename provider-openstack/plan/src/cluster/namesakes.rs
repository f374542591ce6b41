//! Clusters whose resources would have the same names, in the same project. The first one keeps
//! the names; the other one makes nothing, rather than take away or share what is not its own.

use super::seen::Seen;
use super::want::Identity;
use crate::names::Role;
use crate::step::{Problem, Waiting};

/// Why nothing is to be done.
pub(super) enum Way {
    Wait(Waiting),
    Blocked(Problem),
}

/// `None` when nobody is in the way.
pub(super) fn make_way(identity: &Identity, seen: &Seen) -> Option<Way> {
    if seen.namesakes.is_empty() {
        return None;
    }
    if let Some((kind, id)) = taken(identity, seen) {
        let holder = seen.holder(id).map(|namesake| namesake.object.as_str());
        return Some(Way::Blocked(Problem {
            reason: "NamesTaken".into(),
            object: identity.object.clone(),
            field: "metadata.name".into(),
            value: identity.names.network(),
            way_out: format!(
                "{} has a {kind} ({id}) of the name that this cluster's would have: use another project, or \
                 another name for the Cluster",
                holder.unwrap_or_default()
            ),
        }));
    }
    let known = |network: &String| seen.is_published(network);
    let settled = seen.networks.iter().map(|network| &network.id).any(known);
    let rival = seen.rival().filter(|_| !settled)?;
    let message = format!(
        "{} has the same names in the cloud and was first: waiting until it says what it has there",
        rival.object
    );
    Some(Way::Wait(Waiting::for_event("WaitingForNamesake", message)))
}

/// Kind and id of a resource of our name that only another cluster has published.
fn taken<'a>(identity: &Identity, seen: &'a Seen) -> Option<(&'static str, &'a str)> {
    let names = &identity.names;
    let groups = Role::ALL.map(|role| names.security_group(role));
    let networks = seen.networks.iter();
    let networks = networks.map(|one| ("network", &one.name, &one.id));
    let routers = seen.routers.iter();
    let routers = routers.map(|one| ("router", &one.name, &one.id));
    let balancers = seen.load_balancers.iter();
    let balancers = balancers.map(|one| ("load balancer", &one.name, &one.id));
    let in_network = networks
        .chain(routers)
        .filter(|(_, name, _)| **name == names.network());
    let groups = (seen.security_groups.iter())
        .map(|one| ("security group", &one.name, &one.id))
        .filter(|(_, name, _)| groups.contains(name));
    in_network
        .chain(groups)
        .chain(balancers.filter(|(_, name, _)| **name == names.load_balancer()))
        .map(|(kind, _, id)| (kind, id.as_str()))
        .find(|(_, id)| seen.holder(id).is_some() && !seen.is_published(id))
}
