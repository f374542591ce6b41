//! A case for each thing that a server may have besides a port and an image.

use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{AddressPair, ImageParam, ResourceReference};
use jiff::{SignedDuration, Timestamp};

use super::model::{Model, catalog};
use super::reconcile::{Fault, reconcile, settle};
use super::want::{Shape, want};
use crate::server::{Action, ImageObject, Seen, Want, plan};
use crate::step::{Problem, Step};
use crate::world::{Port, Server};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn said<'a>(want: &'a Want, type_: &str) -> (&'a str, &'a str) {
    let mut all = want.status.conditions.iter();
    let condition = all.find(|c| c.type_ == type_).expect("said");
    (condition.status.as_str(), condition.reason.as_str())
}

fn blocked(step: Step<Action>) -> Problem {
    match step {
        Step::Blocked(problem) => problem,
        other => panic!("not blocked: {other:?}"),
    }
}

fn trunked() -> (Model, Want) {
    let mut model = Model::default();
    let mut want = want(&Shape {
        trunk: true,
        tagged: true,
        ..Shape::default()
    });
    settle(&mut model, &mut want);
    (model, want)
}

#[test]
fn a_trunk_has_name_and_tags_of_its_port() {
    let (model, _) = trunked();
    let (trunk, port) = (&model.trunks[0], &model.ports[0]);
    assert_eq!((&trunk.port_id, &trunk.name), (&port.id, &port.name));
    assert_eq!(trunk.tags, ["t"]);
}

/// Once a subport is out of its trunk, nothing but its name and description says whose it was.
#[test]
fn subports_are_marked_before_they_leave_their_trunk() {
    let (mut model, mut want) = trunked();
    model.add_subports();
    let stray = Port {
        id: "stray".into(),
        name: "m-subport".into(),
        description: "Goes with OpenStackServer elsewhere/m".into(),
        ..Port::default()
    };
    model.ports.push(stray);
    model.foreign.push("stray".into());
    want.deleting = true;
    let mut verbs = Vec::new();
    loop {
        // The status is lost all the time.
        want.status = Default::default();
        match reconcile(&mut model, &mut want, Fault::None) {
            Step::Do(actions) => verbs.extend(actions.iter().map(Action::name)),
            Step::Wait(_) => model.tick(),
            end => break assert_eq!(end, Step::Done),
        }
    }
    assert_eq!(
        verbs,
        [
            "DeleteServer",
            "UpdatePort",
            "RemoveTrunkSubports",
            "DeleteTrunk",
            "DeletePort",
            "DeletePort"
        ]
    );
    assert_eq!(model.len(), 1, "the stray port of another stays");
}

#[test]
fn a_cloud_without_trunks_is_named() {
    let want = want(&Shape {
        trunk: true,
        ..Shape::default()
    });
    let mut seen = Seen {
        catalog: catalog(),
        ..Seen::default()
    };
    seen.catalog.trunks = false;
    let problem = blocked(plan(&want, &seen, NOW).step);
    assert_eq!(problem.field, "spec.ports[0].trunk");
    assert!(problem.way_out.contains("has no trunks"), "{problem}");
}

#[test]
fn an_image_object_that_is_missing_stops_nothing_else() {
    let mut want = want(&Shape::default());
    want.spec.image = ImageParam {
        image_ref: Some(ResourceReference {
            name: "ubuntu".into(),
        }),
        ..ImageParam::default()
    };
    let mut seen = Seen {
        catalog: catalog(),
        ..Seen::default()
    };
    let cases = [
        (
            ImageObject::NotInstalled,
            "DependencyFailed",
            "install the OpenStack Resource Controller",
        ),
        (
            ImageObject::Absent,
            "InstanceNotReady",
            "there is no Image ns/ubuntu yet",
        ),
        (
            ImageObject::Pending("uploading".into()),
            "InstanceNotReady",
            "uploading",
        ),
        (
            ImageObject::Failed("bad URL".into()),
            "DependencyFailed",
            "bad URL",
        ),
    ];
    for (object, reason, words) in cases {
        seen.catalog.image_object = object;
        let decision = plan(&want, &seen, NOW);
        let problem = blocked(decision.step);
        assert_eq!(
            (problem.reason.as_str(), problem.field.as_str()),
            (reason, "spec.image.imageRef.name")
        );
        assert!(problem.way_out.contains(words), "{problem}");
        assert_eq!(decision.status.conditions[0].reason, reason);
    }
    seen.catalog.image_object = ImageObject::Available("orc".into());
    let resolved = plan(&want, &seen, NOW).status.resolved.expect("resolved");
    assert_eq!(resolved.image_id.as_deref(), Some("orc"));
}

