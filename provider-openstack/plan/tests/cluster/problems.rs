//! Wishes that cannot be fulfilled name themselves, and break nothing.

use jiff::Timestamp;
use plan::cluster::{Action, NewNetwork, Seen, Want, delete, is_of_cloud, plan};
use plan::step::{Problem, Step};
use plan::world::{
    Direction, EtherType, ExistingRule, FloatingIp, Network, Port, Rule, SecurityGroup, State,
};
use serde_json::{Value, json};

use super::cloud::PROJECT;
use super::shapes::{cloud, cluster, gone, owner, want};

fn managed() -> Value {
    json!({"managedSubnets": [{"cidr": "10.6.0.0/24"}], "apiServer": {"managedLoadBalancer": {}}})
}

fn with(field: &str, value: Value) -> Value {
    let mut spec = managed();
    spec[field] = value;
    spec
}

fn blocked(spec: Value, seen: &Seen) -> (Problem, Value) {
    let decision = plan(&want(spec), seen, Timestamp::UNIX_EPOCH);
    let conditions = serde_json::to_value(&decision.status.status.conditions).expect("JSON");
    match decision.step {
        Step::Blocked(problem) => (problem, conditions),
        other => panic!("not blocked but {other:?}"),
    }
}

fn condition<'a>(conditions: &'a Value, type_: &str) -> &'a Value {
    let all = conditions.as_array().expect("a list");
    all.iter()
        .find(|condition| condition["type"] == type_)
        .expect("a condition")
}

#[test]
fn an_unknown_external_network_is_named() {
    let (problem, conditions) = blocked(
        with("externalNetwork", json!({"filter": {"name": "publik"}})),
        &cloud().holds,
    );
    assert_eq!(problem.reason, "ExternalNetworkNotFound");
    assert_eq!(
        problem.to_string(),
        "OpenStackCluster demo: spec.externalNetwork = {\"name\":\"publik\"}: there is no such external network: \
         did you mean public?"
    );
    let network = condition(&conditions, "NetworkReady");
    assert_eq!(
        (&network["status"], &network["reason"]),
        (&json!("False"), &json!("OpenStackError"))
    );
    assert_eq!(
        condition(&conditions, "Ready")["message"],
        json!(problem.to_string())
    );
}

#[test]
fn one_of_several_external_networks_must_be_named() {
    let mut cloud = cloud();
    let second = Network {
        id: "x2".into(),
        name: "dmz".into(),
        external: true,
        ..Network::default()
    };
    cloud.holds.networks.push(second);
    let (problem, _) = blocked(managed(), &cloud.holds);
    assert_eq!(problem.reason, "SeveralExternalNetworks");
    assert!(
        problem.way_out.contains("public") && problem.way_out.contains("dmz x2"),
        "{problem}"
    );
}

#[test]
fn brought_networks_subnets_and_routers_must_exist() {
    for (spec, reason, field) in [
        (
            json!({"network": {"id": "nope"}}),
            "NetworkNotFound",
            "spec.network",
        ),
        (
            json!({"subnets": [{"filter": {"cidr": "10.99.0.0/24"}}]}),
            "SubnetNotFound",
            "spec.subnets[0]",
        ),
        (
            json!({"network": {"filter": {"name": "public"}}}),
            "SubnetNotFound",
            "spec.subnets",
        ),
        (
            with("router", json!({"filter": {"name": "nope"}})),
            "RouterNotFound",
            "spec.router",
        ),
        (
            json!({"subnets": [{"filter": {"projectID": PROJECT}}]}),
            "SubnetAmbiguous",
            "spec.subnets[0]",
        ),
    ] {
        let (problem, _) = blocked(spec, &cloud().holds);
        assert_eq!(
            (problem.reason.as_str(), problem.field.as_str()),
            (reason, field)
        );
    }
}

#[test]
fn specs_that_contradict_themselves_are_refused() {
    for (spec, field) in [
        (json!({}), "spec.managedSubnets"),
        (
            json!({"managedSubnets": [{"cidr": "10.6.0.0"}]}),
            "spec.managedSubnets[0].cidr",
        ),
        (
            json!({"managedSubnets": [{"cidr": "10.6.0.0/24"}], "apiServer": {"managedLoadBalancer": {"additionalPorts": [70000]}}}),
            "spec.apiServer.managedLoadBalancer.additionalPorts",
        ),
    ] {
        let problem = plan::cluster::Want::of(&cluster(spec), &owner()).expect_err("refused");
        assert_eq!(
            (problem.reason.as_str(), problem.field.as_str()),
            ("InvalidSpec", field)
        );
    }
}

