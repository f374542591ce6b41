//! The load balancer in front of the API, wish by wish.

use jiff::Timestamp;
use plan::cluster::{Action, Balance, Decision, NewLoadBalancer, plan};
use plan::step::Step;
use plan::world::{LoadBalancer, State, Subnet};
use serde_json::{Value, json};

use super::cloud::{Cloud, PROJECT};
use super::properties::converge;
use super::shapes::{cloud, want};

/// A managed network and a load balancer with these wishes; `api` is the rest of `apiServer`.
pub fn balanced(wishes: Value, api: Value) -> Value {
    let mut spec = json!({"managedSubnets": [{"cidr": "10.6.0.0/24"}], "apiServer": api});
    spec["apiServer"]["managedLoadBalancer"] = wishes;
    spec
}

pub fn settle(spec: &Value, cloud: &mut Cloud) -> Decision {
    let want = want(spec.clone());
    converge(cloud, |seen| plan(&want, seen, Timestamp::UNIX_EPOCH))
}

/// A cloud with a network `dual` that has a subnet of either family, or of IPv6 alone.
pub fn dual_cloud(only_ipv6: bool) -> Cloud {
    let mut cloud = cloud();
    let mut network = cloud.holds.networks[1].clone();
    (network.id, network.name) = ("dual".into(), "dual".into());
    cloud.holds.networks.push(network);
    for (id, cidr) in [("s-four", "10.8.0.0/24"), ("s-six", "fd08::/64")] {
        let subnet = Subnet {
            id: id.into(),
            name: id.into(),
            network_id: "dual".into(),
            project_id: PROJECT.into(),
            cidr: cidr.parse().expect("a CIDR"),
            ..cloud.holds.subnets[0].clone()
        };
        if !(only_ipv6 && id == "s-four") {
            let mut port = cloud.holds.ports[0].clone();
            port.id = format!("p-{id}");
            port.fixed_ips[0].subnet_id = id.into();
            cloud.holds.ports.push(port);
            cloud.holds.subnets.push(subnet);
        }
    }
    cloud
}

/// How the load balancer is asked for, and the warnings that go with it.
fn created(spec: &Value, cloud: &mut Cloud) -> (NewLoadBalancer, Vec<&'static str>) {
    let want = want(spec.clone());
    for _ in 0..20 {
        let decision = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH);
        let Step::Do(actions) = &decision.step else {
            panic!("{:?}", decision.step);
        };
        for action in actions {
            if let Action::CreateLoadBalancer(new) = action {
                let warnings = decision.status.warnings.iter();
                return (new.clone(), warnings.map(|(reason, _)| *reason).collect());
            }
            cloud.apply(action).expect("accepted");
        }
    }
    panic!("no load balancer is asked for");
}

#[test]
fn it_is_made_as_the_spec_says() {
    let on = |network: &str| json!({"filter": {"name": network}});
    let cases = [
        (
            json!({}),
            json!({}),
            json!(["managed", "10.6.0.0/24", null, null, null, null]),
        ),
        (
            json!({"provider": "amphora", "flavor": "big", "availabilityZone": "az2"}),
            json!({}),
            json!(["managed", "10.6.0.0/24", null, "amphora", "f-big", "az2"]),
        ),
        (
            json!({"network": on("brought")}),
            json!({}),
            json!(["brought", null, null, null, null, null]),
        ),
        (
            json!({"network": on("brought"), "subnets": [{"filter": {"cidr": "10.7.0.0/24"}}]}),
            json!({}),
            json!(["brought", "10.7.0.0/24", null, null, null, null]),
        ),
        (
            json!({"subnets": [{"filter": {"ipVersion": 4}}]}),
            json!({"fixedIP": "10.6.0.77"}),
            json!(["managed", "10.6.0.0/24", "10.6.0.77", null, null, null]),
        ),
    ];
    for (wishes, api, expected) in cases {
        let mut cloud = cloud();
        cloud.holds.octavia.flavors = vec![("f-big".into(), "big".into())];
        let (new, warnings) = created(&balanced(wishes.clone(), api), &mut cloud);
        let subnets = &cloud.holds.subnets;
        let cidr = |id: &String| {
            subnets
                .iter()
                .find(|s| s.id == *id)
                .map(|s| s.cidr.to_string())
        };
        let network = if new.vip_network == "brought" {
            "brought"
        } else {
            "managed"
        };
        let subnet = new.vip_subnet.as_ref().and_then(cidr);
        let is = json!([
            network,
            subnet,
            new.vip_address,
            new.provider,
            new.flavor,
            new.availability_zone
        ]);
        assert_eq!(is, expected, "{wishes}");
        assert_eq!(warnings, Vec::<&str>::new(), "{wishes}");
        assert_eq!(new.additional_vip_subnets, Vec::<String>::new(), "{wishes}");
    }
}

