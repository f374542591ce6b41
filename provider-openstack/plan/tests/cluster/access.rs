//! Who may connect to the API: `allowedCIDRs` on every load balancer.

use crds::openstack::v1beta2::OpenStackClusterStatus;
use jiff::Timestamp;
use plan::cluster::{Decision, plan};
use plan::conditions::is_true;
use plan::step::Step;
use plan::world::Direction;
use serde_json::{Value, json};

use super::balancing::{balanced, dual_cloud, settle};
use super::cloud::Cloud;
use super::shapes::{bastion_spec, cloud, want};

const GROUP: &str = "k8s-cluster-default-demo-secgroup-controlplane";

/// A cluster whose API only some may reach.
fn restricted(provider: &str, users: Value, grouped: bool) -> Value {
    let wishes = json!({"provider": provider, "allowedCIDRs": users, "additionalPorts": [9000]});
    let mut spec = balanced(wishes, json!({"port": 8443}));
    if grouped {
        spec["managedSecurityGroups"] = json!({});
    }
    spec
}

fn cloud_with_ovn() -> Cloud {
    let mut cloud = cloud();
    cloud.holds.octavia.providers.push("ovn".into());
    cloud
}

/// Who the listeners let in, the same for every port.
fn of_listeners(cloud: &Cloud) -> Vec<&str> {
    let listeners = &cloud.holds.listeners;
    assert!(!listeners.is_empty());
    let first = &listeners[0].allowed_cidrs;
    assert!(
        listeners
            .iter()
            .all(|listener| listener.allowed_cidrs == *first)
    );
    first.iter().map(String::as_str).collect()
}

/// Who the security group of the control plane lets in to a port: CIDRs, `group`, or `anyone`.
fn of_rules(cloud: &Cloud, port: i32) -> Vec<String> {
    let groups = &cloud.holds.security_groups;
    let group = groups
        .iter()
        .find(|group| group.name == GROUP)
        .expect("the group");
    let mut from: Vec<String> = (group.rules.iter().map(|have| &have.rule))
        .filter(|rule| rule.direction == Direction::Ingress && rule.port_min == Some(port))
        .map(
            |rule| match (&rule.remote_ip_prefix, &rule.remote_group_id) {
                (Some(cidr), _) => cidr.clone(),
                (None, Some(_)) => "group".into(),
                (None, None) => "anyone".into(),
            },
        )
        .collect();
    from.sort();
    from
}

/// Status and message of the condition.
fn said(decision: &Decision) -> Option<(&str, &str)> {
    let mut conditions = decision.status.status.conditions.iter();
    let condition = conditions.find(|condition| condition.type_ == "APIAccessRestricted")?;
    Some((&condition.status, &condition.message))
}

#[test]
fn listeners_keep_the_list_where_they_can() {
    let mut cloud = cloud();
    let spec = restricted(
        "amphora",
        json!(["198.51.100.7", "192.0.2.0/24", "2001:db8::/32"]),
        true,
    );
    let decision = settle(&spec, &mut cloud);
    // Of the cluster: its subnet and its router.
    let expected = [
        "10.6.0.0/24",
        "192.0.2.0/24",
        "198.51.100.7/32",
        "203.0.113.254/32",
    ];
    assert_eq!(of_listeners(&cloud), expected);
    assert_eq!(
        of_rules(&cloud, 8443),
        ["anyone"],
        "the load balancer is who connects"
    );
    assert_eq!(said(&decision), Some(("True", "")));
    let balancer = decision.status.status.api_server_managed_load_balancer;
    assert_eq!(balancer.expect("published").allowed_cidrs, expected);
}