#[test]
fn a_floating_ip_is_asked_for_before_and_attached_after_the_server() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        pool: true,
        ..Shape::default()
    });
    let Step::Do(first) = reconcile(&mut model, &mut want, Fault::None) else {
        panic!("nothing done")
    };
    let [Action::CreatePort(_), Action::CreateClaim(claim)] = first.as_slice() else {
        panic!("{first:?}")
    };
    let meta = &claim.metadata;
    assert_eq!(meta.name.as_deref(), Some("m-floating-ip-address"));
    assert_eq!(claim.spec.pool_ref.name, "public");
    assert_eq!(meta.finalizers.as_ref().map(Vec::len), Some(1));
    let Step::Wait(waiting) = reconcile(&mut model, &mut want, Fault::None) else {
        panic!("does not wait for the pool")
    };
    assert_eq!(waiting.reason, "WaitingForIPAMProvider");
    assert_eq!(
        said(&want, "FloatingAddressFromPoolReady"),
        ("False", "WaitingForIPAMProvider")
    );
    assert!(model.servers.is_empty());

    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(
        model.floating_ips[0].port_id.as_ref(),
        Some(&model.ports[0].id)
    );
    assert_eq!(
        said(&want, "FloatingAddressFromPoolReady"),
        ("True", "Ready")
    );
}

#[test]
fn an_attached_floating_ip_is_an_address_before_nova_knows_it() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        pool: true,
        ..Shape::default()
    });
    settle(&mut model, &mut want);
    model.servers[0].addresses = vec![crate::world::ServerAddress {
        network: "nodes".into(),
        address: "10.6.0.7".into(),
        version: 4,
        floating: false,
    }];
    settle(&mut model, &mut want);
    let addresses = want.status.addresses.iter();
    let addresses: Vec<_> = addresses
        .map(|a| (a.type_.as_str(), a.address.as_str()))
        .collect();
    let expected = [
        ("InternalIP", "10.6.0.7"),
        ("ExternalIP", "192.0.2.9"),
        ("InternalDNS", "m"),
    ];
    assert_eq!(addresses, expected);
}

#[test]
fn a_floating_ip_that_leads_elsewhere_is_left_there() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        pool: true,
        ..Shape::default()
    });
    settle(&mut model, &mut want);
    model.floating_ips[0].port_id = Some("of-somebody".into());
    let problem = blocked(settle(&mut model, &mut want));
    assert_eq!(problem.reason, "FloatingIPError");
    assert!(problem.way_out.contains("of-somebody"), "{problem}");
    // The server runs all the same.
    assert!(want.status.ready);
    assert_eq!(said(&want, "FloatingAddressFromPoolReady").0, "False");
    model.floating_ips[0].port_id = None;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
}

#[test]
fn a_subnet_without_a_router_to_the_floating_ip_is_named() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        pool: true,
        ..Shape::default()
    });
    settle(&mut model, &mut want);
    model.floating_ips[0].port_id = None;
    let mut seen = model.seen();
    seen.routers[0].gateway_network_id = Some("elsewhere".into());
    let problem = blocked(plan(&want, &seen, NOW).step);
    assert!(
        problem.way_out.contains("router to its network public"),
        "{problem}"
    );
}

#[test]
fn what_takes_too_long_is_said_and_still_awaited() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        root_volume: true,
        ..Shape::default()
    });
    reconcile(&mut model, &mut want, Fault::None);
    let reason = |want: &Want, model: &Model, minutes: i64| {
        let decision = plan(
            want,
            &model.seen(),
            NOW + SignedDuration::from_mins(minutes),
        );
        assert!(matches!(decision.step, Step::Wait(w) if w.on.len() == 1));
        decision.status.conditions[0].reason.clone()
    };
    // Whoever sleeps on it wakes up in time to say so.
    let late_in = |want: &Want, model: &Model, minutes: i64| {
        let now = NOW + SignedDuration::from_mins(minutes);
        want.late_in(&model.seen(), now).map(|late| late.as_mins())
    };
    model.volumes[0].created = Some(NOW);
    assert_eq!(reason(&want, &model, 4), "InstanceNotReady");
    assert_eq!(late_in(&want, &model, 4), Some(1));
    assert_eq!(late_in(&want, &model, 6), None);
    assert_eq!(reason(&want, &model, 6), "InstanceCreateFailed");
    model.tick();
    reconcile(&mut model, &mut want, Fault::None);
    model.servers[0].created = Some(NOW);
    assert_eq!(reason(&want, &model, 4), "InstanceNotReady");
    assert_eq!(reason(&want, &model, 6), "InstanceCreateFailed");
    assert_eq!(late_in(&want, &model, 3), Some(2));
    want.create_timeout = SignedDuration::from_mins(30);
    assert_eq!(reason(&want, &model, 6), "InstanceNotReady");
    assert_eq!(late_in(&want, &model, 6), Some(24));
    assert_eq!(settle(&mut model, &mut want), Step::Done);
}

