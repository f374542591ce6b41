//! The load balancer in front of the API servers, with a listener, a pool and a health monitor for
//! each port. Its members are the machines' business.
//!
//! Octavia refuses changes while it works on a load balancer, so there is at most one at a time.

use super::action::Action;
use super::allowed_cidrs;
use super::balance::{Balance, Balancing, NewListener, NewLoadBalancer, NewPool};
use super::own::Own;
use super::part::Part;
use super::resolve::{Net, Resolved, subnet_in};
use super::seen::Seen;
use super::want::{LoadBalancer as Wanted, Probe, Want};
use crate::step::{Awaited, Problem, Resource, Waiting};
use crate::world::{LoadBalancer, Pool, State};

/// What the load balancer is planned from.
pub(super) struct Context<'a, 'w> {
    pub want: &'w Want,
    pub wanted: &'w Wanted,
    pub resolved: &'w Resolved<'a>,
    pub net: &'w Net<'a>,
    /// Addresses of the router, which are let in beside the user's `allowedCIDRs`.
    pub router_ips: &'w [String],
    pub seen: &'a Seen,
}

pub(super) fn plan<'a>(
    cx: &Context<'a, '_>,
    own: &Own<'a, LoadBalancer>,
) -> Result<Part<&'a LoadBalancer>, Problem> {
    let Some(balancer) = own.kept else {
        return Ok(Part::lacks(vec![create(cx)?]));
    };
    if balancer.state == State::Error {
        return Err(broken(cx.want, balancer));
    }
    let ports = std::iter::once(&cx.want.api.port).chain(&cx.wanted.additional_ports);
    let next = ports
        .filter_map(|port| next_for_port(cx, balancer, *port))
        .next();
    let change = |balancer: &LoadBalancer, change| Action::Balance {
        load_balancer: balancer.id.clone(),
        change,
    };
    let mut actions: Vec<Action> = own
        .surplus
        .iter()
        .map(|surplus| change(surplus, Balance::Delete))
        .collect();
    actions.extend(next.map(|next| change(balancer, next)));
    // One that is busy but complete is changed by somebody else: a machine that joins, for example.
    let complete = actions.is_empty() && balancer.state != State::Deleting;
    let busy = std::iter::once(&balancer)
        .chain(&own.surplus)
        .find(|balancer| is_busy(balancer));
    match busy {
        Some(busy) if !complete => Ok(Part {
            value: Some(balancer),
            ..pending(busy)
        }),
        _ => Ok(Part::usable(balancer, actions)),
    }
}

/// Octavia refuses every change of it.
fn is_busy(balancer: &LoadBalancer) -> bool {
    matches!(balancer.state, State::Pending | State::Deleting)
}

fn pending<'a>(balancer: &LoadBalancer) -> Part<&'a LoadBalancer> {
    let on = Awaited::new(Resource::LoadBalancer, &balancer.id);
    let message = format!(
        "Octavia works on load balancer {} ({})",
        balancer.name, balancer.id
    );
    Part::waits(Waiting::for_cloud("LoadBalancerPending", message, [on]))
}

fn broken(want: &Want, balancer: &LoadBalancer) -> Problem {
    Problem {
        reason: "LoadBalancerError".into(),
        object: want.identity.object.clone(),
        field: "status.apiServerManagedLoadBalancer".into(),
        value: balancer.id.clone(),
        way_out: "Octavia reports provisioning_status ERROR: let an operator fail it over, or delete it and a new \
                  one is made with the same floating IP"
            .into(),
    }
}

fn create(cx: &Context<'_, '_>) -> Result<Action, Problem> {
    let names = &cx.want.identity.names;
    let (network, subnet) = match &cx.resolved.load_balancer_network {
        Some(net) => (net.network, net.subnets.first().copied()),
        None => {
            let subnets = || cx.net.subnets.iter().copied();
            let primary = cx.want.api.primary_subnet.as_ref();
            let subnet = primary
                .map(|named| subnet_in(&cx.want.identity.object, named, cx.net.network, subnets()));
            (cx.net.network, subnet.transpose()?.or(subnets().next()))
        }
    };
    let offered = |name: &&String| cx.seen.octavia.providers.contains(*name);
    let flavor = cx.wanted.flavor.as_ref();
    let flavor = flavor.and_then(|name| {
        cx.seen
            .octavia
            .flavors
            .iter()
            .find(|(_, known)| known == name)
    });
    let without_floating_ip = || {
        cx.seen
            .endpoint_address
            .clone()
            .filter(|_| !cx.want.api.floating_ip)
    };
    Ok(Action::CreateLoadBalancer(NewLoadBalancer {
        name: names.load_balancer(),
        description: names.description(),
        vip_network: network.id.clone(),
        vip_subnet: subnet.map(|subnet| subnet.id.clone()),
        vip_address: cx.want.api.fixed_ip.clone().or_else(without_floating_ip),
        provider: cx.wanted.provider.as_ref().filter(offered).cloned(),
        flavor: flavor.map(|(id, _)| id.clone()),
        availability_zone: cx.wanted.availability_zone.clone(),
        tags: cx.want.tags.clone(),
    }))
}

fn next_for_port(cx: &Context<'_, '_>, balancer: &LoadBalancer, port: u16) -> Option<Balance> {
    let name = cx.want.identity.names.load_balancer_port(port);
    let tags = cx.want.tags.clone();
    let allowed_cidrs = cx
        .seen
        .octavia
        .has_allowed_cidrs(&balancer.provider)
        .then(|| {
            let subnets = cx.net.subnets.iter().map(|subnet| subnet.cidr.to_string());
            allowed_cidrs::canonical(
                &cx.wanted.allowed_cidrs,
                subnets.chain(cx.router_ips.iter().cloned()),
            )
        });
    let of_balancer = |id: &str| id == balancer.id;
    let mut listeners = cx.seen.listeners.iter();
    let Some(listener) = listeners.find(|l| l.name == name && of_balancer(&l.load_balancer_id))
    else {
        return Some(Balance::CreateListener(NewListener {
            name,
            port,
            allowed_cidrs,
            tags,
        }));
    };
    let mut pools = cx.seen.pools.iter();
    let Some(pool) = pools.find(|pool| pool.name == name && of_balancer(&pool.load_balancer_id))
    else {
        let (listener, method) = (listener.id.clone(), method(balancer));
        return Some(Balance::CreatePool(NewPool {
            listener,
            name,
            method,
            tags,
        }));
    };
    monitor(cx, pool, name).or_else(|| {
        let allowed_cidrs = allowed_cidrs
            .filter(|cidrs| *cidrs != allowed_cidrs::sorted(&listener.allowed_cidrs))?;
        Some(Balance::UpdateAllowedCidrs {
            listener: listener.id.clone(),
            allowed_cidrs,
        })
    })
}

fn method(balancer: &LoadBalancer) -> Balancing {
    if balancer.provider == "ovn" {
        Balancing::SourceIpPort
    } else {
        Balancing::RoundRobin
    }
}

fn monitor(cx: &Context<'_, '_>, pool: &Pool, name: String) -> Option<Balance> {
    let probe = cx.wanted.monitor;
    match cx
        .seen
        .monitors
        .iter()
        .find(|monitor| monitor.pool_id == pool.id)
    {
        None if cx.seen.octavia.refuses_monitor => None,
        None => Some(Balance::CreateMonitor {
            pool: pool.id.clone(),
            name,
            probe,
        }),
        Some(have) if probe == Probe::of(have) => None,
        Some(have) => Some(Balance::UpdateMonitor {
            monitor: have.id.clone(),
            probe,
        }),
    }
}
