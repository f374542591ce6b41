//! The real CAPO and our provider, one after the other on the same objects and the same cloud, both ways; and CAPO after
//! itself, which is what the other two are to be measured by.
//!
//! Needs CAPO's manager, which nothing here builds: its path is `CAPO_MANAGER`.
//! `cargo test -p scenarios --test capo -- --test-threads=1`, with `KUBEBUILDER_ASSETS` set. `CAPO_RECORD` is a folder that gets what CAPO
//! did, for `tests/adoption`, which takes it over in every run of the other tests.

mod manager;
mod provider;
mod shape;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{Patch, PatchParams};
use scenarios::recording::{self, Brought, Recording};
use scenarios::scenario::Pace;
use scenarios::{Picture, Scenario};
use serde_json::{Value, json};
use simulator::Delays;

use provider::Provider;
use shape::{POOL, Shape};

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
        deadline: provider::DEADLINE,
    };
    Scenario::open(namespace, &pace).await
}

/// Creates the objects and waits until whoever runs has made everything of them.
async fn create(scenario: &Scenario, shape: &Shape, brought: &Brought) -> Result<()> {
    let cluster = &scenario.cluster;
    let read = |spec: &Value| brought.read(scenario, spec.clone());
    cluster.create_pool(POOL, read(&shape.pool)).await?;
    cluster.create(read(&shape.cluster)).await?;
    cluster.provisioned().await?;
    let mut machines = shape.machines.clone();
    for machine in &mut machines {
        machine.spec = read(&machine.spec);
    }
    cluster.add_machines(&machines).await?;
    if shape.has_bastion() {
        let bastion = cluster.wait_for("OpenStackCluster", &cluster.name, |object| {
            object.data["status"]["bastion"]["floatingIP"].is_string()
        });
        bastion.await?;
    }
    let outside = cluster.wait_for("OpenStackMachine", shape.outside, |object| {
        let addresses = object.data["status"]["addresses"].as_array();
        addresses.is_some_and(|all| all.iter().any(|one| one["type"] == "ExternalIP"))
    });
    outside.await.map(drop)
}

