//! The floating IP of the bastion.
//!
//! It carries the same description as that of the API, as in CAPO. It is told apart by the port that
//! it leads to, from the very call that creates it, or by the address that was published.

use super::action::{Action, NewFloatingIp};
use super::bastion::{Bastion, Context};
use super::network::set_tags;
use super::seen::Seen;
use crate::step::{Problem, Resource};
use crate::world::{FloatingIp, Port};

/// A bastion that can be reached from outside, or soon can be.
#[derive(Default)]
pub(super) struct Exposed {
    pub address: Option<String>,
    pub actions: Vec<Action>,
}

/// Without an external network there is nothing to expose the bastion to.
pub(super) fn plan(
    cx: &Context<'_, '_>,
    bastion: &Bastion,
    port: &Port,
) -> Result<Exposed, Problem> {
    let Some(external) = cx.external else {
        return Ok(Exposed::default());
    };
    let ips = || cx.seen.floating_ips.iter();
    let attached = ips().find(|ip| ip.port_id.as_ref() == Some(&port.id));
    let with_address = |address: &str| ips().find(|ip| ip.address == address);
    let new = |address: Option<&String>| {
        Action::CreateFloatingIp(NewFloatingIp {
            network: external.id.clone(),
            description: cx.want.identity.names.description(),
            address: address.cloned(),
            port: Some(port.id.clone()),
        })
    };
    let exposed = |ip: &FloatingIp, actions| Exposed {
        address: Some(ip.address.clone()),
        actions,
    };
    if let Some(given) = &bastion.floating_ip {
        return match (with_address(given), attached) {
            (Some(ip), Some(attached)) if ip.id == attached.id => Ok(exposed(ip, settled(cx, ip))),
            // A port leads to one floating IP: the other one has to go first.
            (_, Some(other)) => Ok(exposed(other, vec![detach(cx, other)])),
            (Some(ip), None) => {
                in_use(cx, ip)?;
                Ok(exposed(ip, vec![attach(ip, port)]))
            }
            (None, None) => Ok(Exposed {
                address: Some(given.clone()),
                actions: vec![new(Some(given))],
            }),
        };
    }
    if let Some(ip) = attached {
        return Ok(exposed(ip, settled(cx, ip)));
    }
    let published = cx.seen.status.bastion.as_ref();
    let published = published
        .and_then(|bastion| bastion.floating_ip.as_deref())
        .and_then(with_address)
        .filter(|ip| ip.port_id.is_none());
    Ok(match published.or_else(|| spare(cx).next()) {
        Some(ip) => exposed(ip, vec![attach(ip, port)]),
        None => Exposed {
            address: None,
            actions: vec![new(None)],
        },
    })
}

/// Gives back what leads to these ports, or was published, and is not the user's.
pub(super) fn take_away(cx: &Context<'_, '_>, ports: &[&Port]) -> Vec<Action> {
    end(cx.seen, ports, |ip| is_ours(cx, ip))
}

/// See [`take_away`]; `is_ours` knows what may be given back.
pub(super) fn end(
    seen: &Seen,
    ports: &[&Port],
    is_ours: impl Fn(&FloatingIp) -> bool,
) -> Vec<Action> {
    let known = seen.status.bastion.as_ref();
    let known = known.and_then(|bastion| bastion.floating_ip.as_ref());
    let is_its = |ip: &&FloatingIp| {
        let mut ports = ports.iter();
        let attached = ports.any(|port| Some(&port.id) == ip.port_id.as_ref());
        attached || known == Some(&ip.address)
    };
    let ips = seen.floating_ips.iter().filter(is_its);
    ips.filter(|ip| is_ours(ip)).map(delete).collect()
}

/// The tags of one that is in place, and the end of those that lost answers left over.
fn settled(cx: &Context<'_, '_>, ip: &FloatingIp) -> Vec<Action> {
    let tags = is_ours(cx, ip)
        .then(|| set_tags(cx.want, cx.seen, Resource::FloatingIp, &ip.id, &ip.tags))
        .into_iter()
        .flatten();
    let surplus = spare(cx).filter(|spare| spare.id != ip.id).map(delete);
    tags.chain(surplus).collect()
}

/// Ours, in use by nothing, and not the API's, for which only an address can vouch.
fn spare<'a>(cx: &'a Context<'a, '_>) -> impl Iterator<Item = &'a FloatingIp> {
    let known =
        cx.api_host.parse::<std::net::IpAddr>().is_ok() || cx.seen.endpoint_address.is_some();
    let ips = cx.seen.floating_ips.iter().filter(move |_| known);
    ips.filter(|ip| ip.port_id.is_none() && is_ours(cx, ip))
}

/// Created by us, neither the API's nor given by the user.
fn is_ours(cx: &Context<'_, '_>, ip: &FloatingIp) -> bool {
    let balancer = cx.status.api_server_managed_load_balancer.as_ref();
    let of_api = [
        Some(cx.api_host),
        cx.seen.endpoint_address.as_deref(),
        balancer.map(|balancer| balancer.ip.as_str()),
    ];
    ip.description == cx.want.identity.names.description()
        && !of_api.contains(&Some(ip.address.as_str()))
        && !cx.want.keep_floating_ips.contains(&ip.address)
}

fn attach(ip: &FloatingIp, port: &Port) -> Action {
    Action::AssociateFloatingIp {
        floating_ip: ip.id.clone(),
        port: port.id.clone(),
    }
}

fn detach(cx: &Context<'_, '_>, ip: &FloatingIp) -> Action {
    if is_ours(cx, ip) {
        return delete(ip);
    }
    Action::DisassociateFloatingIp {
        floating_ip: ip.id.clone(),
    }
}

fn delete(ip: &FloatingIp) -> Action {
    Action::DeleteFloatingIp {
        floating_ip: ip.id.clone(),
    }
}

fn in_use(cx: &Context<'_, '_>, ip: &FloatingIp) -> Result<(), Problem> {
    let Some(port) = &ip.port_id else {
        return Ok(());
    };
    Err(Problem {
        reason: "FloatingIPInUse".into(),
        object: cx.want.identity.object.clone(),
        field: "spec.bastion.floatingIP".into(),
        value: ip.address.clone(),
        way_out: format!(
            "this floating IP leads to port {port} already: free it, or give another one"
        ),
    })
}
