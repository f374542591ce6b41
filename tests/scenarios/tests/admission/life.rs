//! The provider's own writes pass the webhooks.

use kube::api::{Patch, PatchParams};
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::Pace;
use serde_json::{Value, json};

use crate::Admission;

/// From creation over a change of everything that may change to deletion.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_lives_its_life_under_the_webhooks() {
    let pace = Pace::default();
    let scenario = Scenario::open("admission-life", &pace).await.unwrap();
    let cluster = &scenario.cluster;
    let admission = Admission::of(cluster.clone()).await;
    admission.serve().await;
    scenario.start().unwrap();

    let subnet = json!({ "cidr": "10.6.0.0/24", "dnsNameservers": ["9.9.9.9"] });
    let shape = json!({
        "managedSubnets": [subnet],
        "apiServer": { "managedLoadBalancer": { "allowedCIDRs": ["192.0.2.0/24"] } },
        "managedSecurityGroups": {},
        "bastion": { "spec": spec() },
    });
    cluster.create(shape).await.unwrap();
    cluster.provisioned().await.unwrap();
    for (name, control_plane) in [("cp-0", true), ("worker-0", false)] {
        cluster
            .create_machine(&machine(name, control_plane))
            .await
            .unwrap();
        cluster.machine_ready(name).await.unwrap();
    }

    let changed = json!({ "spec": {
        "managedSubnets": [{ "cidr": "10.6.0.0/24", "dnsNameservers": ["1.1.1.1"] }],
        "apiServer": { "managedLoadBalancer": {
            "allowedCIDRs": ["198.51.100.0/24"], "monitor": { "delay": 9 } } },
        "managedSecurityGroups": { "allowAllInClusterTraffic": true },
        "controlPlaneAvailabilityZones": ["az1"],
        "bastion": { "enabled": false },
    } });
    let api = cluster.api("OpenStackCluster");
    let params = PatchParams::default();
    let written = api
        .patch("demo", &params, &Patch::Merge(changed))
        .await
        .unwrap();
    let generation = written.metadata.generation.unwrap();
    assert!(generation > 1, "nothing has changed");
    cluster.delete_all().await.unwrap();
    scenario.is_empty().unwrap();
}

fn spec() -> Value {
    json!({ "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
            "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } } })
}

fn machine(name: &str, control_plane: bool) -> Machine {
    Machine {
        name: name.to_owned(),
        control_plane,
        failure_domain: None,
        spec: spec(),
    }
}
