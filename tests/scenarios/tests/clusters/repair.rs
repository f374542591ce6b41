//! What stands in the way, and is then put right by somebody else than the provider: nothing tells.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Method;
use kube::api::{DynamicObject, Patch, PatchParams};
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::Pace;
use serde_json::{Value, json};
use simulator::{Resource, Service};

use super::{KIND, condition, create, end, is, machine, make, network, open, router};

const POOL: &str = "OpenStackFloatingIPPool";
/// Ten minutes of the provider take this fraction of them.
const FAST: u32 = 100;
const TEN_MINUTES: Duration = Duration::from_secs(600);

/// Waits until an object says this of itself.
async fn says(scenario: &Scenario, kind: &str, name: &str, type_: &str, what: &str) -> Result<()> {
    let said = |object: &DynamicObject| {
        let message = condition(object, type_)["message"].as_str();
        message.is_some_and(|message| message.contains(what))
    };
    scenario.cluster.wait_for(kind, name, said).await.map(drop)
}

fn worker(name: &str, more: &Value) -> Machine {
    let mut worker = machine(name, false);
    let more = more.as_object().into_iter().flatten();
    for (field, value) in more {
        worker.spec[field] = value.clone();
    }
    worker
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_of_a_pool_is_attached_once_there_is_a_router() -> Result<()> {
    let scenario = open("repair-router").await?;
    let (network, subnets) = network(&scenario, "lan", &["10.20.0.0/24"])?;
    let spec = json!({
        "network": { "id": network },
        "enableExternalNetwork": false,
        "apiServer": { "enableFloatingIP": false, "fixedIP": "10.20.0.10" },
    });
    create(&scenario, spec).await?;
    let pool = json!({ "reclaimPolicy": "Delete" });
    scenario.cluster.create_pool("public", pool).await?;
    let reference = json!({ "floatingIPPoolRef": {
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": POOL, "name": "public",
    } });
    let new = worker("worker-0", &reference);
    scenario.cluster.create_machine(&new).await?;
    let object = ("OpenStackServer", "worker-0");
    let type_ = "FloatingAddressFromPoolReady";
    says(&scenario, object.0, object.1, type_, "add the router").await?;

    let core = router(&scenario, "core", &subnets)?;
    let public = scenario
        .cloud
        .world(|world| world.id_of(Resource::Networks, "public"));
    let gateway = json!({ "router": { "external_gateway_info": { "network_id": public } } });
    let path = format!("/routers/{}", core.as_str().unwrap_or_default());
    make(&scenario, Method::PUT, &path, gateway)?;
    scenario.cluster.machine_ready("worker-0").await?;
    scenario.cluster.delete_all().await?;
    scenario.cluster.delete(POOL, "public").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_floating_ip_of_the_api_is_attached_once_the_project_has_it() -> Result<()> {
    let scenario = open("repair-address").await?;
    let public = scenario
        .cloud
        .world(|world| world.id_of(Resource::Networks, "public"));
    let body = json!({ "floatingip": { "floating_network_id": public } });
    let ip = make(&scenario, Method::POST, "/floatingips", body)?;
    let id = ip["id"].as_str().context("no id")?;
    let belongs_to = |project: Value| {
        let give = |row: &mut Value| row["project_id"] = project;
        scenario
            .cloud
            .world(|world| world.edit(Resource::FloatingIps, id, give))
    };
    assert!(belongs_to(json!("somebody-else")));
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "controlPlaneEndpoint": { "host": ip["floating_ip_address"], "port": 6443 },
    });
    create(&scenario, spec).await?;
    let control_plane = machine("cp-0", true);
    scenario.cluster.create_machine(&control_plane).await?;
    let (type_, what) = ("APIServerIngressReady", "has no such floating IP");
    says(&scenario, "OpenStackMachine", "cp-0", type_, what).await?;

    assert!(belongs_to(ip["project_id"].clone()));
    scenario.cluster.machine_ready("cp-0").await?;
    scenario.cluster.delete_all().await
}

