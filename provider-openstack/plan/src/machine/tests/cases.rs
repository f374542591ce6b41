use crds::capi;
use crds::openstack::v1alpha1::OpenStackServerStatus;
use crds::openstack::v1beta2::{
    AddressPair, FixedIP, FlavorParam, OpenStackCluster, OpenStackMachine, PortOpts,
    SecurityGroupParam,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::json;

use super::model::{Model, NOW, active, behind_load_balancer, port, reconcile, settle, want};
use crate::machine::{Action, Ingress, Seen, Want, plan};
use crate::step::Step;
use crate::world::{Member, Port, State};

fn reason<'a>(want: &'a Want, type_: &str) -> (&'a str, &'a str) {
    let condition = want
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == type_)
        .expect("said");
    (condition.status.as_str(), condition.reason.as_str())
}

#[test]
fn it_waits_for_the_cluster_then_for_the_bootstrap_data() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    (want.cluster.provisioned, want.bootstrap_secret) = (false, None);
    assert!(matches!(
        reconcile(&mut model, &mut want, 9, true),
        Step::Wait(_)
    ));
    assert_eq!(
        reason(&want, "Ready"),
        ("False", "WaitingForClusterInfrastructure")
    );
    want.cluster.provisioned = true;
    assert!(matches!(
        reconcile(&mut model, &mut want, 9, true),
        Step::Wait(_)
    ));
    assert_eq!(
        reason(&want, "InstanceReady"),
        ("False", "WaitingForBootstrapData")
    );
    assert_eq!(model.created, 0);
}

#[test]
fn a_server_object_without_the_label_of_the_watch_filter_gets_it() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    reconcile(&mut model, &mut want, 9, true);
    want.watch_filter = Some("mine".into());
    want.deleting = true;
    let decision = plan(&want, &model.seen(), NOW);
    let Step::Do(actions) = decision.step else {
        panic!("an action")
    };
    assert_eq!(actions.len(), 1, "before anything else: {actions:?}");
    model.apply(&actions[0]);
    let labels = model
        .server
        .clone()
        .and_then(|server| server.metadata.labels);
    assert_eq!(
        labels.expect("set")["cluster.x-k8s.io/watch-filter"],
        "mine"
    );
    let decision = plan(&want, &model.seen(), NOW);
    assert!(
        matches!(decision.step, Step::Do(actions) if matches!(actions[0], Action::DeleteServerObject { .. }))
    );
}

#[test]
fn the_server_object_is_the_one_capo_makes() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    want.spec.flavor = FlavorParam {
        id: Some("7".into()),
        filter: None,
    };
    want.spec.tags = vec!["m".into(), "c".into()];
    want.watch_filter = Some("mine".into());
    reconcile(&mut model, &mut want, 9, true);
    let server = model.server.expect("created");
    let labels = server.metadata.labels.clone().expect("set");
    assert_eq!(labels["cluster.x-k8s.io/cluster-name"], "c");
    assert_eq!(labels["cluster.x-k8s.io/watch-filter"], "mine");
    let expected = serde_json::json!({
        "availabilityZone": "az1",
        "flavorID": "7",
        "identityRef": {"name": "cloud", "cloudName": ""},
        "image": {},
        "ports": [{"network": {"id": "net"}, "securityGroups": [{"id": "sg"}]}],
        "sshKeyName": "",
        "tags": ["m", "c"],
        "userDataRef": {"name": "m-bootstrap"},
    });
    assert_eq!(
        serde_json::to_value(&server.spec).expect("serializes"),
        expected
    );
}

#[test]
fn ports_keep_what_they_say_themselves() {
    let group = |id: &str| SecurityGroupParam {
        id: Some(id.into()),
        filter: None,
    };
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    want.spec.security_groups = vec![group("extra")];
    want.spec.ports = vec![
        PortOpts {
            security_groups: vec![group("own")],
            ..PortOpts::default()
        },
        PortOpts {
            enable_port_security: Some(false),
            ..PortOpts::default()
        },
        PortOpts::default(),
    ];
    reconcile(&mut model, &mut want, 9, true);
    let ports = model.server.expect("created").spec.ports;
    assert_eq!(ports[0].security_groups, [group("own"), group("extra")]);
    assert_eq!(ports[1].security_groups, []);
    assert_eq!(ports[2].security_groups, [group("sg"), group("extra")]);
}

