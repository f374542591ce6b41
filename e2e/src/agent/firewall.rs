//! What the security groups of a server's ports let through. Pure.
//!
//! A rule becomes a match of nftables; what no rule matches is dropped, so that a missing rule shows. As in Neutron,
//! replies pass, a rule with a remote group means the addresses of the ports in that group, and a port without port
//! security is open. Ranges of pods count as addresses of the ports of their nodes: the lab routes them, where a real
//! network would ask for allowed address pairs.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    observe::{Port, Rule, Seen},
    plan::PodRanges,
};

/// Matches of each filtered port, by its MAC address. A port that is absent is open.
pub type Firewall = BTreeMap<String, Matches>;

/// What may pass one port, each as a match of nftables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// To the machine.
    pub ingress: BTreeSet<String>,
    /// From the machine.
    pub egress: BTreeSet<String>,
}

/// The firewall of one server.
pub fn of(seen: &Seen, pod_ranges: &PodRanges, server: &str) -> Firewall {
    let filtered = |port: &&Port| port.port_security_enabled;
    let ports = seen.ports_of(server).into_iter().filter(filtered);
    ports
        .map(|port| (port.mac_address.clone(), matches(seen, pod_ranges, port)))
        .collect()
}

fn matches(seen: &Seen, pod_ranges: &PodRanges, port: &Port) -> Matches {
    let mut matches = Matches::default();
    let groups = port.security_groups.iter();
    for rule in groups.flat_map(|id| seen.rules.get(id).into_iter().flatten()) {
        let ingress = rule.direction == "ingress";
        if let Some(text) = text(seen, pod_ranges, rule, ingress) {
            let side = if ingress {
                &mut matches.ingress
            } else {
                &mut matches.egress
            };
            side.insert(text);
        }
    }
    matches
}

/// A rule as a match; None for one that nothing can match, such as that of an empty group.
fn text(seen: &Seen, pod_ranges: &PodRanges, rule: &Rule, ingress: bool) -> Option<String> {
    let v6 = rule.ethertype == "IPv6";
    let (family, address) = if v6 { ("ipv6", "ip6") } else { ("ipv4", "ip") };
    let side = if ingress { "saddr" } else { "daddr" };
    let mut parts = vec![format!("meta nfproto {family}")];
    if let Some(prefix) = &rule.remote_ip_prefix {
        parts.push(format!("{address} {side} {prefix}"));
    } else if let Some(group) = &rule.remote_group_id {
        let members = members(seen, pod_ranges, group, v6);
        if members.is_empty() {
            return None;
        }
        let members = members.into_iter().collect::<Vec<_>>().join(", ");
        parts.push(format!("{address} {side} {{ {members} }}"));
    }
    parts.extend(protocol(rule, v6));
    Some(parts.join(" "))
}

fn protocol(rule: &Rule, v6: bool) -> Option<String> {
    let protocol = rule.protocol.as_deref().filter(|p| *p != "any")?;
    let range = rule.port_range_min.zip(rule.port_range_max);
    Some(match (protocol, range) {
        ("tcp" | "udp" | "sctp" | "dccp", Some((min, max))) => {
            format!("{protocol} dport {min}-{max}")
        }
        ("icmp" | "icmpv6" | "ipv6-icmp", _) => {
            let name = if v6 { "icmpv6" } else { "icmp" };
            // Neutron keeps the type where other protocols have the first port.
            match rule.port_range_min {
                Some(kind) => format!("{name} type {kind}"),
                None => format!("meta l4proto {}", if v6 { "ipv6-icmp" } else { name }),
            }
        }
        _ => format!("meta l4proto {protocol}"),
    })
}

/// Addresses of the ports in a group.
fn members(seen: &Seen, pod_ranges: &PodRanges, group: &str, v6: bool) -> BTreeSet<String> {
    let within = |port: &&Port| port.security_groups.iter().any(|id| id == group);
    let mut members = BTreeSet::new();
    for port in seen.ports.iter().filter(within) {
        members.extend(port.fixed_ips.iter().map(|ip| ip.ip_address.clone()));
        let pairs = port.allowed_address_pairs.iter();
        members.extend(pairs.map(|pair| pair.ip_address.clone()));
        let pods = pod_ranges.get(&port.device_id).into_iter().flatten();
        members.extend(pods.map(ToString::to_string));
    }
    members.retain(|address| address.contains(':') == v6);
    members
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(value: serde_json::Value) -> Rule {
        serde_json::from_value(value).unwrap()
    }

    fn seen() -> Seen {
        let port = |id: &str, device: &str, ip: &str, group: &str| {
            json!({"id": id, "network_id": "n", "device_id": device, "mac_address": format!("mac-{id}"),
                   "security_groups": [group], "fixed_ips": [{"subnet_id": "s", "ip_address": ip}],
                   "allowed_address_pairs": [{"ip_address": "10.9.0.0/24"}]})
        };
        Seen {
            ports: serde_json::from_value(json!([
                port("p1", "m1", "10.8.0.5", "workers"),
                port("p2", "m2", "10.8.0.6", "workers"),
            ]))
            .unwrap(),
            ..Seen::default()
        }
    }

    #[test]
    fn rules_become_matches() {
        let pods: PodRanges = [("m2".to_owned(), vec!["10.244.1.0/24".parse().unwrap()])].into();
        let cases = [
            (
                json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 6443,
                       "port_range_max": 6443, "remote_ip_prefix": "10.0.0.0/8"}),
                Some("meta nfproto ipv4 ip saddr 10.0.0.0/8 tcp dport 6443-6443"),
            ),
            (
                json!({"direction": "egress", "ethertype": "IPv6"}),
                Some("meta nfproto ipv6"),
            ),
            (
                json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "remote_group_id": "workers"}),
                Some(
                    "meta nfproto ipv4 ip saddr { 10.244.1.0/24, 10.8.0.5, 10.8.0.6, 10.9.0.0/24 } meta l4proto udp",
                ),
            ),
            (
                json!({"direction": "ingress", "ethertype": "IPv4", "remote_group_id": "empty"}),
                None,
            ),
            (
                json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "port_range_min": 8}),
                Some("meta nfproto ipv4 icmp type 8"),
            ),
            (
                json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "112"}),
                Some("meta nfproto ipv4 meta l4proto 112"),
            ),
        ];
        for (value, wanted) in cases {
            let rule = rule(value);
            let ingress = rule.direction == "ingress";
            assert_eq!(text(&seen(), &pods, &rule, ingress).as_deref(), wanted);
        }
    }

    #[test]
    fn a_port_without_port_security_is_open_and_one_without_rules_closed() {
        let mut seen = seen();
        seen.ports[0].port_security_enabled = false;
        assert_eq!(of(&seen, &PodRanges::new(), "m1"), Firewall::new());
        let closed = [("mac-p2".to_owned(), Matches::default())].into();
        assert_eq!(of(&seen, &PodRanges::new(), "m2"), closed);
    }
}
