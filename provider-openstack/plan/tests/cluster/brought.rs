//! Networks, subnets and routers that the user brings: used, published, and left as they were.

use jiff::Timestamp;
use plan::cluster::{Action, delete, plan};
use plan::step::Step;
use serde_json::{Value, json};

use super::balancing::{dual_cloud, settle};
use super::cloud::Cloud;
use super::properties::converge;
use super::shapes::{cloud, gone, want};

fn named(name: &str) -> Value {
    json!({"filter": {"name": name}})
}

fn remove(spec: &Value, cloud: &mut Cloud) {
    let gone = gone(spec.clone());
    converge(cloud, |seen| delete(&gone, seen, Timestamp::UNIX_EPOCH));
}

/// CIDRs from which node ports of the workers are reached.
fn node_port_sources(cloud: &Cloud) -> Vec<String> {
    let rules = (cloud.holds.security_groups.iter()).flat_map(|group| &group.rules);
    let from = rules.filter(|have| have.rule.port_min == Some(30000));
    let mut cidrs: Vec<String> = from
        .filter_map(|have| have.rule.remote_ip_prefix.clone())
        .collect();
    cidrs.sort();
    cidrs.dedup();
    cidrs
}

#[test]
fn several_subnets_count_in_the_order_of_the_spec() {
    for order in [["s-six", "s-four"], ["s-four", "s-six"]] {
        let spec = json!({
            "network": named("dual"),
            "subnets": order.map(|id| json!({"id": id})),
            "managedSecurityGroups": {},
            "apiServer": {"enableFloatingIP": false, "fixedIP": "10.8.0.10"},
        });
        let mut cloud = dual_cloud(false);
        let status = settle(&spec, &mut cloud).status.status;
        let network = status.network.expect("published");
        let subnets: Vec<&str> = network.subnets.iter().map(|s| s.id.as_str()).collect();
        assert_eq!(
            (network.id.as_str(), subnets.as_slice()),
            ("dual", &order[..])
        );
        assert_eq!(node_port_sources(&cloud), ["10.8.0.0/24", "fd08::/64"]);
    }
}

#[test]
fn without_names_all_subnets_of_the_network_count() {
    let spec = json!({
        "network": named("dual"),
        "apiServer": {"enableFloatingIP": false, "fixedIP": "10.8.0.10"},
    });
    let status = settle(&spec, &mut dual_cloud(false)).status.status;
    assert_eq!(status.network.expect("published").subnets.len(), 2);
}

#[test]
fn a_subnet_of_another_network_is_refused() {
    let spec = json!({
        "network": named("dual"),
        "subnets": [{"id": "s-four"}, {"id": "s-brought"}],
        "apiServer": {"enableFloatingIP": false, "fixedIP": "10.8.0.10"},
    });
    let cloud = dual_cloud(false);
    match plan(&want(spec), &cloud.holds, Timestamp::UNIX_EPOCH).step {
        Step::Blocked(problem) => {
            assert_eq!(
                (problem.field.as_str(), problem.value.as_str()),
                ("spec.subnets[1]", "s-brought")
            );
            assert!(problem.way_out.contains("in network dual"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn of_a_router_that_is_brought_only_the_interface_is_ours() {
    let spec = json!({
        "managedSubnets": [{"cidr": "10.6.0.0/24"}],
        "router": named("brought"),
        "tags": ["ours"],
        "apiServer": {"managedLoadBalancer": {}},
    });
    let mut cloud = cloud();
    let before = cloud.clone();
    let status = settle(&spec, &mut cloud).status.status;
    assert_eq!(status.router.expect("published").id, "r-brought");
    assert_eq!(
        cloud.holds.routers, before.holds.routers,
        "no tag, no gateway"
    );
    let interfaces = cloud
        .holds
        .ports
        .iter()
        .filter(|port| port.device_id == "r-brought");
    assert_eq!(interfaces.count(), 2);
    remove(&spec, &mut cloud);
    assert_eq!(cloud.inventory(), before.inventory());
    assert_eq!(cloud.holds.ports, before.holds.ports);
}

#[test]
fn a_brought_network_does_without_an_external_one() {
    let spec = json!({
        "network": {"id": "brought"},
        "router": {"id": "r-brought"},
        "enableExternalNetwork": false,
        "managedSecurityGroups": {},
        "tags": ["ours"],
        "apiServer": {"enableFloatingIP": false, "managedLoadBalancer": {}},
    });
    let mut cloud = cloud();
    let before = cloud.clone();
    let decision = settle(&spec, &mut cloud);
    let status = decision.status.status;
    assert_eq!(status.external_network, None);
    assert_eq!(cloud.holds.floating_ips, before.holds.floating_ips);
    let balancer = cloud.holds.load_balancers.last().expect("made");
    assert_eq!(
        decision.status.endpoint,
        Some((balancer.vip_address.clone(), 6443))
    );
    assert!(
        balancer.vip_address.starts_with("10.7.0."),
        "{}",
        balancer.vip_address
    );
    assert_eq!(cloud.holds.networks, before.holds.networks);
    assert_eq!(cloud.holds.subnets, before.holds.subnets);
    assert_eq!(cloud.holds.routers, before.holds.routers);
    remove(&spec, &mut cloud);
    assert_eq!(cloud.inventory(), before.inventory());
}

/// It has the very names that a managed one would have, and what CAPO writes into descriptions.
#[test]
fn a_brought_network_is_kept_whatever_it_is_called() {
    let ours = "k8s-clusterapi-cluster-default-demo";
    let mut cloud = cloud();
    let holds = &mut cloud.holds;
    for network in holds
        .networks
        .iter_mut()
        .filter(|network| network.id == "brought")
    {
        network.name = ours.into();
    }
    for router in holds
        .routers
        .iter_mut()
        .filter(|router| router.id == "r-brought")
    {
        router.name = ours.into();
        router.description =
            "Created by cluster-api-provider-openstack cluster default-demo".into();
        router.project_id = super::cloud::PROJECT.into();
    }
    let before = cloud.inventory();
    let spec = json!({
        "network": {"id": "brought"},
        "router": {"id": "r-brought"},
        "apiServer": {"enableFloatingIP": false, "managedLoadBalancer": {}},
    });
    settle(&spec, &mut cloud);
    let gone = gone(spec);
    converge(&mut cloud, |seen| {
        let decision = delete(&gone, seen, Timestamp::UNIX_EPOCH);
        if let Step::Do(actions) = &decision.step {
            let of_network = |action: &Action| {
                matches!(
                    action,
                    Action::DeleteNetwork { .. }
                        | Action::DeleteRouter { .. }
                        | Action::RemoveRouterInterface { .. }
                )
            };
            assert!(!actions.iter().any(of_network), "{actions:?}");
        }
        decision
    });
    assert_eq!(cloud.inventory(), before);
}
