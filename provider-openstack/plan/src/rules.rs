//! Rules of the managed security groups: which ones a cluster needs, and how to get there.
//!
//! The rules are CAPO's, but that the API server's port is the one of the cluster instead of 6443,
//! and that a cluster with an IPv6 subnet gets all of them for IPv6 too. They are exact: whatever
//! else is in a managed group is removed.

use std::collections::HashSet;

use ipnet::IpNet;

use crate::world::{Direction, EtherType, ExistingRule, Rule};

/// A rule that a group should have.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedRule {
    /// For people; rules are compared without it.
    pub description: String,
    pub rule: Rule,
}

/// What the rules of a cluster depend on.
#[derive(Clone, Debug)]
pub struct Cluster<'a> {
    pub control_plane_group: &'a str,
    pub worker_group: &'a str,
    /// The group of the bastion, from which machines are reached by SSH.
    pub bastion_group: Option<&'a str>,
    /// Port of the API server.
    pub api_port: u16,
    /// Further ports of the API load balancer.
    pub additional_ports: &'a [u16],
    /// Who may connect to these ports; empty means everybody. `None` makes no rules for them.
    pub api_from: Option<&'a [IpNet]>,
    /// The cluster's subnets, whose hosts may reach node ports.
    pub subnets: &'a [IpNet],
    /// Any traffic between the machines of the cluster instead of only what Kubernetes needs.
    pub allow_all_in_cluster: bool,
}

/// The rules of the control plane's group, user rules aside.
pub fn control_plane(cluster: &Cluster<'_>) -> Vec<WantedRule> {
    let (itself, workers) = (cluster.control_plane_group, cluster.worker_group);
    let from: Vec<Remote<'_>> = match cluster.api_from {
        None => Vec::new(),
        Some([]) => vec![Anyone],
        // The Pods of a machine may have addresses of their own.
        Some(sources) => {
            let machines = [itself, workers].map(Group);
            sources.iter().map(Net).chain(machines).collect()
        }
    };
    let mut rules: Vec<WantedRule> = api_ports(cluster)
        .flat_map(|(what, port)| from.iter().map(move |from| tcp(what, port, port, *from)))
        .collect();
    if cluster.allow_all_in_cluster {
        rules.extend([itself, workers].map(anything_from));
    } else {
        rules.push(tcp("Etcd", 2379, 2380, Group(itself)));
        rules.extend([itself, workers].map(kubelet_from));
    }
    rules.extend(cluster.bastion_group.map(ssh_from));
    complete(cluster, rules)
}

/// What each port is that the API server's machines are reached at, and the port.
fn api_ports(cluster: &Cluster<'_>) -> impl Iterator<Item = (&'static str, u16)> {
    let additional = cluster.additional_ports.iter();
    std::iter::once(("Kubernetes API", cluster.api_port))
        .chain(additional.map(|port| ("Additional port", *port)))
}

/// Whether a rule of the control plane's group says who may connect to the API.
pub fn is_to_api(cluster: &Cluster<'_>, rule: &Rule) -> bool {
    let is_its = |port: u16| rule.port_min == Some(port.into()) && rule.port_max == rule.port_min;
    rule.direction == Direction::Ingress && api_ports(cluster).any(|(_, port)| is_its(port))
}

/// The rules of the workers' group, user rules aside.
pub fn worker(cluster: &Cluster<'_>) -> Vec<WantedRule> {
    let (itself, control_plane) = (cluster.worker_group, cluster.control_plane_group);
    let subnets = cluster.subnets.iter().map(Net);
    let node_ports = |from| {
        ["tcp", "udp"].map(|protocol| {
            let ports = Some((30000, 32767));
            ingress("Node Port Services", Some(protocol), ports, from)
        })
    };
    let mut rules: Vec<WantedRule> = subnets
        .chain([Group(itself), Group(control_plane)])
        .flat_map(node_ports)
        .collect();
    if cluster.allow_all_in_cluster {
        rules.extend([itself, control_plane].map(anything_from));
    } else {
        rules.extend([itself, control_plane].map(kubelet_from));
    }
    rules.extend(cluster.bastion_group.map(ssh_from));
    complete(cluster, rules)
}

/// The rules of the bastion's group.
pub fn bastion(cluster: &Cluster<'_>) -> Vec<WantedRule> {
    complete(cluster, vec![tcp("SSH", 22, 22, Anyone)])
}

/// With the rules that every group has, and those that do not say an IP version by their source for
/// each that the cluster has. IPv4 is always among them, as in CAPO.
fn complete(cluster: &Cluster<'_>, ingress: Vec<WantedRule>) -> Vec<WantedRule> {
    let ipv6 = cluster.subnets.iter().any(|cidr| cidr.addr().is_ipv6());
    let mut rules = open_egress();
    for wanted in ingress {
        let other = (ipv6 && wanted.rule.remote_ip_prefix.is_none()).then(|| WantedRule {
            rule: Rule {
                ether_type: EtherType::IPv6,
                ..wanted.rule.clone()
            },
            ..wanted.clone()
        });
        rules.push(wanted);
        rules.extend(other);
    }
    rules
}

/// How a group gets from the rules it has to those it should have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// Ids of rules to delete.
    pub surplus: Vec<String>,
    pub missing: Vec<WantedRule>,
}

