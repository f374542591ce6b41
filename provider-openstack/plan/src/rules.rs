//! Rules of the managed security groups: which ones a cluster needs, and how to get there.
//!
//! The rules are CAPO's, but that the API server's port is the one of the cluster instead of 6443.
//! They are exact: whatever else is in a managed group is removed.

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
    /// Port of the API server.
    pub api_port: u16,
    /// Further ports of the API load balancer.
    pub additional_ports: &'a [u16],
    /// The cluster's subnets, whose hosts may reach node ports.
    pub subnets: &'a [IpNet],
    /// Any traffic between the machines of the cluster instead of only what Kubernetes needs.
    pub allow_all_in_cluster: bool,
}

/// The rules of the control plane's group, user rules aside.
pub fn control_plane(cluster: &Cluster<'_>) -> Vec<WantedRule> {
    let (itself, workers) = (cluster.control_plane_group, cluster.worker_group);
    let mut rules = open_egress();
    rules.push(tcp(
        "Kubernetes API",
        cluster.api_port,
        cluster.api_port,
        Anyone,
    ));
    rules.extend(
        cluster
            .additional_ports
            .iter()
            .map(|port| tcp("Additional port", *port, *port, Anyone)),
    );
    if cluster.allow_all_in_cluster {
        rules.extend([itself, workers].map(anything_from));
    } else {
        rules.push(tcp("Etcd", 2379, 2380, Group(itself)));
        rules.extend([itself, workers].map(|group| tcp("Kubelet API", 10250, 10250, Group(group))));
    }
    rules
}

/// The rules of the workers' group, user rules aside.
pub fn worker(cluster: &Cluster<'_>) -> Vec<WantedRule> {
    let (itself, control_plane) = (cluster.worker_group, cluster.control_plane_group);
    let mut rules = open_egress();
    let subnets = cluster
        .subnets
        .iter()
        .filter(|cidr| cidr.addr().is_ipv4())
        .map(Net);
    for from in subnets.chain([Group(itself), Group(control_plane)]) {
        for protocol in ["tcp", "udp"] {
            rules.push(ingress(
                "Node Port Services",
                Some(protocol),
                Some((30000, 32767)),
                from,
            ));
        }
    }
    if cluster.allow_all_in_cluster {
        rules.extend([itself, control_plane].map(anything_from));
    } else {
        rules.extend(
            [itself, control_plane].map(|group| tcp("Kubelet API", 10250, 10250, Group(group))),
        );
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
    WantedRule {
        description: description.into(),
        rule: Rule {
            direction: Direction::Ingress,
            ether_type: EtherType::IPv4,
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
            api_port: 8443,
            additional_ports: &[9000],
            subnets,
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

    #[test]
    fn a_cluster_gets_the_rules_of_capo() {
        let subnets = ["10.6.0.0/24".parse().unwrap(), "fd00::/64".parse().unwrap()];
        let cluster = cluster(&subnets);
        let brief = |rules: Vec<WantedRule>| -> Vec<String> {
            rules
                .iter()
                .filter(|wanted| wanted.rule.direction == Direction::Ingress)
                .map(|WantedRule { rule, .. }| {
                    let from = rule
                        .remote_group_id
                        .clone()
                        .or(rule.remote_ip_prefix.clone());
                    format!("{:?} {:?} {:?}", rule.protocol, rule.port_min, from).replace(['"'], "")
                })
                .collect()
        };
        assert_eq!(
            brief(control_plane(&cluster)),
            [
                "Some(tcp) Some(8443) None",
                "Some(tcp) Some(9000) None",
                "Some(tcp) Some(2379) Some(cp)",
                "Some(tcp) Some(10250) Some(cp)",
                "Some(tcp) Some(10250) Some(w)",
            ]
        );
        assert_eq!(
            brief(worker(&cluster)),
            [
                "Some(tcp) Some(30000) Some(10.6.0.0/24)",
                "Some(udp) Some(30000) Some(10.6.0.0/24)",
                "Some(tcp) Some(30000) Some(w)",
                "Some(udp) Some(30000) Some(w)",
                "Some(tcp) Some(30000) Some(cp)",
                "Some(udp) Some(30000) Some(cp)",
                "Some(tcp) Some(10250) Some(w)",
                "Some(tcp) Some(10250) Some(cp)",
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
