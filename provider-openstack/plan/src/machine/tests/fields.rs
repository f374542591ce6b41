//! What a machine passes on to its server object, and what it reports.

use crds::capi;
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackMachine};
use k8s_openapi::api::core::v1::NodeAddress;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::model::{Model, NOW, settle, want};
use crate::machine::{Action, Ingress, Seen, Want, plan};
use crate::step::Step;

fn object<T: DeserializeOwned>(json: Value) -> T {
    serde_json::from_value(json).expect("an object")
}

/// The spec of the server object of a worker in a cluster with this spec.
fn server(cluster: &Value) -> Value {
    let infrastructure: OpenStackCluster = object(json!({
        "metadata": {"name": "c"},
        "spec": cluster,
        "status": {
            "initialization": {"provisioned": true},
            "network": {"id": "net", "name": "net"},
            "workerSecurityGroup": {"id": "sg", "name": "sg"},
        },
    }));
    let machine: OpenStackMachine = object(json!({
        "metadata": {"name": "m"},
        "spec": {"flavor": {"filter": {"name": "f"}}, "image": {"id": "i"}, "tags": ["m"]},
    }));
    let owner: capi::Machine = object(json!({
        "metadata": {"name": "m"},
        "spec": {"bootstrap": {"dataSecretName": "boot"}, "clusterName": "c", "failureDomain": "az2"},
    }));
    let want = Want::new(&machine, &owner, &capi::Cluster::default(), &infrastructure);
    match plan(&want, &Seen::default(), NOW).step {
        Step::Do(actions) => match actions.as_slice() {
            [Action::CreateServerObject(object)] => {
                serde_json::to_value(&object.spec).expect("JSON")
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_server_takes_the_rest_from_cluster_and_machine() {
    let by_id = |id: &str| json!({"subnet": {"id": id}});
    for (primary, subnets) in [
        (Value::Null, json!([by_id("a"), by_id("b")])),
        (json!({"id": "b"}), json!([by_id("b")])),
    ] {
        let server = server(&json!({
            "identityRef": {"name": "cloud", "cloudName": "openstack"},
            "subnets": [{"id": "a"}, {"id": "b"}],
            "primarySubnet": primary,
            "managedSecurityGroups": {},
            "tags": ["c"],
        }));
        let port = json!({
            "network": {"id": "net"}, "fixedIPs": subnets, "securityGroups": [{"id": "sg"}],
        });
        assert_eq!(server["ports"], json!([port]));
        assert_eq!(server["tags"], json!(["m", "c"]));
        assert_eq!(server["identityRef"]["name"], "cloud");
        assert_eq!(server["availabilityZone"], "az2");
        assert_eq!(server["userDataRef"]["name"], "boot");
        assert_eq!(server["flavor"], "f");
    }
}

/// The groups of before they were turned off are no longer ours to give.
#[test]
fn without_managed_groups_a_server_gets_none() {
    let identity = json!({"name": "cloud", "cloudName": "openstack"});
    let server = server(&json!({"identityRef": identity}));
    assert_eq!(server["ports"], json!([{"network": {"id": "net"}}]));
}

/// Whoever manages the cluster may not have said its network.
#[test]
fn without_any_network_the_machine_is_blocked_until_one_is_named() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    let network = want.cluster.network.take();
    want.spec.ports.clear();
    let Step::Blocked(problem) = settle(&mut model, &mut want) else {
        panic!("made for no network: {:?}", model.server);
    };
    assert_eq!(problem.reason, "InvalidMachineSpec");
    let conditions = &want.status.conditions;
    let said = conditions.iter().find(|said| said.type_ == "InstanceReady");
    assert_eq!(
        said.map(|said| said.reason.as_str()),
        Some("InvalidMachineSpec")
    );
    assert!(model.server.is_none());
    want.cluster.network = network;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
}

/// What only the server object says is not repeated.
#[test]
fn a_machine_reports_what_cluster_api_reads() {
    let mut model = Model::new();
    let mut want = want(Ingress::None);
    settle(&mut model, &mut want);
    let server = model
        .server
        .as_ref()
        .and_then(|server| server.status.clone());
    let server = server.expect("reported");
    assert_eq!(want.status.instance_id, server.instance_id);
    assert!(want.status.instance_id.is_some());
    assert_eq!(want.status.addresses, server.addresses);
    let provisioned = want.status.initialization.as_ref();
    assert_eq!(provisioned.and_then(|i| i.provisioned), Some(true));
    let id = want.status.instance_id.clone().unwrap_or_default();
    assert_eq!(want.spec.provider_id, Some(format!("openstack:///{id}")));
    let repeated = (
        &want.status.instance_state,
        &want.status.resolved,
        &want.status.resources,
    );
    assert_eq!(repeated, (&None, &None, &None));
}

/// CAPO writes addresses into the machine alone.
#[test]
fn addresses_stay_until_the_server_object_tells_of_some() {
    let address = |ip: &str| NodeAddress {
        type_: "InternalIP".into(),
        address: ip.into(),
    };
    let (mut model, mut want) = (Model::new(), want(Ingress::None));
    settle(&mut model, &mut want);
    want.status.addresses = vec![address("10.6.0.5")];
    settle(&mut model, &mut want);
    assert_eq!(want.status.addresses, [address("10.6.0.5")]);
    let server = model.server.as_mut().expect("an object");
    server.status.as_mut().expect("a status").addresses = vec![address("10.6.0.7")];
    settle(&mut model, &mut want);
    assert_eq!(want.status.addresses, [address("10.6.0.7")]);
}
