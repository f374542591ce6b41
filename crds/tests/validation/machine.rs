//! Rules of machines, their templates and servers.

use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackMachine, OpenStackMachineTemplate};
use crds::openstack::validation::{Rules, Violation};
use serde_json::{Value, json};

use crate::{accepted, object, patched, refused};

fn machine(patch: &Value) -> Value {
    let spec = json!({
        "flavor": { "filter": { "name": "m1" } },
        "image": { "filter": { "name": "ubuntu" } },
    });
    patched(&spec, patch)
}

fn created_machine(patch: &Value) -> Vec<Violation> {
    object::<OpenStackMachine>("OpenStackMachine", &machine(patch)).on_create()
}

fn template(patch: &Value) -> Value {
    json!({ "template": { "spec": machine(patch) } })
}

fn created_template(patch: &Value) -> Vec<Violation> {
    object::<OpenStackMachineTemplate>("OpenStackMachineTemplate", &template(patch)).on_create()
}

fn created_server(patch: &Value) -> Vec<Violation> {
    let spec = json!({
        "identityRef": { "name": "cloud", "cloudName": "openstack" },
        "flavor": "m1",
        "image": { "filter": { "name": "ubuntu" } },
        "sshKeyName": "",
        "ports": [{}],
    });
    object::<OpenStackServer>("OpenStackServer", &patched(&spec, patch)).on_create()
}

fn disks(name: &str) -> Value {
    json!([
        { "name": "etcd", "sizeGiB": 1, "storage": { "type": "Local" } },
        { "name": name, "sizeGiB": 1, "storage": { "type": "Local" } },
    ])
}

#[test]
fn no_disk_takes_the_name_of_the_root_volume() {
    let taken = json!({ "rootVolume": { "sizeGiB": 10 }, "additionalBlockDevices": disks("root") });
    let words = ["\"root\"", "rootVolume", "another name"];
    let field = "additionalBlockDevices[1].name";
    refused(&created_machine(&taken), &format!("spec.{field}"), &words);
    refused(&created_server(&taken), &format!("spec.{field}"), &words);
    let at = format!("spec.template.spec.{field}");
    refused(&created_template(&taken), &at, &words);

    let other = json!({ "rootVolume": { "sizeGiB": 10 }, "additionalBlockDevices": disks("data") });
    let no_root = json!({ "additionalBlockDevices": disks("root") });
    for good in [other, no_root] {
        accepted(&created_machine(&good));
        accepted(&created_server(&good));
        accepted(&created_template(&good));
    }
}

#[test]
fn a_port_without_port_security_has_no_groups() {
    let group = json!([{ "filter": { "name": "web" } }]);
    let open = json!({ "ports": [{}, { "enablePortSecurity": false, "securityGroups": group }] });
    let words = [
        "web",
        "enablePortSecurity: false",
        "leave securityGroups out",
    ];
    let field = "ports[1].securityGroups";
    refused(&created_machine(&open), &format!("spec.{field}"), &words);
    refused(&created_server(&open), &format!("spec.{field}"), &words);
    let at = format!("spec.template.spec.{field}");
    refused(&created_template(&open), &at, &words);

    for security in [json!(true), json!(null)] {
        let port =
            json!({ "ports": [{ "enablePortSecurity": security, "securityGroups": group }] });
        accepted(&created_machine(&port));
        accepted(&created_server(&port));
    }
    accepted(&created_machine(
        &json!({ "ports": [{ "enablePortSecurity": false }] }),
    ));
}

#[test]
fn a_template_names_no_server() {
    let id = json!({ "providerID": "openstack:///1" });
    let at = "spec.template.spec.providerID";
    refused(
        &created_template(&id),
        at,
        &["openstack:///1", "leave it out"],
    );
    accepted(&created_machine(&id));
}

#[test]
fn a_port_that_joins_is_no_change_of_address_pairs() {
    let pairs = json!([{ "ipAddress": "192.0.2.1" }]);
    let with = |ports: Value| object::<OpenStackMachine>("OpenStackMachine", &machine(&ports));
    let one = with(json!({ "ports": [{}] }));
    accepted(&with(json!({ "ports": [{ "allowedAddressPairs": pairs }] })).on_update(&one));
    let two = with(json!({ "ports": [{}, { "allowedAddressPairs": pairs }] }));
    refused(&two.on_update(&one), "spec.ports", &["192.0.2.1", "[{}]"]);
}

#[test]
fn what_was_wrong_before_blocks_nothing_else() {
    let taken = json!({ "rootVolume": { "sizeGiB": 10 }, "additionalBlockDevices": disks("root") });
    let old = object::<OpenStackMachine>("OpenStackMachine", &machine(&taken));
    let mut new = old.clone();
    new.spec.provider_id = Some("openstack:///1".into());
    accepted(&new.on_update(&old));
}

#[test]
fn templates_and_servers_are_free_in_dry_runs_of_the_topology_controller() {
    const {
        assert!(OpenStackMachineTemplate::FREE_IN_TOPOLOGY_DRY_RUN);
        assert!(OpenStackServer::FREE_IN_TOPOLOGY_DRY_RUN);
        assert!(!OpenStackMachine::FREE_IN_TOPOLOGY_DRY_RUN);
    }
}