#[test]
fn volumes_for_several_servers_need_another_version_of_nova_s_api() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        data_volume: true,
        ..Shape::default()
    });
    reconcile(&mut model, &mut want, Fault::None);
    model.tick();
    model.volumes[0].multiattach = true;
    let Step::Do(actions) = reconcile(&mut model, &mut want, Fault::None) else {
        panic!("no server")
    };
    assert!(matches!(actions.as_slice(), [Action::CreateServer(new)] if new.multiattach));
}

/// The object of a machine that has its server already: CAPO before it had such objects, or an
/// object that was deleted by force.
#[test]
fn an_object_for_a_known_server_never_makes_another() {
    let mut object = OpenStackServer::new("m", want(&Shape::default()).spec);
    let annotation = "infrastructure.cluster.x-k8s.io/instance-id".to_string();
    object.metadata.annotations = Some([(annotation, "old".to_string())].into());
    let mut known = Want::from(&object);
    assert!(!known.needs_catalog());
    let mut model = Model::default();
    let problem = blocked(settle(&mut model, &mut known));
    assert_eq!(
        (problem.reason.as_str(), model.len()),
        ("InstanceNotFound", 0)
    );

    let mut known = Want::from(&object);
    model.servers.push(Server {
        id: "old".into(),
        name: "renamed".into(),
        status: "ACTIVE".into(),
        ..Server::default()
    });
    assert_eq!(settle(&mut model, &mut known), Step::Done);
    assert_eq!(
        (known.status.instance_id.as_deref(), model.len()),
        (Some("old"), 1)
    );
}

/// Images are deleted while their servers run on; a status may be lost then.
#[test]
fn a_server_whose_image_is_gone_is_adopted() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    want.status = Default::default();
    let mut seen = model.seen();
    seen.catalog.images.clear();
    let decision = plan(&want, &seen, NOW);
    assert_eq!(decision.step, Step::Done);
    assert_eq!(
        decision.status.instance_id.as_ref(),
        Some(&model.servers[0].id)
    );
}

/// CAPO writes what it has found while it still waits for the image.
#[test]
fn a_spec_that_capo_resolved_half_way_is_resolved_again() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    want.status.resolved = Some(crate::server::resolve::Resolved {
        flavor_id: Some("f1".into()),
        ..Default::default()
    });
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!((model.servers.len(), model.ports.len()), (1, 1));
}

/// CAPO takes the first port of that name in the network, whoever made it.
#[test]
fn a_free_port_of_a_namesake_is_left_to_it() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    model.ports.push(Port {
        id: "other".into(),
        name: "m-0".into(),
        description: "Created by cluster-api-provider-openstack cluster c".into(),
        network_id: "net".into(),
        security_groups: vec!["sg-of-another".into()],
        ..Port::default()
    });
    model.foreign.push("other".into());
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.ports.len(), 2);
    assert!(model.ports[0].device_id.is_empty());
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.ports.len(), 1);
}

/// CAPO leaves the ports of a server for which there was no host.
#[test]
fn a_server_that_found_no_host_leaves_nothing() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        ports: 2,
        data_volume: true,
        ..Shape::default()
    });
    settle(&mut model, &mut want);
    model.servers[0].status = "ERROR".into();
    model.servers[0].fault = Some("No valid host was found".into());
    for port in &mut model.ports {
        port.device_id.clear();
    }
    blocked(settle(&mut model, &mut want));
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.len(), 0);
}

/// Where Nova keeps deleted servers for a while, their end would never come.
#[test]
fn a_soft_deleted_server_holds_nothing_up() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    model.servers[0].status = "SOFT_DELETED".into();
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!((model.servers.len(), model.ports.len()), (1, 0));
}

#[test]
fn a_transient_error_heals() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    for (status, ready) in [
        ("ERROR", false),
        ("ACTIVE", true),
        ("SHUTOFF", false),
        ("ACTIVE", true),
    ] {
        model.servers[0].status = status.into();
        settle(&mut model, &mut want);
        assert_eq!(want.status.ready, ready);
    }
}

#[test]
fn changed_address_pairs_reach_the_port_once() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    want.spec.ports[0].allowed_address_pairs = vec![AddressPair {
        ip_address: "10.0.0.9".into(),
        mac_address: None,
    }];
    let Step::Do(actions) = reconcile(&mut model, &mut want, Fault::None) else {
        panic!("nothing done")
    };
    assert!(matches!(
        actions.as_slice(),
        [Action::SetAddressPairs { .. }]
    ));
    assert_eq!(reconcile(&mut model, &mut want, Fault::None), Step::Done);
    let resolved = want.status.resolved.as_ref().expect("resolved");
    let pairs = &resolved.ports[0].allowed_address_pairs;
    assert_eq!(pairs[0].ip_address, "10.0.0.9");
    // Somebody else may change them afterwards: only the spec is followed.
    model.ports[0].allowed_address_pairs.clear();
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert!(model.ports[0].allowed_address_pairs.is_empty());
}
