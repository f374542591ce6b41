//! No load balancer: the endpoint is a floating IP, which goes from one control plane machine to the next.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{Steps, machine, machine_spec};

pub async fn live(steps: &mut Steps<'_>) -> Result<()> {
    let cluster = steps.cluster();
    cluster.create(shape()).await?;
    cluster.provisioned().await.context("create")?;
    let control_plane = |name: &str| machine(name, true, machine_spec());
    let created = cluster.add_machines(&[control_plane("cp-0")]).await;
    created.context("create")?;
    steps.after("creation").await?;

    let scaled = cluster.add_machines(&[control_plane("cp-1")]).await;
    scaled.context("scale")?;
    steps.after("scaling").await?;

    // It has the floating IP.
    let old = ["cp-0".to_owned()];
    cluster.delete_machines(&old).await.context("replace")?;
    steps.after("the replacement").await?;

    cluster.delete_all().await.context("delete")
}

fn shape() -> Value {
    json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "apiServer": { "enableFloatingIP": true },
        "managedSecurityGroups": { "allowAllInClusterTraffic": true },
    })
}
