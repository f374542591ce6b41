//! Who may connect to the API, and what sees to it: the listeners of the load balancer or, where its
//! provider has no such lists but leaves the sender's address as it is, the rules of the control
//! plane's security group.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crds::openstack::v1beta2::{OpenStackClusterSpec, OpenStackClusterStatus};
use crds::openstack::validation::Violation;
use ipnet::IpNet;
use serde_json::json;

use super::bastion;
use super::own;
use super::resolve::Net;
use super::seen::{Management, Seen};
use super::want::{self, Want};
use crate::conditions::listed;
use crate::names::Role;
use crate::step::Problem;
use crate::world::{Direction, LoadBalancer, Router, Rule};

const FIELD: &str = "spec.apiServer.managedLoadBalancer.allowedCIDRs";

/// The restriction of a load balancer that exists.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Access {
    /// Who may connect, in order; empty means everybody.
    pub cidrs: Vec<String>,
    pub by: By,
    /// Why the list of the spec is not taken over; `cidrs` is then what is in force already.
    pub refused: Option<Problem>,
}

/// What enforces it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum By {
    Listeners,
    SecurityGroup,
    /// Nothing can, for this reason.
    Nothing(String),
}

impl Access {
    /// For the listeners; `None` where they cannot limit who connects.
    pub fn of_listeners(&self) -> Option<&[String]> {
        (self.by == By::Listeners).then_some(&self.cidrs)
    }

    /// Whom the security group lets in to the API; empty means everybody, also where others see to
    /// it; `None` leaves its rules as they are.
    fn of_rules(&self) -> Option<Vec<IpNet>> {
        match self.by {
            By::SecurityGroup if self.refused.is_some() => None,
            By::SecurityGroup => Some(self.cidrs.iter().filter_map(|cidr| net(cidr)).collect()),
            By::Listeners | By::Nothing(_) => Some(Vec::new()),
        }
    }
}

/// Whether the user wants to let only some in.
pub(super) fn is_restricted(want: &Want) -> bool {
    let balancer = want.api.load_balancer.as_ref();
    balancer.is_some_and(|wanted| !wanted.allowed_cidrs.is_empty())
}

/// Whom the security group of the control plane lets in to the API; empty means everybody. `None`
/// leaves its rules as they are: as long as it is not known what enforces a list, nobody is let in
/// whom it may leave out.
pub(super) fn of_rules(want: &Want, access: Option<&Access>) -> Option<Vec<IpNet>> {
    match access {
        Some(access) => access.of_rules(),
        None => (!is_restricted(want)).then(Vec::new),
    }
}

/// `None` without a load balancer, or as long as it does not exist.
///
/// As in CAPO, bastion, subnets and router of the cluster are let in whenever somebody is. Only
/// families of addresses count that the load balancer has.
pub(super) fn plan(
    want: &Want,
    balancer: Option<&LoadBalancer>,
    network: Option<&Net<'_>>,
    router: Option<&Router>,
    seen: &Seen,
) -> Option<Access> {
    let users = &want.api.load_balancer.as_ref()?.allowed_cidrs;
    let (balancer, network) = (balancer?, network?);
    let by = enforcer(want, balancer, seen);
    let mut own = own_addresses(want, network, router, seen);
    if by == By::SecurityGroup {
        // OVN sends from here what a node sends to itself through the load balancer.
        own.extend(vips(balancer).map(|vip| vip.to_string()));
    }
    let in_force = in_force(want, &by, balancer, seen);
    if bastion::is_unknown(want, seen) {
        let now = in_force.iter().flatten();
        own.extend(
            now.filter(|entry| may_be_of_bastion(entry, want, network, seen))
                .cloned(),
        );
    }
    let reached = |cidr: &IpNet| has_family(balancer, cidr);
    let wanted = canonical(users, own, reached);
    let refused = locked_out(&wanted, &seen.management, reached)
        .filter(|_| in_force.as_ref() != Some(&wanted))
        .map(|out| lock_out(want, users, &out));
    let cidrs = match &refused {
        Some(_) => in_force.unwrap_or_default(),
        None => wanted,
    };
    Some(Access { cidrs, by, refused })
}

fn enforcer(want: &Want, balancer: &LoadBalancer, seen: &Seen) -> By {
    let (octavia, provider) = (&seen.octavia, balancer.provider.as_str());
    let version = octavia.version;
    let unsecured = match &want.network {
        want::Network::Managed(managed) => managed.port_security == Some(false),
        want::Network::Brought(_) => false,
    };
    if octavia.has_allowed_cidrs(provider) {
        By::Listeners
    } else if !octavia.keeps_source(provider) {
        By::Nothing(format!(
            "Octavia {}.{} has no allowed_cidrs (2.12 has), and load balancers of provider {provider} hide who \
             connects from the machines: upgrade Octavia, or use another provider",
            version.0, version.1
        ))
    } else if want.groups.is_none() {
        By::Nothing(format!(
            "load balancers of provider {provider} have no allowed_cidrs, and the security groups of the machines \
             are not managed: set spec.managedSecurityGroups, or use another provider"
        ))
    } else if unsecured {
        By::Nothing(format!(
            "load balancers of provider {provider} have no allowed_cidrs, and the network has no port security: \
             turn on spec.managedNetwork.enablePortSecurity, or use another provider"
        ))
    } else {
        By::SecurityGroup
    }
}

