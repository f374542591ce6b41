use crds::capi;
use crds::openstack::v1alpha1::OpenStackServerStatus;
use crds::openstack::v1beta2::{
    AddressPair, FixedIP, FlavorParam, OpenStackCluster, OpenStackMachine, PortOpts,
    SecurityGroupParam,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use serde_json::json;

use super::model::{Model, NOW, active, behind_load_balancer, reconcile, settle, want};
use crate::machine::{Action, Ingress, Seen, Want, plan};
use crate::step::Step;

pub fn reason<'a>(want: &'a Want, type_: &str) -> (&'a str, &'a str) {
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

#[test]
fn a_machine_that_never_began_goes_at_once() {
    let mut want = want(behind_load_balancer());
    want.deleting = true;
    assert_eq!(plan(&want, &Seen::default(), NOW).step, Step::Done);
}
