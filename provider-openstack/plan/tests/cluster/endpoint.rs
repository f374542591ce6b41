//! Where the API is reached, and what becomes of its floating IP.

use jiff::Timestamp;
use plan::cluster::{Action, Balance, Decision, delete, plan};
use plan::step::Step;
use plan::world::{FloatingIp, State};
use serde_json::{Value, json};

use super::balancing::{balanced, settle};
use super::cloud::Cloud;
use super::properties::converge;
use super::shapes::{cloud, gone, want};

const OURS: &str = "Created by cluster-api-provider-openstack cluster default-demo";

fn spec(api: Value) -> Value {
    json!({"managedSubnets": [{"cidr": "10.6.0.0/24"}], "apiServer": api})
}

/// Addresses of floating IPs that the cluster made.
fn made(cloud: &Cloud) -> Vec<&str> {
    let ours = cloud
        .holds
        .floating_ips
        .iter()
        .filter(|ip| ip.description == OURS);
    ours.map(|ip| ip.address.as_str()).collect()
}

fn ip(address: &str, description: &str) -> FloatingIp {
    FloatingIp {
        id: format!("ip-{address}"),
        address: address.into(),
        description: description.into(),
        ..FloatingIp::default()
    }
}

fn remove(spec: &Value, cloud: &mut Cloud) -> Decision {
    let gone = gone(spec.clone());
    converge(cloud, |seen| delete(&gone, seen, Timestamp::UNIX_EPOCH))
}

#[test]
fn the_endpoint_is_what_comes_first() {
    let balanced = json!({});
    for (api, given, expected, floating) in [
        (json!({"managedLoadBalancer": balanced}), None, "made", 1),
        (
            json!({"managedLoadBalancer": balanced, "enableFloatingIP": false}),
            None,
            "10.6.0.10",
            0,
        ),
        (
            json!({"managedLoadBalancer": balanced, "floatingIP": "203.0.113.200"}),
            None,
            "203.0.113.200",
            0,
        ),
        (
            json!({"managedLoadBalancer": balanced}),
            Some("203.0.113.200"),
            "kept",
            0,
        ),
        (
            json!({"managedLoadBalancer": {"enabled": false}}),
            None,
            "made",
            1,
        ),
        (json!({}), None, "made", 1),
        (json!({}), Some("203.0.113.77"), "kept", 0),
        (json!({"fixedIP": "10.6.0.50"}), None, "made", 1),
        (
            json!({"floatingIP": "203.0.113.200"}),
            None,
            "203.0.113.200",
            0,
        ),
        (
            json!({"enableFloatingIP": false, "fixedIP": "10.6.0.50"}),
            None,
            "10.6.0.50",
            0,
        ),
        (
            json!({"enableFloatingIP": false}),
            Some("api.example.org"),
            "kept",
            0,
        ),
    ] {
        let (mut cloud, mut spec) = (cloud(), spec(api));
        if let Some(host) = given {
            spec["controlPlaneEndpoint"] = json!({"host": host, "port": 443});
            cloud.holds.endpoint_address = Some(host.into());
        }
        let endpoint = settle(&spec, &mut cloud).status.endpoint;
        assert_eq!(made(&cloud).len(), floating, "{spec}");
        match expected {
            "made" => assert_eq!(
                endpoint,
                Some((made(&cloud)[0].to_string(), 6443)),
                "{spec}"
            ),
            "kept" => assert_eq!(endpoint, None, "{spec}"),
            host => assert_eq!(endpoint, Some((host.to_string(), 6443)), "{spec}"),
        }
    }
}

#[test]
fn without_an_external_network_there_is_no_floating_ip() {
    let mut spec = spec(json!({"fixedIP": "10.6.0.50"}));
    spec["enableExternalNetwork"] = json!(false);
    let mut cloud = cloud();
    let endpoint = settle(&spec, &mut cloud).status.endpoint;
    assert_eq!(endpoint, Some(("10.6.0.50".into(), 6443)));
    assert_eq!(made(&cloud), Vec::<&str>::new());
}

