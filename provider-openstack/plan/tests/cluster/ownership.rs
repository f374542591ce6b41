//! What is of our name but not ours, and what is ours whatever it is called.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plan::cluster::{Namesake, delete, plan};
use plan::step::Step;
use plan::world::AvailabilityZone;
use serde_json::{Value, json};

use super::balancing::settle;
use super::cloud::Cloud;
use super::properties::converge;
use super::shapes::{cloud, crowded_cloud, gone, want};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn spec() -> Value {
    json!({
        "managedSubnets": [{"cidr": "10.6.0.0/24"}],
        "apiServer": {"managedLoadBalancer": {}},
        "managedSecurityGroups": {},
    })
}

fn namesake(holds: &[&str]) -> Namesake {
    Namesake {
        object: "OpenStackCluster default-x/demo".into(),
        holds: holds.iter().map(ToString::to_string).collect(),
        provisioned: true,
        older: true,
    }
}

/// Ids of everything that the cluster published.
fn published(cloud: &Cloud) -> BTreeSet<String> {
    let status = &cloud.holds.status;
    let network = status.network.iter().map(|network| network.id.clone());
    let router = status.router.iter().map(|router| router.id.clone());
    let groups = [
        &status.control_plane_security_group,
        &status.worker_security_group,
    ];
    let groups = groups.into_iter().flatten().map(|group| group.id.clone());
    let balancer = status.api_server_managed_load_balancer.iter();
    let balancer = balancer.map(|balancer| balancer.id.clone());
    network
        .chain(router)
        .chain(groups)
        .chain(balancer)
        .collect()
}

#[test]
fn what_is_of_our_name_but_described_otherwise_is_not_ours() {
    let mut cloud = crowded_cloud();
    let before = cloud.inventory();
    settle(&spec(), &mut cloud);
    let ours = published(&cloud);
    assert_eq!(ours.len(), 5);
    assert!(!ours.iter().any(|id| id.contains("by-hand")), "{ours:?}");
    let gone = gone(spec());
    converge(&mut cloud, |seen| delete(&gone, seen, NOW));
    assert_eq!(cloud.inventory(), before);
}

/// CAPO does not describe networks, and finds all of its resources by name.
#[test]
fn what_capo_left_is_ours_with_and_without_a_status() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let ours = published(&cloud);
    for network in &mut cloud.holds.networks {
        if ours.contains(&network.id) {
            network.description = String::new();
        }
    }
    for status in [cloud.holds.status.clone(), Default::default()] {
        cloud.holds.status = status;
        let decision = plan(&want(spec()), &cloud.holds, NOW);
        assert_eq!(decision.step, Step::Done);
        cloud.holds.status = decision.status.status;
        assert_eq!(published(&cloud), ours);
    }
}

#[test]
fn what_was_published_is_ours_whatever_it_is_called() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let ours = published(&cloud);
    let holds = &mut cloud.holds;
    let networks = holds.networks.iter_mut();
    (networks.filter(|network| ours.contains(&network.id)))
        .for_each(|network| network.name = "renamed".into());
    let routers = holds.routers.iter_mut();
    (routers.filter(|router| ours.contains(&router.id)))
        .for_each(|router| router.name = "renamed".into());
    assert_eq!(plan(&want(spec()), &cloud.holds, NOW).step, Step::Done);
}

/// `demo` in `default-x` and `x-demo` in `default` have the same names in the cloud.
#[test]
fn what_a_namesake_has_is_neither_shared_nor_deleted() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let mut theirs = namesake(&[]);
    theirs.holds = published(&cloud);
    let balancer = cloud.holds.status.api_server_managed_load_balancer.iter();
    theirs
        .holds
        .extend(balancer.map(|balancer| balancer.ip.clone()));
    // From here on we are the other cluster.
    cloud.holds.status = Default::default();
    cloud.holds.namesakes = vec![theirs];
    let Step::Blocked(problem) = plan(&want(spec()), &cloud.holds, NOW).step else {
        panic!("it goes on");
    };
    assert_eq!(problem.reason, "NamesTaken");
    assert!(problem.to_string().contains("default-x/demo"), "{problem}");
    assert_eq!(delete(&gone(spec()), &cloud.holds, NOW).step, Step::Done);
}

#[test]
fn a_namesake_in_another_project_is_in_nobodys_way() {
    let mut cloud = cloud();
    cloud.holds.namesakes = vec![namesake(&["a network of another project"])];
    settle(&spec(), &mut cloud);
    assert_eq!(published(&cloud).len(), 5);
}

#[test]
fn the_younger_of_two_namesakes_waits_for_the_older_one() {
    let mut cloud = cloud();
    let unknown = Namesake {
        provisioned: false,
        ..namesake(&[])
    };
    cloud.holds.namesakes = vec![unknown.clone()];
    let step = |cloud: &Cloud| plan(&want(spec()), &cloud.holds, NOW).step;
    assert!(matches!(step(&cloud), Step::Wait(waiting) if waiting.reason == "WaitingForNamesake"));
    cloud.holds.namesakes[0].older = false;
    assert!(matches!(step(&cloud), Step::Do(_)));
    // A cluster that is there already does not wait for one that comes from elsewhere.
    settle(&spec(), &mut cloud);
    cloud.holds.namesakes = vec![unknown];
    assert_eq!(step(&cloud), Step::Done);
}

/// The zones that are published, with a mark for those of the control plane.
fn zones(cloud: &Cloud) -> Vec<String> {
    let domains = cloud.holds.status.failure_domains.iter();
    domains
        .map(|domain| {
            let mark = if domain.control_plane == Some(true) {
                "*"
            } else {
                ""
            };
            format!("{}{mark}", domain.name)
        })
        .collect()
}

#[test]
fn zones_stay_but_what_the_user_says_of_them_counts() {
    let mut cloud = cloud();
    let mut spec = spec();
    settle(&spec, &mut cloud);
    assert_eq!(zones(&cloud), ["az1*", "az2*"]);
    let zone = |name: &str| AvailabilityZone {
        name: name.into(),
        available: true,
    };
    cloud.holds.availability_zones = vec![zone("nova"), zone("az2"), zone("az3")];
    settle(&spec, &mut cloud);
    assert_eq!(zones(&cloud), ["az1*", "az2*"]);
    spec["controlPlaneAvailabilityZones"] = json!(["az2", "az3", "az4"]);
    settle(&spec, &mut cloud);
    assert_eq!(zones(&cloud), ["az1", "az2*", "az3*"]);
    spec["controlPlaneAvailabilityZones"] = json!([]);
    spec["controlPlaneOmitAvailabilityZone"] = json!(true);
    settle(&spec, &mut cloud);
    assert_eq!(zones(&cloud), ["az1", "az2", "az3"]);
}
