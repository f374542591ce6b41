//! A cluster with an IPv6 subnet, alone or beside an IPv4 one.

use jiff::Timestamp;
use plan::cluster::{Action, Want, plan};
use plan::step::Step;
use plan::world::{EtherType, SecurityGroup};
use serde_json::{Value, json};

use super::balancing::settle;
use super::cloud::Cloud;
use super::shapes::{cloud, cluster, owner, want};

fn spec(subnets: Value) -> Value {
    json!({
        "managedSubnets": subnets,
        "apiServer": {"enableFloatingIP": false, "fixedIP": "10.6.0.10"},
        "managedSecurityGroups": {},
    })
}

fn dual() -> Value {
    json!([{"cidr": "10.6.0.0/24"}, {"cidr": "fd00:6::/64"}])
}

fn worker(cloud: &Cloud) -> &SecurityGroup {
    let mut groups = cloud.holds.security_groups.iter();
    let name = "k8s-cluster-default-demo-secgroup-worker";
    groups.find(|group| group.name == name).expect("a group")
}

fn rules(cloud: &Cloud, of: EtherType) -> usize {
    let rules = worker(cloud).rules.iter();
    rules.filter(|rule| rule.rule.ether_type == of).count()
}

/// CIDR, address mode and mode of router advertisements of the cluster's subnets.
fn subnets(cloud: &Cloud) -> Vec<(String, Option<&str>, Option<&str>)> {
    let own = cloud.holds.subnets.iter();
    let own = own.filter(|subnet| subnet.name == "k8s-clusterapi-cluster-default-demo");
    own.map(|subnet| {
        let modes = (&subnet.ipv6_address_mode, &subnet.ipv6_ra_mode);
        let cidr = subnet.cidr.to_string();
        (cidr, modes.0.as_deref(), modes.1.as_deref())
    })
    .collect()
}

#[test]
fn both_families_have_subnet_interface_and_rules() {
    let mut cloud = cloud();
    settle(&spec(dual()), &mut cloud);
    let mut made = subnets(&cloud);
    made.sort();
    assert_eq!(
        made,
        [
            ("10.6.0.0/24".into(), None, None),
            ("fd00:6::/64".into(), Some("slaac"), Some("slaac")),
        ]
    );
    let status = &cloud.holds.status;
    let network = status.network.as_ref().expect("published");
    let cidrs: Vec<&str> = network.subnets.iter().map(|s| s.cidr.as_str()).collect();
    assert_eq!(cidrs, ["10.6.0.0/24", "fd00:6::/64"]);
    let router = status.router.as_ref().expect("published");
    let interfaces = cloud.holds.ports.iter();
    let interfaces = interfaces.filter(|port| port.device_id == router.id);
    assert_eq!(interfaces.count(), 2);
    assert_eq!(
        rules(&cloud, EtherType::IPv4),
        rules(&cloud, EtherType::IPv6)
    );
}

#[test]
fn a_cluster_in_ipv4_has_no_rule_for_ipv6_but_egress() {
    let mut cloud = cloud();
    settle(&spec(json!([{"cidr": "10.6.0.0/24"}])), &mut cloud);
    assert_eq!(rules(&cloud, EtherType::IPv6), 1);
    assert!(rules(&cloud, EtherType::IPv4) > 5);
}

#[test]
fn a_second_subnet_may_join() {
    let mut cloud = cloud();
    settle(&spec(json!([{"cidr": "10.6.0.0/24"}])), &mut cloud);
    settle(&spec(dual()), &mut cloud);
    assert_eq!(subnets(&cloud).len(), 2);
    let mut fresh = super::shapes::cloud();
    settle(&spec(dual()), &mut fresh);
    assert_eq!(cloud.inventory(), fresh.inventory());
}

#[test]
fn the_mode_is_the_users_choice() {
    let mut cloud = cloud();
    let only = json!([{"cidr": "fd00:6::/64", "ipv6Mode": "dhcpv6-stateful"}]);
    settle(&spec(only), &mut cloud);
    let stateful = Some("dhcpv6-stateful");
    assert_eq!(
        subnets(&cloud),
        [("fd00:6::/64".into(), stateful, stateful)]
    );
}

#[test]
fn two_subnets_of_one_family_are_refused() {
    let twice = json!([{"cidr": "10.6.0.0/24"}, {"cidr": "10.7.0.0/24"}]);
    let problem = Want::of(&cluster(spec(twice)), &owner()).expect_err("refused");
    assert_eq!(problem.field, "spec.managedSubnets");
    assert!(
        problem.to_string().contains("10.6.0.0/24, 10.7.0.0/24"),
        "{problem}"
    );
}

#[test]
fn name_servers_are_the_same_in_every_spelling() {
    let mut cloud = cloud();
    let with = |server: &str| spec(json!([{"cidr": "fd00:6::/64", "dnsNameservers": [server]}]));
    settle(&with("2001:DB8::0:53"), &mut cloud);
    let step = |server| plan(&want(with(server)), &cloud.holds, Timestamp::UNIX_EPOCH).step;
    assert_eq!(step("2001:db8::53"), Step::Done);
    assert!(matches!(
        step("2001:db8::54"),
        Step::Do(actions) if matches!(actions[..], [Action::UpdateNameservers { .. }])
    ));
}
