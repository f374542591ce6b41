use super::model::{Model, catalog};
use super::reconcile::{Fault, reconcile, settle};
use super::want::{Shape, want};
use crate::names;
use crate::server::{Action, Seen, Want, plan};
use crate::step::{Problem, Step};
use crate::world::{Port, Server};
use crds::openstack::v1beta2::{NetworkFilter, NetworkParam};
use jiff::Timestamp;
use serde_json::json;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn problem(want: &Want) -> Problem {
    let seen = Seen {
        catalog: catalog(),
        ..Seen::default()
    };
    match plan(want, &seen, NOW).step {
        Step::Blocked(problem) => problem,
        other => panic!("not blocked: {other:?}"),
    }
}

fn reason(want: &Want) -> (&str, &str) {
    let condition = want
        .status
        .conditions
        .iter()
        .find(|c| c.type_ == "InstanceReady")
        .expect("said");
    (condition.status.as_str(), condition.reason.as_str())
}

#[test]
fn unknown_flavor_image_and_network_say_what_would_be_right() {
    let mut flavor = want(&Shape::default());
    flavor.spec.flavor = Some("SCS-2V-5".into());
    assert_eq!(
        problem(&flavor).to_string(),
        "OpenStackServer ns/m: spec.flavor = \"SCS-2V-5\": no such flavor: did you mean SCS-2V-4 or SCS-4V-8?"
    );
    let mut image = want(&Shape::default());
    image.spec.image.filter.as_mut().expect("set").name = Some("ubunto".into());
    assert_eq!(
        problem(&image).to_string(),
        "OpenStackServer ns/m: spec.image = {\"filter\":{\"name\":\"ubunto\"}}: no such image: did you mean ubuntu?"
    );
    let mut network = want(&Shape::default());
    let filter = NetworkFilter {
        name: Some("node".into()),
        ..NetworkFilter::default()
    };
    network.spec.ports[0].network = Some(NetworkParam {
        id: None,
        filter: Some(filter),
    });
    let problem = problem(&network);
    assert_eq!(
        (problem.reason.as_str(), problem.field.as_str()),
        ("DependencyFailed", "spec.ports[0].network")
    );
    assert_eq!(problem.way_out, "no such network: did you mean nodes?");
}

#[test]
fn an_ambiguous_image_is_refused() {
    let want = want(&Shape::default());
    let mut seen = Seen {
        catalog: catalog(),
        ..Seen::default()
    };
    let mut twin = seen.catalog.images[0].clone();
    twin.id = "twin".into();
    seen.catalog.images.push(twin);
    let Step::Blocked(problem) = plan(&want, &seen, NOW).step else {
        panic!("not blocked");
    };
    assert!(
        problem.way_out.starts_with("2 images match (image, twin"),
        "{problem}"
    );
}

#[test]
fn a_machine_takes_two_calls() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    let Step::Do(first) = reconcile(&mut model, &mut want, Fault::None) else {
        panic!("no port")
    };
    assert!(matches!(first.as_slice(), [Action::CreatePort(port)] if port.name == "m-0"));
    let Step::Do(second) = reconcile(&mut model, &mut want, Fault::None) else {
        panic!("no server")
    };
    let [Action::CreateServer(server)] = second.as_slice() else {
        panic!("{second:?}")
    };
    assert_eq!(
        (server.flavor_id.as_str(), server.image_id.as_deref()),
        ("f1", Some("image"))
    );
    assert_eq!(server.port_ids, [model.ports[0].id.clone()]);
    assert!(matches!(
        reconcile(&mut model, &mut want, Fault::None),
        Step::Wait(_)
    ));
    assert_eq!(reason(&want), ("False", "InstanceNotReady"));
    model.tick();
    assert_eq!(reconcile(&mut model, &mut want, Fault::None), Step::Done);
    assert_eq!(reason(&want), ("True", "Ready"));
}

#[test]
fn a_vanished_server_is_reported_and_not_made_again() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    model.servers.clear();
    for port in &mut model.ports {
        port.device_id.clear();
    }
    assert!(matches!(settle(&mut model, &mut want), Step::Blocked(_)));
    assert!(model.servers.is_empty());
    assert_eq!(
        (reason(&want), want.status.ready),
        (("False", "InstanceNotFound"), false)
    );
    assert_eq!(want.status.instance_state.as_deref(), Some("DELETED"));
}

