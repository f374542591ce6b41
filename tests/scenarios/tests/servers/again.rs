//! Floating IPs of a pool that are used again, and deletions that are to be done again.

use std::time::Duration;

use anyhow::{Result, ensure};
use kube::api::DynamicObject;
use scenarios::cluster_api::Machine;
use serde_json::{Value, json};
use simulator::{Effect, Fault, Resource};

use super::{open, worker};

fn with_address(name: &str) -> Machine {
    let pool = json!({
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackFloatingIPPool", "name": "public",
    });
    worker(name, json!({ "floatingIPPoolRef": pool }))
}

/// The list of floating IPs is ten minutes old then, on a clock that runs as fast as that on the wall.
#[tokio::test(flavor = "multi_thread")]
async fn the_only_address_of_a_pool_goes_from_one_machine_to_the_next() -> Result<()> {
    let scenario = open("servers-kept").await?;
    let cluster = &scenario.cluster;
    let pool = json!({ "reclaimPolicy": "Retain", "maxIPs": 1 });
    cluster.create_pool("public", pool).await?;
    cluster.add_machines(&[with_address("worker-0")]).await?;
    scenario.set_speed(1);
    cluster.delete_machines(&["worker-0".to_owned()]).await?;
    cluster.create_machine(&with_address("worker-1")).await?;
    let given = |_: &DynamicObject| true;
    let address = "worker-1-floating-ip-address";
    cluster.wait_for("IPAddress", address, given).await?;
    scenario.set_speed(20);
    cluster.machine_ready("worker-1").await?;
    scenario.cloud.world(|world| -> Result<()> {
        let port = world.id_of(Resource::Ports, "worker-1-0");
        let of_pool = world.all(Resource::FloatingIps).filter(|ip| {
            let description = ip["description"].as_str().unwrap_or_default();
            description.ends_with("OpenStackFloatingIPPool servers-kept/public")
        });
        let leads: Vec<&Value> = of_pool.map(|ip| &ip["port_id"]).collect();
        ensure!(leads == [&json!(port)], "they lead to {leads:?}");
        Ok(())
    })?;
    cluster.delete_all().await
}

/// Whoever answers does not know what Nova lists.
#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_changes_nothing_is_repeated_ever_more_rarely() -> Result<()> {
    let scenario = open("servers-again").await?;
    let cluster = &scenario.cluster;
    let machine = worker("worker-0", json!({}));
    cluster.add_machines(&[machine]).await?;
    let deletes = "compute DELETE /servers/{id}";
    let faults = scenario.cloud.faults();
    faults.add(Fault::new(deletes, Effect::fail(404, "No such server")).always());
    cluster.ask_to_go("OpenStackMachine", "worker-0").await?;
    super::cloud_is_asked(&scenario, deletes, 1).await?;
    scenario.pass(Duration::from_secs(100)).await;
    let tries = scenario.cloud.log().count(deletes);
    ensure!((3..=9).contains(&tries), "{tries} tries in 100 s");
    faults.clear();
    cluster.delete_all().await?;
    scenario.is_empty()
}