async fn delete(scenario: &Scenario) -> Result<()> {
    let cluster = &scenario.cluster;
    cluster.delete_all().await?;
    cluster.delete("OpenStackFloatingIPPool", POOL).await
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

/// What somebody leaves to whoever comes after.
struct Left {
    cloud: Picture,
    objects: Vec<Value>,
}

impl Left {
    async fn by(scenario: &Scenario) -> Result<Self> {
        let (cloud, objects) = (scenario.picture(), recording::objects(scenario).await?);
        Ok(Self { cloud, objects })
    }

    /// What CAPO never writes is lost with the status.
    fn without_what_is_ours(mut self) -> Self {
        for object in &mut self.objects {
            let ours = match object["kind"].as_str() {
                Some("OpenStackServer") => "/status/addresses",
                _ => "/status/apiServerManagedLoadBalancer/loadBalancerNetwork/tags",
            };
            object.pointer_mut(ours).map(Value::take);
        }
        self
    }

    /// What became of the cloud since, and what the objects no longer say.
    async fn changes(&self, scenario: &Scenario) -> Result<String> {
        let objects = recording::objects(scenario).await?;
        let said = recording::difference(&objects, &self.objects);
        Ok([scenario.picture().difference(&self.cloud), said].concat())
    }
}

/// What was sent to the cloud since a provider was started.
fn writes(scenario: &Scenario) -> Vec<String> {
    let calls = scenario.cloud.log().all().into_iter();
    let writes = calls.filter(|call| recording::is_write(&call.operation));
    writes
        .map(|call| format!("{} {} {:?}", call.operation, call.body, call.status))
        .collect()
}

/// CAPO takes a bastion off the lists of the listeners while it does not know its addresses.
fn split_lists(writes: Vec<String>) -> (Vec<String>, Vec<String>) {
    const LIST: &str = r#"load-balancer PUT /lbaas/listeners/{id} {"listener":{"allowed_cidrs":["#;
    writes
        .into_iter()
        .partition(|write| write.starts_with(LIST))
}

/// One makes the cluster; the other takes it over with its status and without, and deletes it.
async fn handed_over(namespace: &str, [from, to]: [Provider; 2], shape: Shape) -> Result<()> {
    let scenario = open(namespace).await?;
    let brought = Brought::send(&scenario, shape.brought.clone()).await?;
    let of_the_user = scenario.picture();
    let first = from.start(&scenario).await?;
    create(&scenario, &shape, &brought).await?;
    first.rests(&scenario, &shape).await?;
    first.stop(&scenario).await?;
    if let Some(folder) = std::env::var_os("CAPO_RECORD") {
        let file = Path::new(&folder).join(format!("{namespace}.json"));
        let made = Recording::of(&scenario, &brought).await?;
        std::fs::write(file, made.to_string())?;
    }

    let mut before = Left::by(&scenario).await?;
    let second = to.takes_over(&scenario, &shape).await?;
    assert_eq!(writes(&scenario), [""; 0]);
    assert_eq!(before.changes(&scenario).await?, "");
    second.stop(&scenario).await?;
    if to == Provider::Capo {
        before = before.without_what_is_ours();
    }
    lose_status(&scenario).await?;
    let second = to.takes_over(&scenario, &shape).await?;
    let (lists, others) = split_lists(writes(&scenario));
    let is_forgotten = to == Provider::Capo && shape.bastion_is_on_lists();
    assert_eq!(!lists.is_empty(), is_forgotten, "{lists:?}");
    assert_eq!(others, [""; 0], "status was lost");
    assert_eq!(before.changes(&scenario).await?, "", "status was lost");
    delete(&scenario).await?;
    second.stop(&scenario).await?;
    let remains = scenario.picture().difference(&of_the_user);
    ensure!(remains.is_empty(), "left in the cloud:\n{remains}");
    Ok(())
}

const CAPO_TO_OURS: [Provider; 2] = [Provider::Capo, Provider::Ours];
const OURS_TO_CAPO: [Provider; 2] = [Provider::Ours, Provider::Capo];
const CAPO_TO_CAPO: [Provider; 2] = [Provider::Capo, Provider::Capo];

#[tokio::test(flavor = "multi_thread")]
async fn ours_takes_over_what_capo_made_and_deletes_it() -> Result<()> {
    handed_over("capo", CAPO_TO_OURS, shape::rich()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_takes_over_a_cluster_of_capo_without_a_load_balancer() -> Result<()> {
    handed_over("capo-bare", CAPO_TO_OURS, shape::bare()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_takes_over_a_cluster_of_capo_on_brought_networks() -> Result<()> {
    handed_over("capo-brought", CAPO_TO_OURS, shape::brought()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_what_ours_made_and_deletes_it() -> Result<()> {
    handed_over("ours", OURS_TO_CAPO, shape::rich()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_a_cluster_of_ours_without_a_load_balancer() -> Result<()> {
    handed_over("ours-bare", OURS_TO_CAPO, shape::bare()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_a_cluster_of_ours_on_brought_networks() -> Result<()> {
    handed_over("ours-brought", OURS_TO_CAPO, shape::brought()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_what_it_made_itself() -> Result<()> {
    handed_over("itself", CAPO_TO_CAPO, shape::rich()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_its_own_cluster_without_a_load_balancer() -> Result<()> {
    handed_over("itself-bare", CAPO_TO_CAPO, shape::bare()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_its_own_cluster_on_brought_networks() -> Result<()> {
    handed_over("itself-brought", CAPO_TO_CAPO, shape::brought()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_takes_over_a_cluster_of_capo_behind_ovn() -> Result<()> {
    handed_over("capo-ovn", CAPO_TO_OURS, shape::ovn()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_a_cluster_of_ours_behind_ovn() -> Result<()> {
    handed_over("ours-ovn", OURS_TO_CAPO, shape::ovn()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn capo_takes_over_its_own_cluster_behind_ovn() -> Result<()> {
    handed_over("itself-ovn", CAPO_TO_CAPO, shape::ovn()).await
}
