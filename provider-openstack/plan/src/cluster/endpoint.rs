//! Where the Kubernetes API is reached.
//!
//! In this order, as in CAPO: the load balancer's floating IP or else its own address; an endpoint
//! that the object holds already; a floating IP for a control plane machine; the fixed IP.
//!
//! The `Cluster` may have an endpoint before its infrastructure has, that of a control plane which
//! runs elsewhere. Then it counts as if the object held it, where CAPO makes a floating IP that leads
//! nowhere, or waits for ever. A load balancer is asked for, so that it comes first all the same.

use std::net::IpAddr;

use super::access::Access;
use super::floating_ip;
use super::load_balancer;
use super::own;
use super::part::Part;
use super::resolve::{Net, Resolved};
use super::seen::Seen;
use super::vip;
use super::want::{LoadBalancer as WantedBalancer, Want};
use crate::step::Problem;
use crate::world::{FloatingIp, LoadBalancer, Network};

/// The endpoint and what stands behind it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Endpoint<'a> {
    pub host: String,
    pub port: u16,
    pub balancer: Option<&'a LoadBalancer>,
}

/// What other parts have come to.
pub(super) struct Surroundings<'a, 'w> {
    pub resolved: &'w Resolved<'a>,
    pub net: Option<&'w Net<'a>>,
    /// Who may connect to the load balancer.
    pub access: Option<&'w Access>,
    /// The network is connected to the external one, as far as that is our business.
    pub connected: bool,
}

pub(super) fn plan<'a>(
    want: &Want,
    around: &Surroundings<'a, '_>,
    seen: &'a Seen,
) -> Result<Part<Endpoint<'a>>, Problem> {
    let api = &want.api;
    let plain = |host: &String, port: u16| {
        Part::ready(Endpoint {
            host: host.clone(),
            port,
            balancer: None,
        })
    };
    if let Some(wanted) = &api.load_balancer {
        return balanced(want, wanted, around, seen);
    }
    match (&api.host, &seen.cluster_endpoint, &api.fixed_ip) {
        (Some(host), _, _) => Ok(Part {
            actions: floating_ip::made_twice(want, host, seen),
            ..plain(host, api.port)
        }),
        (None, Some((host, port)), _) => Ok(Part {
            // Who runs the control plane said so only now.
            actions: floating_ip::unused(want, host, seen),
            ..plain(host, *port)
        }),
        (None, None, _) if api.floating_ip => {
            let ip = floating_ip::plan(
                want,
                around.resolved.external,
                floating_ip::Target::Machine,
                seen,
            )?;
            Ok(ip.map(|ip| Endpoint {
                host: ip.address.clone(),
                port: api.port,
                balancer: None,
            }))
        }
        (None, None, Some(fixed)) => Ok(plain(fixed, api.port)),
        (None, None, None) => Err(no_endpoint(want)),
    }
}

fn balanced<'a>(
    want: &Want,
    wanted: &WantedBalancer,
    around: &Surroundings<'a, '_>,
    seen: &'a Seen,
) -> Result<Part<Endpoint<'a>>, Problem> {
    let own = own::load_balancer(&want.identity, seen)?;
    let balancer = match around.net {
        Some(net) => {
            let cx = load_balancer::Context {
                want,
                wanted,
                resolved: around.resolved,
                net,
                access: around.access,
                seen,
            };
            load_balancer::plan(&cx, &own)?
        }
        None => Part::waits_for_part(),
    };
    if !want.api.floating_ip {
        return Ok(balancer.map(|lb| Endpoint {
            host: lb.vip_address.clone(),
            port: want.api.port,
            balancer: Some(lb),
        }));
    }
    if let (Some(balancer), Some(net)) = (own.kept, around.net) {
        takes_floating_ip(want, balancer, net.network)?;
    }
    let target = floating_ip::Target::Port {
        id: own.kept.map(|lb| lb.vip_port_id.as_str()),
        reachable: around.connected,
    };
    let ip = floating_ip::plan(want, around.resolved.external, target, seen)?;
    Ok(balancer.join(ip, |lb, ip: &FloatingIp| Endpoint {
        host: ip.address.clone(),
        port: want.api.port,
        balancer: Some(lb),
    }))
}

/// A load balancer that was made before may have an IPv6 address only.
fn takes_floating_ip(
    want: &Want,
    balancer: &LoadBalancer,
    network: &Network,
) -> Result<(), Problem> {
    match balancer.vip_address.parse() {
        Ok(IpAddr::V6(_)) => Err(vip::no_ipv4(&want.identity.object, network)),
        _ => Ok(()),
    }
}

fn no_endpoint(want: &Want) -> Problem {
    Problem {
        reason: "NoEndpoint".into(),
        object: want.identity.object.clone(),
        field: "spec.controlPlaneEndpoint".into(),
        value: String::new(),
        way_out: "is awaited: what runs the control plane sets it, or spec.apiServer.fixedIP, or the endpoint of the \
                  Cluster; otherwise turn on the floating IP (spec.apiServer.enableFloatingIP) or the load balancer \
                  (spec.apiServer.managedLoadBalancer)"
            .into(),
    }
}