#[test]
fn the_reason_of_a_server_that_fails_is_the_machine_s() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    reconcile(&mut model, &mut want, 9, true);
    model.server.as_mut().expect("created").status = Some(OpenStackServerStatus {
        conditions: vec![Condition {
            type_: "InstanceReady".into(),
            status: "False".into(),
            reason: "DependencyFailed".into(),
            message: "no such flavor".into(),
            last_transition_time: Time(NOW),
            observed_generation: None,
        }],
        ..OpenStackServerStatus::default()
    });
    reconcile(&mut model, &mut want, 9, true);
    assert_eq!(reason(&want, "Ready"), ("False", "DependencyFailed"));
    assert_eq!(want.status.conditions[0].message, "no such flavor");
}

#[test]
fn a_lost_server_is_said_and_the_machine_stays_provisioned() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    settle(&mut model, &mut want);
    let server = model.server.as_mut().expect("created");
    server.status = Some(OpenStackServerStatus {
        instance_state: Some("DELETED".into()),
        ready: false,
        ..active()
    });
    assert!(matches!(settle(&mut model, &mut want), Step::Blocked(_)));
    assert_eq!(reason(&want, "InstanceReady"), ("False", "InstanceDeleted"));
    assert_eq!(
        want.status
            .initialization
            .as_ref()
            .and_then(|i| i.provisioned),
        Some(true)
    );
}

/// CAPO before it had such objects, or somebody deleted it by force.
#[test]
fn a_machine_without_its_server_object_gets_one_for_the_same_server() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    settle(&mut model, &mut want);
    model.server = None;
    reconcile(&mut model, &mut want, 9, true);
    let server = model.server.as_ref().expect("created");
    let annotations = server.metadata.annotations.as_ref().expect("annotated");
    let id = &annotations["infrastructure.cluster.x-k8s.io/instance-id"];
    assert_eq!(Some(id), want.status.instance_id.as_ref());
    let provider_id = want.spec.provider_id.as_deref().expect("set");
    assert!(provider_id.ends_with(&format!("/{id}")));
}

/// CAPO never tells a server that its machine or cluster has other credentials now.
#[test]
fn other_credentials_reach_the_server_even_when_it_goes() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    settle(&mut model, &mut want);
    let name = |model: &Model| {
        let server = model.server.as_ref().expect("there");
        server.spec.identity_ref.name.clone()
    };
    want.cluster.identity_ref.name = "rotated".into();
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(name(&model), "rotated");
    let mut own = want.cluster.identity_ref.clone();
    own.name = "own".into();
    want.spec.identity_ref = Some(own);
    want.deleting = true;
    reconcile(&mut model, &mut want, 9, true);
    assert_eq!(name(&model), "own");
    // The cluster was removed by force: what it said is unknown, not nothing.
    want.spec.identity_ref = None;
    want.cluster.identity_ref = Default::default();
    assert!(matches!(
        plan(&want, &model.seen(), NOW).step,
        Step::Do(actions) if matches!(actions.as_slice(), [Action::DeleteServerObject { .. }])
    ));
}

#[test]
fn address_pairs_reach_the_server_object() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    want.spec.ports = vec![PortOpts::default()];
    settle(&mut model, &mut want);
    want.spec.ports[0].allowed_address_pairs = vec![AddressPair {
        ip_address: "10.0.0.9".into(),
        mac_address: None,
    }];
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    let server = model.server.as_ref().expect("there");
    let port = &server.spec.ports[0];
    assert_eq!(port.allowed_address_pairs[0].ip_address, "10.0.0.9");
    assert!(port.network.is_some(), "the rest stays");
}

