//! Servers with everything that they may have, pools of floating IPs, templates.

#[path = "servers/again.rs"]
mod again;
#[path = "servers/found.rs"]
mod found;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use http::Method;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::{PROJECT, Pace};
use serde_json::{Value, json};
use simulator::{Resource, Service, World};

/// A cluster with one network and nothing in front of its API.
async fn open(namespace: &str) -> Result<Scenario> {
    let scenario = Scenario::open(namespace, &Pace::default()).await?;
    scenario.start()?;
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "tags": ["team-a"],
    });
    scenario.cluster.create(spec).await?;
    scenario.cluster.provisioned().await?;
    Ok(scenario)
}

fn worker(name: &str, mut spec: Value) -> Machine {
    if spec.get("flavor").is_none() {
        spec["flavor"] = json!({ "filter": { "name": "SCS-2V-4-20s" } });
    }
    if spec.get("image").is_none() {
        spec["image"] = json!({ "filter": { "name": "ubuntu-capi-image-v1.36.2" } });
    }
    Machine {
        name: name.to_owned(),
        control_plane: false,
        failure_domain: Some("az1".to_owned()),
        spec,
    }
}

/// Waits until the cloud is as `wanted`.
async fn cloud(scenario: &Scenario, what: &str, wanted: impl Fn(&World) -> bool) -> Result<()> {
    let deadline = Instant::now() + scenario.cluster.deadline;
    while !scenario.cloud.world(|world| wanted(world)) {
        if Instant::now() > deadline {
            bail!("not in the cloud: {what}\n{}", scenario.cloud.audit());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn create(scenario: &Scenario, kind: &str, object: Value) -> Result<DynamicObject> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let api = scenario.cluster.api(kind);
    Ok(api.create(&PostParams::default(), &object).await?)
}

/// Everything that a worker may have at once.
fn everything() -> Value {
    json!({
        // It has a local disk.
        "flavor": { "filter": { "name": "local-1V-2-10-5" } },
        "trunk": true,
        "tags": ["blue"],
        "serverMetadata": [{ "key": "rack", "value": "7" }],
        "configDrive": true,
        "rootVolume": { "sizeGiB": 20, "availabilityZone": { "from": "Machine" } },
        "additionalBlockDevices": [
            { "name": "data", "sizeGiB": 5, "storage": { "type": "Volume" } },
            { "name": "scratch", "sizeGiB": 3, "storage": { "type": "Local" } },
        ],
        "schedulerHintAdditionalProperties": [
            { "name": "colour", "value": { "type": "String", "string": "blue" } },
        ],
        "ports": [
            { "allowedAddressPairs": [{ "ipAddress": "10.244.0.0/16" }] },
            { "nameSuffix": "storage", "trunk": false, "enablePortSecurity": false, "description": "disks" },
        ],
        "floatingIPPoolRef": {
            "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackFloatingIPPool", "name": "public",
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_everything_comes_and_goes() -> Result<()> {
    let scenario = open("servers-everything").await?;
    let pool = json!({ "reclaimPolicy": "Delete", "maxIPs": 1 });
    scenario.cluster.create_pool("public", pool).await?;
    scenario
        .cluster
        .add_machines(&[worker("worker-0", everything())])
        .await?;
    scenario.cloud.world(has_everything)?;
    let machine = scenario
        .cluster
        .api("OpenStackMachine")
        .get("worker-0")
        .await?;
    let addresses = machine.data["status"]["addresses"].as_array();
    let kinds: Vec<&Value> = addresses
        .into_iter()
        .flatten()
        .map(|a| &a["type"])
        .collect();
    assert!(kinds.contains(&&json!("ExternalIP")), "{kinds:?}");

    let events = scenario.cluster.api("Event");
    let events = events.list(&ListParams::default()).await?.items;
    for reason in ["CreatingIPAddressClaim", "Successfulcreateserver"] {
        let is_it = |event: &DynamicObject| {
            event.data["reason"] == reason && event.data["regarding"]["name"] == "worker-0"
        };
        assert!(events.iter().any(is_it), "{reason}");
    }

    scenario.cloud.world(add_subport)?;
    scenario
        .cluster
        .delete_machines(&["worker-0".to_owned()])
        .await?;
    cloud(&scenario, "no floating IP of the pool", |world| {
        !world.all(Resource::FloatingIps).any(is_of_pool)
    })
    .await?;
    scenario
        .cluster
        .delete("OpenStackFloatingIPPool", "public")
        .await?;
    scenario.cluster.delete_all().await?;
    scenario.is_empty()
}

fn is_of_pool(floating_ip: &Value) -> bool {
    let description = floating_ip["description"].as_str().unwrap_or_default();
    description.ends_with("OpenStackFloatingIPPool servers-everything/public")
}

fn has_everything(world: &mut World) -> Result<()> {
    let named = |resource, name: &str| world.named(resource, name).context(name.to_owned());
    let port = named(Resource::Ports, "worker-0-0")?;
    let storage = named(Resource::Ports, "worker-0-storage")?;
    assert_eq!(storage["description"], "disks");
    assert_eq!(storage["port_security_enabled"], false);
    assert_eq!(
        port["allowed_address_pairs"][0]["ip_address"],
        "10.244.0.0/16"
    );
    let trunk = named(Resource::Trunks, "worker-0-0")?;
    assert_eq!(trunk["port_id"], port["id"]);
    assert_eq!(trunk["tags"], json!(["blue", "team-a"]));
    assert!(world.named(Resource::Trunks, "worker-0-storage").is_none());
    let server = named(Resource::Servers, "worker-0")?;
    assert_eq!(server["metadata"]["rack"], "7");
    assert_eq!(port["device_id"], server["id"]);
    for volume in ["worker-0-root", "worker-0-data"] {
        assert_eq!(named(Resource::Volumes, volume)?["status"], "in-use");
    }
    let floating_ip = world.all(Resource::FloatingIps).find(|ip| is_of_pool(ip));
    let floating_ip = floating_ip.context("no floating IP of the pool")?;
    assert_eq!(floating_ip["port_id"], port["id"]);
    Ok(())
}

/// A CNI gives the trunk a subport, which goes with the machine.
fn add_subport(world: &mut World) -> Result<()> {
    let network = world.named(Resource::Ports, "worker-0-0").context("port")?["network_id"].clone();
    let body = json!({ "port": { "network_id": network, "name": "of-a-pod" } });
    let made = world.request(PROJECT, Service::Network, Method::POST, "/ports", body);
    let trunk = world
        .id_of(Resource::Trunks, "worker-0-0")
        .context("trunk")?;
    let sub_port = json!({
        "port_id": made.body["port"]["id"], "segmentation_type": "vlan", "segmentation_id": 7,
    });
    let path = format!("/trunks/{trunk}/add_subports");
    let body = json!({ "sub_ports": [sub_port] });
    let added = world.request(PROJECT, Service::Network, Method::PUT, &path, body);
    assert_eq!(added.status, 200, "{}", added.body);
    Ok(())
}

/// Cinder asks for no time at all between two tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_quota_is_tried_seldom_although_cinder_says_at_once() -> Result<()> {
    let scenario = open("servers-quota").await?;
    scenario
        .cloud
        .world(|world| world.set_quota(PROJECT, "volumes", 0));
    let volume = json!({ "rootVolume": { "sizeGiB": 20 } });
    let waits = worker("waits", volume);
    scenario.cluster.create_machine(&waits).await?;
    cloud_is_asked(&scenario, "volume POST /volumes", 4).await?;
    let mut tries = scenario.cloud.log().all();
    tries.retain(|call| call.operation == "volume POST /volumes");
    let times: Vec<_> = tries.iter().map(|call| call.at).collect();
    let pauses: Vec<f64> = times
        .windows(2)
        .map(|pair| pair[1].duration_since(pair[0]).as_secs_f64())
        .collect();
    for (pause, least) in pauses.iter().zip([0.7, 1.5, 3.0]) {
        assert!(*pause >= least, "seconds between the tries: {pauses:?}");
    }
    scenario
        .cloud
        .world(|world| world.set_quota(PROJECT, "volumes", -1));
    scenario.cluster.machine_ready("waits").await?;
    scenario.cluster.delete_all().await?;
    scenario.is_empty()
}

/// Waits until the cloud has been asked so often.
async fn cloud_is_asked(scenario: &Scenario, operation: &str, times: usize) -> Result<()> {
    let deadline = Instant::now() + scenario.cluster.deadline;
    while scenario.cloud.log().count(operation) < times {
        if Instant::now() > deadline {
            bail!("not asked {times} times: {operation}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// CAPO ends when the kind does not exist.
#[tokio::test(flavor = "multi_thread")]
async fn without_orc_an_image_reference_is_a_condition_and_others_go_on() -> Result<()> {
    let scenario = open("servers-orc").await?;
    let image = json!({ "image": { "imageRef": { "name": "ubuntu" } } });
    scenario
        .cluster
        .create_machine(&worker("waits", image))
        .await?;
    let says = |object: &DynamicObject| {
        let conditions = object.data["status"]["conditions"].as_array();
        conditions.into_iter().flatten().any(|condition| {
            let message = condition["message"].as_str().unwrap_or_default();
            condition["type"] == "InstanceReady"
                && condition["reason"] == "DependencyFailed"
                && message.contains("install the OpenStack Resource Controller")
        })
    };
    scenario
        .cluster
        .wait_for("OpenStackMachine", "waits", says)
        .await?;
    scenario
        .cluster
        .add_machines(&[worker("goes", json!({}))])
        .await?;
    scenario.cluster.delete_all().await?;
    scenario.is_empty()
}

/// CAPO's servers keep the credentials that they were made with, which may be gone when they go.
#[tokio::test(flavor = "multi_thread")]
async fn other_credentials_of_the_cluster_reach_its_servers() -> Result<()> {
    let scenario = open("servers-credentials").await?;
    scenario
        .cluster
        .add_machines(&[worker("worker-0", json!({}))])
        .await?;
    let clusters = scenario.cluster.api("OpenStackCluster");
    let params = PatchParams::default();
    let bastion = json!({ "enabled": true, "spec": worker("", json!({})).spec });
    let patch = Patch::Merge(json!({ "spec": { "bastion": bastion } }));
    let name = &scenario.cluster.name;
    clusters.patch(name, &params, &patch).await?;
    let is_ready = |server: &DynamicObject| server.data["status"]["ready"] == true;
    let servers = "OpenStackServer";
    let bastion = scenario.cluster.wait_for(servers, "demo-bastion", is_ready);
    let bastion = bastion.await?.metadata.uid;
    let rotated = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "rotated" },
        "stringData": { "clouds.yaml": scenario.cloud.clouds_yaml() },
    });
    create(&scenario, "Secret", rotated).await?;
    let patch = Patch::Merge(json!({ "spec": { "identityRef": { "name": "rotated" } } }));
    clusters.patch(name, &params, &patch).await?;
    scenario.cluster.delete("Secret", "cloud").await?;
    let is_rotated =
        |server: &DynamicObject| server.data["spec"]["identityRef"]["name"] == "rotated";
    let worker = scenario.cluster.wait_for(servers, "worker-0", is_rotated);
    worker.await?;
    let same = scenario
        .cluster
        .wait_for(servers, "demo-bastion", is_rotated);
    assert_eq!(same.await?.metadata.uid, bastion, "it is the same server");
    scenario.cluster.delete_all().await?;
    scenario.is_empty()
}

/// What is no longer paused says so, also when the first thing that it then meets is a refusal.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_ends_also_while_the_credentials_are_bad() -> Result<()> {
    let scenario = open("servers-pause").await?;
    let cluster = &scenario.cluster;
    let machine = worker("worker-0", json!({}));
    cluster.create_template("workers", &machine).await?;
    let pool = json!({ "reclaimPolicy": "Delete" });
    cluster.create_pool("public", pool).await?;
    cluster.add_machines(&[machine]).await?;

    let objects = [
        ("OpenStackCluster", cluster.name.as_str()),
        ("OpenStackMachine", "worker-0"),
        ("OpenStackServer", "worker-0"),
        ("OpenStackMachineTemplate", "workers"),
        ("OpenStackFloatingIPPool", "public"),
    ];
    set_paused(&scenario, true).await?;
    for (kind, name) in objects {
        let told = |object: &DynamicObject| is(object, "Paused", "True");
        cluster.wait_for(kind, name, told).await?;
    }
    set_credentials(&scenario, "clouds: {}").await?;
    set_paused(&scenario, false).await?;
    for (kind, name) in objects {
        let told = |object: &DynamicObject| is(object, "Paused", "False");
        cluster.wait_for(kind, name, told).await?;
    }
    let told = |object: &DynamicObject| is(object, "OpenStackAuthenticationSucceeded", "False");
    cluster
        .wait_for("OpenStackServer", "worker-0", told)
        .await?;

    set_credentials(&scenario, &scenario.cloud.clouds_yaml()).await?;
    cluster.delete("OpenStackFloatingIPPool", "public").await?;
    cluster.delete_all().await?;
    scenario.is_empty()
}

/// Pauses the Cluster, and the pool, which is of no cluster.
async fn set_paused(scenario: &Scenario, paused: bool) -> Result<()> {
    let params = PatchParams::default();
    let cluster = Patch::Merge(json!({ "spec": { "paused": paused } }));
    let clusters = scenario.cluster.api("Cluster");
    clusters
        .patch(&scenario.cluster.name, &params, &cluster)
        .await?;
    let annotation = paused.then_some("");
    let annotations = json!({ "cluster.x-k8s.io/paused": annotation });
    let pool = Patch::Merge(json!({ "metadata": { "annotations": annotations } }));
    let pools = scenario.cluster.api("OpenStackFloatingIPPool");
    pools.patch("public", &params, &pool).await?;
    Ok(())
}

async fn set_credentials(scenario: &Scenario, clouds_yaml: &str) -> Result<()> {
    let patch = Patch::Merge(json!({ "stringData": { "clouds.yaml": clouds_yaml } }));
    let secrets = scenario.cluster.api("Secret");
    let params = PatchParams::default();
    secrets
        .patch(&scenario.cluster.identity, &params, &patch)
        .await?;
    Ok(())
}

fn is(object: &DynamicObject, type_: &str, status: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|condition| condition["type"] == type_ && condition["status"] == status)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_has_capacity_and_pushes_pairs_that_changed() -> Result<()> {
    let scenario = open("servers-template").await?;
    let machine = worker("worker-0", json!({ "ports": [{}] }));
    scenario
        .cluster
        .create_template("workers", &machine)
        .await?;
    let template = scenario
        .cluster
        .wait_for("OpenStackMachineTemplate", "workers", |template| {
            template.data["status"]["capacity"].is_object()
        })
        .await?;
    let capacity = json!({ "cpu": "2", "memory": "4Gi", "storage": "20Gi" });
    assert_eq!(template.data["status"]["capacity"], capacity);

    scenario.cluster.add_machines(&[machine]).await?;
    let cloned = Patch::Merge(json!({ "metadata": { "annotations": {
        "cluster.x-k8s.io/cloned-from-name": "workers",
        "cluster.x-k8s.io/cloned-from-groupkind": "OpenStackMachineTemplate.infrastructure.cluster.x-k8s.io",
    } } }));
    let params = PatchParams::default();
    let machines = scenario.cluster.api("OpenStackMachine");
    machines.patch("worker-0", &params, &cloned).await?;
    let ports = json!([{ "allowedAddressPairs": [{ "ipAddress": "10.244.0.0/16" }] }]);
    let changed = Patch::Merge(json!({ "spec": { "template": { "spec": { "ports": ports } } } }));
    let templates = scenario.cluster.api("OpenStackMachineTemplate");
    templates.patch("workers", &params, &changed).await?;
    cloud(&scenario, "the pairs of the port", |world| {
        let port = world.named(Resource::Ports, "worker-0-0");
        port.is_some_and(|port| port["allowed_address_pairs"][0]["ip_address"] == "10.244.0.0/16")
    })
    .await?;
    scenario.cluster.delete_all().await?;
    scenario.is_empty()
}
