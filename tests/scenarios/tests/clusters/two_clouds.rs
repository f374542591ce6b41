//! One provider, two clouds: one that answers every call after half a minute, and one that answers at once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kube::api::DynamicObject;
use scenarios::Scenario;
use scenarios::cluster_api::{Cluster, Machine};
use scenarios::provider::CONCURRENCY;
use scenarios::scenario::Pace;
use serde_json::{Value, json};
use simulator::{Delays, Effect, Fault, Options, Simulator};

use super::machine;

const ANSWER: Duration = Duration::from_secs(30);
/// Nothing takes long but answers, and those are on the clock of the wall.
const SPEED: u32 = 1;
/// While what stands in line later is made.
const PREPARATION: u32 = 20;
/// All that ask a cloud.
const CONTROLLERS: [&str; 5] = [
    "openstackcluster",
    "openstackmachine",
    "openstackserver",
    "openstackfloatingippool",
    "openstackmachinetemplate",
];
const POOL: &str = "OpenStackFloatingIPPool";

/// Every controller has more objects of the slow cloud than it looks after at a time. A cluster in the quick one
/// comes, is complete and goes before the slow one has answered twice: no reconcile of its objects has ended by then.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_cloud_takes_30_s_for_each_answer_slows_no_other() -> Result<()> {
    let (alone, beside) = tokio::try_join!(alone(), beside_a_slow_one())?;
    println!("changes: {alone:?}");
    assert_eq!(beside, alone, "the same requests");
    Ok(())
}

fn pace(speed: u32) -> Pace {
    Pace {
        speed,
        delays: at_once(),
        ..Pace::default()
    }
}

fn at_once() -> Delays {
    Delays {
        server_build: Duration::ZERO,
        server_delete: Duration::ZERO,
        volume_create: Duration::ZERO,
        volume_delete: Duration::ZERO,
        balancer: Duration::ZERO,
    }
}

async fn alone() -> Result<BTreeMap<String, usize>> {
    let scenario = Scenario::open("quick-alone", &pace(SPEED)).await?;
    scenario.start()?;
    let begun = Instant::now();
    live(&scenario.cluster, &scenario.cloud).await?;
    println!("alone: {:.1} s", begun.elapsed().as_secs_f64());
    Ok(changes(&scenario.cloud))
}

async fn beside_a_slow_one() -> Result<BTreeMap<String, usize>> {
    let slow = with_a_queue().await?;
    let options = Options {
        delays: at_once(),
        speed: f64::from(SPEED),
        ..Options::default()
    };
    let quick = Simulator::start(options).await?;
    let cluster = slow.cluster.beside("quick");
    let cluster = cluster.in_cloud(&quick.clouds_yaml()).await?;
    for controller in CONTROLLERS {
        slow.queued(controller).await?;
    }
    let begun = Instant::now();
    live(&cluster, &quick).await?;
    println!("beside: {:.1} s", begun.elapsed().as_secs_f64());
    // The login, which all wait for.
    let answered = slow.cloud.log().total();
    ensure!(
        answered <= 1,
        "the slow cloud has answered {answered} times"
    );
    for controller in CONTROLLERS {
        slow.queued(controller).await?;
    }
    Ok(changes(&quick))
}

/// A slow cloud, of which every controller has one object more than it looks after at a time.
async fn with_a_queue() -> Result<Scenario> {
    let slow = Scenario::open("slow", &pace(PREPARATION)).await?;
    slow.start()?;
    let cluster = &slow.cluster;
    cluster.create(shape()).await?;
    cluster.provisioned().await?;
    let one_too_many = 0..=CONCURRENCY;
    let machines = one_too_many
        .clone()
        .map(|at| machine(&format!("cp-{at}"), true));
    let machines: Vec<Machine> = machines.collect();
    cluster.add_machines(&machines).await?;

    slow.crash().await?;
    slow.set_speed(SPEED);
    let late = Fault::new("*", Effect::Delay(ANSWER / SPEED)).always();
    slow.cloud.faults().add(late);
    slow.cloud.log().take();
    for at in one_too_many {
        let name = format!("slow-{at}");
        cluster.beside(&name).create(shape()).await?;
        cluster.create_pool(&name, pool()).await?;
        cluster.create_template(&name, &machines[0]).await?;
    }
    slow.start()?;
    Ok(slow)
}

/// With an object for each controller.
async fn live(cluster: &Cluster, cloud: &Simulator) -> Result<()> {
    let [pool_name, template, control_plane, worker] =
        ["public", "workers", "control-plane", "worker"].map(|of| format!("{}-{of}", cluster.name));
    cluster.create(shape()).await?;
    cluster.provisioned().await?;
    cluster.create_pool(&pool_name, pool()).await?;
    let mut public = machine(&worker, false);
    public.spec["floatingIPPoolRef"] = json!({
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": POOL, "name": pool_name,
    });
    cluster.create_template(&template, &public).await?;
    cluster
        .wait_for("OpenStackMachineTemplate", &template, has_capacity)
        .await?;
    cluster
        .add_machines(&[machine(&control_plane, true), public])
        .await?;
    cluster.delete_all().await?;
    cluster.delete(POOL, &pool_name).await?;
    let left = cloud.audit();
    ensure!(left.is_empty(), "left in the cloud:\n{left}");
    Ok(())
}

/// Without a load balancer: control planes ask the cloud where the floating IP leads.
fn shape() -> Value {
    json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }], "managedSecurityGroups": {} })
}

fn pool() -> Value {
    json!({ "reclaimPolicy": "Delete" })
}

fn has_capacity(template: &DynamicObject) -> bool {
    template.data["status"]["capacity"].is_object()
}

/// How often it looks depends on how long all takes; what it does, does not.
fn changes(cloud: &Simulator) -> BTreeMap<String, usize> {
    let mut counts = cloud.log().counts();
    counts.retain(|operation, _| !operation.contains(" GET "));
    counts
}
