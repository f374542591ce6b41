//! The real CAPO and our provider, one after the other on the same objects and the same cloud, both ways.
//!
//! Needs CAPO's manager, which nothing here builds: its path is `CAPO_MANAGER`.
//! `cargo test -p scenarios --test capo -- --test-threads=1`, with `KUBEBUILDER_ASSETS` set. `CAPO_RECORD` is a folder that gets what CAPO
//! did, for `tests/adoption`, which takes it over in every run of the other tests.

mod manager;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use kube::api::{Patch, PatchParams};
use scenarios::cluster_api::Machine;
use scenarios::recording::{self, Recording};
use scenarios::scenario::Pace;
use scenarios::{Picture, Scenario};
use serde_json::{Value, json};
use simulator::Delays;
use tokio::time::sleep;

use manager::Capo;

/// Longer than CAPO waits between two looks at anything that is on its way.
const QUIET: Duration = Duration::from_secs(17);
const DEADLINE: Duration = Duration::from_secs(240);
/// On the provider's clock: every wait of its own has passed once.
const A_WHILE: Duration = Duration::from_secs(120);
/// Our clock, when CAPO does not run.
const FAST: u32 = 20;
const MACHINES: [&str; 2] = ["cp-0", "worker-0"];
const POOL: &str = "public";

/// A cloud that is fast, on the clock that CAPO has: everybody's.
async fn open(namespace: &str) -> Result<Scenario> {
    let short = Duration::from_millis(200);
    let delays = Delays {
        server_build: short,
        server_delete: short,
        volume_create: short,
        volume_delete: short,
        balancer: short,
    };
    let pace = Pace {
        speed: 1,
        delays,
        deadline: DEADLINE,
    };
    Scenario::open(namespace, &pace).await
}

/// A cluster to be, with a control plane machine and a worker.
struct Shape {
    cluster: Value,
    worker: Value,
    /// The machine that gets a floating IP.
    outside: &'static str,
}

/// With most that can be asked for.
fn everything() -> Shape {
    let cluster = json!({
        "managedSubnets": [{
            "cidr": "10.6.0.0/24", "dnsNameservers": ["192.0.2.53"],
            "allocationPools": [{ "start": "10.6.0.20", "end": "10.6.0.200" }],
        }],
        "managedNetwork": { "mtu": 1400 },
        "managedSecurityGroups": {
            "allowAllInClusterTraffic": true,
            "clusterNodesSecurityGroupRules": [{
                "name": "bgp", "direction": "ingress", "etherType": "IPv4", "protocol": "tcp",
                "portRangeMin": 179, "portRangeMax": 179, "remoteManagedGroups": ["controlplane", "worker"],
            }],
        },
        "apiServer": { "managedLoadBalancer": {
            "enabled": true, "additionalPorts": [8132], "allowedCIDRs": ["203.0.113.0/24"],
        } },
        "tags": ["team-a"],
        "bastion": { "enabled": true, "spec": machine() },
    });
    let mut worker = machine();
    for (field, value) in [
        ("trunk", json!(true)),
        ("tags", json!(["blue"])),
        ("serverMetadata", json!([{ "key": "rack", "value": "7" }])),
        ("configDrive", json!(true)),
        (
            "additionalBlockDevices",
            json!([
                { "name": "data", "sizeGiB": 5, "storage": { "type": "Volume" } },
                { "name": "scratch", "sizeGiB": 3, "storage": { "type": "Local" } },
            ]),
        ),
        (
            "ports",
            json!([
                { "allowedAddressPairs": [{ "ipAddress": "10.244.0.0/16" }] },
                { "nameSuffix": "storage", "trunk": false, "enablePortSecurity": false, "description": "disks" },
            ]),
        ),
        (
            "floatingIPPoolRef",
            json!({
                "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackFloatingIPPool", "name": POOL,
            }),
        ),
    ] {
        worker[field] = value;
    }
    Shape {
        cluster,
        worker,
        outside: MACHINES[1],
    }
}

/// The floating IP of the API is on the control plane machine.
fn without_balancer() -> Shape {
    let cluster = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "bastion": { "enabled": true, "spec": machine() },
    });
    Shape {
        cluster,
        worker: machine(),
        outside: MACHINES[0],
    }
}

fn machine() -> Value {
    json!({
        "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
        "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
        "rootVolume": { "sizeGiB": 20 },
    })
}

/// Creates the objects and waits until whoever runs has made everything of them.
async fn create(scenario: &Scenario, shape: Shape) -> Result<()> {
    let cluster = &scenario.cluster;
    let pool = json!({ "reclaimPolicy": "Delete", "maxIPs": 1 });
    cluster.create_pool(POOL, pool).await?;
    cluster.create(shape.cluster).await?;
    cluster.provisioned().await?;
    let machines = [(MACHINES[0], machine()), (MACHINES[1], shape.worker)];
    let machines = machines.map(|(name, spec)| Machine {
        name: name.to_owned(),
        control_plane: name == MACHINES[0],
        failure_domain: Some("az1".to_owned()),
        spec,
    });
    cluster.add_machines(&machines).await?;
    let bastion = cluster.wait_for("OpenStackCluster", &cluster.name, |object| {
        object.data["status"]["bastion"]["floatingIP"].is_string()
    });
    bastion.await?;
    let outside = cluster.wait_for("OpenStackMachine", shape.outside, |object| {
        let addresses = object.data["status"]["addresses"].as_array();
        addresses.is_some_and(|all| all.iter().any(|one| one["type"] == "ExternalIP"))
    });
    outside.await.map(drop)
}

