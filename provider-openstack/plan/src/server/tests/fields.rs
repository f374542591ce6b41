//! Fields that are passed on: each one arrives.

use crds::openstack::v1alpha1::OpenStackServerSpec;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::model::{Model, catalog};
use super::want::{Shape, want};
use crate::server::{Action, BlockDevice, NewServer, NewVolume, Seen, Source, Want, plan, resolve};
use crate::step::Step;
use crate::world::{SecurityGroup, ServerGroup, Subnet};

/// The plainest server, with `patch` over its spec.
fn patched(patch: Value) -> Want {
    let mut want = want(&Shape::default());
    let mut spec = serde_json::to_value(&want.spec).expect("serializes");
    for (field, value) in patch.as_object().expect("an object") {
        spec[field] = value.clone();
    }
    want.spec = serde_json::from_value::<OpenStackServerSpec>(spec).expect("a spec");
    want
}

/// The cloud of the model, and what these fields refer to.
fn seen(model: &Model) -> Seen {
    let mut seen = model.seen();
    seen.catalog.server_groups = vec![ServerGroup {
        id: "g1".into(),
        name: "spread".into(),
    }];
    seen.catalog.images[0].tags = vec!["stable".into()];
    seen.catalog.subnets = vec![Subnet {
        id: "s1".into(),
        name: "nodes-4".into(),
        description: String::new(),
        tags: Vec::new(),
        project_id: String::new(),
        network_id: "net".into(),
        cidr: "10.6.0.0/24".parse().expect("a CIDR"),
        gateway_ip: None,
        dns_nameservers: Vec::new(),
        ipv6_address_mode: None,
        ipv6_ra_mode: None,
    }];
    let group = |id: &str| SecurityGroup {
        id: id.into(),
        name: id.into(),
        tags: vec!["web".into()],
        ..SecurityGroup::default()
    };
    seen.catalog
        .security_groups
        .extend([group("w1"), group("w2")]);
    seen
}

/// The server that is asked for, and the volumes before it.
fn made(mut want: Want) -> (Box<NewServer>, Vec<NewVolume>, Want) {
    let (mut model, mut volumes) = (Model::default(), Vec::new());
    for _ in 0..10 {
        let decision = plan(&want, &seen(&model), Timestamp::UNIX_EPOCH);
        want.status = decision.status;
        let Step::Do(actions) = decision.step else {
            model.tick();
            continue;
        };
        for action in actions {
            match &action {
                Action::CreateServer(new) => return (new.clone(), volumes, want),
                Action::CreateVolume(new) => volumes.push(new.clone()),
                _ => {}
            }
            model.apply(&action);
        }
    }
    panic!("no server is asked for: {:?}", want.status.conditions);
}

#[test]
fn a_server_is_what_its_spec_says() {
    let hint = |name: &str, value: Value| json!({"name": name, "value": value});
    let (server, _, want) = made(patched(json!({
        "flavor": null, "flavorID": "f2",
        "image": {"filter": {"tags": ["stable"]}},
        "availabilityZone": "az1",
        "sshKeyName": "key",
        "userDataRef": {"name": "boot"},
        "tags": ["a", "b"],
        "serverMetadata": [{"key": "rack", "value": "7"}, {"key": "capstan-cluster", "value": "not mine"}],
        "configDrive": true,
        "serverGroup": {"filter": {"name": "spread"}},
        "schedulerHintAdditionalProperties": [
            hint("one", json!({"type": "Bool", "bool": true})),
            hint("two", json!({"type": "Number", "number": 2})),
            hint("three", json!({"type": "String", "string": "3"})),
        ],
    })));
    assert_eq!(
        (server.flavor_id.as_str(), server.image_id.as_deref()),
        ("f2", Some("image"))
    );
    assert_eq!(server.availability_zone.as_deref(), Some("az1"));
    assert_eq!(server.key_name, "key");
    assert_eq!(server.user_data_secret.as_deref(), Some("boot"));
    assert_eq!(server.tags, ["a", "b"]);
    let pair = |key: &str, value: &str| (key.to_string(), value.to_string());
    // By the second one the server is recognised.
    let metadata = [pair("rack", "7"), pair("capstan-cluster", "ns/c")];
    assert_eq!(server.metadata, metadata);
    assert!(server.config_drive);
    assert_eq!(server.server_group_id.as_deref(), Some("g1"));
    let hints: Vec<(&str, &Value)> = server
        .hints
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    assert_eq!(
        hints,
        [
            ("one", &json!(true)),
            ("two", &json!(2)),
            ("three", &json!("3"))
        ]
    );
    let resolved = want.status.resolved.expect("published");
    assert_eq!(resolved.server_group_id.as_deref(), Some("g1"));
    assert_eq!(resolved.flavor_id.as_deref(), Some("f2"));
    assert_eq!(resolved.image_id.as_deref(), Some("image"));
    let by_id = json!({"serverGroup": {"id": "g1"}, "image": {"id": "image"}});
    let (server, ..) = made(patched(by_id));
    assert_eq!(server.server_group_id.as_deref(), Some("g1"));
    assert_eq!(server.image_id.as_deref(), Some("image"));
}

