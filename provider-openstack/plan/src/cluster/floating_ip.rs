//! The floating IP of the Kubernetes API.
//!
//! One that we created carries our description, so that it is found again when the answer to its
//! creation was lost, and so that deletion knows it from one that the user gave.

use super::action::{Action, NewFloatingIp};
use super::bastion;
use super::network::set_tags;
use super::part::Part;
use super::seen::Seen;
use super::want::Want;
use crate::step::{Problem, Resource};
use crate::world::{FloatingIp, Network};

/// What the floating IP leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Target<'t> {
    /// A control plane machine, which takes it by itself.
    Machine,
    /// A load balancer's port, as soon as it has one and Neutron can reach it from outside.
    Port {
        id: Option<&'t str>,
        reachable: bool,
    },
}

pub(super) fn plan<'a>(
    want: &Want,
    external: Option<&Network>,
    target: Target<'_>,
    seen: &'a Seen,
) -> Result<Part<&'a FloatingIp>, Problem> {
    let address = wanted_address(want, seen);
    let Some(found) = find(want, address.as_deref(), target, seen) else {
        let external = external.ok_or_else(|| no_external_network(want))?;
        return Ok(Part::lacks(vec![Action::CreateFloatingIp(NewFloatingIp {
            network: external.id.clone(),
            description: want.identity.names.description(),
            address,
            port: None,
        })]));
    };
    let ours = is_ours(want, found);
    let mut actions: Vec<Action> = surplus(want, Some(&found.id), seen).collect();
    if ours {
        actions.extend(set_tags(
            want,
            seen,
            Resource::FloatingIp,
            &found.id,
            &found.tags,
        ));
    }
    let Target::Port {
        id: Some(port),
        reachable,
    } = target
    else {
        return Ok(Part::usable(found, actions));
    };
    match found.port_id.as_deref() {
        Some(other) if other != port && !ours => return Err(in_use(want, found, other)),
        Some(same) if same == port => {}
        _ if reachable => {
            actions.push(Action::AssociateFloatingIp {
                floating_ip: found.id.clone(),
                port: port.to_string(),
            });
        }
        _ => return Ok(Part::lacks(actions)),
    }
    Ok(Part::usable(found, actions))
}

/// The address that it must have: given by the user, published earlier, or that of the endpoint.
fn wanted_address(want: &Want, seen: &Seen) -> Option<String> {
    let published = seen.status.api_server_managed_load_balancer.as_ref();
    let published = published
        .filter(|lb| !lb.ip.is_empty() && lb.ip != lb.internal_ip)
        .map(|lb| lb.ip.clone());
    want.api
        .floating_address
        .clone()
        .or(published)
        .or_else(|| seen.endpoint_address.clone())
}

fn find<'a>(
    want: &Want,
    address: Option<&str>,
    target: Target<'_>,
    seen: &'a Seen,
) -> Option<&'a FloatingIp> {
    if let Some(address) = address {
        return seen.floating_ips.iter().find(|ip| ip.address == address);
    }
    // A bastion's floating IP is described like ours.
    let bastion = bastion::addresses(want, seen);
    let fits = |ip: &FloatingIp| match (target, ip.port_id.as_deref()) {
        (
            Target::Port {
                id: Some(wanted), ..
            },
            Some(port),
        ) if wanted == port => true,
        (_, None) | (Target::Machine, _) => is_ours(want, ip),
        _ => false,
    };
    let candidates = seen
        .floating_ips
        .iter()
        .filter(|ip| !bastion.contains(&ip.address) && fits(ip));
    // The one in use first, and always the same of several.
    candidates.min_by_key(|ip| (ip.port_id.is_none(), &ip.id))
}

/// What was made for an endpoint that is another one now, before anybody was told of it.
pub(super) fn unused(want: &Want, host: &str, seen: &Seen) -> Vec<Action> {
    let mut ips = seen.floating_ips.iter();
    let kept = ips.find(|ip| ip.address == host);
    surplus(want, kept.map(|ip| ip.id.as_str()), seen).collect()
}

/// What was made beside the one that is the endpoint.
pub(super) fn made_twice(want: &Want, host: &str, seen: &Seen) -> Vec<Action> {
    let mut ips = seen.floating_ips.iter();
    match ips.find(|ip| ip.address == host) {
        Some(endpoint) if want.api.floating_ip => surplus(want, Some(&endpoint.id), seen).collect(),
        _ => Vec::new(),
    }
}

/// What is left over from lost answers. A bastion's floating IP is described like ours, and leads
/// nowhere for a moment: with a bastion, nothing is surplus.
fn surplus<'s>(
    want: &'s Want,
    kept: Option<&'s str>,
    seen: &'s Seen,
) -> impl Iterator<Item = Action> + 's {
    let bastion = want.bastion.is_some() || seen.status.bastion.is_some();
    let is_known = !bastion && seen.rival().is_none();
    let is_surplus = move |ip: &&FloatingIp| {
        is_known && kept != Some(&ip.id) && ip.port_id.is_none() && is_ours(want, ip)
    };
    let surplus = seen.floating_ips.iter().filter(is_surplus);
    surplus.map(|ip| Action::DeleteFloatingIp {
        floating_ip: ip.id.clone(),
    })
}

/// Created by us, and not named by the user, for the API or for a bastion that may be switched off.
fn is_ours(want: &Want, ip: &FloatingIp) -> bool {
    ip.description == want.identity.names.description()
        && !want.keep_floating_ips.contains(&ip.address)
}

fn no_external_network(want: &Want) -> Problem {
    Problem {
        reason: "NoExternalNetwork".into(),
        object: want.identity.object.clone(),
        field: "spec.apiServer.enableFloatingIP".into(),
        value: "true".into(),
        way_out:
            "a floating IP needs an external network, and this project sees none: name one in \
                  spec.externalNetwork, or set spec.apiServer.enableFloatingIP to false"
                .into(),
    }
}

fn in_use(want: &Want, ip: &FloatingIp, port: &str) -> Problem {
    Problem {
        reason: "FloatingIPInUse".into(),
        object: want.identity.object.clone(),
        field: "spec.apiServer.floatingIP".into(),
        value: ip.address.clone(),
        way_out: format!(
            "this floating IP leads to port {port} already: free it, or give another one"
        ),
    }
}
