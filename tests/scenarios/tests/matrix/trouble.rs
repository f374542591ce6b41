//! What does not pass by itself, or takes long.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::DynamicObject;
use scenarios::cluster_api::Cluster;
use scenarios::provider::Options;
use scenarios::scenario::{PROJECT, Pace};
use scenarios::{ApiServer, Provider, Scenario};
use serde_json::json;
use simulator::{Delays, Doom, Resource};

use crate::life;

const NOWHERE: &str = "clouds: {tenant: {auth: {auth_url: 'http://127.0.0.1:1', username: u, \
                       password: p, project_name: p}, region_name: R}}";

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_cannot_be_reached_is_a_condition() {
    let api = ApiServer::get().await.unwrap();
    let (client, pace) = (api.client().unwrap(), Pace::default());
    let cluster = Cluster::open(client, "nowhere", NOWHERE, pace.deadline);
    let cluster = cluster.await.unwrap();
    let options = Options {
        namespace: cluster.namespace.clone(),
        speed: Arc::new(AtomicU32::new(pace.speed)),
    };
    let provider = Provider::start(api, options).unwrap();
    cluster
        .create(json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }] }))
        .await
        .unwrap();
    cluster
        .wait_for("OpenStackCluster", "demo", is_refused)
        .await
        .unwrap();
    provider.crash();
}

fn is_refused(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["type"] == "OpenStackAuthenticationSucceeded" && c["status"] == "False")
}

/// Each quota is full when the cluster is begun, and is raised when an object says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_reached_half_way_is_said_and_waited_for() {
    let (network, server) = ("OpenStackCluster", "OpenStackServer");
    let quotas = [
        ("security_group", 2, network, "demo"),
        ("loadbalancer", 0, network, "demo"),
        ("port", 4, server, "worker-0"),
        ("volumes", 0, server, "worker-0"),
        ("instances", 0, server, "worker-0"),
    ];
    let lives = quotas.map(async |(resource, limit, kind, name)| {
        let lived = with_quota(resource, limit, kind, name).await;
        lived.with_context(|| resource)
    });
    futures::future::try_join_all(lives).await.unwrap();
}

/// With so many of `resource`, until the object of this kind and name says that they are too few.
async fn with_quota(resource: &'static str, limit: i64, kind: &str, name: &str) -> Result<()> {
    let namespace = format!("quota-{}", resource.replace('_', "-"));
    let scenario = Scenario::open(&namespace, &Pace::default()).await?;
    let set = |limit| {
        let cloud = &scenario.cloud;
        cloud.world(|world| world.set_quota(PROJECT, resource, limit));
    };
    set(limit);
    scenario.start()?;
    let cluster = &scenario.cluster;
    cluster.create(life::shape()).await?;
    let is_server = kind == "OpenStackServer";
    if is_server {
        cluster.provisioned().await?;
        cluster.create_machine(&life::worker(name)).await?;
    }
    cluster.wait_for(kind, name, speaks_of_quota).await?;
    set(-1);
    cluster.provisioned().await?;
    if is_server {
        cluster.machine_ready(name).await?;
    }
    cluster.delete_all().await?;
    scenario.is_empty()
}

fn speaks_of_quota(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        let message = condition["message"]
            .as_str()
            .unwrap_or_default()
            .to_lowercase();
        condition["status"] == "False" && message.contains("quota")
    })
}

/// A scenario whose cluster is complete and has no machines yet.
async fn begun(namespace: &str, pace: &Pace) -> Result<Scenario> {
    let scenario = Scenario::open(namespace, pace).await?;
    scenario.start()?;
    let shape = life::cluster_without_bastion();
    scenario.cluster.create(shape).await?;
    scenario.cluster.provisioned().await?;
    Ok(scenario)
}

/// As when the message queue of a cloud is full: longer than every time-out of a client.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_take_a_quarter_of_an_hour() {
    let quarter = Duration::from_secs(900);
    let pace = Pace {
        speed: 60,
        delays: Delays {
            server_build: quarter,
            ..Pace::default().delays
        },
        ..Pace::default()
    };
    let scenario = begun("slow-build", &pace).await.unwrap();
    let cluster = &scenario.cluster;
    cluster
        .add_machines(&[life::worker("worker-0")])
        .await
        .unwrap();
    assert_eq!(
        scenario.cloud.log().count("compute POST /servers"),
        1,
        "one server, however long it takes"
    );
    cluster.delete_all().await.unwrap();
    scenario.is_empty().unwrap();
}

/// Cluster API replaces the machine then; nothing of it stays.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_to_error_is_said_and_can_be_replaced() {
    let scenario = begun("server-error", &Pace::default()).await.unwrap();
    let message = "No valid host was found.".to_owned();
    let doom = Doom {
        resource: Resource::Servers,
        prefix: "worker-0".to_owned(),
        times: 1,
        message,
    };
    scenario.cloud.world(|world| world.doom(doom));
    let cluster = &scenario.cluster;
    cluster
        .create_machine(&life::worker("worker-0"))
        .await
        .unwrap();
    cluster
        .wait_for("OpenStackMachine", "worker-0", is_in_error)
        .await
        .unwrap();
    cluster
        .delete_machines(&["worker-0".to_owned()])
        .await
        .unwrap();
    cluster
        .add_machines(&[life::worker("worker-1")])
        .await
        .unwrap();
    let servers = scenario
        .cloud
        .world(|world| world.all(Resource::Servers).count());
    assert_eq!(servers, 1, "only the new one");
    cluster.delete_all().await.unwrap();
    scenario.is_empty().unwrap();
}

fn is_in_error(object: &DynamicObject) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|c| c["status"] == "False" && c["reason"] == "InstanceStateError")
}