#[test]
fn what_octavia_does_not_offer_is_done_without_and_said() {
    let wishes = json!({"provider": "nope", "flavor": "nope"});
    let (new, warnings) = created(&balanced(wishes, json!({})), &mut cloud());
    assert_eq!((new.provider, new.flavor), (None, None));
    assert_eq!(
        warnings,
        ["Octaviaprovidernotfound", "Octaviaflavornotfound"]
    );
}

#[test]
fn the_subnet_of_the_address_is_the_primary_one_or_the_one_that_holds_it() {
    for (primary, fixed, floating, expected) in [
        (None, None, true, "s-four"),
        (None, None, false, "s-six"),
        (Some("s-four"), None, false, "s-four"),
        (Some("s-four"), Some("fd08::77"), false, "s-six"),
        (None, Some("10.8.0.77"), false, "s-four"),
    ] {
        let mut spec = json!({
            "subnets": [{"id": "s-six"}, {"id": "s-four"}],
            "apiServer": {"managedLoadBalancer": {}, "enableFloatingIP": floating, "fixedIP": fixed},
        });
        if let Some(primary) = primary {
            spec["primarySubnet"] = json!({"id": primary});
        }
        let (new, _) = created(&spec, &mut dual_cloud(false));
        assert_eq!(new.vip_subnet.as_deref(), Some(expected), "{spec}");
        assert_eq!(new.vip_address.as_deref(), fixed);
    }
}

#[test]
fn the_address_of_an_endpoint_without_floating_ip_is_the_load_balancer_s() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({"enableFloatingIP": false}));
    spec["controlPlaneEndpoint"] = json!({"host": "api.example.org", "port": 443});
    cloud.holds.endpoint_address = Some("10.6.0.42".into());
    let (new, _) = created(&spec, &mut cloud);
    assert_eq!(new.vip_address.as_deref(), Some("10.6.0.42"));
}

#[test]
fn a_load_balancer_that_is_made_anew_keeps_the_endpoint() {
    for floating in [true, false] {
        let mut cloud = cloud();
        let spec = balanced(json!({}), json!({"enableFloatingIP": floating}));
        let endpoint = settle(&spec, &mut cloud).status.endpoint;
        let id = |cloud: &Cloud| cloud.holds.load_balancers.last().map(|lb| lb.id.clone());
        let before = id(&cloud);
        cloud
            .holds
            .load_balancers
            .retain(|balancer| balancer.id == "lb-other");
        cloud.holds.listeners.clear();
        cloud.holds.pools.clear();
        cloud.holds.monitors.clear();
        cloud
            .holds
            .ports
            .retain(|port| port.device_owner != "Octavia");
        cloud
            .holds
            .floating_ips
            .iter_mut()
            .for_each(|ip| ip.port_id = None);
        // Somebody took the address that Octavia would choose.
        cloud.vip_offset = 1;
        assert_eq!(settle(&spec, &mut cloud).status.endpoint, endpoint);
        assert_ne!(id(&cloud), before);
    }
}

