//! A fixed example for every field that changes.

use serde_json::{Value, json};

use crate::{KEPT, NEW, OLD, content, newer, object, older};

/// Where, in the old version, in the new version.
type Example = (&'static str, Value, Value);

fn clusters() -> Vec<Example> {
    let rule = json!({ "name": "bgp", "direction": "ingress", "portRangeMin": 179 });
    let subnet = json!({ "subnet": { "filter": { "name": "ext" } }, "fixedIP": "203.0.113.7" });
    let balancer = json!({
        "enabled": true, "additionalPorts": [8443], "allowedCIDRs": ["10.0.0.0/8"],
        "provider": "ovn", "network": { "filter": { "name": "lb" } },
        "subnets": [{ "filter": { "ipVersion": 4 } }], "availabilityZone": "az1", "flavor": "small",
        "monitor": { "delay": 10, "timeout": 5, "maxRetries": 5, "maxRetriesDown": 3 },
    });
    vec![
        (
            "/spec",
            json!({ "networkMTU": 1442 }),
            json!({ "managedNetwork": { "mtu": 1442 } }),
        ),
        (
            "/spec",
            json!({ "disablePortSecurity": true }),
            json!({ "managedNetwork": { "enablePortSecurity": false } }),
        ),
        (
            "/spec",
            json!({ "networkMTU": 9000, "disablePortSecurity": false }),
            json!({ "managedNetwork": { "mtu": 9000, "enablePortSecurity": true } }),
        ),
        (
            "/spec",
            json!({ "externalRouterIPs": [subnet] }),
            json!({ "managedRouter": { "externalIPs": [subnet] } }),
        ),
        (
            "/spec",
            json!({ "disableExternalNetwork": true }),
            json!({ "enableExternalNetwork": false }),
        ),
        (
            "/spec",
            json!({ "apiServerLoadBalancer": balancer }),
            json!({ "apiServer": { "managedLoadBalancer": balancer } }),
        ),
        (
            "/spec",
            json!({ "disableAPIServerFloatingIP": true }),
            json!({ "apiServer": { "enableFloatingIP": false } }),
        ),
        (
            "/spec",
            json!({ "apiServerFloatingIP": "203.0.113.9" }),
            json!({ "apiServer": { "floatingIP": "203.0.113.9" } }),
        ),
        (
            "/spec",
            json!({ "apiServerFixedIP": "10.8.0.9" }),
            json!({ "apiServer": { "fixedIP": "10.8.0.9" } }),
        ),
        (
            "/spec",
            json!({ "apiServerPort": 443 }),
            json!({ "apiServer": { "port": 443 } }),
        ),
        (
            "/spec",
            json!({ "managedSecurityGroups": { "allNodesSecurityGroupRules": [rule] } }),
            json!({ "managedSecurityGroups": { "clusterNodesSecurityGroupRules": [rule] } }),
        ),
        (
            "/spec",
            json!({ "managedSecurityGroups": { "allowAllInClusterTraffic": true } }),
            json!({ "managedSecurityGroups": { "allowAllInClusterTraffic": true } }),
        ),
        (
            "/status",
            json!({ "ready": false, "apiServerLoadBalancer": { "id": "lb" } }),
            json!({ "apiServerManagedLoadBalancer": { "id": "lb" } }),
        ),
        (
            "/status",
            json!({ "ready": false, "failureDomains": {
                "az2": { "controlPlane": false },
                "az1": { "controlPlane": true, "attributes": { "a": "b" } },
            } }),
            json!({ "failureDomains": [
                { "name": "az1", "controlPlane": true, "attributes": { "a": "b" } },
                { "name": "az2", "controlPlane": false },
            ] }),
        ),
    ]
}

fn machines() -> Vec<Example> {
    vec![
        (
            "/spec",
            json!({ "flavor": "m1.small" }),
            json!({ "flavor": { "filter": { "name": "m1.small" } } }),
        ),
        (
            "/spec",
            json!({ "flavorID": "42" }),
            json!({ "flavor": { "id": "42" } }),
        ),
        (
            "/spec",
            json!({ "ports": [{}, { "disablePortSecurity": true, "trunk": false }] }),
            json!({ "ports": [{}, { "enablePortSecurity": false, "trunk": false }] }),
        ),
        (
            "/status",
            json!({ "ready": false, "resolved": { "ports": [
                { "name": "a-0", "description": "", "disablePortSecurity": false },
            ] } }),
            json!({ "resolved": { "ports": [{ "name": "a-0", "enablePortSecurity": true }] } }),
        ),
        (
            "/status",
            json!({ "ready": true, "conditions": [
                { "type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T12:00:00Z" },
                {
                    "type": "APIServerIngressReadyCondition", "status": "False",
                    "reason": "FloatingIPError", "message": "no quota",
                    "lastTransitionTime": "2026-11-21T12:00:00Z",
                },
            ] }),
            json!({ "conditions": [
                {
                    "type": "Ready", "status": "True", "reason": "NoReasonReported", "message": "",
                    "lastTransitionTime": "2026-11-21T12:00:00Z",
                },
                {
                    "type": "APIServerIngressReady", "status": "False",
                    "reason": "FloatingIPError", "message": "no quota",
                    "lastTransitionTime": "2026-11-21T12:00:00Z",
                },
            ] }),
        ),
    ]
}

/// `value` at `path` of an object.
fn with(kind: &str, version: &str, path: &str, value: &Value) -> Value {
    let nested = path
        .split('/')
        .skip(1)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .fold(value.clone(), |inner, name| json!({ name: inner }));
    object(kind, version, &nested)
}

#[track_caller]
fn check(kind: &str, path: &str, old: &Value, new: &Value) {
    let (old, new) = (with(kind, OLD, path, old), with(kind, NEW, path, new));
    assert_eq!(newer(&old), new, "{kind}{path}");
    assert_eq!(older(&new), old, "{kind}{path}");
}

#[test]
fn fields_of_clusters_and_their_templates() {
    for (path, old, new) in clusters() {
        check("OpenStackCluster", path, &old, &new);
        if path == "/spec" {
            check(
                "OpenStackClusterTemplate",
                "/spec/template/spec",
                &old,
                &new,
            );
        }
    }
}

#[test]
fn fields_of_machines_and_wherever_machines_are() {
    for (path, old, new) in machines() {
        check("OpenStackMachine", path, &old, &new);
        if path == "/spec" {
            check(
                "OpenStackMachineTemplate",
                "/spec/template/spec",
                &old,
                &new,
            );
            check("OpenStackCluster", "/spec/bastion/spec", &old, &new);
            let template = "/spec/template/spec/bastion/spec";
            check("OpenStackClusterTemplate", template, &old, &new);
        }
    }
    let resolved = |port: Value| json!({ "resolved": { "ports": [port] } });
    let old = resolved(json!({ "description": "", "disablePortSecurity": true }));
    let new = resolved(json!({ "enablePortSecurity": false }));
    let old = json!({ "ready": false, "bastion": old });
    check(
        "OpenStackCluster",
        "/status",
        &old,
        &json!({ "bastion": new }),
    );
}

/// One field after the other is written through the old version, over an object that the new one
/// has filled: that field changes, and no other.
#[test]
fn a_write_of_one_field_changes_that_field() {
    let fill = |version: &str, examples: Vec<Example>| {
        let mut object = object("OpenStackCluster", version, &json!({ "spec": {} }));
        for (_, old, new) in examples.iter().filter(|(path, ..)| *path == "/spec") {
            let value = if version == OLD { old } else { new };
            merge(&mut object["spec"], value);
        }
        object
    };
    let stored = fill(NEW, clusters());
    let changes = [
        (
            "networkMTU",
            json!(1500),
            "/spec/managedNetwork/mtu",
            json!(1500),
        ),
        (
            "disablePortSecurity",
            json!(true),
            "/spec/managedNetwork/enablePortSecurity",
            json!(false),
        ),
        (
            "disableExternalNetwork",
            json!(false),
            "/spec/enableExternalNetwork",
            json!(true),
        ),
        (
            "disableAPIServerFloatingIP",
            json!(false),
            "/spec/apiServer/enableFloatingIP",
            json!(true),
        ),
        (
            "apiServerFloatingIP",
            json!("a"),
            "/spec/apiServer/floatingIP",
            json!("a"),
        ),
        (
            "apiServerFixedIP",
            json!("b"),
            "/spec/apiServer/fixedIP",
            json!("b"),
        ),
        ("apiServerPort", json!(1), "/spec/apiServer/port", json!(1)),
        (
            "apiServerLoadBalancer",
            json!({ "enabled": false }),
            "/spec/apiServer/managedLoadBalancer",
            json!({ "enabled": false }),
        ),
        ("tags", json!(["t"]), "/spec/tags", json!(["t"])),
    ];
    for (field, old, path, new) in changes {
        let mut read = older(&stored);
        assert_ne!(read["spec"][field], old, "{field}: nothing would change");
        read["spec"][field] = old;
        let mut wanted = stored.clone();
        match wanted.pointer_mut(path) {
            Some(place) => *place = new,
            None => wanted["spec"][field] = new,
        }
        assert_eq!(content(&newer(&read)), wanted, "{field}");
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

/// The API server also converts parts of objects.
#[test]
fn parts_of_objects_stay_parts() {
    for kind in crate::KINDS {
        let nothing = object(kind, OLD, &json!({}));
        assert_eq!(newer(&nothing), object(kind, NEW, &json!({})));
        let empty = object(kind, OLD, &json!({ "spec": {} }));
        assert_eq!(newer(&empty), object(kind, NEW, &json!({ "spec": {} })));
        assert_eq!(older(&newer(&empty)).pointer(KEPT), None);
    }
}