#[test]
fn the_port_is_that_of_the_endpoint_then_that_of_the_spec() {
    for (endpoint, api, expected) in [
        (
            json!({"host": "203.0.113.200", "port": 443}),
            json!(8443),
            443,
        ),
        (json!({"host": "", "port": 443}), json!(8443), 8443),
        (
            json!({"host": "203.0.113.200", "port": 0}),
            json!(8443),
            8443,
        ),
        (Value::Null, json!(0), 6443),
        (Value::Null, Value::Null, 6443),
    ] {
        let mut spec = spec(json!({"port": api, "managedLoadBalancer": {}}));
        spec["controlPlaneEndpoint"] = endpoint;
        spec["managedSecurityGroups"] = json!({});
        let mut cloud = cloud();
        settle(&spec, &mut cloud);
        assert_eq!(cloud.holds.listeners[0].port, expected, "{spec}");
        let rules = cloud
            .holds
            .security_groups
            .iter()
            .flat_map(|group| &group.rules);
        let to_api = rules.filter(|have| have.rule.port_min == Some(i32::from(expected)));
        assert_eq!(to_api.count(), 1, "{spec}");
    }
}

#[test]
fn api_servers_may_listen_on_another_port_than_the_load_balancer() {
    let mut spec = balanced(json!({"memberPort": 6443}), json!({"port": 443}));
    spec["managedSecurityGroups"] = json!({});
    let mut cloud = cloud();
    let endpoint = settle(&spec, &mut cloud).status.endpoint;
    assert_eq!(endpoint.map(|(_, port)| port), Some(443));
    assert_eq!(cloud.holds.listeners[0].port, 443);
    let rules = || {
        cloud
            .holds
            .security_groups
            .iter()
            .flat_map(|group| &group.rules)
    };
    let opens = |port: i32| rules().any(|have| have.rule.port_min == Some(port));
    assert!(opens(6443) && !opens(443));
}

/// As when there is no route to it yet, which may last.
#[test]
fn a_floating_ip_that_cannot_be_attached_is_not_made_again() {
    let spec = balanced(json!({}), json!({}));
    let (want, mut cloud) = (want(spec), cloud());
    for _ in 0..30 {
        match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            Step::Do(actions) => {
                let refused =
                    |action: &&Action| !matches!(action, Action::AssociateFloatingIp { .. });
                let accepted = actions.iter().filter(refused);
                accepted.for_each(|action| cloud.apply(action).expect("accepted"));
            }
            _ => cloud.tick(),
        }
    }
    assert_eq!(made(&cloud).len(), 1);
}

#[test]
fn a_floating_ip_is_found_again_without_a_status() {
    for api in [json!({"managedLoadBalancer": {}}), json!({})] {
        let (spec, mut cloud) = (spec(api), cloud());
        let endpoint = settle(&spec, &mut cloud).status.endpoint;
        let all = cloud.inventory();
        cloud.holds.status = Default::default();
        assert_eq!(settle(&spec, &mut cloud).status.endpoint, endpoint);
        assert_eq!(cloud.inventory(), all);
    }
}

#[test]
fn a_floating_ip_that_leads_nowhere_goes_with_the_cluster() {
    // Nobody ever held it; it was not attached yet; the load balancer is gone already.
    for (balanced, before) in [
        (false, None),
        (true, Some("attach")),
        (true, Some("delete")),
    ] {
        let api = if balanced {
            json!({"managedLoadBalancer": {}})
        } else {
            json!({})
        };
        let (spec, mut cloud) = (spec(api), cloud());
        let empty = cloud.inventory();
        settle(&spec, &mut cloud);
        assert_eq!(made(&cloud).len(), 1);
        for ip in &mut cloud.holds.floating_ips {
            ip.port_id = None;
        }
        if before == Some("delete") {
            cloud
                .holds
                .load_balancers
                .retain(|balancer| balancer.id == "lb-other");
            cloud
                .holds
                .ports
                .retain(|port| port.device_owner != "Octavia");
            cloud.holds.listeners.clear();
            cloud.holds.pools.clear();
            cloud.holds.monitors.clear();
        }
        cloud.holds.status = Default::default();
        remove(&spec, &mut cloud);
        assert_eq!(cloud.inventory(), empty, "{before:?}");
    }
}

