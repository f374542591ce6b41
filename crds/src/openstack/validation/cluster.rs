//! OpenStackCluster: immutable but for what the provider can change about a cluster that runs.
//!
//! Beyond what CAPO lets users change:
//! - what names something in the cloud (network, subnets, router, external network) can be
//!   corrected until it has been found, and later be replaced by the id of what was found;
//! - a managed subnet that Neutron refused to make can be corrected;
//! - the addresses of the managed router's gateway;
//! - an IPv6 subnet can be added to managed ones;
//! - the floating IP in use can be written down without a load balancer too.
//!
//! The bastion's server is checked as those of machines are.

use std::net::IpAddr;

use serde_json::json;

use super::{Rules, Violation, change, machine, new_ones};
use crate::openstack::conditions::{ConditionType, Reason};
use crate::openstack::v1beta2::{
    APIServer, NetworkParam, OpenStackCluster, OpenStackClusterSpec, OpenStackClusterStatus,
    RouterParam, SecurityGroupRuleSpec, Subnet, SubnetParam, SubnetSpec,
};

impl Rules for OpenStackCluster {
    fn on_create(&self) -> Vec<Violation> {
        let mut found = of_spec("spec", &self.spec);
        found.extend(addresses(&self.spec.managed_subnets));
        found
    }

    fn on_update(&self, old: &Self) -> Vec<Violation> {
        let (was, new) = (&old.spec, &self.spec);
        let mut found = new_ones(self.on_create(), &old.on_create());
        found.extend(bastion_left_behind(was, new));
        found.extend(change::refused("spec", &allowed(old, new), new, |field| {
            way_out(field)
        }));
        found
    }
}

/// What is wrong with the addresses of subnets to make. Not asked of templates, where a patch of the
/// ClusterClass may write them.
fn addresses(subnets: &[SubnetSpec]) -> Vec<Violation> {
    let mut found = Vec::new();
    for (n, subnet) in subnets.iter().enumerate() {
        let cidr = format!("spec.managedSubnets[{n}].cidr");
        let mut before = subnets[..n].iter();
        if before.any(|before| is_ipv6(before) == is_ipv6(subnet)) {
            found.push(Violation {
                field: cidr,
                value: Some(json!(subnet.cidr)),
                problem: "is of the same IP version as the subnet before it".into(),
                way_out: "keep one subnet of each IP version".into(),
            });
        } else if !is_cidr(&subnet.cidr) {
            let way_out = "write an address and a prefix length, such as 10.6.0.0/24";
            found.push(unreadable(cidr, &subnet.cidr, way_out));
        }
        let wrong = single_addresses(n, subnet);
        let wrong = wrong.filter(|(_, text)| text.parse::<IpAddr>().is_err());
        found.extend(
            wrong.map(|(field, text)| {
                unreadable(field, text, "write an address, such as 10.6.0.10")
            }),
        );
    }
    found
}

fn unreadable(field: String, text: &str, way_out: &str) -> Violation {
    Violation {
        field,
        value: Some(json!(text)),
        problem: "cannot be parsed".into(),
        way_out: way_out.into(),
    }
}

/// Name servers and ends of pools of the `n`th subnet, with the names of their fields.
fn single_addresses(n: usize, subnet: &SubnetSpec) -> impl Iterator<Item = (String, &String)> {
    let at = format!("spec.managedSubnets[{n}]");
    let field = |list: &str, i| format!("{at}.{list}[{i}]");
    let servers = subnet.dns_nameservers.iter().enumerate();
    let servers = servers.map(|(i, server)| (field("dnsNameservers", i), server));
    let pools = subnet.allocation_pools.iter().enumerate();
    let pools = pools.flat_map(|(i, pool)| {
        let pool_at = field("allocationPools", i);
        [
            (format!("{pool_at}.start"), &pool.start),
            (format!("{pool_at}.end"), &pool.end),
        ]
    });
    servers.chain(pools).collect::<Vec<_>>().into_iter()
}

