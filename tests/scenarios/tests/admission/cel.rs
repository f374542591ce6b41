//! The CEL rules of the schemas.

use kube::ResourceExt;
use serde_json::{Value, json};

use crate::{Admission, cluster, invalid, machine, merged, server};

#[tokio::test(flavor = "multi_thread")]
async fn cel_rules_hold() {
    let admission = Admission::open("admission-cel").await;
    let created = admission
        .create("OpenStackCluster", "x", &cluster(&json!({})))
        .await;
    assert_eq!(created.name_any(), "x");
    let region = json!({ "spec": { "identityRef": { "region": "S" } } });
    let answer = admission.try_change("OpenStackCluster", "x", &region).await;
    invalid(answer, &["spec.identityRef", "region cannot be changed"]);

    let try_create = async |kind: &str, spec: Value| admission.try_create(kind, "new", &spec).await;
    for (patch, words) in [
        (
            json!({ "enableExternalNetwork": false }),
            ["spec", "enableFloatingIP must be false"],
        ),
        (
            json!({ "enableExternalNetwork": false, "apiServer": { "enableFloatingIP": false },
                    "bastion": { "enabled": false, "floatingIP": "192.0.2.1" } }),
            ["spec", "bastion.floatingIP needs the external network"],
        ),
        (
            json!({ "bastion": {} }),
            ["spec.bastion", "spec must be set unless enabled is false"],
        ),
        (
            json!({ "managedNetwork": {} }),
            ["spec.managedNetwork", "mtu or enablePortSecurity"],
        ),
        (
            json!({ "managedRouter": {} }),
            ["spec.managedRouter", "externalIPs must be set"],
        ),
    ] {
        invalid(
            try_create("OpenStackCluster", cluster(&patch)).await,
            &words,
        );
    }
    let zone = json!({ "rootVolume": { "sizeGiB": 1, "availabilityZone": { "from": "Machine", "name": "a" } } });
    let hint = |value: Value| json!({ "schedulerHintAdditionalProperties": [{ "name": "h", "value": value }] });
    for (patch, words) in [
        (zone, ["availabilityZone", "must not be set otherwise"]),
        (
            hint(json!({ "type": "Bool", "number": 1 })),
            ["value", "bool must be set"],
        ),
        (
            hint(json!({ "type": "String", "bool": true })),
            ["value", "string must be set"],
        ),
        (
            hint(json!({ "type": "Number" })),
            ["value", "number must be set"],
        ),
    ] {
        invalid(
            try_create("OpenStackMachine", machine(&patch)).await,
            &words,
        );
    }
    let without = merged(&server(), &json!({ "flavor": null }));
    invalid(
        try_create("OpenStackServer", without).await,
        &["flavor or flavorID must be set"],
    );
}