/// What cannot be there need not be looked for.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_cloud_lacks_is_told_and_holds_up_no_deletion() -> Result<()> {
    let scenario = Scenario::open("repair-lacking", &Pace::default()).await?;
    scenario.cloud.world(|world| {
        world.lack(Service::LoadBalancer);
        world.lack(Service::Volume);
    });
    scenario.start()?;
    let before = scenario.cloud.audit();
    let subnets = json!([{ "cidr": "10.6.0.0/24" }]);
    let spec = json!({
        "managedSubnets": subnets,
        "apiServer": { "enableFloatingIP": false, "fixedIP": "10.6.0.10" },
    });
    create(&scenario, spec).await?;
    let volume = json!({ "rootVolume": { "sizeGiB": 20 } });
    let new = worker("worker-0", &volume);
    scenario.cluster.create_machine(&new).await?;
    let server = ("OpenStackServer", "worker-0");
    says(&scenario, server.0, server.1, "InstanceReady", "Cinder").await?;
    end(&scenario, &before).await?;

    let spec = json!({
        "managedSubnets": subnets,
        "apiServer": { "managedLoadBalancer": {} },
    });
    scenario.cluster.create(spec).await?;
    says(&scenario, KIND, "demo", "Ready", "Octavia").await?;
    end(&scenario, &before).await
}

/// Refused credentials stop nothing that runs; but nobody can say that it does.
#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_unknown_while_credentials_are_refused() -> Result<()> {
    let scenario = open("repair-refused").await?;
    let cluster = &scenario.cluster;
    let spec = json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }] });
    create(&scenario, spec).await?;
    let pool = json!({ "reclaimPolicy": "Delete" });
    cluster.create_pool("public", pool).await?;
    let template = machine("", false);
    cluster.create_template("workers", &template).await?;
    let machines = [machine("cp-0", true), machine("worker-0", false)];
    cluster.add_machines(&machines).await?;
    let objects = [
        (KIND, "demo", "Ready"),
        ("OpenStackMachine", "cp-0", "Ready"),
        ("OpenStackMachine", "worker-0", "Ready"),
        ("OpenStackServer", "worker-0", "InstanceReady"),
        (POOL, "public", "OpenstackFloatingIPPoolReadyCondition"),
        ("OpenStackMachineTemplate", "workers", "Ready"),
    ];
    let right = scenario.cloud.clouds_yaml();
    let wrong = right.replace("password: ", "password: not-");
    ensure!(right != wrong, "no password in {right}");
    for (clouds_yaml, status) in [(&right, "True"), (&wrong, "Unknown"), (&right, "True")] {
        let secret = Patch::Merge(json!({ "stringData": { "clouds.yaml": clouds_yaml } }));
        let (secrets, params) = (cluster.api("Secret"), PatchParams::default());
        secrets.patch("cloud", &params, &secret).await?;
        for (kind, name, type_) in objects {
            let said = |object: &DynamicObject| is(object, type_, status);
            cluster.wait_for(kind, name, said).await?;
        }
    }
    cluster.delete(POOL, "public").await?;
    cluster.delete_all().await?;
    scenario.is_empty()
}

/// How many requests ten minutes cost in which a cluster of this shape says this.
async fn ten_minutes(namespace: &str, spec: Value, what: &str) -> Result<usize> {
    let scenario = open(namespace).await?;
    scenario.cluster.create(spec).await?;
    says(&scenario, KIND, "demo", "Ready", what).await?;
    scenario.cloud.log().take();
    scenario.set_speed(FAST);
    scenario.pass(TEN_MINUTES).await;
    let asked = scenario.cloud.log().take();
    scenario.set_speed(Pace::default().speed);
    scenario.cluster.delete_all().await?;
    scenario.is_empty()?;
    Ok(asked.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_problem_that_stays_is_looked_for_ever_more_rarely() -> Result<()> {
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "externalNetwork": { "filter": { "name": "publik" } },
        "apiServer": { "managedLoadBalancer": {} },
    });
    let asked = ten_minutes("repair-rarely", spec, "no such external network").await?;
    ensure!(asked <= 60, "{asked} requests in ten minutes");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cloud_is_not_asked_for_an_endpoint_that_others_set() -> Result<()> {
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "apiServer": { "enableFloatingIP": false },
    });
    let asked = ten_minutes("repair-hosted", spec, "is awaited").await?;
    ensure!(asked <= 10, "{asked} requests in ten minutes");
    Ok(())
}