fn is_ipv6(subnet: &SubnetSpec) -> bool {
    subnet.cidr.contains(':')
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else {
        return false;
    };
    let most = match address.parse() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= most)
}

/// What contradicts itself in the spec of a cluster, which stands at `at`.
pub(super) fn of_spec(at: &str, spec: &OpenStackClusterSpec) -> Vec<Violation> {
    let mut found = Vec::new();
    if let Some(groups) = &spec.managed_security_groups {
        let lists = [
            ("clusterNodes", &groups.cluster_nodes_security_group_rules),
            (
                "controlPlaneNodes",
                &groups.control_plane_nodes_security_group_rules,
            ),
            ("workerNodes", &groups.worker_nodes_security_group_rules),
        ];
        for (nodes, rules) in lists {
            let list = format!("{at}.managedSecurityGroups.{nodes}SecurityGroupRules");
            found.extend(remotes(&list, rules));
        }
    }
    let bastion = spec.bastion.as_ref().and_then(|b| b.spec.as_ref());
    if let Some(bastion) = bastion {
        found.extend(machine::of_spec(&format!("{at}.bastion.spec"), bastion));
    }
    found
}

/// Rules that say more than once who is on the other side.
fn remotes(list: &str, rules: &[SecurityGroupRuleSpec]) -> impl Iterator<Item = Violation> {
    rules.iter().enumerate().filter_map(move |(n, rule)| {
        let set: Vec<&str> = [
            (
                "remoteManagedGroups",
                !rule.remote_managed_groups.is_empty(),
            ),
            ("remoteGroupID", rule.remote_group_id.is_some()),
            ("remoteIPPrefix", rule.remote_ip_prefix.is_some()),
        ]
        .into_iter()
        .filter_map(|(field, is_set)| is_set.then_some(field))
        .collect();
        (set.len() > 1).then(|| Violation {
            field: format!("{list}[{n}]"),
            value: Some(json!(rule)),
            problem: format!("rule {:?} sets {}", rule.name, set.join(" and ")),
            way_out: "keep one of them, and write a rule for each other".into(),
        })
    })
}

fn bastion_left_behind(
    was: &OpenStackClusterSpec,
    new: &OpenStackClusterSpec,
) -> Option<Violation> {
    let enabled = was.bastion.as_ref()?.enabled != Some(false);
    (enabled && new.bastion.is_none()).then(|| Violation {
        field: "spec.bastion".into(),
        value: None,
        problem: "cannot be removed while it is enabled".into(),
        way_out: "set spec.bastion.enabled to false first, and remove it when the server is gone"
            .into(),
    })
}

/// The old spec, in which all that may change has its new value.
fn allowed(old: &OpenStackCluster, new: &OpenStackClusterSpec) -> OpenStackClusterSpec {
    let status = old.status.clone().unwrap_or_default();
    let mut spec = old.spec.clone();
    let endpoint = spec.control_plane_endpoint.clone().unwrap_or_default();
    let host = endpoint.host.filter(|host| !host.is_empty());
    if host.is_none() {
        spec.control_plane_endpoint
            .clone_from(&new.control_plane_endpoint);
    }
    spec.identity_ref = new.identity_ref.clone();
    spec.bastion.clone_from(&new.bastion);
    spec.primary_subnet.clone_from(&new.primary_subnet);
    spec.control_plane_availability_zones
        .clone_from(&new.control_plane_availability_zones);
    spec.control_plane_omit_availability_zone = new.control_plane_omit_availability_zone;
    if new.managed_security_groups.is_some() {
        spec.managed_security_groups
            .clone_from(&new.managed_security_groups);
    }
    if !spec.managed_subnets.is_empty() && spec.router.is_none() {
        spec.managed_router.clone_from(&new.managed_router);
    }
    meant(
        &mut spec.enable_external_network,
        new.enable_external_network,
    );
    reordered(&mut spec.tags, &new.tags);
    managed_subnets(&mut spec.managed_subnets, &new.managed_subnets);
    pinned(&mut spec, new, &status);
    // A status that was lost, as when the object moved, must not make a network look unmade.
    if host.is_none() && status.network.is_none() {
        corrected(&mut spec, new);
        let managed = [&spec.managed_subnets, &new.managed_subnets];
        if subnet_was_refused(&status) && managed.iter().all(|subnets| !subnets.is_empty()) {
            spec.managed_subnets.clone_from(&new.managed_subnets);
        }
    }
    if let Some(new) = &new.api_server {
        api_server(spec.api_server.get_or_insert_default(), new, &status, host);
    }
    spec
}