#[test]
fn an_address_alone_is_in_the_cluster_s_network() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    let address = FixedIP {
        subnet: None,
        ip_address: Some("10.6.0.200".into()),
    };
    want.spec.ports = vec![PortOpts {
        fixed_ips: vec![address.clone()],
        ..PortOpts::default()
    }];
    reconcile(&mut model, &mut want, 9, true);
    let server = model.server.as_ref().expect("created");
    let port = &server.spec.ports[0];
    let network = port
        .network
        .as_ref()
        .and_then(|network| network.id.as_deref());
    assert_eq!((network, &port.fixed_ips), (Some("net"), &vec![address]));
}

#[test]
fn a_member_with_a_wrong_address_is_replaced() {
    let mut model = Model::new();
    let mut want = want(behind_load_balancer());
    settle(&mut model, &mut want);
    model.around.ports = vec![port("10.6.0.8")];
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    let mine = model
        .around
        .members
        .iter()
        .filter(|member| member.id.starts_with("member"));
    let addresses: Vec<_> = mine
        .map(|member| (member.address.as_str(), member.port))
        .collect();
    assert_eq!(addresses, [("10.6.0.8", 6443), ("10.6.0.8", 8132)]);
    assert_eq!(reason(&want, "APIServerIngressReady"), ("True", "Ready"));
}

/// Neither does one that goes.
#[test]
fn a_member_that_octavia_gave_up_on_serves_nobody_and_is_replaced() {
    for state in [State::Error, State::Deleting] {
        let mut model = Model::new();
        let mut want = want(behind_load_balancer());
        settle(&mut model, &mut want);
        let mut members = model.around.members.iter_mut();
        let mine = members.find(|member| member.id == "member-1");
        mine.expect("made").state = state;
        let Step::Do(actions) = reconcile(&mut model, &mut want, 9, true) else {
            panic!("{state:?} counts")
        };
        let first = match state {
            State::Error => "DeleteMember",
            // Octavia takes it away itself.
            _ => "CreateMember",
        };
        assert_eq!(
            actions.iter().map(Action::name).collect::<Vec<_>>(),
            [first]
        );
        assert_eq!(reason(&want, "Ready").0, "False");
        assert_eq!(settle(&mut model, &mut want), Step::Done);
        let mut members = model.around.members.iter();
        assert!(members.any(|member| member.id == "member-3" && member.state == State::Active));
    }
}

#[test]
fn a_machine_is_ready_when_octavia_has_its_members_in_place() {
    let mut model = Model::new();
    let mut want = want(behind_load_balancer());
    settle(&mut model, &mut want);
    for (balancer, member, waits) in [
        (State::Pending, State::Pending, true),
        // Of an older list than the load balancer.
        (State::Active, State::Pending, true),
        // Another machine joins.
        (State::Pending, State::Active, false),
    ] {
        model.around.load_balancers[0].state = balancer;
        let mut members = model.around.members.iter_mut();
        let mine = members.find(|member| member.id == "member-2");
        mine.expect("made").state = member;
        let step = reconcile(&mut model, &mut want, 9, true);
        assert_eq!(
            matches!(step, Step::Wait(_)),
            waits,
            "{balancer:?} {member:?}"
        );
        let ready = reason(&want, "APIServerIngressReady").0;
        assert_eq!(ready == "False", waits, "{balancer:?} {member:?}");
    }
}

#[test]
fn without_an_address_the_load_balancer_gets_no_member() {
    let mut model = Model::new();
    let mut want = want(behind_load_balancer());
    reconcile(&mut model, &mut want, 9, true);
    model.tick();
    model.around.ports[0].network_id = "elsewhere".into();
    assert!(matches!(settle(&mut model, &mut want), Step::Blocked(_)));
    assert_eq!(reason(&want, "Ready"), ("False", "LoadBalancerMemberError"));
}