#[test]
fn every_port_gets_listener_pool_and_monitor() {
    for (provider, port) in [("amphora", 6443), ("ovn", 8443)] {
        let mut cloud = cloud();
        cloud.holds.octavia.providers.push("ovn".into());
        let wishes = json!({
            "provider": provider, "additionalPorts": [9000, 22],
            "monitor": {"delay": 7, "maxRetries": 2},
        });
        let spec = balanced(wishes, json!({"port": port}));
        let (want, mut pools) = (want(spec.clone()), Vec::new());
        for _ in 0..40 {
            match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
                Step::Do(actions) => actions.iter().for_each(|action| {
                    if let Action::Balance {
                        change: Balance::CreatePool(new),
                        ..
                    } = action
                    {
                        pools.push(format!("{:?}", new.method));
                    }
                    cloud.apply(action).expect("accepted");
                }),
                Step::Wait(_) => cloud.tick(),
                _ => break,
            }
        }
        let decision = settle(&spec, &mut cloud);
        let holds = &cloud.holds;
        let ours: Vec<u16> = holds
            .listeners
            .iter()
            .map(|listener| listener.port)
            .collect();
        assert_eq!(ours, [port, 9000, 22]);
        assert_eq!((holds.pools.len(), holds.monitors.len()), (3, 3));
        let method = if provider == "ovn" {
            "SourceIpPort"
        } else {
            "RoundRobin"
        };
        assert_eq!(pools, [method; 3]);
        let probe = &holds.monitors[0];
        let probe = (
            probe.delay,
            probe.timeout,
            probe.max_retries,
            probe.max_retries_down,
        );
        assert_eq!(probe, (7, 5, 2, 3));
        assert!(
            decision
                .status
                .endpoint
                .is_some_and(|(_, endpoint)| endpoint == port)
        );
    }
}

#[test]
fn a_changed_monitor_is_updated_in_place() {
    let mut cloud = cloud();
    settle(&balanced(json!({}), json!({})), &mut cloud);
    let before: Vec<String> = cloud.holds.monitors.iter().map(|m| m.id.clone()).collect();
    settle(
        &balanced(json!({"monitor": {"timeout": 9}}), json!({})),
        &mut cloud,
    );
    assert_eq!(cloud.holds.monitors[0].timeout, 9);
    assert_eq!(cloud.holds.monitors[0].id, before[0]);
    assert_eq!(cloud.holds.monitors.len(), 1);
}

#[test]
fn a_monitor_in_error_is_made_anew() {
    let mut cloud = cloud();
    let spec = balanced(json!({}), json!({}));
    settle(&spec, &mut cloud);
    let broken = &mut cloud.holds.monitors[0];
    broken.state = State::Error;
    let before = broken.id.clone();
    settle(&spec, &mut cloud);
    let [monitor] = cloud.holds.monitors.as_slice() else {
        panic!("one monitor: {:?}", cloud.holds.monitors);
    };
    assert_ne!(monitor.id, before);
    cloud.tick();
    // As long as the list shows one that goes, another one is made all the same.
    cloud.holds.monitors[0].state = State::Deleting;
    let Step::Do(actions) = plan(&want(spec), &cloud.holds, Timestamp::UNIX_EPOCH).step else {
        panic!("a monitor is missing");
    };
    assert_eq!(
        actions.iter().map(Action::name).collect::<Vec<_>>(),
        ["CreateMonitor"]
    );
}

/// The last child of a new load balancer may still fail.
#[test]
fn a_cluster_is_provisioned_when_its_load_balancer_is_active() {
    let (want, mut cloud) = (want(balanced(json!({}), json!({}))), cloud());
    for _ in 0..40 {
        let decision = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH);
        let busy = (cloud.holds.load_balancers.iter()).any(|lb| lb.state != State::Active);
        let status = decision.status.status;
        let provisioned = status.initialization.as_ref().and_then(|i| i.provisioned);
        assert!(
            !(busy && provisioned == Some(true)),
            "{:?}",
            cloud.inventory()
        );
        cloud.holds.status = status;
        match decision.step {
            Step::Do(actions) => actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("accepted")),
            Step::Wait(_) => cloud.tick(),
            _ => return assert_eq!(provisioned, Some(true)),
        }
    }
    panic!("does not come about: {:?}", cloud.inventory());
}

