//! A cluster that CAPO made is taken over: nothing in the cloud is written, nothing is made anew.

mod capo;

use scenarios::scenario::Pace;
use scenarios::{Picture, Scenario};
use std::time::Duration;

use capo::Capo;

/// On the provider's clock: every wait of its own has passed once.
const A_WHILE: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_with_its_status_is_taken_over_without_a_write() {
    taken_over("adopt-status", true).await;
}

/// As after `clusterctl move`.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_whose_status_was_lost_is_taken_over_without_a_write() {
    taken_over("adopt-lost", false).await;
}

async fn taken_over(namespace: &str, with_status: bool) {
    let scenario = Scenario::open(namespace, &Pace::default()).await.unwrap();
    let capo = Capo::build(&scenario).await.unwrap();
    capo.create_objects(&scenario, with_status).await.unwrap();
    let before = scenario.picture();
    scenario.start().unwrap();
    let cluster = &scenario.cluster;
    for (controller, objects) in [
        ("openstackcluster", 1),
        ("openstackmachine", 2),
        ("openstackserver", 2),
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
    let object = cluster.api("OpenStackCluster").get("demo").await.unwrap();
    assert_eq!(object.data["status"]["network"]["id"], capo.id("network"));
    assert_eq!(object.data["status"]["router"]["id"], capo.id("router"));
    assert_eq!(
        object.data["status"]["apiServerManagedLoadBalancer"]["id"],
        capo.id("balancer")
    );
    for machine in ["cp-0", "worker-0"] {
        let server = cluster.api("OpenStackServer").get(machine).await.unwrap();
        assert_eq!(
            server.data["status"]["instanceID"],
            capo.id(machine),
            "{machine}"
        );
        let object = cluster.api("OpenStackMachine").get(machine).await.unwrap();
        assert_eq!(
            object.data["spec"]["providerID"],
            format!("openstack:///{}", capo.id(machine))
        );
    }

    cluster.delete_all().await.unwrap();
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