async fn delete(scenario: &Scenario) -> Result<()> {
    let cluster = &scenario.cluster;
    cluster.delete_all().await?;
    cluster.delete("OpenStackFloatingIPPool", POOL).await?;
    scenario.is_empty()
}

/// Waits until CAPO has asked the cloud for something, and then for nothing for so long that it waits for nothing.
async fn quiet(scenario: &Scenario) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let total = scenario.cloud.log().total();
        if total != seen {
            (seen, since) = (total, Instant::now());
        } else if seen > 0 && since.elapsed() > QUIET {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("CAPO is never quiet");
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn writes(scenario: &Scenario) -> Vec<String> {
    let calls = scenario.cloud.log().all().into_iter();
    let writes = calls.filter(|call| recording::is_write(&call.operation));
    writes
        .map(|call| format!("{} {} {:?}", call.operation, call.body, call.status))
        .collect()
}

/// As `clusterctl move` does.
async fn lose_status(scenario: &Scenario) -> Result<()> {
    let objects = recording::objects(scenario).await?.into_iter();
    for object in objects.filter(|object| !object["status"].is_null()) {
        let kind = object["kind"].as_str().context("no kind")?;
        let name = object["metadata"]["name"].as_str().context("no name")?;
        let lost = Patch::Merge(json!({ "status": null }));
        let api = scenario.cluster.api(kind);
        api.patch_status(name, &PatchParams::default(), &lost)
            .await?;
    }
    Ok(())
}

/// What was written to the cloud or became of it, and what the objects no longer say.
async fn changes(scenario: &Scenario, before: &Left) -> Result<String> {
    let objects = recording::objects(scenario).await?;
    let said = recording::difference(&objects, &before.objects);
    let cloud = scenario.picture().difference(&before.cloud);
    Ok([writes(scenario).join("\n"), cloud, said].concat())
}

/// What somebody leaves to whoever comes after.
struct Left {
    cloud: Picture,
    objects: Vec<Value>,
}

async fn left(scenario: &Scenario) -> Result<Left> {
    let (cloud, objects) = (scenario.picture(), recording::objects(scenario).await?);
    scenario.cloud.log().take();
    Ok(Left { cloud, objects })
}

/// Ours runs until nothing changes any more.
async fn ours_takes_over(scenario: &Scenario) -> Result<()> {
    scenario.start()?;
    for (controller, objects) in [
        ("openstackcluster", 1),
        ("openstackmachine", 2),
        ("openstackserver", 3),
    ] {
        scenario.reconciled(controller, objects).await?;
    }
    scenario.cluster.provisioned().await?;
    for name in MACHINES {
        scenario.cluster.machine_ready(name).await?;
    }
    scenario.pass(A_WHILE).await;
    scenario.crash().await
}

/// CAPO runs until it waits for nothing; it has looked at everything.
async fn capo_takes_over(scenario: &Scenario) -> Result<Capo> {
    let capo = Capo::start(scenario).await?;
    quiet(scenario).await?;
    let looked = scenario.cloud.log().count("compute GET /servers/{id}");
    ensure!(looked >= 3, "CAPO has looked at {looked} servers");
    scenario.cluster.provisioned().await?;
    for name in MACHINES {
        scenario.cluster.machine_ready(name).await?;
    }
    Ok(capo)
}

async fn from_capo_to_ours(namespace: &str, shape: Shape) -> Result<()> {
    let scenario = open(namespace).await?;
    let capo = Capo::start(&scenario).await?;
    create(&scenario, shape).await?;
    quiet(&scenario).await?;
    capo.stop();
    if let Some(folder) = std::env::var_os("CAPO_RECORD") {
        let file = Path::new(&folder).join(format!("{namespace}.json"));
        std::fs::write(file, Recording::of(&scenario).await?.to_string())?;
    }

    let before = left(&scenario).await?;
    scenario.set_speed(FAST);
    ours_takes_over(&scenario).await?;
    assert_eq!(changes(&scenario, &before).await?, "");
    lose_status(&scenario).await?;
    ours_takes_over(&scenario).await?;
    assert_eq!(changes(&scenario, &before).await?, "", "status was lost");
    scenario.start()?;
    delete(&scenario).await
}

async fn from_ours_to_capo(namespace: &str, shape: Shape) -> Result<()> {
    let scenario = open(namespace).await?;
    scenario.start()?;
    create(&scenario, shape).await?;
    scenario.settled().await?;
    scenario.crash().await?;

    let before = left(&scenario).await?;
    capo_takes_over(&scenario).await?.stop();
    assert_eq!(changes(&scenario, &before).await?, "");
    lose_status(&scenario).await?;
    let capo = capo_takes_over(&scenario).await?;
    assert_eq!(changes(&scenario, &before).await?, "", "status was lost");
    delete(&scenario).await?;
    capo.stop();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_takes_over_what_capo_made_and_deletes_it() -> Result<()> {
    from_capo_to_ours("capo", everything()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_takes_over_a_cluster_of_capo_without_a_load_balancer() -> Result<()> {
    from_capo_to_ours("capo-bare", without_balancer()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_what_ours_made_and_deletes_it() -> Result<()> {
    from_ours_to_capo("ours", everything()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_a_cluster_of_ours_without_a_load_balancer() -> Result<()> {
    from_ours_to_capo("ours-bare", without_balancer()).await
}