#[test]
fn both_families_get_an_address_where_the_provider_can() {
    let spec = |provider: Option<&str>, floating: bool| {
        json!({
            "network": {"filter": {"name": "dual"}},
            "apiServer": {"managedLoadBalancer": {"provider": provider}, "enableFloatingIP": floating},
        })
    };
    for (version, provider, refuses, expected) in [
        ((2, 27), Some("amphora"), false, &["s-six"][..]),
        ((2, 27), None, false, &["s-six"]),
        ((2, 25), None, false, &[]),
        ((2, 27), Some("ovn"), false, &[]),
        ((2, 27), None, true, &[]),
    ] {
        let mut cloud = dual_cloud(false);
        cloud.holds.octavia.version = version;
        cloud.holds.octavia.refuses_additional_vips = refuses;
        if provider == Some("ovn") {
            cloud.holds.octavia.providers.push("ovn".into());
        }
        let (new, _) = created(&spec(provider, true), &mut cloud);
        assert_eq!(new.vip_subnet.as_deref(), Some("s-four"));
        assert_eq!(
            new.additional_vip_subnets, expected,
            "{version:?} {provider:?}"
        );
    }
    // The endpoint is an address of the load balancer, whatever its family is.
    let mut cloud = dual_cloud(true);
    let decision = settle(&spec(None, false), &mut cloud);
    assert_eq!(decision.status.endpoint, Some(("fd08::a".into(), 6443)));
}

#[test]
fn a_floating_ip_needs_ipv4() {
    let spec =
        json!({"network": {"filter": {"name": "dual"}}, "apiServer": {"managedLoadBalancer": {}}});
    let mut cloud = dual_cloud(true);
    let blocked = |cloud: &Cloud| {
        let want = want(spec.clone());
        match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            Step::Blocked(problem) => problem,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(blocked(&cloud).reason, "FloatingIPNeedsIPv4");
    // Also when the load balancer was made before.
    cloud.holds.load_balancers.push(LoadBalancer {
        id: "lb".into(),
        name: "k8s-clusterapi-cluster-default-demo-kubeapi".into(),
        vip_address: "fd08::a".into(),
        vip_port_id: "p-s-six".into(),
        ..LoadBalancer::default()
    });
    let want = want(spec.clone());
    for _ in 0..20 {
        match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            Step::Do(actions) => {
                let floating = actions
                    .iter()
                    .find(|action| matches!(action, Action::CreateFloatingIp(_)));
                assert_eq!(floating, None);
                actions
                    .iter()
                    .for_each(|action| cloud.apply(action).expect("accepted"));
            }
            Step::Wait(_) => cloud.tick(),
            _ => break,
        }
    }
    assert_eq!(blocked(&cloud).field, "spec.apiServer.enableFloatingIP");
}

#[test]
fn a_listener_or_pool_in_error_is_named() {
    for broken in ["listener", "pool"] {
        let mut cloud = cloud();
        let spec = balanced(json!({}), json!({}));
        settle(&spec, &mut cloud);
        let id = match broken {
            "listener" => {
                cloud.holds.listeners[0].state = State::Error;
                cloud.holds.listeners[0].id.clone()
            }
            _ => {
                cloud.holds.pools[0].state = State::Error;
                cloud.holds.pools[0].id.clone()
            }
        };
        match plan(&want(spec), &cloud.holds, Timestamp::UNIX_EPOCH).step {
            Step::Blocked(problem) => {
                assert_eq!(
                    (problem.reason.as_str(), problem.value),
                    ("LoadBalancerError", id)
                );
                assert!(problem.field.starts_with(broken), "{}", problem.field);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn of_two_load_balancers_made_by_lost_answers_the_one_that_leads_nowhere_goes() {
    let mut cloud = cloud();
    let spec = balanced(json!({}), json!({}));
    settle(&spec, &mut cloud);
    let (balancer, listener) = (
        cloud.holds.load_balancers[1].clone(),
        &cloud.holds.listeners[0],
    );
    // Its id sorts first, and it has a listener too.
    let late = "a-late-one".to_string();
    let of_late = plan::world::Listener {
        id: "late-listener".into(),
        load_balancer_id: late.clone(),
        ..listener.clone()
    };
    cloud.holds.listeners.push(of_late);
    cloud.holds.load_balancers.push(LoadBalancer {
        id: late,
        vip_port_id: "late-port".into(),
        ..balancer.clone()
    });
    settle(&spec, &mut cloud);
    let left: Vec<&String> = cloud.holds.load_balancers.iter().map(|lb| &lb.id).collect();
    assert_eq!(left, ["lb-other", &balancer.id]);
    assert_eq!(cloud.holds.listeners.len(), 1);
}