/// The cluster's own addresses, and those of the management cluster if they are to be let in.
fn own_addresses(
    want: &Want,
    network: &Net<'_>,
    router: Option<&Router>,
    seen: &Seen,
) -> Vec<String> {
    let bastion = bastion::addresses(want, seen);
    let router_ips = router.iter().flat_map(|router| &router.gateway_ips);
    let management = seen.management.cidrs.iter();
    let management = management.filter(|_| seen.management.let_in);
    (bastion.into_iter())
        .chain(network.subnets.iter().map(|subnet| subnet.cidr.to_string()))
        .chain(router_ips.map(|ip| ip.ip_address.clone()))
        .chain(management.map(ToString::to_string))
        .collect()
}

/// Whether an entry of the list in force is an address that the bastion may have: one in the cluster's
/// subnets, or a floating IP of the cluster.
fn may_be_of_bastion(entry: &str, want: &Want, network: &Net<'_>, seen: &Seen) -> bool {
    let Some(address) = net(entry).filter(|net| net.prefix_len() == net.max_prefix_len()) else {
        return false;
    };
    let description = want.identity.names.description();
    let mut ips = seen.floating_ips.iter();
    let mut subnets = network.subnets.iter();
    subnets.any(|subnet| subnet.cidr.contains(&address.addr()))
        || ips.any(|ip| ip.description == description && ip.address == address.addr().to_string())
}

/// The user's list together with `own`, each once and in order. Empty, and so open to everybody, when
/// the user lists nobody.
fn canonical(users: &[String], own: Vec<String>, reached: impl Fn(&IpNet) -> bool) -> Vec<String> {
    if users.is_empty() {
        return Vec::new();
    }
    let all = users.iter().chain(&own).filter_map(|entry| net(entry));
    sorted(all.filter(reached).map(|cidr| cidr.to_string()))
}

/// Entries of the user's list that are neither address nor CIDR, and are left out.
pub(super) fn unusable(users: &[String]) -> impl Iterator<Item = &String> {
    users.iter().filter(|entry| net(entry).is_none())
}

/// What is enforced now; `None` while nothing can be.
fn in_force(want: &Want, by: &By, balancer: &LoadBalancer, seen: &Seen) -> Option<Vec<String>> {
    match by {
        By::Listeners => {
            let name = want.identity.names.load_balancer_port(want.api.port);
            let mut listeners = seen.listeners.iter();
            let listener =
                listeners.find(|have| have.load_balancer_id == balancer.id && have.name == name)?;
            Some(same(&listener.allowed_cidrs))
        }
        By::SecurityGroup => {
            let port = Some(i32::from(want.api.server_port));
            let own = own::security_group(&want.identity, Role::ControlPlane, seen);
            let group = own.ok()?.kept?;
            let to_api = group
                .rules
                .iter()
                .map(|have| &have.rule)
                .filter(|rule| rule.direction == Direction::Ingress && rule.port_min == port);
            let to_api: Vec<&Rule> = to_api.collect();
            if to_api.iter().any(|rule| is_from_anyone(rule)) {
                return Some(Vec::new());
            }
            let from = to_api.iter();
            let from: Vec<String> = from
                .filter_map(|rule| rule.remote_ip_prefix.clone())
                .collect();
            (!from.is_empty()).then(|| same(&from))
        }
        By::Nothing(_) => None,
    }
}

fn is_from_anyone(rule: &Rule) -> bool {
    rule.remote_ip_prefix.is_none() && rule.remote_group_id.is_none()
}

/// A list of the cloud, written as ours are.
pub(super) fn same(cidrs: &[String]) -> Vec<String> {
    sorted(
        cidrs
            .iter()
            .map(|entry| net(entry).map_or_else(|| entry.clone(), |cidr| cidr.to_string())),
    )
}

/// The first address of the management cluster that `cidrs` shut out.
fn locked_out(
    cidrs: &[String],
    management: &Management,
    reached: impl Fn(&IpNet) -> bool,
) -> Option<IpNet> {
    let lets_in = |who: &IpNet| {
        cidrs.is_empty()
            || cidrs
                .iter()
                .filter_map(|cidr| net(cidr))
                .any(|cidr| cidr.contains(who))
    };
    let mut all = management.cidrs.iter().filter(|cidr| reached(cidr));
    all.find(|who| !lets_in(who)).copied()
}