/// What is on unless it is turned off may be said or left unsaid.
fn meant(old: &mut Option<bool>, new: Option<bool>) {
    if old.unwrap_or(true) == new.unwrap_or(true) {
        *old = new;
    }
}

/// The order of a set means nothing.
fn reordered<T: Clone + PartialEq>(old: &mut Vec<T>, new: &[T]) {
    if old.len() == new.len() && old.iter().all(|entry| new.contains(entry)) {
        *old = new.to_vec();
    }
}

/// Name servers may change, and an IPv6 subnet may join: Neutron gives its addresses to the ports
/// that there are.
fn managed_subnets(subnets: &mut Vec<SubnetSpec>, new: &[SubnetSpec]) {
    for (subnet, new) in subnets.iter_mut().zip(new) {
        subnet.dns_nameservers.clone_from(&new.dns_nameservers);
    }
    if let ([only], [_, added]) = (subnets.as_slice(), new)
        && !is_ipv6(only)
        && is_ipv6(added)
    {
        subnets.push(added.clone());
    }
}

/// What a filter found may be named by its id.
fn pinned(
    spec: &mut OpenStackClusterSpec,
    new: &OpenStackClusterSpec,
    status: &OpenStackClusterStatus,
) {
    let is = |param: &Option<NetworkParam>, id: &String| {
        param.as_ref().and_then(|param| param.id.as_ref()) == Some(id)
    };
    if let Some(found) = &status.network {
        if spec.network.is_some() && is(&new.network, &found.id) {
            spec.network.clone_from(&new.network);
        }
        for (subnet, new) in spec.subnets.iter_mut().zip(&new.subnets) {
            if new.id.is_some() && new.id.as_ref() == found_by(subnet, &found.subnets) {
                *subnet = new.clone();
            }
        }
    }
    if let Some(found) = &status.external_network
        && is(&new.external_network, &found.id)
    {
        spec.external_network.clone_from(&new.external_network);
    }
    let router = new.router.as_ref().and_then(|router| router.id.as_ref());
    let found = status.router.as_ref().map(|router| &router.id);
    if spec.router.is_some() && router.is_some() && router == found {
        spec.router.clone_from(&new.router);
    }
}

/// The id of the only subnet that agrees with what is known of a filter.
fn found_by<'s>(param: &SubnetParam, subnets: &'s [Subnet]) -> Option<&'s String> {
    let filter = param.filter.as_ref()?;
    let agrees = |subnet: &&Subnet| {
        filter.name.as_ref().is_none_or(|name| *name == subnet.name)
            && filter.cidr.as_ref().is_none_or(|cidr| *cidr == subnet.cidr)
    };
    let mut agreeing = subnets.iter().filter(agrees);
    let found = agreeing.next()?;
    agreeing.next().is_none().then_some(&found.id)
}

/// Names that led to nothing. Nothing is made before everything that is named has been found.
fn corrected(spec: &mut OpenStackClusterSpec, new: &OpenStackClusterSpec) {
    let network = |param: &mut Option<NetworkParam>, new: &Option<NetworkParam>| {
        if param.is_some() && new.is_some() {
            param.clone_from(new);
        }
    };
    network(&mut spec.network, &new.network);
    let router = |param: &mut Option<RouterParam>, new: &Option<RouterParam>| {
        if param.is_some() && new.is_some() {
            param.clone_from(new);
        }
    };
    router(&mut spec.router, &new.router);
    if !spec.subnets.is_empty() && !new.subnets.is_empty() {
        spec.subnets.clone_from(&new.subnets);
    }
    // Also where the only one was meant, and there are several.
    spec.external_network.clone_from(&new.external_network);
    let balancer = |spec: &OpenStackClusterSpec| spec.api_server.clone()?.managed_load_balancer;
    if let Some(new) = balancer(new)
        && let Some(api) = &mut spec.api_server
        && let Some(balancer) = &mut api.managed_load_balancer
    {
        network(&mut balancer.network, &new.network);
        if !balancer.subnets.is_empty() && !new.subnets.is_empty() {
            balancer.subnets = new.subnets;
        }
    }
}