#[test]
fn a_member_has_the_family_of_the_load_balancer_if_the_machine_has_it() {
    for (vip, provider, expected) in [
        ("10.6.0.1", "amphora", Some("10.6.0.7")),
        ("fd00::1", "amphora", Some("fd00::7")),
        ("fd00::1", "ovn", Some("fd00::7")),
        ("2001:db8::1", "amphora", Some("10.6.0.7")),
        ("2001:db8::1", "ovn", None),
    ] {
        let mut model = Model::new();
        let mut want = want(behind_load_balancer());
        let balancer = &mut model.around.load_balancers[0];
        (balancer.vip_address, balancer.provider) = (vip.into(), provider.into());
        reconcile(&mut model, &mut want, 9, true);
        model.tick();
        if vip.starts_with("2001") {
            model.around.ports[0].fixed_ips.remove(0);
        }
        let end = settle(&mut model, &mut want);
        let mut mine = model.around.members.iter();
        let mine = mine.find(|member| member.id.starts_with("member"));
        assert_eq!(mine.map(|member| member.address.as_str()), expected);
        assert_eq!(end == Step::Done, expected.is_some());
    }
}

#[test]
fn a_member_that_a_machine_before_left_at_the_address_goes() {
    let mut model = Model::new();
    let mut want = want(behind_load_balancer());
    let name = want.cluster.names.load_balancer_member(6443, "before");
    for (id, name) in [("left", name.as_str()), ("foreign-own", "of-the-user")] {
        model.around.members.push(Member {
            id: id.into(),
            name: name.into(),
            pool_id: "pool-6443".into(),
            address: "10.6.0.7".into(),
            port: 6443,
            ..Member::default()
        });
    }
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    let has = |id: &str| model.around.members.iter().any(|member| member.id == id);
    assert!(!has("left") && has("foreign-own") && has("foreign-6443"));
}

#[test]
fn a_member_that_capo_made_is_taken_over() {
    let mut model = Model::new();
    let Ingress::LoadBalancer { id, ports, .. } = behind_load_balancer() else {
        panic!("another ingress")
    };
    // CAPO gives members the cluster's first subnet, whichever the address is from.
    let mut want = want(Ingress::LoadBalancer {
        id,
        ports,
        other_network: true,
    });
    settle(&mut model, &mut want);
    for member in &mut model.around.members {
        member.subnet_id = Some("another".into());
    }
    assert_eq!(plan(&want, &model.seen(), NOW).step, Step::Done);
}

#[test]
fn a_load_balancer_in_error_says_what_it_keeps_waiting() {
    let mut model = Model::new();
    let mut want = want(behind_load_balancer());
    reconcile(&mut model, &mut want, 9, true);
    model.tick();
    model.around.load_balancers[0].state = State::Error;
    let Step::Wait(waiting) = reconcile(&mut model, &mut want, 9, true) else {
        panic!("does not wait")
    };
    assert!(waiting.message.contains("is in ERROR"), "{waiting:?}");
}

#[test]
fn the_ingress_of_a_control_plane_follows_the_spec() {
    let balanced = json!({"managedLoadBalancer": {"additionalPorts": [22]}});
    let with_port = |port: i32| json!({"managedLoadBalancer": {}, "port": port});
    let host = |host: &str, port: i32| json!({"host": host, "port": port});
    let ports = |ports: &[(u16, u16)]| json!(ports);
    let another = json!({"managedLoadBalancer": {"memberPort": 6443, "additionalPorts": [22]}});
    let twice = json!({"managedLoadBalancer": {"memberPort": 6443, "additionalPorts": [443, 22]}});
    for (api, endpoint, external, expected) in [
        (
            balanced,
            host("192.0.2.1", 443),
            true,
            ports(&[(443, 443), (22, 22)]),
        ),
        (
            another,
            host("192.0.2.1", 443),
            true,
            ports(&[(443, 6443), (22, 22)]),
        ),
        (
            twice,
            host("192.0.2.1", 443),
            true,
            ports(&[(443, 6443), (22, 22)]),
        ),
        (with_port(8443), json!(null), true, ports(&[(8443, 8443)])),
        (with_port(8443), host("", 0), true, ports(&[(8443, 8443)])),
        (with_port(0), json!(null), true, ports(&[(6443, 6443)])),
        (json!({}), host("192.0.2.1", 6443), true, json!("192.0.2.1")),
        (json!({}), host("192.0.2.1", 6443), false, json!(null)),
        (
            json!({"enableFloatingIP": false}),
            host("192.0.2.1", 6443),
            true,
            json!(null),
        ),
        (
            json!({"floatingIP": "192.0.2.9"}),
            host("api.example.org", 6443),
            true,
            json!("192.0.2.9"),
        ),
        (json!({}), host("api.example.org", 6443), true, json!(null)),
        (
            json!({"floatingIP": ""}),
            host("api.example.org", 6443),
            true,
            json!(null),
        ),
    ] {
        let infrastructure: OpenStackCluster = serde_json::from_value(json!({
            "metadata": {"name": "c"},
            "spec": {
                "identityRef": {"name": "cloud", "cloudName": "openstack"}, "apiServer": api,
                "controlPlaneEndpoint": endpoint, "enableExternalNetwork": external,
            },
            "status": {"apiServerManagedLoadBalancer": {"id": "lb", "name": "lb", "ip": "", "internalIP": ""}},
        }))
        .expect("a cluster");
        let machine: OpenStackMachine = serde_json::from_value(json!({
            "metadata": {"name": "m", "labels": {"cluster.x-k8s.io/control-plane": ""}},
            "spec": {"flavor": {"id": "1"}, "image": {"id": "1"}},
        }))
        .expect("a machine");
        let want = Want::new(
            &machine,
            &capi::Machine::default(),
            &capi::Cluster::default(),
            &infrastructure,
        );
        let ingress = match want.cluster.ingress {
            Ingress::None => json!(null),
            Ingress::LoadBalancer { ports, .. } => json!(ports),
            Ingress::FloatingIp { address } => json!(address),
        };
        assert_eq!(ingress, expected, "{infrastructure:?}");
    }
}

