//! What cannot be said in the other version, and when it is said again.

use crds::openstack::conversion::convert;
use serde_json::{Value, json};

use crate::{KEPT, NEW, OLD, newer, object, older};

/// The annotation as CAPO leaves it on a stored object: all of what it was in the old version.
fn kept_by_capo(stored: &mut Value, old: &Value) {
    let mut old = old.clone();
    old.as_object_mut().unwrap().remove("metadata");
    let annotations = json!({ "cluster.x-k8s.io/conversion-data": old.to_string() });
    stored["metadata"]["annotations"] = annotations;
}

#[test]
fn what_can_be_said_needs_no_annotation() {
    let machine = object(
        "OpenStackMachine",
        OLD,
        &json!({ "spec": { "flavor": "m1" } }),
    );
    let new = newer(&machine);
    assert_eq!(new["metadata"].get("annotations"), None);
    assert_eq!(older(&new), machine);
}

#[test]
fn a_flavor_beside_its_id_comes_back_while_the_id_is_the_same() {
    let both = json!({ "spec": { "flavor": "small", "flavorID": "1" } });
    let mut new = newer(&object("OpenStackMachine", OLD, &both));
    assert_eq!(new["spec"], json!({ "flavor": { "id": "1" } }));
    assert_eq!(older(&new)["spec"], both["spec"]);
    new["spec"]["flavor"]["id"] = "2".into();
    assert_eq!(older(&new)["spec"], json!({ "flavorID": "2" }));
}

fn condition(type_: &str, status: &str) -> Value {
    json!({
        "type": type_, "status": status, "reason": "OpenStackError", "message": "down",
        "lastTransitionTime": "2026-11-21T12:00:00Z",
    })
}

#[test]
fn a_severity_comes_back_while_the_condition_is_the_same() {
    let mut severe = condition("InstanceReady", "False");
    severe["severity"] = "Error".into();
    let status = json!({ "status": { "ready": false, "conditions": [severe] } });
    let mut new = newer(&object("OpenStackMachine", OLD, &status));
    assert_eq!(
        new["status"]["conditions"],
        json!([condition("InstanceReady", "False")])
    );
    new["status"]["conditions"][0]["observedGeneration"] = 3.into();
    assert_eq!(older(&new)["status"], status["status"]);
    new["status"]["conditions"][0]["message"] = "up and down".into();
    assert_eq!(older(&new)["status"]["conditions"][0].get("severity"), None);
}

#[test]
fn a_failure_is_over_when_ready_changes() {
    let status = json!({ "status": {
        "ready": false, "failureReason": "CreateError", "failureMessage": "no host",
        "conditions": [condition("Ready", "False")],
    } });
    let mut new = newer(&object("OpenStackMachine", OLD, &status));
    assert_eq!(new["status"].get("failureReason"), None);
    assert_eq!(older(&new)["status"], status["status"]);
    new["status"]["conditions"][0]["status"] = "True".into();
    let now = older(&new);
    assert_eq!(now["status"].get("failureReason"), None);
    assert_eq!(now["status"]["ready"], true);
}

#[test]
fn an_observed_generation_survives_a_write_through_the_old_version() {
    let mut seen = condition("Ready", "True");
    seen["observedGeneration"] = 7.into();
    let status = json!({ "status": { "conditions": [seen, condition("NetworkReady", "True")] } });
    let new = object("OpenStackCluster", NEW, &status);
    let mut old = older(&new);
    assert_eq!(
        old["status"]["conditions"][0].get("observedGeneration"),
        None
    );
    assert_eq!(newer(&old)["status"], status["status"]);
    old["status"]["conditions"][0]["status"] = "False".into();
    let written = newer(&old);
    assert_eq!(
        written["status"]["conditions"][0].get("observedGeneration"),
        None
    );
}