#[test]
fn the_security_group_keeps_the_list_where_listeners_cannot() {
    let mut cloud = cloud_with_ovn();
    let decision = settle(
        &restricted("ovn", json!(["192.0.2.0/24"]), true),
        &mut cloud,
    );
    assert_eq!(of_listeners(&cloud), Vec::<&str>::new());
    let expected = [
        "10.6.0.0/24",
        "10.6.0.10/32",
        "192.0.2.0/24",
        "203.0.113.254/32",
        "group",
        "group",
    ];
    for port in [8443, 9000] {
        assert_eq!(of_rules(&cloud, port), expected);
    }
    assert_eq!(of_rules(&cloud, 6443), Vec::<String>::new());
    assert_eq!(said(&decision), Some(("True", "")));
    assert!(is_true(&decision.status.status.conditions, "Ready"));

    let decision = settle(&restricted("ovn", json!([]), true), &mut cloud);
    assert_eq!(of_rules(&cloud, 8443), ["anyone"]);
    assert_eq!(said(&decision), None);
}

#[test]
fn where_nothing_can_keep_the_list_a_condition_says_so() {
    for (provider, version, grouped, way_out) in [
        ("amphora", (2, 11), true, "upgrade Octavia"),
        ("ovn", (2, 27), false, "set spec.managedSecurityGroups"),
    ] {
        let mut cloud = cloud_with_ovn();
        cloud.holds.octavia.version = version;
        let spec = restricted(provider, json!(["192.0.2.0/24"]), grouped);
        let decision = settle(&spec, &mut cloud);
        let (status, message) = said(&decision).expect("a condition");
        assert_eq!(status, "False");
        assert!(message.contains(way_out), "{message}");
        assert!(
            is_true(&decision.status.status.conditions, "Ready"),
            "as with CAPO"
        );
        let balancer = decision.status.status.api_server_managed_load_balancer;
        assert_eq!(
            balancer.expect("published").allowed_cidrs,
            Vec::<String>::new()
        );
    }
    let mut spec = restricted("ovn", json!(["192.0.2.0/24"]), true);
    spec["managedNetwork"] = json!({"enablePortSecurity": false});
    let decision = settle(&spec, &mut cloud_with_ovn());
    assert!(said(&decision).is_some_and(|(status, _)| status == "False"));
}

#[test]
fn lists_hold_the_families_that_the_load_balancer_has() {
    for (provider, ipv6) in [("amphora", true), ("ovn", false)] {
        let mut cloud = dual_cloud(false);
        cloud.holds.octavia.providers.push("ovn".into());
        let spec = json!({
            "network": {"filter": {"name": "dual"}},
            "managedSecurityGroups": {},
            "apiServer": {"managedLoadBalancer": {
                "provider": provider, "allowedCIDRs": ["192.0.2.1", "2001:DB8::/32"],
            }},
        });
        let decision = settle(&spec, &mut cloud);
        let balancer = decision
            .status
            .status
            .api_server_managed_load_balancer
            .expect("published");
        assert_eq!(
            balancer
                .allowed_cidrs
                .contains(&"2001:db8::/32".to_string()),
            ipv6,
            "{provider}"
        );
        assert_eq!(
            balancer.allowed_cidrs.contains(&"fd08::/64".to_string()),
            ipv6,
            "{provider}"
        );
        assert!(balancer.allowed_cidrs.contains(&"192.0.2.1/32".to_string()));
    }
}