/// What is wrong with the `allowedCIDRs` of an object that somebody is about to write, in the words in
/// which the plan would refuse them. `status` is what was published of it so far.
///
/// Only what is certain: addresses count of the IP version that the load balancer has, or will have.
pub fn locks_out(
    spec: &OpenStackClusterSpec,
    status: &OpenStackClusterStatus,
    management: &Management,
) -> Option<Violation> {
    let balancer = spec.api_server.as_ref()?.managed_load_balancer.as_ref()?;
    let is_wanted = balancer.enabled != Some(false) && !management.let_in;
    let users = Some(&balancer.allowed_cidrs).filter(|users| is_wanted && !users.is_empty())?;
    let is_ipv4 = has_ipv4_address(spec, status)?;
    let reached = |cidr: &IpNet| cidr.addr().is_ipv4() == is_ipv4;
    let cidrs = canonical(users, known_addresses(spec, status), reached);
    let out = locked_out(&cidrs, management, reached)?;
    Some(Violation {
        field: FIELD.into(),
        value: Some(json!(users)),
        problem: leaves_out(&out),
        way_out: "add it".into(),
    })
}

/// The IP version of the load balancer's address: as it was made, or as its subnet or a floating IP
/// will have it; `None` when that depends on the cloud.
fn has_ipv4_address(spec: &OpenStackClusterSpec, status: &OpenStackClusterStatus) -> Option<bool> {
    let made = status.api_server_managed_load_balancer.as_ref();
    let made = made.and_then(|made| made.internal_ip.parse().ok());
    let subnet = spec.managed_subnets.first();
    let subnet = subnet.and_then(|subnet| Some(subnet.cidr.parse::<IpNet>().ok()?.addr()));
    let address: Option<IpAddr> = made.or(subnet);
    address.map(|address| address.is_ipv4())
}

/// The cluster's own addresses, as far as the object says them.
fn known_addresses(spec: &OpenStackClusterSpec, status: &OpenStackClusterStatus) -> Vec<String> {
    let subnets = spec.managed_subnets.iter().map(|subnet| &subnet.cidr);
    let found = status.network.iter().flat_map(|network| &network.subnets);
    let router = status.router.iter().flat_map(|router| &router.ips);
    let bastion = status.bastion.iter();
    let bastion = bastion.flat_map(|bastion| bastion.ip.iter().chain(&bastion.floating_ip));
    subnets
        .chain(found.map(|subnet| &subnet.cidr))
        .chain(router)
        .chain(bastion)
        .cloned()
        .collect()
}

fn leaves_out(out: &IpNet) -> String {
    format!(
        "leaves out {out}, where the management cluster connects from, which would lose the cluster"
    )
}

fn lock_out(want: &Want, users: &[String], out: &IpNet) -> Problem {
    Problem {
        reason: "LocksOutManagement".into(),
        object: want.identity.object.clone(),
        field: FIELD.into(),
        value: listed(users),
        way_out: format!(
            "{}: add it. Until then nobody else is let in or shut out",
            leaves_out(out)
        ),
    }
}

fn vips(balancer: &LoadBalancer) -> impl Iterator<Item = IpAddr> {
    let vips = std::iter::once(&balancer.vip_address).chain(&balancer.additional_vips);
    vips.filter_map(|address| address.parse().ok())
}

fn has_family(balancer: &LoadBalancer, cidr: &IpNet) -> bool {
    vips(balancer).any(|vip| vip.is_ipv4() == cidr.addr().is_ipv4())
}

fn sorted(cidrs: impl Iterator<Item = String>) -> Vec<String> {
    cidrs.collect::<BTreeSet<_>>().into_iter().collect()
}

/// As Octavia and Neutron keep it: without the bits of a host.
fn net(entry: &str) -> Option<IpNet> {
    let host = || entry.parse().ok().map(|host: IpAddr| host.into());
    let net: Option<IpNet> = entry.parse().ok().or_else(host);
    net.map(|net| net.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_clusters_own_addresses_are_let_in_only_beside_others() {
        let own = || list(&["10.6.0.0/24", "172.29.1.2"]);
        let all = |_: &IpNet| true;
        assert_eq!(canonical(&[], own(), all), list(&[]));
        let users = list(&["192.0.2.1", "nonsense", "2001:DB8::7/32", "192.0.2.1/32"]);
        let expected = [
            "10.6.0.0/24",
            "172.29.1.2/32",
            "192.0.2.1/32",
            "2001:db8::/32",
        ];
        assert_eq!(canonical(&users, own(), all), list(&expected));
        let ipv4 = |cidr: &IpNet| cidr.addr().is_ipv4();
        assert_eq!(canonical(&users, own(), ipv4), list(&expected[..3]));
        assert_eq!(unusable(&users).collect::<Vec<_>>(), ["nonsense"]);
    }

    #[test]
    fn lists_are_the_same_however_they_are_written() {
        let cloud = list(&["2001:DB8::/32", "192.0.2.1", "10.6.0.9/24"]);
        let ours = list(&["10.6.0.0/24", "192.0.2.1/32", "2001:db8::/32"]);
        assert_eq!(same(&cloud), ours);
        let twice = list(&["192.0.2.17/24", "192.0.2.0/24", "192.0.2.18/24"]);
        assert_eq!(same(&twice), list(&["192.0.2.0/24"]));
    }
}
