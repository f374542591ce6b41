//! The load balancer in front of the API servers, with a listener, a pool and a health monitor for
//! each port. Its members are the machines' business.
//!
//! Octavia refuses changes while it works on a load balancer, so there is at most one at a time.

use super::action::{Action, Balancing, NewLoadBalancer};
use super::allowed_cidrs;
use super::own::Own;
use super::part::Part;
use super::resolve::{Net, Resolved, subnet_in};
use super::seen::Seen;
use super::want::{LoadBalancer as Wanted, Want};
use crate::step::{Awaited, Problem, Resource, Waiting};
use crate::world::{Listener, LoadBalancer, Pool, State};

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
    let delete = |surplus: &&LoadBalancer| Action::DeleteLoadBalancer {
        load_balancer: surplus.id.clone(),
    };
    let actions: Vec<Action> = own.surplus.iter().map(delete).chain(next).collect();
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

fn next_for_port(cx: &Context<'_, '_>, balancer: &LoadBalancer, port: u16) -> Option<Action> {
    let name = cx.want.identity.names.load_balancer_port(port);
    let cidrs = cx
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
    let listeners = &cx.seen.listeners;
    let Some(listener) = listeners
        .iter()
        .find(|l| l.name == name && of_balancer(&l.load_balancer_id))
    else {
        return Some(create_listener(cx, balancer, name, port, cidrs));
    };
    let pools = &cx.seen.pools;
    let Some(pool) = pools
        .iter()
        .find(|pool| pool.name == name && of_balancer(&pool.load_balancer_id))
    else {
        return Some(create_pool(cx, balancer, listener, name));
    };
    monitor(cx, balancer, pool, name).or_else(|| {
        let allowed_cidrs =
            cidrs.filter(|cidrs| *cidrs != allowed_cidrs::sorted(&listener.allowed_cidrs))?;
        let (load_balancer, listener) = (balancer.id.clone(), listener.id.clone());
        Some(Action::UpdateAllowedCidrs {
            load_balancer,
            listener,
            allowed_cidrs,
        })
    })
}

fn create_listener(
    cx: &Context<'_, '_>,
    balancer: &LoadBalancer,
    name: String,
    port: u16,
    allowed_cidrs: Option<Vec<String>>,
) -> Action {
    let (load_balancer, tags) = (balancer.id.clone(), cx.want.tags.clone());
    Action::CreateListener {
        load_balancer,
        name,
        port,
        allowed_cidrs,
        tags,
    }
}

fn create_pool(
    cx: &Context<'_, '_>,
    balancer: &LoadBalancer,
    listener: &Listener,
    name: String,
) -> Action {
    let method = if balancer.provider == "ovn" {
        Balancing::SourceIpPort
    } else {
        Balancing::RoundRobin
    };
    let (load_balancer, listener, tags) = (
        balancer.id.clone(),
        listener.id.clone(),
        cx.want.tags.clone(),
    );
    Action::CreatePool {
        load_balancer,
        listener,
        name,
        method,
        tags,
    }
}

fn monitor(
    cx: &Context<'_, '_>,
    balancer: &LoadBalancer,
    pool: &Pool,
    name: String,
) -> Option<Action> {
    let probe = cx.wanted.monitor;
    let load_balancer = balancer.id.clone();
    match cx
        .seen
        .monitors
        .iter()
        .find(|monitor| monitor.pool_id == pool.id)
    {
        None if cx.seen.octavia.refuses_monitor => None,
        None => Some(Action::CreateMonitor {
            load_balancer,
            pool: pool.id.clone(),
            name,
            probe,
        }),
        Some(have) => {
            let same = (
                have.delay,
                have.timeout,
                have.max_retries,
                have.max_retries_down,
            ) == (
                probe.delay,
                probe.timeout,
                probe.max_retries,
                probe.max_retries_down,
            );
            (!same).then(|| Action::UpdateMonitor {
                load_balancer,
                monitor: have.id.clone(),
                probe,
            })
        }
    }
}