#[test]
fn a_bastion_is_let_in() {
    let mut cloud = cloud();
    let mut spec = restricted("amphora", json!(["192.0.2.0/24"]), true);
    settle(&spec, &mut cloud);
    let of_bastion = |cloud: &Cloud| -> Vec<String> {
        let bastion = cloud.holds.status.bastion.iter();
        let addresses =
            bastion.flat_map(|bastion| [bastion.ip.clone(), bastion.floating_ip.clone()]);
        addresses.flatten().map(|ip| format!("{ip}/32")).collect()
    };
    spec["bastion"] = bastion_spec();
    settle(&spec, &mut cloud);
    let (addresses, have) = (of_bastion(&cloud), of_listeners(&cloud).join(" "));
    assert_eq!(addresses.len(), 2);
    assert!(
        addresses.iter().all(|address| have.contains(address)),
        "{have}"
    );
    // Neither object has a status after `clusterctl move`; the addresses stay until they have one again.
    cloud.holds.status = OpenStackClusterStatus::default();
    cloud.holds.bastion.as_mut().expect("an object").status = None;
    spec["apiServer"]["managedLoadBalancer"]["allowedCIDRs"] = json!(["192.0.2.0/25"]);
    let decision = plan(&want(spec.clone()), &cloud.holds, Timestamp::UNIX_EPOCH);
    let balancer = decision.status.status.api_server_managed_load_balancer;
    let now = balancer.expect("published").allowed_cidrs.join(" ");
    assert!(
        addresses.iter().all(|address| now.contains(address)),
        "{now}"
    );
    assert!(
        !now.contains("192.0.2.0/24"),
        "what users take out goes: {now}"
    );
    // It has to be gone to be shut out.
    spec["bastion"]["enabled"] = json!(false);
    settle(&spec, &mut cloud);
    let have = of_listeners(&cloud).join(" ");
    assert!(
        !addresses.iter().any(|address| have.contains(address)),
        "{have}"
    );
    assert_eq!(of_bastion(&cloud), [""; 0]);
}

#[test]
fn the_management_cluster_is_let_in() {
    for provider in ["amphora", "ovn"] {
        let mut cloud = cloud_with_ovn();
        cloud.holds.management.cidrs = vec!["198.51.100.9/32".parse().expect("a CIDR")];
        cloud.holds.management.let_in = true;
        settle(
            &restricted(provider, json!(["192.0.2.0/24"]), true),
            &mut cloud,
        );
        let rules = of_rules(&cloud, 8443);
        let listed = of_listeners(&cloud).contains(&"198.51.100.9/32");
        let ruled = rules.contains(&"198.51.100.9/32".to_string());
        assert_eq!((listed, ruled), (provider == "amphora", provider == "ovn"));
        // Who lets everybody in needs no exception.
        settle(&restricted(provider, json!([]), true), &mut cloud);
        assert_eq!(of_listeners(&cloud), Vec::<&str>::new());
        assert_eq!(of_rules(&cloud, 8443), ["anyone"]);
    }
}

#[test]
fn a_list_that_locks_the_management_cluster_out_is_refused() {
    for provider in ["amphora", "ovn"] {
        let mut cloud = cloud_with_ovn();
        cloud.holds.management.cidrs = vec!["198.51.100.9/32".parse().expect("a CIDR")];
        let good = restricted(provider, json!(["198.51.100.0/24"]), true);
        settle(&good, &mut cloud);
        let before = cloud.inventory();
        let (listeners, rules) = (cloud.holds.listeners.clone(), of_rules(&cloud, 8443));

        let bad = restricted(provider, json!(["192.0.2.0/24"]), true);
        let decision = plan(&want(bad.clone()), &cloud.holds, Timestamp::UNIX_EPOCH);
        match &decision.step {
            Step::Blocked(problem) => {
                assert_eq!(problem.reason, "LocksOutManagement");
                assert_eq!(
                    problem.field,
                    "spec.apiServer.managedLoadBalancer.allowedCIDRs"
                );
                assert!(problem.way_out.contains("198.51.100.9/32"), "{problem}");
            }
            other => panic!("{provider}: {other:?}"),
        }
        assert!(said(&decision).is_some_and(|(status, _)| status == "False"));
        assert_eq!(cloud.inventory(), before);
        assert_eq!(
            (&cloud.holds.listeners, of_rules(&cloud, 8443)),
            (&listeners, rules)
        );
        assert!(said(&settle(&good, &mut cloud)).is_some_and(|(status, _)| status == "True"));

        // What is in force already is nobody's change, also when the status is lost.
        cloud.holds.management.cidrs.clear();
        settle(&bad, &mut cloud);
        cloud.holds.management.cidrs = vec!["198.51.100.9/32".parse().expect("a CIDR")];
        cloud.holds.status = Default::default();
        assert!(is_true(
            &settle(&bad, &mut cloud).status.status.conditions,
            "Ready"
        ));
    }
}

