//! A cluster that CAPO made is taken over: nothing in the cloud is written, nothing is made anew. What it made is
//! recorded from the real one, see `tests/capo`.

use std::time::Duration;

use scenarios::recording::{self, Recording};
use scenarios::scenario::Pace;
use scenarios::{Picture, Scenario};

/// What CAPO sent and left: most that can be asked for, behind a load balancer.
const CAPO: &str = include_str!("capo.json");
/// Without one: the floating IP of the API is on the control plane machine.
const BARE: &str = include_str!("capo-bare.json");
/// On the provider's clock: every wait of its own has passed once.
const A_WHILE: Duration = Duration::from_secs(120);

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

async fn taken_over(namespace: &str, recorded: &str, with_status: bool) {
    let scenario = Scenario::open(namespace, &Pace::default()).await.unwrap();
    let capo: Recording = serde_json::from_str(recorded).unwrap();
    let left = capo.play(&scenario, with_status).await.unwrap();
    let before = scenario.picture();
    scenario.start().unwrap();
    let cluster = &scenario.cluster;
    for (controller, objects) in [
        ("openstackcluster", 1),
        ("openstackmachine", 2),
        ("openstackserver", 3),
    ] {
        scenario.reconciled(controller, objects).await.unwrap();
    }
    cluster.provisioned().await.unwrap();
    for machine in ["cp-0", "worker-0"] {
        cluster.machine_ready(machine).await.unwrap();
    }
    scenario.pass(A_WHILE).await;

    assert_eq!(writes(&scenario), Vec::<String>::new());
    unchanged(&scenario.picture(), &before);
    let objects = recording::objects(&scenario).await.unwrap();
    assert_eq!(recording::difference(&objects, &left), "");

    cluster.delete_all().await.unwrap();
    let pool = cluster.delete("OpenStackFloatingIPPool", "public");
    pool.await.unwrap();
    scenario.is_empty().unwrap();
}

fn writes(scenario: &Scenario) -> Vec<String> {
    let calls = scenario.cloud.log().all().into_iter();
    let writes = calls.filter(|call| {
        !call.operation.contains(" GET ") && !call.operation.contains("/auth/tokens")
    });
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