#[test]
fn states_of_nova_are_told_apart() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    let cases = [
        ("ERROR", "False", "InstanceStateError"),
        ("SHUTOFF", "Unknown", "InstanceNotReady"),
        ("SOFT_DELETED", "False", "InstanceDeleted"),
        ("ACTIVE", "True", "Ready"),
    ];
    for (state, status, why) in cases {
        model.servers[0].status = state.into();
        model.servers[0].fault = Some("No valid host was found".into());
        settle(&mut model, &mut want);
        assert_eq!(
            (reason(&want), want.status.ready),
            ((status, why), state == "ACTIVE")
        );
        let message = &want.status.conditions[0].message;
        assert!(
            state != "ERROR" || message.contains("No valid host"),
            "{message}"
        );
    }
}

/// A server that CAPO made carries no mark. Its status may be lost in a move.
#[test]
fn a_server_of_capo_is_adopted_by_its_ports() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    model.servers[0].metadata.clear();
    let id = model.servers[0].id.clone();
    want.status = Default::default();
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(
        (want.status.instance_id, model.servers.len()),
        (Some(id), 1)
    );
}

/// They keep what they were made with.
#[test]
fn ports_that_an_older_capo_described_are_ours() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    model.servers[0].metadata.clear();
    model.ports[0].description =
        names::description(&format!("{}-{}", want.namespace, want.cluster));
    want.status = Default::default();
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!((model.servers.len(), model.ports.len()), (1, 1));
}

/// Somebody has edited its port, and the status is lost: the machine still knows its server.
#[test]
fn a_server_that_only_its_machine_knows_is_adopted_with_its_ports() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    assert!(!want.has_stranger(&model.seen()));
    model.servers[0].metadata.clear();
    (model.ports[0].description, model.ports[0].security_groups) = ("edited".into(), vec![]);
    want.status = Default::default();
    assert!(want.has_stranger(&model.seen()));
    want.status.instance_id = Some(model.servers[0].id.clone());
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!((model.servers.len(), model.ports.len()), (1, 1));
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!((model.servers.len(), model.ports.len()), (0, 0));
}

#[test]
fn a_server_with_the_name_alone_is_not_adopted() {
    let mut model = Model::default();
    model.servers.push(Server {
        id: "other".into(),
        name: "m".into(),
        status: "ACTIVE".into(),
        ..Server::default()
    });
    model.foreign.push("other".into());
    let mut want = want(&Shape::default());
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.servers.len(), 2);
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.servers.len(), 1);
}

/// Nova gives the ports of a server back that it cannot build.
fn failed_of_capo() -> (Model, Want) {
    let mut model = Model::default();
    let mut want = want(&Shape {
        ports: 2,
        tagged: true,
        ..Shape::default()
    });
    want.spec.ssh_key_name = "key".into();
    let rack = [("key", "rack"), ("value", "7")].map(|(k, v)| (k.to_string(), json!(v)));
    let rack = serde_json::Value::Object(rack.into_iter().collect());
    want.spec.server_metadata = vec![serde_json::from_value(rack).expect("decodes")];
    settle(&mut model, &mut want);
    let server = &mut model.servers[0];
    server.status = "ERROR".into();
    server.metadata = vec![("rack".into(), "7".into())];
    server.tags = vec!["t".into()];
    server.key_name = "key".into();
    for port in &mut model.ports {
        port.device_id.clear();
    }
    want.status = Default::default();
    (model, want)
}

#[test]
fn a_server_of_capo_that_failed_without_ports_is_adopted() {
    let (mut model, mut want) = failed_of_capo();
    let id = model.servers[0].id.clone();
    assert!(matches!(settle(&mut model, &mut want), Step::Blocked(_)));
    assert_eq!(reason(&want), ("False", "InstanceStateError"));
    assert_eq!(want.status.instance_id, Some(id));
    assert_eq!(model.servers.len(), 1, "no other is made");
    let (mut model, mut want) = failed_of_capo();
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.len(), 0);
}