/// Also the first list that there is: the rules of a group that let everybody in stay, and one that
/// lets nobody in does not begin to let everybody in.
#[test]
fn a_first_list_that_locks_the_management_cluster_out_is_refused_on_ovn() {
    let bad = restricted("ovn", json!(["192.0.2.0/24"]), true);
    let open = restricted("ovn", json!([]), true);
    for (before, rules) in [(Some(&open), vec!["anyone"]), (None, vec![])] {
        let mut cloud = cloud_with_ovn();
        if let Some(before) = before {
            settle(before, &mut cloud);
        }
        cloud.holds.management.cidrs = vec!["198.51.100.9/32".parse().expect("a CIDR")];
        let want = want(bad.clone());
        let problem = loop {
            let decision = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH);
            cloud.holds.status = decision.status.status.clone();
            match decision.step {
                Step::Do(actions) => {
                    let done = actions.iter().try_for_each(|action| cloud.apply(action));
                    done.expect("accepted");
                }
                Step::Wait(_) => cloud.tick(),
                Step::Blocked(problem) => break problem,
                Step::Done => panic!("the list is in force: {:?}", of_rules(&cloud, 8443)),
            }
        };
        assert_eq!(problem.reason, "LocksOutManagement");
        assert_eq!(of_rules(&cloud, 8443), rules);
        let decision = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH);
        assert!(said(&decision).is_some_and(|(status, _)| status == "False"));
        // And the way out is one.
        let good = restricted("ovn", json!(["198.51.100.0/24"]), true);
        settle(&good, &mut cloud);
        assert!(of_rules(&cloud, 8443).contains(&"198.51.100.0/24".to_string()));
    }
}

/// A subnet more is made before it is known which addresses are the cluster's own.
#[test]
fn rules_for_some_stay_while_it_is_open_whom_the_cluster_lets_in() {
    let mut cloud = cloud_with_ovn();
    let mut spec = restricted("ovn", json!(["192.0.2.0/24"]), true);
    settle(&spec, &mut cloud);
    let before = of_rules(&cloud, 8443);
    let ipv6 = json!({"cidr": "fd00:6::/64"});
    spec["managedSubnets"]
        .as_array_mut()
        .expect("subnets")
        .push(ipv6);
    let decision = plan(&want(spec.clone()), &cloud.holds, Timestamp::UNIX_EPOCH);
    let Step::Do(actions) = &decision.step else {
        panic!("{:?}", decision.step);
    };
    for action in actions {
        cloud.apply(action).expect("accepted");
    }
    assert_eq!(of_rules(&cloud, 8443), before);
    assert_eq!(said(&decision), Some(("True", "")));
    settle(&spec, &mut cloud);
    assert!(!of_rules(&cloud, 8443).contains(&"anyone".to_string()));
}

#[test]
fn a_host_with_the_length_of_a_network_is_that_network() {
    for provider in ["amphora", "ovn"] {
        let mut cloud = cloud_with_ovn();
        let users = json!(["192.0.2.17/24", "192.0.2.18/24"]);
        let decision = settle(&restricted(provider, users, true), &mut cloud);
        let status = decision.status.status.api_server_managed_load_balancer;
        let published = status.expect("published").allowed_cidrs;
        let nets = published.iter().filter(|cidr| cidr.starts_with("192.0.2."));
        assert_eq!(nets.collect::<Vec<_>>(), ["192.0.2.0/24"]);
    }
}

#[test]
fn a_list_in_other_words_is_not_set_again() {
    let mut cloud = cloud();
    let spec = restricted("amphora", json!(["192.0.2.1"]), true);
    settle(&spec, &mut cloud);
    for listener in &mut cloud.holds.listeners {
        listener.allowed_cidrs.reverse();
        let host = listener
            .allowed_cidrs
            .iter_mut()
            .find(|cidr| *cidr == "192.0.2.1/32");
        *host.expect("listed") = "192.0.2.1".into();
    }
    let step = plan(&want(spec), &cloud.holds, Timestamp::UNIX_EPOCH).step;
    assert_eq!(step, Step::Done);
}
