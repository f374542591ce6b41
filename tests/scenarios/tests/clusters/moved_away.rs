//! What `clusterctl move` has made in another management cluster, and deletes here.

use std::time::Duration;

use anyhow::Result;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::{create, machine, open};

/// On the provider's clock.
const A_WHILE: Duration = Duration::from_secs(120);
const POOL: &str = "OpenStackFloatingIPPool";

/// `clusterctl` pauses the Cluster before. This holds also where that was not heard of yet, and for pools, which no
/// Cluster owns.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_moved_away_is_left_in_the_cloud() -> Result<()> {
    let scenario = open("moved-away").await?;
    let cluster = &scenario.cluster;
    let pool = json!({ "reclaimPolicy": "Delete" });
    cluster.create_pool("public", pool).await?;
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "apiServer": { "managedLoadBalancer": {} },
    });
    create(&scenario, spec).await?;
    let mut node = machine("cp-0", true);
    node.spec["floatingIPPoolRef"] = json!({
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": POOL, "name": "public",
    });
    cluster.add_machines(&[node]).await?;
    let before = scenario.settled().await?;
    scenario.cloud.log().take();

    let annotation = json!({ "clusterctl.cluster.x-k8s.io/delete-for-move": "" });
    let moved = Patch::Merge(json!({ "metadata": { "annotations": annotation } }));
    let of_claim = "cp-0-floating-ip-address";
    for (kind, name) in [
        ("IPAddress", of_claim),
        ("IPAddressClaim", of_claim),
        ("OpenStackServer", "cp-0"),
        ("OpenStackMachine", "cp-0"),
        ("OpenStackCluster", "demo"),
        (POOL, "public"),
    ] {
        let api = cluster.api(kind);
        api.patch(name, &PatchParams::default(), &moved).await?;
        api.delete(name, &DeleteParams::default()).await?;
    }
    scenario.pass(A_WHILE).await;
    let is_write = |operation: &str| !operation.contains(" GET ") && !operation.contains("/auth/");
    let mut operations = scenario.cloud.log().counts();
    operations.retain(|operation, _| is_write(operation));
    assert!(operations.is_empty(), "{operations:?}");
    let difference = scenario.picture().difference(&before);
    assert!(
        difference.is_empty(),
        "the cloud has changed:\n{difference}"
    );
    Ok(())
}
