//! Where the addresses of a new load balancer come from.

use std::net::IpAddr;

use super::load_balancer::Context;
use super::resolve::subnet_in;
use crate::step::Problem;
use crate::world::{Network, Subnet};

/// Since when Octavia gives a load balancer more than one address.
const ADDITIONAL_VIPS: (u32, u32) = (2, 26);

/// Network, subnet and address of the VIP; what is `None` is left to Octavia.
pub(super) struct Vip<'a> {
    pub network: &'a Network,
    pub subnet: Option<&'a Subnet>,
    pub address: Option<String>,
    /// Of the other family, for a second VIP.
    pub additional: Option<&'a Subnet>,
}

/// The subnet that holds the wanted address, else the first; a floating IP needs IPv4.
pub(super) fn choose<'a>(cx: &Context<'a, '_>) -> Result<Vip<'a>, Problem> {
    let (network, subnets) = candidates(cx)?;
    let api = &cx.want.api;
    let address = address(cx);
    let parsed: Option<IpAddr> = address.as_ref().and_then(|address| address.parse().ok());
    let fits = |subnet: &&&Subnet| !api.floating_ip || subnet.cidr.addr().is_ipv4();
    let holds = |subnet: &&&Subnet| parsed.is_some_and(|address| subnet.cidr.contains(&address));
    let mut usable = subnets.iter().filter(fits);
    let subnet = usable
        .clone()
        .find(holds)
        .or_else(|| usable.next())
        .copied();
    if subnet.is_none() && !subnets.is_empty() {
        return Err(no_ipv4(&cx.want.identity.object, network));
    }
    let other_family = |subnet: &Subnet| {
        let mut others = subnets.iter().copied();
        others.find(|other| other.cidr.addr().is_ipv4() != subnet.cidr.addr().is_ipv4())
    };
    Ok(Vip {
        network,
        subnet,
        address,
        additional: subnet
            .and_then(other_family)
            .filter(|_| takes_additional(cx)),
    })
}

/// Without a floating IP the VIP is the endpoint, which a load balancer that is made anew keeps.
fn address(cx: &Context<'_, '_>) -> Option<String> {
    let api = &cx.want.api;
    let published = cx.seen.status.api_server_managed_load_balancer.as_ref();
    let published = published.map(|balancer| balancer.internal_ip.clone());
    let published = published.filter(|address| !address.is_empty());
    let of_endpoint = published.or_else(|| cx.seen.endpoint_address.clone());
    let of_endpoint = of_endpoint.filter(|_| !api.floating_ip);
    api.fixed_ip.clone().or(of_endpoint)
}

/// The load balancer's network, or else the cluster's, and the subnets that count, best first.
fn candidates<'a>(cx: &Context<'a, '_>) -> Result<(&'a Network, Vec<&'a Subnet>), Problem> {
    if let Some(net) = &cx.resolved.load_balancer_network {
        return Ok((net.network, net.subnets.clone()));
    }
    let (network, all) = (cx.net.network, &cx.net.subnets);
    let named = |named| {
        subnet_in(
            &cx.want.identity.object,
            named,
            network,
            all.iter().copied(),
        )
    };
    if !cx.wanted.subnets.is_empty() {
        let subnets: Result<_, _> = cx.wanted.subnets.iter().map(named).collect();
        return Ok((network, subnets?));
    }
    let primary = cx.want.api.primary_subnet.as_ref().map(named).transpose()?;
    let others = all
        .iter()
        .copied()
        .filter(|one| primary.is_none_or(|primary| primary.id != one.id));
    Ok((network, primary.into_iter().chain(others).collect()))
}

/// OVN wants members of the same family for every VIP, which a machine need not have.
fn takes_additional(cx: &Context<'_, '_>) -> bool {
    let octavia = &cx.seen.octavia;
    let ovn = match &cx.wanted.provider {
        Some(provider) => provider == "ovn",
        None => octavia.providers.iter().any(|provider| provider == "ovn"),
    };
    octavia.version >= ADDITIONAL_VIPS && !octavia.refuses_additional_vips && !ovn
}

/// The address family of the VIP does not go with a floating IP.
pub(super) fn no_ipv4(object: &str, network: &Network) -> Problem {
    Problem {
        reason: "FloatingIPNeedsIPv4".into(),
        object: object.into(),
        field: "spec.apiServer.enableFloatingIP".into(),
        value: "true".into(),
        way_out: format!(
            "floating IPs are IPv4, and the load balancer has no IPv4 subnet in network {}: set this to false, \
             and the IPv6 address of the load balancer is the endpoint",
            network.name
        ),
    }
}
