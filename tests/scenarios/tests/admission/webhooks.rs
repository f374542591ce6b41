//! The validating webhooks.

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::{Admission, cluster, disk, machine, merged, object, refusal, refused, server};

const DRY_RUN: &str = "topology.cluster.x-k8s.io/dry-run";
const UUID: &str = "0d5ea1e0-0000-4000-8000-000000000001";

#[tokio::test(flavor = "multi_thread")]
async fn what_contradicts_itself_is_not_created() {
    let admission = Admission::open("admission-create").await;
    admission.serve().await;
    let root = json!({ "rootVolume": { "sizeGiB": 1 }, "additionalBlockDevices": [disk("root")] });
    let open =
        json!({ "ports": [{ "enablePortSecurity": false, "securityGroups": [{ "id": UUID }] }] });
    let try_create = async |kind: &str, spec: Value| admission.try_create(kind, "new", &spec).await;

    let answer = try_create("OpenStackMachine", machine(&root)).await;
    refused(
        answer,
        "spec.additionalBlockDevices[0].name",
        &["\"root\"", "another name"],
    );
    let answer = try_create("OpenStackMachine", machine(&open)).await;
    refused(
        answer,
        "spec.ports[0].securityGroups",
        &[UUID, "leave securityGroups out"],
    );
    let answer = try_create("OpenStackServer", merged(&server(), &open)).await;
    refused(answer, "spec.ports[0].securityGroups", &[UUID]);
    let template = |spec: Value| json!({ "template": { "spec": spec } });
    let named = machine(&json!({ "providerID": "openstack:///1" }));
    let answer = try_create("OpenStackMachineTemplate", template(named)).await;
    refused(
        answer,
        "spec.template.spec.providerID",
        &["openstack:///1", "leave it out"],
    );
    let rule = json!({ "name": "web", "direction": "ingress", "remoteGroupID": "g", "remoteIPPrefix": "10.0.0.0/8" });
    let rules =
        cluster(&json!({ "managedSecurityGroups": { "workerNodesSecurityGroupRules": [rule] } }));
    let field = "managedSecurityGroups.workerNodesSecurityGroupRules[0]";
    let words = ["remoteGroupID and remoteIPPrefix", "keep one"];
    let mut older = rules.clone();
    older["apiServer"].take();
    let answer = try_create("OpenStackCluster", rules.clone()).await;
    refused(answer, &format!("spec.{field}"), &words);
    let answer = try_create("OpenStackClusterTemplate", template(rules)).await;
    refused(answer, &format!("spec.template.spec.{field}"), &words);
    // Who writes an older version is asked about the newer one.
    let answer = admission
        .try_create_v1beta1("OpenStackCluster", &older)
        .await;
    refused(answer, &format!("spec.{field}"), &words);

    for (kind, spec) in [
        ("OpenStackCluster", cluster(&json!({}))),
        ("OpenStackClusterTemplate", template(cluster(&json!({})))),
        (
            "OpenStackMachine",
            machine(&json!({ "additionalBlockDevices": [disk("root")] })),
        ),
        ("OpenStackMachineTemplate", template(machine(&json!({})))),
        ("OpenStackServer", server()),
    ] {
        try_create(kind, spec)
            .await
            .unwrap_or_else(|status| panic!("{kind}: {status:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cloud_cannot_follow_is_not_changed() {
    let admission = Admission::open("admission-change").await;
    admission.serve().await;
    let template = |spec: &Value| json!({ "template": { "spec": spec } });
    let pairs = json!([{ "allowedAddressPairs": [{ "ipAddress": "192.0.2.1" }] }]);
    let other = json!({ "flavor": { "filter": { "name": "m2" } } });
    let free = json!({ "identityRef": { "cloudName": "other" } });
    let port = json!({ "ports": [{}] });
    let replaced = "cannot be changed from \"m1\"";

    admission
        .create("OpenStackCluster", "x", &cluster(&json!({})))
        .await;
    admission
        .create(
            "OpenStackClusterTemplate",
            "x",
            &template(&cluster(&json!({}))),
        )
        .await;
    admission
        .create("OpenStackMachine", "x", &machine(&port))
        .await;
    admission
        .create("OpenStackMachineTemplate", "x", &template(&machine(&port)))
        .await;
    admission.create("OpenStackServer", "x", &server()).await;
    let change = async |kind: &str, spec: &Value| {
        admission
            .try_change(kind, "x", &json!({ "spec": spec }))
            .await
    };

    let tags = json!({ "tags": ["a", "b"] });
    refused(
        change("OpenStackCluster", &tags).await,
        "spec.tags",
        &["[\"a\",\"b\"]", "[\"a\"]"],
    );
    let answer = change("OpenStackClusterTemplate", &template(&tags)).await;
    refused(
        answer,
        "spec.template.spec.tags",
        &["another template", "ClusterClass"],
    );
    let answer = change("OpenStackMachine", &other).await;
    refused(
        answer,
        "spec.flavor.filter.name",
        &["\"m2\"", replaced, "template"],
    );
    let answer = change("OpenStackMachineTemplate", &template(&other)).await;
    let field = "spec.template.spec.flavor.filter.name";
    refused(
        answer,
        field,
        &[replaced, "another template", "change-machine-template"],
    );
    let answer = change("OpenStackServer", &json!({ "flavor": "m2" })).await;
    refused(answer, "spec.flavor", &["\"m2\"", replaced, "replace"]);

    for (kind, spec) in [
        ("OpenStackCluster", free.clone()),
        (
            "OpenStackCluster",
            json!({ "controlPlaneEndpoint": { "host": "192.0.2.1", "port": 6443 } }),
        ),
        (
            "OpenStackCluster",
            json!({ "apiServer": { "managedLoadBalancer": { "allowedCIDRs": ["192.0.2.0/24"] } } }),
        ),
        (
            "OpenStackMachine",
            json!({ "providerID": "openstack:///1" }),
        ),
        ("OpenStackMachine", json!({ "ports": pairs })),
        (
            "OpenStackMachineTemplate",
            template(&json!({ "ports": pairs })),
        ),
        ("OpenStackServer", free),
    ] {
        change(kind, &spec)
            .await
            .unwrap_or_else(|status| panic!("{kind} {spec}: {status:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_says_what_is_in_use() {
    let admission = Admission::open("admission-status").await;
    admission.serve().await;
    let by_name = json!({ "filter": { "name": "net" } });
    let spec = json!({ "managedSubnets": [], "network": by_name, "externalNetwork": by_name });
    admission
        .create("OpenStackCluster", "x", &cluster(&spec))
        .await;
    let change = async |spec: Value| {
        admission
            .try_change("OpenStackCluster", "x", &json!({ "spec": spec }))
            .await
    };
    let corrected = json!({ "network": { "filter": { "name": "other" } } });
    change(corrected.clone()).await.unwrap();

    let network = json!({ "name": "net", "id": UUID });
    let balancer = json!({ "name": "lb", "id": "1", "ip": "192.0.2.9", "internalIP": "10.6.0.9" });
    let status = json!({ "network": network, "apiServerManagedLoadBalancer": balancer });
    admission.status("OpenStackCluster", "x", &status).await;
    refused(
        change(corrected).await,
        "spec.network.filter.name",
        &["\"other\"", "only its id"],
    );
    change(json!({ "network": { "filter": null, "id": UUID } }))
        .await
        .unwrap();
    change(json!({ "apiServer": { "floatingIP": "192.0.2.9" } }))
        .await
        .unwrap();
    let answer = change(json!({ "apiServer": { "floatingIP": "192.0.2.8" } })).await;
    refused(
        answer,
        "spec.apiServer.floatingIP",
        &["192.0.2.8", "in use already"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_topology_controller_finds_out_by_dry_run_that_a_template_must_be_replaced() {
    let admission = Admission::open("admission-topology").await;
    admission.serve().await;
    let kind = "OpenStackMachineTemplate";
    let template = |flavor: &str| json!({ "template": { "spec": machine(&json!({ "flavor": { "id": flavor } })) } });
    let api = admission.cluster.api(kind);
    let apply = async |flavor: &str, annotations: Value, dry_run: bool| {
        let mut wanted = object(kind, "x", &template(flavor));
        wanted.metadata.annotations = serde_json::from_value(annotations).unwrap();
        let mut params = PatchParams::apply("topology").force();
        params.dry_run = dry_run;
        refusal(api.patch("x", &params, &Patch::Apply(&wanted)).await)
    };
    apply("m1", json!({}), false).await.unwrap();
    let (field, words) = ("spec.template.spec.flavor.id", ["\"m2\""]);
    refused(apply("m2", json!({}), true).await, field, &words);
    refused(
        apply("m2", json!({ DRY_RUN: "" }), false).await,
        field,
        &words,
    );
    apply("m2", json!({ DRY_RUN: "" }), true).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stored_before_can_still_go() {
    let admission = Admission::open("admission-before").await;
    let open =
        json!({ "ports": [{ "enablePortSecurity": false, "securityGroups": [{ "id": UUID }] }] });
    let mut wanted = object("OpenStackMachine", "x", &machine(&open));
    wanted.metadata.finalizers = Some(vec!["example.com/held".into()]);
    let api = admission.cluster.api("OpenStackMachine");
    api.create(&PostParams::default(), &wanted).await.unwrap();
    admission.serve().await;
    let change = async |patch: Value| admission.try_change("OpenStackMachine", "x", &patch).await;
    change(json!({ "metadata": { "labels": { "a": "b" } } }))
        .await
        .unwrap();
    change(json!({ "spec": { "providerID": "openstack:///1" } }))
        .await
        .unwrap();
    let released = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    api.patch("x", &PatchParams::default(), &released)
        .await
        .unwrap();
    api.delete("x", &DeleteParams::default()).await.unwrap();
    assert!(api.get_opt("x").await.unwrap().is_none());
}
