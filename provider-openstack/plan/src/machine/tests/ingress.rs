//! API traffic to a control plane node.

use super::cases::reason;
use super::model::{Model, NOW, behind_load_balancer, port, reconcile, settle, want};
use crate::machine::{Action, Ingress, plan};
use crate::step::Step;
use crate::world::{Member, Port, State};

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
