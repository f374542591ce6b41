//! What a server refers to, found as soon and as surely as the cloud itself finds it.

use std::time::Duration;

use anyhow::{Context, Result};
use http::Method;
use kube::api::DynamicObject;
use scenarios::Scenario;
use scenarios::scenario::PROJECT;
use serde_json::{Value, json};
use simulator::{Resource, Service, World};

use super::{cloud, open, worker};

/// The condition `InstanceReady` of a machine has this reason and these words.
async fn says(scenario: &Scenario, machine: &str, reason: &str, words: &str) -> Result<()> {
    let says = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| {
            let message = condition["message"].as_str().unwrap_or_default();
            condition["type"] == "InstanceReady"
                && condition["reason"] == reason
                && message.contains(words)
        })
    };
    let machines = "OpenStackMachine";
    scenario.cluster.wait_for(machines, machine, says).await?;
    Ok(())
}

/// Makes something in Neutron as the user of `project`; its id.
fn make(world: &mut World, project: &str, one: &str, fields: Value) -> Result<String> {
    let path = format!("/{}s", one.replace('_', "-"));
    let body = json!({ one: fields });
    let made = world.request(project, Service::Network, Method::POST, &path, body);
    let id = made.body[one]["id"].as_str();
    Ok(id.with_context(|| made.body.to_string())?.to_owned())
}

/// A network with a subnet, as networks of the tenant or as external ones.
fn make_network(world: &mut World, project: &str, name: &str, cidr: &str) -> Result<String> {
    let external = project == "admin";
    let network = json!({ "name": name, "router:external": external });
    let network = make(world, project, "network", network)?;
    let subnet = json!({ "name": name, "network_id": network, "cidr": cidr, "ip_version": 4 });
    make(world, project, "subnet", subnet)?;
    Ok(network)
}

/// The lists of networks, subnets and groups are ten minutes old then. The clock runs as fast as that
/// on the wall: nothing here may take until the next ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_a_moment_before_a_machine_or_a_pool_is_found() -> Result<()> {
    let scenario = open("servers-just-made").await?;
    let first = worker("worker-0", json!({}));
    scenario.cluster.add_machines(&[first]).await?;
    let pool = json!({ "reclaimPolicy": "Delete" });
    scenario.cluster.create_pool("first", pool).await?;
    let networked = |pool: &DynamicObject| pool.data["status"]["floatingIPNetwork"].is_object();
    let pools = "OpenStackFloatingIPPool";
    scenario.cluster.wait_for(pools, "first", networked).await?;
    scenario.pass(Duration::from_secs(20)).await;
    scenario.set_speed(1);
    scenario.cloud.world(|world| -> Result<()> {
        make_network(world, PROJECT, "disks", "10.7.0.0/24")?;
        make_network(world, "admin", "second", "198.51.100.0/24")?;
        make(world, PROJECT, "security_group", json!({ "name": "late" }))?;
        Ok(())
    })?;
    let by_name = |name: &str| json!({ "filter": { "name": name } });
    let port = json!({
        "network": by_name("disks"), "fixedIPs": [{ "subnet": by_name("disks") }],
        "securityGroups": [by_name("late")],
    });
    let second = worker("worker-1", json!({ "ports": [port] }));
    scenario.cluster.create_machine(&second).await?;
    let pool = json!({ "reclaimPolicy": "Delete", "floatingIPNetwork": by_name("second") });
    scenario.cluster.create_pool("second", pool).await?;
    scenario
        .cluster
        .wait_for(pools, "second", networked)
        .await?;
    cloud(&scenario, "the port in that network", |world| {
        world.named(Resource::Ports, "worker-1-0").is_some()
    })
    .await?;
    scenario.set_speed(20);
    scenario.cluster.machine_ready("worker-1").await?;
    for pool in ["first", "second"] {
        scenario.cluster.delete(pools, pool).await?;
    }
    scenario.cluster.delete_all().await
}

/// Neutron knows which groups others share; a list of the project's own does not.
#[tokio::test(flavor = "multi_thread")]
async fn groups_that_other_projects_share_are_used_and_wrong_ids_are_told() -> Result<()> {
    let scenario = open("servers-shared").await?;
    let (project, ids) = scenario
        .cloud
        .world(|world| -> Result<(String, Vec<String>)> {
            let mut ids = Vec::new();
            for name in ["shared-0", "shared-1"] {
                let id = make(world, "admin", "security_group", json!({ "name": name }))?;
                let share = |row: &mut Value| row["shared"] = json!(true);
                world.edit(Resource::SecurityGroups, &id, share);
                ids.push(id);
            }
            Ok((world.member_of("admin").project_id, ids))
        })?;
    let filter = json!({ "name": "shared-1", "projectID": project });
    let port = json!({ "securityGroups": [{ "id": ids[0] }, { "filter": filter }] });
    let goes = worker("goes", json!({ "ports": [port] }));
    scenario.cluster.add_machines(&[goes]).await?;
    scenario.cloud.world(|world| {
        let port = world.named(Resource::Ports, "goes-0");
        assert_eq!(port.map(|port| &port["security_groups"]), Some(&json!(ids)));
    });
    let nothing = "5ec0ffee-0000-4000-8000-000000000000";
    let port = json!({ "securityGroups": [{ "id": nothing }] });
    let group = worker("group", json!({ "ports": [port] }));
    let image = worker("image", json!({ "image": { "id": nothing } }));
    for waits in [group, image] {
        scenario.cluster.create_machine(&waits).await?;
    }
    says(&scenario, "group", "PortCreateFailed", nothing).await?;
    let there_are = "no such image: there are ";
    says(&scenario, "image", "DependencyFailed", there_are).await?;
    scenario.cluster.delete_all().await
}

/// Nova's lists leave out what is in a cell that it cannot reach, and a restarted provider has nothing
/// but lists.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_nova_cannot_reach_is_not_gone() -> Result<()> {
    let scenario = open("servers-cut-off").await?;
    let worker = worker("worker-0", json!({}));
    scenario.cluster.add_machines(&[worker]).await?;
    let id = scenario
        .cloud
        .world(|world| world.id_of(Resource::Servers, "worker-0"))
        .context("no server")?;
    scenario.crash().await?;
    scenario
        .cloud
        .world(|world| world.cut_server_off(&id, true));
    scenario.cloud.log().take();
    scenario.start()?;
    let asks = "compute GET /servers/{id}";
    let asked = |times| scenario.cloud.log().count(asks) >= times;
    cloud(&scenario, asks, |_| asked(1)).await?;
    let server = scenario
        .cluster
        .api("OpenStackServer")
        .get("worker-0")
        .await?;
    assert_eq!(server.data["status"]["ready"], true, "{}", server.data);

    let deleting = ["worker-0".to_owned()];
    let deleted = scenario.cluster.delete_machines(&deleting);
    let again = async {
        scenario.cloud.log().take();
        cloud(&scenario, asks, |_| asked(2)).await?;
        scenario
            .cluster
            .api("OpenStackServer")
            .get("worker-0")
            .await?;
        scenario
            .cloud
            .world(|world| world.cut_server_off(&id, false));
        anyhow::Ok(())
    };
    tokio::try_join!(deleted, again)?;
    scenario.cluster.delete_all().await?;
    scenario.is_empty()
}
