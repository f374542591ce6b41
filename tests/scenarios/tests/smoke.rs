//! The parts of the harness work together: a cloud that cannot be reached is a condition.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use kube::api::DynamicObject;
use scenarios::cluster_api::Cluster;
use scenarios::provider::Options;
use scenarios::{ApiServer, Provider};
use serde_json::json;

const NOWHERE: &str = "clouds: {tenant: {auth: {auth_url: 'http://127.0.0.1:1', username: u, \
                       password: p, project_name: p}, region_name: R}}";

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_cannot_be_reached_is_a_condition() {
    let api = ApiServer::get().await.unwrap();
    let (client, deadline) = (api.client().unwrap(), Duration::from_secs(30));
    let cluster = Cluster::open(client, "smoke", NOWHERE, deadline)
        .await
        .unwrap();
    let options = Options {
        namespace: "smoke".to_owned(),
        speed: Arc::new(AtomicU32::new(20)),
    };
    let provider = Provider::start(api, options).unwrap();
    cluster
        .create(json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }] }))
        .await
        .unwrap();
    cluster
        .wait_for("OpenStackCluster", "demo", refused)
        .await
        .unwrap();
    provider.crash();
}

fn refused(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "OpenStackAuthenticationSucceeded" && c["status"] == "False")
}
