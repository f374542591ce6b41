use crds::openstack::v1alpha1::OpenStackServerStatus;
use crds::openstack::v1beta2::{FlavorParam, PortOpts, SecurityGroupParam};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::model::{Model, NOW, active, behind_load_balancer, port, reconcile, settle, want};
use crate::machine::{Action, Ingress, Seen, Want, plan};
use crate::step::Step;

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
    // Not even the loss of the object leads to another server.
    model.server = None;
    assert!(matches!(settle(&mut model, &mut want), Step::Blocked(_)));
    assert_eq!(model.created, 1);
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
