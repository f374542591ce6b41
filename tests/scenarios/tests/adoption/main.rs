//! A cluster that CAPO made is taken over: nothing in the cloud is written, nothing is made anew. What it made is
//! recorded from the real one, see `tests/capo`.

use std::time::Duration;

use scenarios::cluster_api::Machine;
use scenarios::recording::{self, Brought, Recording};
use scenarios::scenario::Pace;
use scenarios::{Picture, Scenario};
use serde_json::Value;

/// What CAPO sent and left: most that can be asked for, behind a load balancer.
const CAPO: &str = include_str!("capo.json");
/// Without one: the floating IP of the API is on the control plane machine.
const BARE: &str = include_str!("capo-bare.json");
/// On networks, a router, groups and floating IPs of the user.
const BROUGHT: &str = include_str!("capo-brought.json");
/// Of the cloud's clock, in place of that of the scenarios.
const WHILE_NOBODY_LOOKS: u32 = 1000;
const OLD: &str = "worker-0";
const NEW: &str = "worker-1";
/// On the provider's clock: every wait of its own has passed once.
const A_WHILE: Duration = Duration::from_secs(120);

/// What is ours alone: a mark on servers and volumes, the namespace of a pool, no image where a volume has it.
const OURS: [(&str, &str); 4] = [
    (r#""capstan-cluster":"NS/demo","#, ""),
    (r#""capstan-cluster":"NS/demo""#, ""),
    ("Pool NS/public", "Pool public"),
    (r#""image":{"id":""}"#, r#""image":"""#),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_its_status_is_taken_over_without_a_write() {
    taken_over("adopt-status", CAPO, true).await;
}

/// As after `clusterctl move`.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_status_was_lost_is_taken_over_without_a_write() {
    taken_over("adopt-lost", CAPO, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_a_load_balancer_is_taken_over_without_a_write() {
    taken_over("adopt-bare", BARE, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_on_brought_networks_whose_status_was_lost_is_taken_over_without_a_write() {
    taken_over("adopt-brought-lost", BROUGHT, false).await;
}

/// Nothing of it was looked at before, and no status says what it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_goes_before_it_is_taken_over_leaves_nothing() {
    let left = play("adopt-gone", CAPO, false).await;
    let cluster = &left.scenario.cluster;
    for kind in ["OpenStackMachine", "OpenStackCluster"] {
        for object in left.objects.iter().filter(|o| o["kind"] == kind) {
            let name = object["metadata"]["name"].as_str().unwrap();
            cluster.ask_to_go(kind, name).await.unwrap();
        }
    }
    left.scenario.start().unwrap();
    left.is_deleted().await;

    let writes = writes(&left.scenario);
    let made = writes.iter().filter(|write| write.contains(" POST "));
    assert_eq!(made.collect::<Vec<_>>(), [""; 0]);
}

/// One is added right after the takeover, and CAPO's goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_in_place_of_one_of_capo_looks_like_it() {
    let left = play("adopt-scale", CAPO, true).await;
    let (scenario, before) = (&left.scenario, left.scenario.picture());
    scenario.start().unwrap();
    scenario.cluster.provisioned().await.unwrap();

    let is_old = |o: &&Value| o["kind"] == "OpenStackMachine" && o["metadata"]["name"] == OLD;
    let mut spec = left.objects.iter().find(is_old).unwrap()["spec"].clone();
    spec["providerID"].take();
    let worker = Machine {
        name: NEW.to_owned(),
        control_plane: false,
        failure_domain: Some("az1".to_owned()),
        spec,
    };
    scenario.cluster.add_machines(&[worker]).await.unwrap();
    let old = [OLD.to_owned()];
    scenario.cluster.delete_machines(&old).await.unwrap();
    let after = scenario.settled().await.unwrap().with(NEW, OLD);

    unchanged(&without_ours(after), &without_ours(before));
}

fn without_ours(mut picture: Picture) -> Picture {
    for (ours, of_capo) in OURS {
        picture = picture.with(ours, of_capo);
    }
    picture
}

async fn taken_over(namespace: &str, recorded: &str, with_status: bool) {
    let left = play(namespace, recorded, with_status).await;
    let (scenario, before) = (&left.scenario, left.scenario.picture());
    scenario.start().unwrap();
    sees_everything(scenario, &left.objects).await;
    scenario.pass(A_WHILE).await;

    assert_eq!(writes(scenario), Vec::<String>::new());
    unchanged(&scenario.picture(), &before);
    let objects = recording::objects(scenario).await.unwrap();
    assert_eq!(recording::difference(&objects, &left.objects), "");

    left.is_deleted().await;
}

/// What CAPO has left.
struct Left {
    scenario: Scenario,
    objects: Vec<Value>,
    /// What was in the cloud before it came.
    of_the_user: Picture,
}

impl Left {
    /// Deletes it all; what the user has brought stays.
    async fn is_deleted(&self) {
        let cluster = &self.scenario.cluster;
        cluster.delete_all().await.unwrap();
        let pool = cluster.delete("OpenStackFloatingIPPool", "public");
        pool.await.unwrap();
        unchanged(&self.scenario.picture(), &self.of_the_user);
    }
}

async fn play(namespace: &str, recorded: &str, with_status: bool) -> Left {
    let pace = Pace::default();
    let scenario = Scenario::open(namespace, &pace).await.unwrap();
    scenario.set_speed(WHILE_NOBODY_LOOKS);
    let capo: Recording = serde_json::from_str(recorded).unwrap();
    let brought = Brought::send(&scenario, capo.brought.clone()).await;
    let of_the_user = scenario.picture();
    let played = capo.play(&scenario, brought.unwrap(), with_status).await;
    scenario.set_speed(pace.speed);
    Left {
        scenario,
        objects: played.unwrap(),
        of_the_user,
    }
}

/// Every object has been reconciled, and is ready.
async fn sees_everything(scenario: &Scenario, objects: &[Value]) {
    for (controller, kind) in [
        ("openstackcluster", "OpenStackCluster"),
        ("openstackmachine", "OpenStackMachine"),
        ("openstackserver", "OpenStackServer"),
    ] {
        let count = objects.iter().filter(|object| object["kind"] == kind);
        let count = u64::try_from(count.count()).unwrap();
        scenario.reconciled(controller, count).await.unwrap();
    }
    scenario.cluster.provisioned().await.unwrap();
    for object in objects.iter().filter(|o| o["kind"] == "OpenStackMachine") {
        let name = object["metadata"]["name"].as_str().unwrap();
        scenario.cluster.machine_ready(name).await.unwrap();
    }
}

fn writes(scenario: &Scenario) -> Vec<String> {
    let calls = scenario.cloud.log().all().into_iter();
    let writes = calls.filter(|call| recording::is_write(&call.operation));
    writes
        .map(|call| format!("{} {}", call.operation, call.body))
        .collect()
}

fn unchanged(after: &Picture, before: &Picture) {
    let difference = after.difference(before);
    assert!(
        difference.is_empty(),
        "the cloud has changed:\n{difference}"
    );
}
