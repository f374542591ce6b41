//! Everything managed, a load balancer before the control plane, and a pool of floating IPs for workers.

use anyhow::{Context, Result, ensure};
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams};
use scenarios::cluster_api::{Cluster, Machine};
use serde_json::{Value, json};

use super::{Steps, machine, machine_spec};

/// Floating IPs for workers.
const POOL: &str = "public";
const POOL_KIND: &str = "OpenStackFloatingIPPool";

pub async fn live(steps: &mut Steps<'_>) -> Result<()> {
    let cluster = steps.cluster();
    cluster.create(shape()).await?;
    cluster.provisioned().await.context("create")?;
    cluster
        .wait_for("OpenStackCluster", &cluster.name, has_bastion)
        .await
        .context("bastion")?;
    let pool = json!({ "reclaimPolicy": "Delete" });
    cluster.create_pool(POOL, pool).await?;
    cluster
        .add_machines(&[control_plane("cp-0"), public(worker("worker-0"))])
        .await
        .context("create")?;
    pool_serves(cluster, &["worker-0"]).await?;
    steps.after("creation").await?;

    cluster
        .add_machines(&[worker("worker-1")])
        .await
        .context("scale")?;
    pool_serves(cluster, &["worker-0"]).await?;
    steps.after("scaling").await?;

    cluster
        .add_machines(&[control_plane("cp-1"), public(worker("worker-2"))])
        .await
        .context("upgrade")?;
    let old = ["cp-0", "worker-0"].map(str::to_owned);
    cluster.delete_machines(&old).await.context("upgrade")?;
    pool_serves(cluster, &["worker-2"]).await?;
    steps.after("the upgrade").await?;

    cluster.delete_all().await.context("delete")?;
    addresses_are_of(cluster, &[]).await?;
    cluster.delete(POOL_KIND, POOL).await
}

fn has_bastion(object: &DynamicObject) -> bool {
    object.data["status"]["bastion"]["floatingIP"].is_string()
}

/// Waits until the pool has given an address to each of these machines, and has none in hand.
async fn pool_serves(cluster: &Cluster, machines: &[&str]) -> Result<()> {
    let count = |pool: &DynamicObject, field: &str| {
        let addresses = pool.data["status"][field].as_array();
        addresses.map_or(0, Vec::len)
    };
    let serves = |pool: &DynamicObject| {
        let counts = ["claimedIPs", "availableIPs", "failedIPs"].map(|field| count(pool, field));
        counts == [machines.len(), 0, 0]
    };
    cluster.wait_for(POOL_KIND, POOL, serves).await?;
    addresses_are_of(cluster, machines).await
}

/// These machines have claims with addresses, and nobody else has any.
async fn addresses_are_of(cluster: &Cluster, machines: &[&str]) -> Result<()> {
    let names = machines
        .iter()
        .map(|name| format!("{name}-floating-ip-address"));
    let names: Vec<String> = names.collect();
    for kind in ["IPAddressClaim", "IPAddress"] {
        let there = cluster.api(kind).list(&ListParams::default()).await?;
        let there: Vec<String> = there.iter().map(ResourceExt::name_any).collect();
        ensure!(there == names, "{kind}: {there:?} instead of {names:?}");
    }
    Ok(())
}

/// Everything managed: network with both IP versions, router, security groups, load balancer with a
/// floating IP, bastion.
pub fn shape() -> Value {
    json!({
        "managedSubnets": [
            { "cidr": "10.6.0.0/24", "dnsNameservers": ["9.9.9.9"] },
            { "cidr": "fd00:6::/64" },
        ],
        "apiServer": { "managedLoadBalancer": {
            "enabled": true,
            "additionalPorts": [8132],
            "allowedCIDRs": ["192.0.2.0/24"],
            "monitor": { "delay": 7, "timeout": 4, "maxRetries": 3, "maxRetriesDown": 2 },
        } },
        "managedSecurityGroups": {
            "allowAllInClusterTraffic": false,
            "workerNodesSecurityGroupRules": [{
                "name": "http", "direction": "ingress", "etherType": "IPv4", "protocol": "tcp",
                "portRangeMin": 8080, "portRangeMax": 8080, "remoteManagedGroups": ["controlplane"],
            }],
        },
        "bastion": { "enabled": true, "spec": machine_spec(), "availabilityZone": "az1" },
        "tags": ["team-a"],
    })
}

/// A control plane machine with a root volume.
fn control_plane(name: &str) -> Machine {
    let mut spec = machine_spec();
    spec["rootVolume"] = json!({ "sizeGiB": 20 });
    machine(name, true, spec)
}

/// A worker with a trunk and a volume besides.
pub fn worker(name: &str) -> Machine {
    let mut spec = machine_spec();
    let device = json!({ "name": "data", "sizeGiB": 5, "storage": { "type": "Volume" } });
    spec["additionalBlockDevices"] = json!([device]);
    spec["trunk"] = json!(true);
    machine(name, false, spec)
}

/// The machine with a floating IP of the pool.
fn public(mut machine: Machine) -> Machine {
    machine.spec["floatingIPPoolRef"] = json!({
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": POOL_KIND, "name": POOL,
    });
    machine
}