#[test]
fn disks_are_where_and_what_the_spec_says() {
    let disk = |name: &str, size: i32, storage: Value| json!({"name": name, "sizeGiB": size, "storage": storage});
    let named = json!({"from": "Name", "name": "volumes-2"});
    let (server, volumes, _) = made(patched(json!({
        "availabilityZone": "az1",
        "rootVolume": {"sizeGiB": 20, "type": "ssd", "availabilityZone": {"from": "Machine"}},
        "additionalBlockDevices": [
            disk("data", 7, json!({"type": "Volume", "volume": {"type": "hdd", "availabilityZone": named}})),
            disk("any", 8, json!({"type": "Volume"})),
            disk("scratch", 9, json!({"type": "Local"})),
        ],
    })));
    type Row<'a> = (
        &'a str,
        i32,
        Option<&'a str>,
        Option<&'a str>,
        Option<&'a str>,
    );
    let rows: Vec<Row> = volumes
        .iter()
        .map(|volume| {
            (
                volume.name.as_str(),
                volume.size_gib,
                volume.volume_type.as_deref(),
                volume.availability_zone.as_deref(),
                volume.image_id.as_deref(),
            )
        })
        .collect();
    let expected: [Row; 3] = [
        ("m-root", 20, Some("ssd"), Some("az1"), Some("image")),
        ("m-data", 7, Some("hdd"), Some("volumes-2"), None),
        ("m-any", 8, None, None, None),
    ];
    assert_eq!(rows, expected);
    assert_eq!(server.image_id, None, "it boots from the volume");
    let boots = |device: &BlockDevice| (device.boot_index, device.tag.clone());
    let devices: Vec<_> = server.block_devices.iter().map(boots).collect();
    let tagged = |name: &str| (-1, Some(name.to_string()));
    assert_eq!(
        devices,
        [(0, None), tagged("data"), tagged("any"), tagged("scratch")]
    );
    assert_eq!(
        server.block_devices[3].source,
        Source::Blank { size_gib: 9 }
    );
}

#[test]
fn a_port_is_resolved_field_by_field() {
    let port = json!({
        "nameSuffix": "front",
        "network": {"filter": {"name": "nodes"}},
        "description": "in front",
        "fixedIPs": [{"subnet": {"filter": {"name": "nodes-4"}}, "ipAddress": "10.6.0.9"}],
        "securityGroups": [{"filter": {"tags": ["web"]}}, {"id": "sg"}],
        "tags": ["p"],
        "trunk": true,
        "adminStateUp": false,
        "macAddress": "fa:16:3e:00:00:09",
        "allowedAddressPairs": [{"ipAddress": "10.244.0.0/16", "macAddress": "fa:16:3e:00:00:08"}],
        "hostID": "host-1",
        "vnicType": "direct",
        "profile": {"ovsHWOffload": true, "trustedVF": true},
        "enablePortSecurity": true,
        "propagateUplinkStatus": true,
        "valueSpecs": [{"name": "one", "key": "qos_policy_id", "value": "gold"}],
    });
    let of_subnet = json!({"fixedIPs": [{"subnet": {"id": "s1"}}], "enablePortSecurity": false});
    let spec = json!({
        "ports": [port, of_subnet], "tags": ["s"], "securityGroups": [{"id": "sg"}],
    });
    let (_, _, want) = made(patched(spec));
    let resolved = want.status.resolved.expect("published");
    let expected = json!({
        "name": "m-front",
        "description": "in front",
        "networkID": "net",
        "tags": ["s", "p"],
        "trunk": true,
        "fixedIPs": [{"subnet": "s1", "ipAddress": "10.6.0.9"}],
        "securityGroups": ["w1", "w2", "sg"],
        "adminStateUp": false,
        "macAddress": "fa:16:3e:00:00:09",
        "allowedAddressPairs": [{"ipAddress": "10.244.0.0/16", "macAddress": "fa:16:3e:00:00:08"}],
        "hostID": "host-1",
        "vnicType": "direct",
        "profile": {"ovsHWOffload": true, "trustedVF": true},
        "enablePortSecurity": true,
        "propagateUplinkStatus": true,
        "valueSpecs": [{"name": "one", "key": "qos_policy_id", "value": "gold"}],
    });
    assert_eq!(
        serde_json::to_value(&resolved.ports[0]).expect("JSON"),
        expected
    );
    let second = serde_json::to_value(&resolved.ports[1]).expect("JSON");
    assert_eq!(
        (&second["name"], &second["networkID"]),
        (&json!("m-1"), &json!("net"))
    );
    assert_eq!(
        (second.get("securityGroups"), second.get("trunk")),
        (None, None)
    );
    assert_eq!(want.status.resources.expect("published").ports.len(), 2);
}

/// As a server object may be written by hand; that of a machine has the groups in its ports.
#[test]
fn a_port_without_groups_has_those_of_the_server() {
    let spec = json!({
        "ports": [{"network": {"id": "net"}}], "securityGroups": [{"filter": {"name": "workers"}}],
    });
    let (_, _, want) = made(patched(spec));
    let resolved = want.status.resolved.expect("published");
    assert_eq!(resolved.ports[0].security_groups, ["sg"]);
}

/// Other projects may share theirs: whether an id is right only Neutron knows.
#[test]
fn a_group_is_taken_by_id_and_of_another_project_only_by_its_id() {
    let group = |project: Option<&str>| {
        let filter = json!({"name": "web", "projectID": project});
        let groups = json!([{"id": "unlisted"}, {"filter": filter}]);
        patched(json!({"ports": [{"network": {"id": "net"}, "securityGroups": groups}]}))
    };
    let shared = SecurityGroup {
        id: "theirs".into(),
        name: "web".into(),
        project_id: "other".into(),
        ..SecurityGroup::default()
    };
    let mut catalog = catalog();
    catalog.shared_groups = vec![shared];
    let groups = |want: &Want| {
        let resolved = resolve::server(want, &catalog).ok()?;
        Some(resolved.ports.into_iter().next()?.security_groups)
    };
    let theirs = group(Some("other"));
    assert_eq!(
        groups(&theirs),
        Some(vec!["unlisted".into(), "theirs".into()])
    );
    assert!(theirs.finds_networking(&catalog));
    let ours = group(None);
    assert_eq!(groups(&ours), None);
    assert!(!ours.finds_networking(&catalog));
}
