//! The load balancer in front of the API servers, with a listener, a pool and a health monitor for
//! each port. Its members are the machines' business.
//!
//! Octavia refuses changes while it works on a load balancer, so there is at most one at a time.

use super::access::{self, Access};
use super::action::Action;
use super::balance::{Balance, Balancing, NewListener, NewLoadBalancer, NewPool};
use super::own::Own;
use super::part::Part;
use super::resolve::{Net, Resolved};
use super::seen::Seen;
use super::vip;
use super::want::{LoadBalancer as Wanted, Probe, Want};
use crate::step::{Awaited, Problem, Resource, Waiting};
use crate::world::{Listener, LoadBalancer, Monitor, Pool, State};

/// What the load balancer is planned from.
pub(super) struct Context<'a, 'w> {
    pub want: &'w Want,
    pub wanted: &'w Wanted,
    pub resolved: &'w Resolved<'a>,
    pub net: &'w Net<'a>,
    /// `None` as long as there is no load balancer.
    pub access: Option<&'w Access>,
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
    if let Some(refused) = cx.access.and_then(|access| access.refused.clone()) {
        return Err(refused);
    }
    let next = next(cx, balancer)?;
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
    // One that is busy but complete is changed by somebody else: a machine that joins, for example. But
    // not before there may be machines: then it is the last of what makes it complete.
    let joinable = balancer.state != State::Deleting && was_provisioned(cx.seen);
    let complete = actions.is_empty() && joinable;
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

fn was_provisioned(seen: &Seen) -> bool {
    let initialization = seen.status.initialization.as_ref();
    initialization.and_then(|known| known.provisioned) == Some(true)
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

/// A listener or pool that Octavia gave up on carries no traffic, and cannot be changed any more.
fn usable(want: &Want, kind: &str, id: &str, state: State) -> Result<(), Problem> {
    if state != State::Error {
        return Ok(());
    }
    Err(Problem {
        reason: "LoadBalancerError".into(),
        object: want.identity.object.clone(),
        field: format!("{kind} of the load balancer"),
        value: id.into(),
        way_out: "Octavia reports provisioning_status ERROR: delete it, and a new one is made"
            .into(),
    })
}

fn broken(want: &Want, balancer: &LoadBalancer) -> Problem {
    Problem {
        reason: "LoadBalancerError".into(),
        object: want.identity.object.clone(),
        field: "status.apiServerManagedLoadBalancer".into(),
        value: balancer.id.clone(),
        way_out: "Octavia reports provisioning_status ERROR: let an operator fail it over, or delete it and a new \
                  one is made at the same address"
            .into(),
    }
}

fn create(cx: &Context<'_, '_>) -> Result<Action, Problem> {
    let names = &cx.want.identity.names;
    let vip = vip::choose(cx)?;
    let offered = |name: &&String| cx.seen.octavia.providers.contains(*name);
    let flavor = cx.wanted.flavor.as_ref();
    let flavor = flavor.and_then(|name| {
        let mut flavors = cx.seen.octavia.flavors.iter();
        flavors.find(|(_, known)| known == name)
    });
    Ok(Action::CreateLoadBalancer(NewLoadBalancer {
        name: names.load_balancer(),
        description: names.description(),
        vip_network: vip.network.id.clone(),
        vip_subnet: vip.subnet.map(|subnet| subnet.id.clone()),
        vip_address: vip.address,
        additional_vip_subnets: vip
            .additional
            .iter()
            .map(|subnet| subnet.id.clone())
            .collect(),
        provider: cx.wanted.provider.as_ref().filter(offered).cloned(),
        flavor: flavor.map(|(id, _)| id.clone()),
        availability_zone: cx.wanted.availability_zone.clone(),
        tags: cx.want.tags.clone(),
    }))
}

/// The first thing that a port of the load balancer lacks.
fn next(cx: &Context<'_, '_>, balancer: &LoadBalancer) -> Result<Option<Balance>, Problem> {
    let ports = std::iter::once(&cx.want.api.port).chain(&cx.wanted.additional_ports);
    for port in ports {
        let next = next_for_port(cx, balancer, *port)?;
        if next.is_some() {
            return Ok(next);
        }
    }
    Ok(None)
}

fn next_for_port(
    cx: &Context<'_, '_>,
    balancer: &LoadBalancer,
    port: u16,
) -> Result<Option<Balance>, Problem> {
    let name = cx.want.identity.names.load_balancer_port(port);
    let tags = cx.want.tags.clone();
    let allowed_cidrs = cx.access.and_then(Access::of_listeners);
    let of_balancer = |id: &str| id == balancer.id;
    let mut listeners = cx.seen.listeners.iter();
    let Some(listener) = listeners.find(|l| l.name == name && of_balancer(&l.load_balancer_id))
    else {
        return Ok(Some(Balance::CreateListener(NewListener {
            name,
            port,
            allowed_cidrs: allowed_cidrs.map(<[String]>::to_vec),
            tags,
        })));
    };
    usable(cx.want, "listener", &listener.id, listener.state)?;
    let mut pools = cx.seen.pools.iter();
    let Some(pool) = pools.find(|pool| pool.name == name && of_balancer(&pool.load_balancer_id))
    else {
        let (listener, method) = (listener.id.clone(), method(balancer));
        return Ok(Some(Balance::CreatePool(NewPool {
            listener,
            name,
            method,
            tags,
        })));
    };
    usable(cx.want, "pool", &pool.id, pool.state)?;
    let restrict = || restrict(listener, allowed_cidrs?);
    Ok(monitor(cx, pool, name).or_else(restrict))
}

fn restrict(listener: &Listener, allowed_cidrs: &[String]) -> Option<Balance> {
    (access::same(&listener.allowed_cidrs) != allowed_cidrs).then(|| Balance::UpdateAllowedCidrs {
        listener: listener.id.clone(),
        allowed_cidrs: allowed_cidrs.to_vec(),
    })
}

fn method(balancer: &LoadBalancer) -> Balancing {
    if balancer.provider == "ovn" {
        Balancing::SourceIpPort
    } else {
        Balancing::RoundRobin
    }
}

/// One that Octavia gave up on probes nothing: it is made anew, which hurts no connection.
fn monitor(cx: &Context<'_, '_>, pool: &Pool, name: String) -> Option<Balance> {
    let probe = cx.wanted.monitor;
    let is_its =
        |monitor: &&Monitor| monitor.pool_id == pool.id && monitor.state != State::Deleting;
    match cx.seen.monitors.iter().find(is_its) {
        None if cx.seen.octavia.refuses_monitor => None,
        None => Some(Balance::CreateMonitor {
            pool: pool.id.clone(),
            name,
            probe,
        }),
        Some(have) if have.state == State::Error => Some(Balance::DeleteMonitor {
            monitor: have.id.clone(),
        }),
        Some(have) if probe == Probe::of(have) => None,
        Some(have) => Some(Balance::UpdateMonitor {
            monitor: have.id.clone(),
            probe,
        }),
    }
}
