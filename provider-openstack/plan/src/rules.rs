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

/// Compares without regard to descriptions, and as Neutron does: a range of ports that is 0, any
/// protocol, and a prefix that covers everything are all the same as none.
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
    Rule {
        protocol: protocol
            .as_deref()
            .and_then(protocol_name)
            .map(str::to_string),
        port_min: rule.port_min.filter(|port| *port != 0),
        port_max: rule.port_max.filter(|port| *port != 0),
        remote_ip_prefix: rule.remote_ip_prefix.as_deref().and_then(network_prefix),
        ..rule.clone()
    }
}

fn protocol_name(protocol: &str) -> Option<&str> {
    match protocol {
        "" | "any" | "0" => None,
        "1" => Some("icmp"),
        "6" => Some("tcp"),
        "17" => Some("udp"),
        "58" | "icmpv6" | "ipv6-icmp" => Some("ipv6-icmp"),
        "132" => Some("sctp"),
        other => Some(other),
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
mod tests {
    use super::*;

    fn cluster(subnets: &[IpNet]) -> Cluster<'_> {
        Cluster {
            control_plane_group: "cp",
            worker_group: "w",
            bastion_group: Some("b"),
            api_port: 8443,
            additional_ports: &[9000],
            subnets,
            api_from: Some(&[]),
            allow_all_in_cluster: false,
        }
    }

    fn existing(rules: &[WantedRule]) -> Vec<ExistingRule> {
        let with_id = |(n, wanted): (usize, &WantedRule)| ExistingRule {
            id: n.to_string(),
            rule: wanted.rule.clone(),
        };
        rules.iter().enumerate().map(with_id).collect()
    }

    /// Each rule for ingress, such as `IPv4 tcp 22 b`.
    fn brief(rules: &[WantedRule]) -> Vec<String> {
        let ingress = rules
            .iter()
            .filter(|wanted| wanted.rule.direction == Direction::Ingress);
        ingress
            .map(|WantedRule { rule, .. }| {
                let from = rule
                    .remote_group_id
                    .as_ref()
                    .or(rule.remote_ip_prefix.as_ref());
                let protocol = rule.protocol.as_deref().unwrap_or("any");
                let port = rule.port_min.unwrap_or_default();
                let from = from.map_or("anyone", String::as_str);
                format!("{:?} {protocol} {port} {from}", rule.ether_type)
            })
            .collect()
    }

    #[test]
    fn a_cluster_gets_the_rules_of_capo() {
        let subnets = ["10.6.0.0/24".parse().unwrap()];
        let cluster = cluster(&subnets);
        assert_eq!(
            brief(&control_plane(&cluster)),
            [
                "IPv4 tcp 8443 anyone",
                "IPv4 tcp 9000 anyone",
                "IPv4 tcp 2379 cp",
                "IPv4 tcp 10250 cp",
                "IPv4 tcp 10250 w",
                "IPv4 tcp 22 b",
            ]
        );
        assert_eq!(
            brief(&worker(&cluster)),
            [
                "IPv4 tcp 30000 10.6.0.0/24",
                "IPv4 udp 30000 10.6.0.0/24",
                "IPv4 tcp 30000 w",
                "IPv4 udp 30000 w",
                "IPv4 tcp 30000 cp",
                "IPv4 udp 30000 cp",
                "IPv4 tcp 10250 w",
                "IPv4 tcp 10250 cp",
                "IPv4 tcp 22 b",
            ]
        );
        assert_eq!(brief(&bastion(&cluster)), ["IPv4 tcp 22 anyone"]);
    }

    #[test]
    fn an_ipv6_subnet_brings_every_rule_for_ipv6() {
        let subnets = ["10.6.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()];
        let (single, dual) = (cluster(&subnets[..1]), cluster(&subnets));
        for rules in [control_plane, worker, bastion] {
            let mut expected = brief(&rules(&single));
            let in_ipv6 = |rule: &String| {
                rule.replace("IPv4", "IPv6")
                    .replace("10.6.0.0/24", "fd00::/64")
            };
            expected.extend(expected.clone().iter().map(in_ipv6));
            let mut have = brief(&rules(&dual));
            expected.sort();
            have.sort();
            assert_eq!(have, expected);
        }
    }

    #[test]
    fn the_api_can_be_kept_to_some() {
        let sources = [
            "192.0.2.0/24".parse().unwrap(),
            "2001:db8::/32".parse().unwrap(),
        ];
        let cluster = Cluster {
            api_from: Some(&sources),
            ..cluster(&[])
        };
        assert_eq!(
            brief(&control_plane(&cluster))[..8],
            [
                "IPv4 tcp 8443 192.0.2.0/24",
                "IPv6 tcp 8443 2001:db8::/32",
                "IPv4 tcp 8443 cp",
                "IPv4 tcp 8443 w",
                "IPv4 tcp 9000 192.0.2.0/24",
                "IPv6 tcp 9000 2001:db8::/32",
                "IPv4 tcp 9000 cp",
                "IPv4 tcp 9000 w",
            ]
        );
    }

    #[test]
    fn in_cluster_traffic_can_be_open() {
        let cluster = Cluster {
            allow_all_in_cluster: true,
            ..cluster(&[])
        };
        for rules in [control_plane(&cluster), worker(&cluster)] {
            let open = rules
                .iter()
                .filter(|wanted| wanted.description == "In-cluster Ingress")
                .count();
            assert_eq!(open, 2);
            assert!(
                !rules
                    .iter()
                    .any(|wanted| wanted.description == "Kubelet API")
            );
        }
    }

    #[test]
    fn only_what_differs_is_touched() {
        let wanted = control_plane(&cluster(&[]));
        assert_eq!(
            difference(&wanted, &existing(&wanted)),
            Difference::default()
        );
        let mut have = existing(&wanted[1..]);
        have.push(ExistingRule {
            id: "foreign".into(),
            rule: Rule {
                port_min: Some(22),
                ..wanted[2].rule.clone()
            },
        });
        have.push(ExistingRule {
            id: "twice".into(),
            rule: wanted[2].rule.clone(),
        });
        let difference = difference(&wanted, &have);
        assert_eq!(difference.surplus, ["foreign", "twice"]);
        assert_eq!(difference.missing, wanted[..1]);
    }

    #[test]
    fn spellings_that_mean_the_same_are_the_same() {
        let spelled = |protocol: &str, prefix: &str| {
            let mut wanted = tcp("", 80, 80, Anyone);
            wanted.rule.protocol = Some(protocol.into());
            wanted.rule.remote_ip_prefix = Some(prefix.into());
            wanted
        };
        for (a, b) in [
            (spelled("TCP", "10.0.0.1/8"), spelled("6", "10.0.0.0/8")),
            (spelled("any", "0.0.0.0/0"), spelled("", "0.0.0.0/0")),
            (spelled("17", "192.0.2.1"), spelled("udp", "192.0.2.1/32")),
        ] {
            assert_eq!(
                difference(std::slice::from_ref(&a), &existing(&[b])),
                Difference::default(),
                "{a:?}"
            );
        }
        assert_eq!(
            difference(
                &[spelled("tcp", "10.0.0.0/8")],
                &existing(&[spelled("tcp", "10.0.0.0/9")])
            )
            .missing
            .len(),
            1
        );
    }

    #[test]
    fn a_rule_that_is_wanted_twice_is_created_once() {
        let wanted = [tcp("a", 1, 1, Anyone), tcp("b", 1, 1, Anyone)];
        assert_eq!(difference(&wanted, &[]).missing.len(), 1);
    }
}
