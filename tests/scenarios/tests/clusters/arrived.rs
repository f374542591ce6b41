//! A cluster that comes to a management cluster which knows its project already.

use anyhow::{Result, ensure};
use http::Method;
use kube::api::DynamicObject;
use serde_json::{Value, json};
use simulator::{Resource, World};

use super::{KIND, make, open};

/// The lists of the project are older than what was made for the cluster elsewhere, on a clock that runs
/// as fast as that on the wall.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_elsewhere_a_moment_ago_is_not_made_twice() -> Result<()> {
    let scenario = open("clusters-arrived").await?;
    let (cluster, pools) = (&scenario.cluster, "OpenStackFloatingIPPool");
    let pool = json!({ "reclaimPolicy": "Delete" });
    cluster.create_pool("public", pool).await?;
    let listed = |pool: &DynamicObject| pool.data["status"]["floatingIPNetwork"].is_object();
    cluster.wait_for(pools, "public", listed).await?;
    scenario.set_speed(1);
    let name = "k8s-clusterapi-cluster-clusters-arrived-demo";
    let body = json!({ "network": { "name": name } });
    let made = make(&scenario, Method::POST, "/networks", body)?;
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "apiServer": { "enableFloatingIP": false, "fixedIP": "10.6.0.10" },
    });
    cluster.create(spec).await?;
    let recorded = |object: &DynamicObject| object.data["status"]["network"]["id"].is_string();
    let object = cluster.wait_for(KIND, "demo", recorded).await?;
    let id = &object.data["status"]["network"]["id"];
    ensure!(*id == made["id"], "it has network {id}");
    let count = |world: &World| {
        let of_name = |row: &&Value| row["name"] == name;
        world.all(Resource::Networks).filter(of_name).count()
    };
    let count = scenario.cloud.world(|world| count(world));
    ensure!(count == 1, "{count} networks");
    scenario.set_speed(20);
    cluster.delete(pools, "public").await?;
    cluster.delete_all().await?;
    scenario.is_empty()
}