#[test]
fn without_an_endpoint_the_way_out_is_said() {
    let spec = json!({"managedSubnets": [{"cidr": "10.6.0.0/24"}], "apiServer": {"enableFloatingIP": false}});
    let mut cloud = cloud();
    let want = want(spec);
    for _ in 0..10 {
        if let Step::Do(actions) = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("accepted"));
        }
    }
    match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
        Step::Blocked(problem) => assert!(
            problem.way_out.contains("spec.apiServer.fixedIP"),
            "{problem}"
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_users_floating_ip_is_not_taken_from_another_port() {
    let mut cloud = cloud();
    let mut spec = managed();
    spec["apiServer"]["floatingIP"] = json!("203.0.113.200");
    let want = want(spec.clone());
    for ip in &mut cloud.holds.floating_ips {
        ip.port_id = Some("somebody".into());
    }
    for _ in 0..20 {
        match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            Step::Do(actions) => actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("accepted")),
            Step::Wait(_) => cloud.tick(),
            _ => break,
        }
        cloud.tick();
    }
    let (problem, _) = blocked(spec, &cloud.holds);
    assert_eq!(
        (problem.reason.as_str(), problem.value.as_str()),
        ("FloatingIPInUse", "203.0.113.200")
    );
}

#[test]
fn two_groups_of_one_name_are_not_guessed_between() {
    let mut cloud = cloud();
    let name = "k8s-cluster-default-demo-secgroup-worker";
    // A new group has two rules, so that both of these are in use.
    let rule = |port| ExistingRule {
        id: format!("rule-{port}"),
        rule: tcp(port),
    };
    let three: Vec<ExistingRule> = [1, 2, 3].map(rule).into();
    for id in ["a", "b"] {
        cloud.holds.security_groups.push(SecurityGroup {
            id: id.into(),
            name: name.into(),
            description: "Cluster API managed group".into(),
            rules: three.clone(),
            ..SecurityGroup::default()
        });
    }
    let decision = plan(
        &want(with("managedSecurityGroups", json!({}))),
        &cloud.holds,
        Timestamp::UNIX_EPOCH,
    );
    let conditions = serde_json::to_value(&decision.status.status.conditions).expect("JSON");
    let groups = condition(&conditions, "SecurityGroupsReady");
    assert_eq!(groups["reason"], "SecurityGroupCreateFailed");
    assert!(
        groups["message"]
            .as_str()
            .is_some_and(|message| message.contains("(a, b)")),
        "{groups}"
    );
}

#[test]
fn machines_and_foreign_ports_hold_deletion_up() {
    let mut cloud = cloud();
    cloud
        .apply(&Action::CreateNetwork(NewNetwork {
            name: "k8s-clusterapi-cluster-default-demo".into(),
            description: String::new(),
            mtu: None,
            port_security: None,
        }))
        .expect("accepted");
    let network = cloud.holds.networks.last().expect("a network").id.clone();
    let port = |name: &str| Port {
        id: name.into(),
        name: name.into(),
        network_id: network.clone(),
        ..Port::default()
    };
    cloud
        .holds
        .ports
        .extend([port("demo-control-plane-x-0"), port("database")]);
    cloud.holds.machines = 2;
    let step = |seen: &Seen| delete(&gone(managed()), seen, Timestamp::UNIX_EPOCH).step;
    assert!(
        matches!(step(&cloud.holds), Step::Wait(waiting) if waiting.reason == "WaitingForMachines")
    );
    cloud.holds.machines = 0;
    assert_eq!(
        step(&cloud.holds),
        Step::Do(vec![Action::DeletePort {
            port: "demo-control-plane-x-0".into()
        }])
    );
    cloud
        .holds
        .ports
        .retain(|port| port.name != "demo-control-plane-x-0");
    match step(&cloud.holds) {
        Step::Wait(waiting) => {
            assert_eq!(waiting.reason, "NetworkInUse");
            assert!(waiting.message.contains("database"), "{}", waiting.message);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_floating_ip_of_the_user_survives_the_cluster() {
    let mut cloud = cloud();
    let mut spec = managed();
    spec["apiServer"]["floatingIP"] = json!("203.0.113.9");
    let description = "Created by cluster-api-provider-openstack cluster default-demo".to_string();
    let address = "203.0.113.9".to_string();
    cloud.holds.floating_ips = vec![FloatingIp {
        id: "ip".into(),
        address,
        description,
        ..FloatingIp::default()
    }];
    assert_eq!(
        delete(&gone(spec), &cloud.holds, Timestamp::UNIX_EPOCH).step,
        Step::Done
    );
    let deleted = Step::Do(vec![Action::DeleteFloatingIp {
        floating_ip: "ip".into(),
    }]);
    assert_eq!(
        delete(&gone(managed()), &cloud.holds, Timestamp::UNIX_EPOCH).step,
        deleted
    );
}

#[test]
fn a_load_balancer_in_error_is_reported() {
    let mut cloud = cloud();
    let want = want(managed());
    for _ in 0..6 {
        if let Step::Do(actions) = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("accepted"));
        }
    }
    for balancer in &mut cloud.holds.load_balancers {
        balancer.state = State::Error;
    }
    let (problem, conditions) = blocked(managed(), &cloud.holds);
    assert_eq!(problem.reason, "LoadBalancerError");
    assert_eq!(
        condition(&conditions, "APIEndpointReady")["reason"],
        "APIEndpointConfigFailed"
    );
}

#[test]
fn a_complete_load_balancer_may_be_busy_with_its_members() {
    let (want, mut cloud) = (want(managed()), cloud());
    let step = |seen: &Seen| plan(&want, seen, Timestamp::UNIX_EPOCH).step;
    for _ in 0..30 {
        let decision = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH);
        cloud.holds.status = decision.status.status;
        match decision.step {
            Step::Do(actions) => {
                actions
                    .iter()
                    .for_each(|action| cloud.apply(action).expect("accepted"));
            }
            _ => cloud.tick(),
        }
    }
    let set = |seen: &mut Seen, state| {
        seen.load_balancers
            .iter_mut()
            .for_each(|balancer| balancer.state = state);
    };
    set(&mut cloud.holds, State::Pending);
    assert_eq!(step(&cloud.holds), Step::Done);
    cloud.holds.monitors.clear();
    assert!(
        matches!(step(&cloud.holds), Step::Wait(waiting) if waiting.reason == "LoadBalancerPending")
    );
}