/// As above, but for one thing each, so that it may be another's.
#[test]
fn a_failed_server_that_may_be_another_s_is_not_adopted() {
    type Doubt = fn(&mut Model, &mut Want);
    let doubts: [(&str, Doubt); 10] = [
        ("it runs", |model, _| {
            model.servers[0].status = "ACTIVE".into()
        }),
        ("another name", |model, _| {
            model.servers[0].name = "m2".into()
        }),
        ("other metadata", |model, _| {
            model.servers[0].metadata[0].1 = "8".into()
        }),
        ("more metadata", |model, _| {
            model.servers[0].metadata.push(("role".into(), "db".into()));
        }),
        ("the mark of another", |model, _| {
            let key = crate::server::CLUSTER_METADATA_KEY.to_string();
            model.servers[0].metadata = vec![(key, "elsewhere/c".into())];
        }),
        ("other tags", |model, _| model.servers[0].tags.clear()),
        ("another key", |model, _| model.servers[0].key_name.clear()),
        ("a port of another", |model, _| {
            let device_id = model.servers[0].id.clone();
            model.ports.push(Port {
                id: "other".into(),
                device_id,
                ..Port::default()
            });
            model.foreign.push("other".into());
        }),
        ("a free port of a namesake", |model, _| {
            let mut port = model.ports[0].clone();
            port.id = "other".into();
            port.security_groups = vec!["sg-of-another".into()];
            model.ports.push(port);
            model.foreign.push("other".into());
        }),
        ("a port is missing", |model, _| {
            model.ports.pop();
        }),
    ];
    for (doubt, add) in doubts {
        let (mut model, mut want) = failed_of_capo();
        let id = model.servers[0].id.clone();
        add(&mut model, &mut want);
        model.foreign.push(id.clone());
        want.deleting = true;
        assert_eq!(settle(&mut model, &mut want), Step::Done, "{doubt}");
        assert!(
            model.servers.iter().any(|server| server.id == id),
            "{doubt}"
        );
    }
    let (mut model, mut want) = failed_of_capo();
    let twin = Server {
        id: "twin".into(),
        ..model.servers[0].clone()
    };
    model.servers.push(twin);
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.servers.len(), 2, "which of two is not guessed");
}

/// Without security groups, or with those of all, nothing else tells the ports of two clusters of one
/// name apart.
#[test]
fn what_a_namesake_records_is_not_ours() {
    let mut model = Model::default();
    model.add_unmarked();
    let mut want = want(&Shape {
        root_volume: true,
        ..Shape::default()
    });
    for port in &mut model.ports {
        port.security_groups = vec!["sg".into()];
    }
    let in_cloud = model.len();
    for of_namesakes in [
        vec![model.servers[0].id.clone()],
        vec![model.ports[0].id.clone()],
    ] {
        let mut model = model.clone();
        model.of_namesakes = of_namesakes;
        want.deleting = false;
        want.status = Default::default();
        assert_eq!(settle(&mut model, &mut want), Step::Done);
        assert_eq!(model.len(), in_cloud * 2);
        want.deleting = true;
        want.status = Default::default();
        assert_eq!(settle(&mut model, &mut want), Step::Done);
        assert_eq!(model.len(), in_cloud);
    }
}

/// CAPO wrote the old id back and made one port after the other.
#[test]
fn a_vanished_port_is_made_once_and_its_new_id_recorded() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    reconcile(&mut model, &mut want, Fault::None);
    plan_only(&model, &mut want);
    let old = want.status.resources.clone();
    model.ports.clear();
    settle(&mut model, &mut want);
    assert_eq!(model.ports.len(), 1);
    assert_ne!(want.status.resources, old);
    assert_eq!(
        want.status.resources.map(|r| r.ports[0].id.clone()),
        Some(model.ports[0].id.clone())
    );
}

fn plan_only(model: &Model, want: &mut Want) {
    want.status = plan(want, &model.seen(), NOW).status;
}

#[test]
fn a_volume_of_another_size_is_named() {
    let mut model = Model::default();
    let mut want = want(&Shape {
        root_volume: true,
        ..Shape::default()
    });
    reconcile(&mut model, &mut want, Fault::None);
    model.volumes[0].size_gib = 9;
    let Step::Blocked(problem) = settle(&mut model, &mut want) else {
        panic!("not blocked")
    };
    assert_eq!(
        (problem.field.as_str(), problem.value.as_str()),
        ("spec.rootVolume.sizeGiB", "5")
    );
}

#[test]
fn a_recorded_port_goes_even_when_it_was_renamed() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    model.ports[0].name = "renamed".into();
    model.ports.push(Port {
        id: "stray".into(),
        name: "renamed".into(),
        ..Port::default()
    });
    model.foreign.push("stray".into());
    want.deleting = true;
    settle(&mut model, &mut want);
    assert_eq!(model.ports.len(), 1);
}

#[test]
fn a_server_that_never_could_be_made_goes() {
    let mut want = want(&Shape::default());
    want.spec.flavor = Some("nope".into());
    want.spec.ports[0].network = Some(NetworkParam {
        id: Some("nope".into()),
        filter: None,
    });
    problem(&want);
    want.deleting = true;
    assert!(!want.needs_catalog());
    let seen = Model::default().seen();
    assert_eq!(plan(&want, &seen, NOW).step, Step::Done);
}
