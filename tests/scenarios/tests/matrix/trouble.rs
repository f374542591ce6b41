//! What does not pass by itself, or takes long.

use std::time::Duration;

use anyhow::Result;
use kube::api::DynamicObject;
use scenarios::Scenario;
use scenarios::scenario::{PROJECT, Pace};
use simulator::{Delays, Doom, Resource};

use crate::life;

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
    for (resource, limit, kind, name) in quotas {
        let namespace = format!("quota-{}", resource.replace('_', "-"));
        let scenario = Scenario::open(&namespace, &Pace::default()).await.unwrap();
        scenario
            .cloud
            .world(|world| world.set_quota(PROJECT, resource, limit));
        scenario.start().unwrap();
        let cluster = &scenario.cluster;
        cluster.create(life::shape()).await.unwrap();
        if kind == server {
            cluster.provisioned().await.unwrap();
            cluster.create_machine(&life::worker(name)).await.unwrap();
        }
        cluster
            .wait_for(kind, name, speaks_of_quota)
            .await
            .unwrap_or_else(|error| panic!("{resource}: {error:#}"));
        scenario
            .cloud
            .world(|world| world.set_quota(PROJECT, resource, -1));
        cluster.provisioned().await.unwrap();
        if kind == server {
            cluster.machine_ready(name).await.unwrap();
        }
        cluster.delete_all().await.unwrap();
        scenario.is_empty().unwrap();
    }
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
