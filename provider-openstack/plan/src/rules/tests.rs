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

/// What Neutron makes of a rule when it stores it.
#[test]
fn what_neutron_stores_is_what_was_wanted() {
    use EtherType::{IPv4, IPv6};
    let rule = |ether_type, protocol: &str, ports: Option<(i32, i32)>| {
        let mut wanted = ingress("", Some(protocol), None, Anyone);
        wanted.rule.ether_type = ether_type;
        wanted.rule.port_min = ports.map(|(min, _)| min);
        wanted.rule.port_max = ports.map(|(_, max)| max);
        wanted
    };
    let all = Some((1, 65535));
    for (wanted, stored, same) in [
        (rule(IPv4, "tcp", all), rule(IPv4, "tcp", None), true),
        (rule(IPv6, "UDP", all), rule(IPv6, "udp", None), true),
        (
            rule(IPv4, "tcp", Some((2, 65535))),
            rule(IPv4, "tcp", None),
            false,
        ),
        (
            rule(IPv6, "icmp", None),
            rule(IPv6, "ipv6-icmp", None),
            true,
        ),
        (
            rule(IPv6, "icmpv6", None),
            rule(IPv6, "ipv6-icmp", None),
            true,
        ),
        (
            rule(IPv6, "1", Some((8, 0))),
            rule(IPv6, "58", Some((8, 0))),
            true,
        ),
        (
            rule(IPv4, "icmp", None),
            rule(IPv4, "ipv6-icmp", None),
            false,
        ),
    ] {
        let difference = difference(std::slice::from_ref(&wanted), &existing(&[stored]));
        assert_eq!(difference == Difference::default(), same, "{wanted:?}");
    }
}

#[test]
fn ports_of_0_are_asked_for_with_icmp_alone() {
    let (none, zero) = ((None, None), (Some(0), Some(0)));
    for (protocol, expected) in [
        (Some("tcp"), none),
        (Some("sctp"), none),
        (None, none),
        (Some("icmp"), zero),
        (Some("ICMPv6"), zero),
    ] {
        assert_eq!(ports(protocol, Some(0), Some(0)), expected, "{protocol:?}");
    }
    let some = (Some(179), Some(180));
    assert_eq!(ports(Some("tcp"), some.0, some.1), some);
}

#[test]
fn a_rule_that_is_wanted_twice_is_created_once() {
    let wanted = [tcp("a", 1, 1, Anyone), tcp("b", 1, 1, Anyone)];
    assert_eq!(difference(&wanted, &[]).missing.len(), 1);
}
