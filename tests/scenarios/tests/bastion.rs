//! A bastion in a dual-stack cluster.

use anyhow::Result;
use kube::api::{DynamicObject, Patch, PatchParams};
use scenarios::Scenario;
use scenarios::scenario::Pace;
use serde_json::{Value, json};

fn spec() -> Value {
    json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }, { "cidr": "fd00:6::/64" }],
        "managedSecurityGroups": {},
        "apiServer": { "managedLoadBalancer": { "allowedCIDRs": ["192.0.2.0/24"] } },
        "tags": ["ours"],
        "bastion": { "enabled": true, "spec": {
            "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
            "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
        } },
    })
}

fn bastion(object: &DynamicObject) -> &Value {
    &object.data["status"]["bastion"]
}

fn is_exposed(object: &DynamicObject) -> bool {
    bastion(object)["floatingIP"].is_string() && bastion(object)["state"] == "ACTIVE"
}

/// Whether the address may connect to the API.
fn lets_in(object: &DynamicObject, address: &str) -> bool {
    let balancer = &object.data["status"]["apiServerManagedLoadBalancer"];
    let allowed = balancer["allowedCIDRs"].as_array();
    let entry = json!(format!("{address}/32"));
    allowed.is_some_and(|allowed| allowed.contains(&entry))
}

fn has(object: &DynamicObject, type_: &str, status: &str, reason: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == type_ && c["status"] == status && c["reason"] == reason)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_gets_a_floating_ip_that_the_api_lets_in() -> Result<()> {
    let scenario = Scenario::open("bastion", &Pace::default()).await?;
    scenario.start()?;
    let cluster = &scenario.cluster;
    cluster.create(spec()).await?;
    cluster.provisioned().await?;
    let object = cluster
        .wait_for("OpenStackCluster", "demo", is_exposed)
        .await?;
    let address = bastion(&object)["floatingIP"].as_str().unwrap_or_default();
    let seen = |object: &DynamicObject| lets_in(object, address);
    cluster.wait_for("OpenStackCluster", "demo", seen).await?;

    scenario.settled().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_told_by_cluster_and_bastion() -> Result<()> {
    let scenario = Scenario::open("paused", &Pace::default()).await?;
    scenario.start()?;
    let cluster = &scenario.cluster;
    cluster.create(spec()).await?;
    cluster
        .wait_for("OpenStackCluster", "demo", is_exposed)
        .await?;
    for (paused, status, reason) in [(true, "True", "Paused"), (false, "False", "NotPaused")] {
        let patch = Patch::Merge(json!({ "spec": { "paused": paused } }));
        cluster
            .api("Cluster")
            .patch("demo", &PatchParams::default(), &patch)
            .await?;
        let told = |object: &DynamicObject| has(object, "Paused", status, reason);
        cluster.wait_for("OpenStackCluster", "demo", told).await?;
        cluster
            .wait_for("OpenStackServer", "demo-bastion", told)
            .await?;
    }
    Ok(())
}