#[test]
fn metadata_of_a_template_survives_a_write_through_the_old_version() {
    let template = json!({ "spec": { "template": {
        "metadata": { "labels": { "a": "b" } },
        "spec": { "tags": ["x"] },
    } } });
    let mut old = older(&object("OpenStackClusterTemplate", NEW, &template));
    assert_eq!(old["spec"]["template"].get("metadata"), None);
    old["spec"]["template"]["spec"]["tags"] = json!(["y"]);
    let new = newer(&old);
    let labels = &new["spec"]["template"]["metadata"]["labels"];
    assert_eq!(labels, &json!({ "a": "b" }));
    assert_eq!(new["spec"]["template"]["spec"]["tags"], json!(["y"]));
    assert_eq!(new.pointer(KEPT), None);
}

/// The original shows clients of the old version what the object once was, and a write of theirs
/// makes it that again.
#[test]
fn what_capo_kept_is_never_rolled_back() {
    let once = object(
        "OpenStackCluster",
        OLD,
        &json!({
            "spec": { "tags": ["old"], "networkMTU": 1400, "bastion": {
                "spec": { "flavor": "small", "flavorID": "1" },
            } },
            "status": { "ready": true, "network": { "id": "old" } },
        }),
    );
    let now = json!({
        "spec": { "tags": ["new"], "managedNetwork": { "mtu": 9000 }, "bastion": {
            "spec": { "flavor": { "id": "1" } },
        } },
        "status": { "network": { "id": "new" }, "conditions": [condition("Ready", "False")] },
    });
    let mut stored = object("OpenStackCluster", NEW, &now);
    kept_by_capo(&mut stored, &once);
    let read = older(&stored);
    assert_eq!(read["spec"]["tags"], json!(["new"]));
    assert_eq!(read["spec"]["networkMTU"], 9000);
    assert_eq!(read["status"]["network"]["id"], "new");
    assert_eq!(read["status"]["ready"], false);
    // what cannot be said and did not change is still there
    assert_eq!(read["spec"]["bastion"]["spec"]["flavor"], "small");
    let written = newer(&read);
    assert_eq!(written["spec"], now["spec"]);
    assert_eq!(written["status"], now["status"]);
}

#[test]
fn an_annotation_that_is_not_for_us_is_nothing() {
    let mut stored = object(
        "OpenStackMachine",
        NEW,
        &json!({ "spec": { "flavor": { "id": "1" } } }),
    );
    let wanted = object(
        "OpenStackMachine",
        OLD,
        &json!({ "spec": { "flavorID": "1" } }),
    );
    for text in [
        "",
        "no JSON",
        "[]",
        "{}",
        r#"{"apiVersion":"v1","kind":"Pod","spec":{}}"#,
    ] {
        stored["metadata"]["annotations"] = json!({ "cluster.x-k8s.io/conversion-data": text });
        assert_eq!(older(&stored), wanted, "{text}");
    }
}

#[test]
fn what_cannot_be_converted_is_named() {
    let cluster = |spec: Value| object("OpenStackCluster", OLD, &json!({ "spec": spec }));
    let error = |object: Value| convert(object, NEW).unwrap_err().to_string();
    let large = error(cluster(json!({ "bastion": { "spec": { "ports": [
        { "fixedIPs": [{ "subnet": { "filter": { "ipVersion": 3_000_000_000_u64 } } }] },
    ] } } })));
    assert_eq!(
        large,
        "OpenStackCluster team/demo: \
         spec.bastion.spec.ports[0].fixedIPs[0].subnet.filter.ipVersion is 3000000000: \
         must be a whole number between -2147483648 and 2147483647"
    );
    let flag = error(cluster(json!({ "disableExternalNetwork": "yes" })));
    assert_eq!(
        flag,
        "OpenStackCluster team/demo: spec.disableExternalNetwork is \"yes\": must be true or false"
    );
    let mut pod = cluster(json!({}));
    pod["kind"] = "Pod".into();
    assert!(error(pod).contains("kind is \"Pod\""));
    let unknown = convert(
        cluster(json!({})),
        "infrastructure.cluster.x-k8s.io/v1alpha7",
    );
    assert!(unknown.unwrap_err().to_string().contains("v1alpha7"));
}