/// CAPO deletes the address with the first control plane machine, and the endpoint with it.
#[test]
fn the_floating_ip_of_the_api_outlives_the_machine() {
    let mut model = Model::new();
    let mut want = want(Ingress::FloatingIp {
        address: "192.0.2.1".into(),
    });
    settle(&mut model, &mut want);
    want.deleting = true;
    let Step::Do(actions) = plan(&want, &model.seen(), NOW).step else {
        panic!("nothing to do")
    };
    assert_eq!(
        actions,
        [Action::DisassociateFloatingIp {
            floating_ip: "fip".into()
        }]
    );
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.around.floating_ips.len(), 1);
}

/// Its server was deleted in Nova, and nobody deletes its machine.
#[test]
fn the_floating_ip_of_the_api_is_taken_over_from_a_port_without_a_server() {
    let (cluster, users) = ("c", "made by the user");
    let ours = format!("Created by cluster-api-provider-openstack cluster {cluster}");
    for (device, description, taken) in [
        ("", ours.as_str(), true),
        ("a server", ours.as_str(), false),
        // A virtual IP, which leads to an API server without a device.
        ("", users, false),
    ] {
        let mut model = Model::new();
        let mut want = want(Ingress::FloatingIp {
            address: "192.0.2.1".into(),
        });
        model.around.floating_ips[0].port_id = Some("other".into());
        model.around.ports = vec![Port {
            id: "other".into(),
            device_id: device.into(),
            description: description.into(),
            ..port("10.6.0.8")
        }];
        assert_eq!(settle(&mut model, &mut want), Step::Done);
        let leads_to = model.around.floating_ips[0].port_id.as_deref();
        let expected = if taken { "port" } else { "other" };
        assert_eq!(leads_to, Some(expected), "{device} {description}");
    }
}

#[test]
fn members_go_before_the_server() {
    let mut model = Model::new();
    let mut want = want(behind_load_balancer());
    settle(&mut model, &mut want);
    want.deleting = true;
    let mut order = Vec::new();
    for _ in 0..12 {
        match reconcile(&mut model, &mut want, 9, true) {
            Step::Do(actions) => order.extend(actions.iter().map(Action::name)),
            Step::Wait(_) => model.tick(),
            _ => break,
        }
    }
    assert_eq!(
        order,
        ["DeleteMember", "DeleteMember", "DeleteOpenStackServer"]
    );
}

#[test]
fn a_machine_that_never_began_goes_at_once() {
    let mut want = want(behind_load_balancer());
    want.deleting = true;
    assert_eq!(plan(&want, &Seen::default(), NOW).step, Step::Done);
}