/// Neutron made the network, but not a subnet like that.
fn subnet_was_refused(status: &OpenStackClusterStatus) -> bool {
    status.conditions.iter().any(|condition| {
        condition.type_ == ConditionType::NetworkReady.as_str()
            && condition.status == "False"
            && condition.reason == Reason::SubnetCreateFailed.as_str()
    })
}

/// `host` is that of the endpoint, once it has one.
fn api_server(
    api: &mut APIServer,
    new: &APIServer,
    status: &OpenStackClusterStatus,
    host: Option<String>,
) {
    // Whoever runs the control plane elsewhere learns its address later.
    if api.enable_floating_ip == Some(false) {
        if api.fixed_ip.as_ref().is_none_or(String::is_empty) {
            api.fixed_ip.clone_from(&new.fixed_ip);
        }
        api.port = api.port.or(new.port);
    }
    meant(&mut api.enable_floating_ip, new.enable_floating_ip);
    let balancer = status.api_server_managed_load_balancer.as_ref();
    let in_use = [balancer.map(|balancer| &balancer.ip), host.as_ref()];
    if let Some(given) = &new.floating_ip
        && in_use.contains(&Some(given))
    {
        api.floating_ip.clone_from(&new.floating_ip);
    }
    if let (Some(balancer), Some(new)) =
        (&mut api.managed_load_balancer, &new.managed_load_balancer)
    {
        balancer.allowed_cidrs.clone_from(&new.allowed_cidrs);
        balancer.monitor.clone_from(&new.monitor);
        meant(&mut balancer.enabled, new.enabled);
        reordered(&mut balancer.additional_ports, &new.additional_ports);
    }
}

/// What would be right, by field; the first that fits counts.
const WAYS_OUT: &[(&str, &str)] = &[
    (
        "spec.controlPlaneEndpoint",
        "machines and kubeconfigs rely on it, so it can be set only while it has no host",
    ),
    (
        "spec.managedSubnets",
        "only dnsNameservers can change, and an IPv6 subnet can be added as the second; for other \
         addresses make another cluster",
    ),
    (
        "spec.managedRouter",
        "only the router that the provider makes has addresses of its own: leave it out where \
         spec.router names one",
    ),
    (
        "spec.managedSecurityGroups",
        "ports of machines have these groups: empty the lists of rules instead",
    ),
    (
        "spec.apiServer.floatingIP",
        "only the address that is in use already can be written here, so that it is kept when the \
         cluster is deleted",
    ),
    (
        "spec.apiServer.enableFloatingIP",
        "the endpoint cannot move to another address: make another cluster",
    ),
    (
        "spec.apiServer.managedLoadBalancer",
        "Octavia fixes it when the load balancer is made: only allowedCIDRs and monitor can \
         change; for anything else make another cluster",
    ),
    (
        "spec.apiServer",
        "port and fixedIP can be set once, and only while enableFloatingIP is false; otherwise \
         make another cluster",
    ),
    (
        "spec.tags",
        "tags are given when something is made: set tags of new machines in their template",
    ),
    (
        "spec.managedNetwork",
        "is fixed when the network is made: make another cluster",
    ),
];

const OTHERWISE: &str = "machines depend on what is in use: only its id can be written here in \
                         place of a filter; for something else make another cluster";

fn way_out(field: &str) -> &'static str {
    let fits = WAYS_OUT.iter().find(|(start, _)| field.starts_with(start));
    fits.map_or(OTHERWISE, |(_, way_out)| way_out)
}
