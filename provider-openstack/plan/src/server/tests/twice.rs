//! What a cloud made twice.

use super::model::Model;
use super::reconcile::{Fault, reconcile, settle};
use super::want::{Shape, want};
use crate::step::Step;

#[test]
fn a_port_made_twice_goes_although_the_server_runs() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    let mut twin = model.ports[0].clone();
    twin.id = "twin".into();
    twin.device_id.clear();
    model.ports.push(twin);
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.ports.len(), 1);
    assert!(!model.ports[0].device_id.is_empty());
}

/// Nova gives the ports to one of them, and the other one fails: which, is seen when it is built.
#[test]
fn of_a_server_made_twice_the_one_with_the_ports_is_kept() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    let mut twin = model.servers[0].clone();
    (twin.id, twin.status) = ("twin".into(), "BUILD".into());
    model.servers.push(twin);
    // The answer told of the twin, and both are being built.
    want.status.instance_id = Some("twin".into());
    model.servers[0].status = "BUILD".into();
    let step = reconcile(&mut model, &mut want, Fault::None);
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    model.servers[0].status = "ACTIVE".into();
    model.servers[1].status = "ERROR".into();
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert!(want.status.ready);
    let ids: Vec<&str> = model
        .servers
        .iter()
        .map(|server| server.id.as_str())
        .collect();
    assert_ne!(ids, ["twin"]);
    assert_eq!(want.status.instance_id.as_deref(), Some(ids[0]));
}

/// Then it is the owner's to replace it, as ever.
#[test]
fn of_two_servers_that_failed_the_recorded_one_is_told_of() {
    let mut model = Model::default();
    let mut want = want(&Shape::default());
    settle(&mut model, &mut want);
    let mut twin = model.servers[0].clone();
    twin.id = "a-twin".into();
    model.servers.push(twin);
    for server in &mut model.servers {
        server.status = "ERROR".into();
    }
    for port in &mut model.ports {
        port.device_id.clear();
    }
    let recorded = want.status.instance_id.clone();
    let step = settle(&mut model, &mut want);
    assert!(matches!(step, Step::Blocked(_)), "{step:?}");
    assert_eq!(want.status.instance_id, recorded);
    assert_eq!(model.servers.len(), 1);
}