fn tcp(port: i32) -> Rule {
    Rule {
        direction: Direction::Ingress,
        ether_type: EtherType::IPv4,
        protocol: Some("tcp".into()),
        port_min: Some(port),
        port_max: Some(port),
        remote_group_id: None,
        remote_ip_prefix: None,
    }
}

/// CAPO publishes an empty list, and machines go wherever Neutron puts them.
#[test]
fn a_subnet_that_is_not_seen_does_not_empty_the_status() {
    let spec = json!({
        "network": {"filter": {"name": "brought"}},
        "apiServer": {"enableFloatingIP": false, "fixedIP": "10.7.0.10"},
    });
    let mut cloud = cloud();
    super::balancing::settle(&spec, &mut cloud);
    let before = cloud.holds.status.network.clone();
    assert!(before.as_ref().is_some_and(|net| net.subnets.len() == 1));
    cloud.holds.subnets.clear();
    let decision = plan(&want(spec), &cloud.holds, Timestamp::UNIX_EPOCH);
    assert!(matches!(decision.step, Step::Blocked(_)));
    assert_eq!(decision.status.status.network, before);
}

/// To ask the cloud again is in vain where an object has to change.
#[test]
fn the_cloud_is_asked_again_only_about_what_it_could_solve() {
    let unknown = with("externalNetwork", json!({"filter": {"name": "publik"}}));
    let (problem, _) = blocked(unknown, &cloud().holds);
    assert!(is_of_cloud(&problem), "{problem}");
    let hosted = json!({
        "managedSubnets": [{"cidr": "10.6.0.0/24"}],
        "apiServer": {"enableFloatingIP": false},
    });
    let mut cloud = cloud();
    let want = want(hosted);
    let problem = loop {
        match plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step {
            Step::Do(actions) => actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("done")),
            Step::Blocked(problem) => break problem,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(problem.reason, "NoEndpoint");
    assert!(!is_of_cloud(&problem), "{problem}");
    let invalid = cluster(json!({"managedSubnets": [{"cidr": "nonsense"}]}));
    let problem = Want::of(&invalid, &owner()).expect_err("not a CIDR");
    assert!(!is_of_cloud(&problem), "{problem}");
}

#[test]
fn a_spec_that_never_worked_can_go() {
    for spec in [
        json!({"managedSubnets": [{"cidr": "nonsense"}]}),
        json!({"network": {"id": "nope"}, "subnets": [{"id": "nope"}], "router": {"id": "nope"}}),
        with("externalNetwork", json!({"filter": {"name": "nope"}})),
    ] {
        let mut cloud = cloud();
        let before = cloud.inventory();
        let gone = gone(spec);
        super::properties::converge(&mut cloud, |seen| {
            delete(&gone, seen, Timestamp::UNIX_EPOCH)
        });
        assert_eq!(cloud.inventory(), before);
    }
}