/// Compares without regard to descriptions, and as Neutron does: a range of ports that is 0 or holds
/// all of them, any protocol, and a prefix that covers everything are all the same as none.
pub fn difference(wanted: &[WantedRule], existing: &[ExistingRule]) -> Difference {
    let mut needed = HashSet::new();
    let wanted: Vec<&WantedRule> = wanted
        .iter()
        .filter(|wanted| needed.insert(canonical(&wanted.rule)))
        .collect();
    let mut kept = HashSet::new();
    let mut surplus = Vec::new();
    for rule in existing {
        let key = canonical(&rule.rule);
        if !needed.contains(&key) || !kept.insert(key) {
            surplus.push(rule.id.clone());
        }
    }
    let missing = wanted
        .into_iter()
        .filter(|wanted| !kept.contains(&canonical(&wanted.rule)))
        .cloned()
        .collect();
    Difference { surplus, missing }
}

fn canonical(rule: &Rule) -> Rule {
    let protocol = rule
        .protocol
        .as_ref()
        .map(|protocol| protocol.to_lowercase());
    let all = rule.port_min == Some(1) && rule.port_max == Some(65535);
    let port = |port: Option<i32>| port.filter(|port| *port != 0 && !all);
    Rule {
        protocol: protocol
            .as_deref()
            .and_then(|protocol| protocol_name(protocol, rule.ether_type))
            .map(str::to_string),
        port_min: port(rule.port_min),
        port_max: port(rule.port_max),
        remote_ip_prefix: rule.remote_ip_prefix.as_deref().and_then(network_prefix),
        ..rule.clone()
    }
}

fn protocol_name(protocol: &str, ether_type: EtherType) -> Option<&str> {
    match protocol {
        "" | "any" | "0" => None,
        "icmp" | "1" if ether_type == EtherType::IPv6 => Some("ipv6-icmp"),
        "1" => Some("icmp"),
        "6" => Some("tcp"),
        "17" => Some("udp"),
        "58" | "icmpv6" | "ipv6-icmp" => Some("ipv6-icmp"),
        "132" => Some("sctp"),
        other => Some(other),
    }
}

/// What is asked of Neutron for the ports of a user: no range where both are 0, as in CAPO, but for
/// ICMP, which has a type and a code 0.
pub(crate) fn ports(
    protocol: Option<&str>,
    min: Option<i32>,
    max: Option<i32>,
) -> (Option<i32>, Option<i32>) {
    let is_icmp = protocol.is_some_and(|protocol| {
        matches!(
            protocol.to_lowercase().as_str(),
            "icmp" | "1" | "icmpv6" | "ipv6-icmp" | "58"
        )
    });
    match (min.unwrap_or_default(), max.unwrap_or_default()) {
        (0, 0) if !is_icmp => (None, None),
        _ => (min, max),
    }
}

fn network_prefix(prefix: &str) -> Option<String> {
    let net = prefix
        .parse::<IpNet>()
        .or_else(|_| prefix.parse().map(|host: std::net::IpAddr| host.into()));
    match net {
        Ok(net) if net.prefix_len() == 0 => None,
        Ok(net) => Some(net.trunc().to_string()),
        // Neutron will say what is wrong with it.
        Err(_) => Some(prefix.to_string()),
    }
}

/// The other side of a rule.
#[derive(Clone, Copy)]
enum Remote<'a> {
    Anyone,
    Group(&'a str),
    Net(&'a IpNet),
}
use Remote::{Anyone, Group, Net};

fn open_egress() -> Vec<WantedRule> {
    [EtherType::IPv4, EtherType::IPv6]
        .into_iter()
        .map(|ether_type| WantedRule {
            description: "Full open".into(),
            rule: Rule {
                direction: Direction::Egress,
                ether_type,
                protocol: None,
                port_min: None,
                port_max: None,
                remote_group_id: None,
                remote_ip_prefix: None,
            },
        })
        .collect()
}

fn tcp(description: &str, min: u16, max: u16, from: Remote<'_>) -> WantedRule {
    ingress(description, Some("tcp"), Some((min, max)), from)
}

fn kubelet_from(group: &str) -> WantedRule {
    tcp("Kubelet API", 10250, 10250, Group(group))
}

fn ssh_from(group: &str) -> WantedRule {
    tcp("SSH", 22, 22, Group(group))
}

fn anything_from(group: &str) -> WantedRule {
    ingress("In-cluster Ingress", None, None, Group(group))
}

fn ingress(
    description: &str,
    protocol: Option<&str>,
    ports: Option<(u16, u16)>,
    from: Remote<'_>,
) -> WantedRule {
    let (remote_group_id, remote_ip_prefix) = match from {
        Anyone => (None, None),
        Group(id) => (Some(id.to_string()), None),
        Net(cidr) => (None, Some(cidr.to_string())),
    };
    let ether_type = match from {
        Net(IpNet::V6(_)) => EtherType::IPv6,
        _ => EtherType::IPv4,
    };
    WantedRule {
        description: description.into(),
        rule: Rule {
            direction: Direction::Ingress,
            ether_type,
            protocol: protocol.map(str::to_string),
            port_min: ports.map(|(min, _)| min.into()),
            port_max: ports.map(|(_, max)| max.into()),
            remote_group_id,
            remote_ip_prefix,
        },
    }
}

#[cfg(test)]
mod tests;