#[test]
fn a_floating_ip_of_the_user_is_let_go_and_kept() {
    let by_field = balanced(json!({}), json!({"floatingIP": "203.0.113.200"}));
    let mut by_endpoint = balanced(json!({}), json!({}));
    by_endpoint["controlPlaneEndpoint"] = json!({"host": "203.0.113.200", "port": 6443});
    for spec in [by_field, by_endpoint] {
        let mut cloud = cloud();
        let empty = cloud.inventory();
        cloud.holds.endpoint_address = Some("203.0.113.200".into());
        settle(&spec, &mut cloud);
        let leads = |cloud: &Cloud| {
            let mut all = cloud.holds.floating_ips.iter();
            all.any(|ip| ip.address == "203.0.113.200" && ip.port_id.is_some())
        };
        assert!(leads(&cloud));
        remove(&spec, &mut cloud);
        assert!(!leads(&cloud));
        assert_eq!(cloud.inventory(), empty);
    }
}

#[test]
fn a_floating_ip_becomes_the_user_s_by_naming_it() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({}));
    settle(&spec, &mut cloud);
    let address = made(&cloud)[0].to_string();
    spec["apiServer"]["floatingIP"] = json!(address);
    settle(&spec, &mut cloud);
    remove(&spec, &mut cloud);
    assert_eq!(made(&cloud), [address]);
}

#[test]
fn the_network_outlives_the_load_balancer() {
    for state in [State::Active, State::Pending, State::Error] {
        let mut cloud = cloud();
        let spec = balanced(json!({}), json!({}));
        let empty = cloud.inventory();
        settle(&spec, &mut cloud);
        let ours = |cloud: &Cloud| {
            cloud
                .holds
                .load_balancers
                .iter()
                .any(|lb| lb.id != "lb-other")
        };
        for balancer in &mut cloud.holds.load_balancers {
            balancer.state = state;
        }
        let gone = gone(spec.clone());
        let mut deleted = 0;
        while ours(&cloud) {
            match delete(&gone, &cloud.holds, Timestamp::UNIX_EPOCH).step {
                Step::Do(actions) => {
                    for action in &actions {
                        let of_network = matches!(
                            action,
                            Action::DeleteNetwork { .. } | Action::RemoveRouterInterface { .. }
                        );
                        assert!(!of_network, "{action}");
                        deleted += usize::from(matches!(
                            action,
                            Action::Balance {
                                change: Balance::Delete,
                                ..
                            }
                        ));
                        // What is in error can be deleted, and nothing else done to it.
                        for balancer in &mut cloud.holds.load_balancers {
                            balancer.state = State::Active;
                        }
                        cloud.apply(action).expect("accepted");
                    }
                }
                Step::Wait(waiting) => {
                    assert_eq!(waiting.reason, "LoadBalancerDeleting");
                    cloud.tick();
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(deleted, 1);
        remove(&spec, &mut cloud);
        assert_eq!(cloud.inventory(), empty);
    }
}

#[test]
fn somebody_else_s_floating_ips_are_nobody_s_business() {
    let mut cloud = cloud();
    cloud
        .holds
        .floating_ips
        .push(ip("203.0.113.66", "of a colleague"));
    let all = cloud.holds.floating_ips.clone();
    let spec = balanced(json!({}), json!({}));
    settle(&spec, &mut cloud);
    remove(&spec, &mut cloud);
    assert_eq!(cloud.holds.floating_ips, all);
}

/// The request for it was done twice, and the endpoint is written since.
#[test]
fn a_floating_ip_made_twice_goes_also_without_a_load_balancer() {
    let mut given = spec(json!({}));
    let mut cloud = cloud();
    let endpoint = settle(&given, &mut cloud).status.endpoint;
    let (host, port) = endpoint.expect("an endpoint");
    given["controlPlaneEndpoint"] = json!({"host": host, "port": port});
    cloud.holds.floating_ips.push(ip("203.0.113.77", OURS));
    cloud
        .holds
        .floating_ips
        .push(ip("203.0.113.78", "somebody's"));
    settle(&given, &mut cloud);
    assert_eq!(made(&cloud), [host]);
    let left = cloud.holds.floating_ips.iter();
    assert!(left.clone().any(|ip| ip.address == "203.0.113.78"));
    // A name says nothing of which one it leads to.
    given["controlPlaneEndpoint"] = json!({"host": "api.example.org", "port": port});
    let before = cloud.holds.floating_ips.len();
    settle(&given, &mut cloud);
    assert_eq!(cloud.holds.floating_ips.len(), before);
}
