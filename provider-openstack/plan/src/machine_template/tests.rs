use crds::openstack::v1beta2::{
    FlavorFilter, FlavorParam, ImageFilter, ImageParam, PortOpts, ResourceReference, RootVolume,
};

use super::*;

fn want() -> Want {
    let filter = FlavorFilter {
        name: Some("SCS-4V-8-20".into()),
    };
    let image = ImageFilter {
        name: Some("ubuntu".into()),
        tags: vec![],
    };
    Want {
        namespace: "ns".into(),
        name: "workers".into(),
        spec: OpenStackMachineSpec {
            flavor: FlavorParam {
                filter: Some(filter),
                id: None,
            },
            image: ImageParam {
                filter: Some(image),
                ..ImageParam::default()
            },
            ..OpenStackMachineSpec::default()
        },
        ..Want::default()
    }
}

fn seen() -> Seen {
    Seen {
        flavors: vec![Flavor {
            id: "f".into(),
            name: "SCS-4V-8-20".into(),
            vcpus: 4,
            ram_mib: 8192,
            disk_gib: 20,
            ephemeral_gib: 0,
        }],
        images: vec![Image {
            id: "i".into(),
            name: "ubuntu".into(),
            os_type: Some("linux".into()),
            ..Image::default()
        }],
        ..Seen::default()
    }
}

fn pair(address: &str) -> AddressPair {
    AddressPair {
        ip_address: address.into(),
        mac_address: None,
    }
}

fn decide(want: &Want, seen: &Seen) -> Decision<Action, OpenStackMachineTemplateStatus> {
    plan(want, seen, Timestamp::UNIX_EPOCH)
}

fn capacity(status: &OpenStackMachineTemplateStatus) -> Vec<(&str, &str)> {
    let all = status.capacity.iter();
    all.map(|(name, amount)| (name.as_str(), amount.0.as_str()))
        .collect()
}

#[test]
fn a_template_says_what_its_machines_have() {
    let mut want = want();
    let decision = decide(&want, &seen());
    assert_eq!(decision.step, Step::Done);
    assert_eq!(
        capacity(&decision.status),
        [("cpu", "4"), ("memory", "8Gi"), ("storage", "20Gi")]
    );
    let os = decision
        .status
        .node_info
        .and_then(|info| info.operating_system);
    assert_eq!(os.as_deref(), Some("linux"));

    want.spec.root_volume = Some(RootVolume {
        size_gib: 50,
        ..RootVolume::default()
    });
    let mut seen = seen();
    seen.flavors[0].ephemeral_gib = 100;
    assert_eq!(
        capacity(&decide(&want, &seen).status),
        [
            ("cpu", "4"),
            ("ephemeral-storage", "100Gi"),
            ("memory", "8Gi"),
            ("storage", "50Gi")
        ]
    );
}

#[test]
fn what_is_missing_hides_nothing_of_the_rest() {
    let mut want = want();
    want.spec.image.filter.as_mut().expect("set").name = Some("ubunto".into());
    let decision = decide(&want, &seen());
    let Step::Blocked(problem) = &decision.step else {
        panic!("{:?}", decision.step)
    };
    assert_eq!(
        problem.to_string(),
        "OpenStackMachineTemplate ns/workers: spec.template.spec.image = ubunto: no such image: did you mean ubuntu?"
    );
    assert_eq!(capacity(&decision.status).len(), 3);
    assert_eq!(decision.status.conditions[0].reason, "DependencyFailed");

    want = self::want();
    want.spec.flavor.filter.as_mut().expect("set").name = Some("SCS-4V-8-2".into());
    let decision = decide(&want, &seen());
    assert!(matches!(decision.step, Step::Blocked(p) if p.way_out.contains("SCS-4V-8-20")));
    assert!(decision.status.node_info.is_some());
}

#[test]
fn an_image_object_that_is_not_there_yet_is_no_fault() {
    let mut want = want();
    want.spec.image = ImageParam {
        image_ref: Some(ResourceReference {
            name: "ubuntu".into(),
        }),
        ..ImageParam::default()
    };
    let mut seen = seen();
    seen.image_object = ImageObject::NotInstalled;
    let decision = decide(&want, &seen);
    assert_eq!(
        (decision.step, decision.status.node_info),
        (Step::Done, None)
    );
    seen.image_object = ImageObject::Available("i".into());
    assert!(decide(&want, &seen).status.node_info.is_some());
}

fn machine(made_with: &[&str]) -> Machine {
    Machine {
        name: "m".into(),
        pushed: None,
        made_with: vec![
            made_with.iter().map(|address| pair(address)).collect(),
            vec![],
        ],
        port_ids: vec!["p0".into(), "p1".into()],
    }
}

/// What the only action pushes, and how it is recorded.
fn pushed(want: &Want, seen: &Seen) -> (Vec<(String, Vec<AddressPair>)>, String) {
    let Step::Do(mut actions) = decide(want, seen).step else {
        panic!("nothing pushed")
    };
    assert_eq!(actions.len(), 1);
    let Action::PushAddressPairs { ports, record, .. } = actions.remove(0);
    (ports, record)
}

#[test]
fn changed_pairs_are_pushed_once() {
    let mut want = want();
    want.spec.ports = vec![PortOpts::default(), PortOpts::default()];
    want.spec.ports[0].allowed_address_pairs = vec![pair("10.0.0.1")];
    let mut seen = seen();
    // As it was made; adopting it writes nothing.
    seen.machines = vec![machine(&["10.0.0.1"])];
    assert_eq!(decide(&want, &seen).step, Step::Done);

    want.spec.ports[0].allowed_address_pairs = vec![pair("10.0.0.2")];
    let (ports, record) = pushed(&want, &seen);
    let expected = [
        ("p0".to_string(), vec![pair("10.0.0.2")]),
        ("p1".to_string(), vec![]),
    ];
    assert_eq!(ports, expected);
    assert_eq!(record, r#"[[{"ipAddress":"10.0.0.2"}],null]"#);

    seen.machines[0].pushed = Some(record);
    assert_eq!(decide(&want, &seen).step, Step::Done);
}

/// A user may write other pairs into one machine.
#[test]
fn a_template_that_never_changed_pushes_nothing() {
    let mut want = want();
    want.spec.ports = vec![PortOpts::default()];
    want.generation = Some(1);
    let mut seen = seen();
    seen.machines = vec![machine(&["10.0.0.1"])];
    assert_eq!(decide(&want, &seen).step, Step::Done);
    assert!(!want.is_behind(&seen.machines[0]));
    want.generation = Some(2);
    assert!(want.is_behind(&seen.machines[0]));
}

#[test]
fn ports_that_cannot_have_pairs_or_are_not_there_get_none() {
    let mut want = want();
    want.spec.ports = vec![PortOpts::default(), PortOpts::default()];
    want.spec.ports[0].allowed_address_pairs = vec![pair("10.0.0.2")];
    want.spec.ports[1].enable_port_security = Some(false);
    let mut seen = seen();
    seen.machines = vec![machine(&[])];
    let (ports, _) = pushed(&want, &seen);
    assert_eq!(ports.len(), 1);
    seen.machines[0].port_ids.clear();
    assert_eq!(decide(&want, &seen).step, Step::Done);
    assert!(want.is_behind(&seen.machines[0]));
}
