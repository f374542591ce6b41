//! Fields that are passed on: each one arrives.

use std::cell::RefCell;

use crds::openstack::v1beta2::{MachineResources, ResolvedMachineSpec};
use jiff::Timestamp;
use plan::cluster::{Action, Decision, plan};
use plan::rules::WantedRule;
use plan::step::Step;
use plan::world::{Direction, EtherType, FixedIp, Network, Rule};
use serde_json::{Value, json};

use super::balancing::{balanced, settle};
use super::cloud::Cloud;
use super::properties::converge;
use super::shapes::{bastion_spec, cloud, want};

/// Everything that is asked of the cloud until the cluster is there.
fn asked(spec: &Value, cloud: &mut Cloud) -> (Vec<Action>, Decision) {
    let (want, asked) = (want(spec.clone()), RefCell::new(Vec::new()));
    let last = converge(cloud, |seen| {
        let decision = plan(&want, seen, Timestamp::UNIX_EPOCH);
        if let Step::Do(actions) = &decision.step {
            asked.borrow_mut().extend(actions.iter().cloned());
        }
        decision
    });
    (asked.into_inner(), last)
}

#[test]
fn a_network_is_made_as_the_spec_says() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({}));
    spec["managedSubnets"] = json!([{
        "cidr": "10.6.0.0/24", "dnsNameservers": ["192.0.2.53"],
        "allocationPools": [{"start": "10.6.0.20", "end": "10.6.0.99"}],
    }]);
    spec["managedNetwork"] = json!({"mtu": 1400, "enablePortSecurity": false});
    spec["managedRouter"] =
        json!({"externalIPs": [{"subnet": {"id": "external"}, "fixedIP": "203.0.113.7"}]});
    let (actions, last) = asked(&spec, &mut cloud);
    let network = actions.iter().find_map(|action| match action {
        Action::CreateNetwork(new) => Some((new.mtu, new.port_security)),
        _ => None,
    });
    assert_eq!(network, Some((Some(1400), Some(false))));
    let subnet = actions.iter().find_map(|action| match action {
        Action::CreateSubnet(new) => Some((new.nameservers.clone(), new.allocation_pools.clone())),
        _ => None,
    });
    let pool = ("10.6.0.20".to_string(), "10.6.0.99".to_string());
    assert_eq!(subnet, Some((vec!["192.0.2.53".to_string()], vec![pool])));
    let gateway = actions.iter().find_map(|action| match action {
        Action::SetGateway { addresses, .. } => Some(addresses.clone()),
        _ => None,
    });
    let address = FixedIp {
        subnet_id: "external".into(),
        ip_address: "203.0.113.7".into(),
    };
    assert_eq!(gateway, Some(vec![address]));
    let router = last.status.status.router.expect("published");
    assert_eq!(router.ips, ["203.0.113.7"]);
}

#[test]
fn a_gateway_is_set_again_only_for_what_the_user_says() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({}));
    settle(&spec, &mut cloud);
    let ours = cloud.holds.routers.len() - 1;
    // Made when another external network was found, by CAPO for example.
    cloud.holds.routers[ours].gateway_network_id = Some("before".into());
    assert!(asked(&spec, &mut cloud).0.is_empty());

    let address = json!({"subnet": {"id": "external"}, "fixedIP": "2001:DB8:0::7"});
    spec["managedRouter"] = json!({"externalIPs": [address]});
    let (actions, _) = asked(&spec, &mut cloud);
    assert_eq!(
        actions.iter().map(Action::name).collect::<Vec<_>>(),
        ["UpdateRouter"]
    );
    // As Neutron writes it.
    cloud.holds.routers[ours].gateway_ips[0].ip_address = "2001:db8::7".into();
    assert!(asked(&spec, &mut cloud).0.is_empty());
}

#[test]
fn the_tags_are_on_everything() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({}));
    spec["managedSecurityGroups"] = json!({});
    spec["tags"] = json!(["ours"]);
    let (actions, last) = asked(&spec, &mut cloud);
    let status = last.status.status;
    let network = status.network.expect("published");
    let balancer = status.api_server_managed_load_balancer.expect("published");
    let router = status.router.expect("published");
    for tags in [
        &network.tags,
        &network.subnets[0].tags,
        &router.tags,
        &balancer.tags,
    ] {
        assert_eq!(*tags, ["ours"]);
    }
    let holds = &cloud.holds;
    for group in [
        status.control_plane_security_group,
        status.worker_security_group,
    ] {
        let id = group.expect("published").id;
        let mut groups = holds.security_groups.iter();
        let found = groups.find(|group| group.id == id).expect("made");
        assert_eq!(found.tags, ["ours"]);
    }
    let mut ips = holds.floating_ips.iter();
    assert!(ips.any(|ip| ip.address == balancer.ip && ip.tags == ["ours"]));
    // Octavia's parts have theirs from the first.
    let tagged = |action: &&Action| format!("{action:?}").contains(r#"tags: ["ours"]"#);
    let of_octavia = |action: &&Action| {
        matches!(action, Action::CreateLoadBalancer(_))
            || action.name().starts_with("CreateListener")
    };
    let of_octavia: Vec<&Action> = actions.iter().filter(of_octavia).collect();
    assert!(!of_octavia.is_empty() && of_octavia.iter().all(tagged));
}

#[test]
fn what_is_brought_is_used_and_published() {
    let mut cloud = cloud();
    cloud.holds.networks.push(Network {
        id: "x2".into(),
        name: "dmz".into(),
        external: true,
        ..Network::default()
    });
    let named = |name: &str| json!({"filter": {"name": name}});
    let spec = json!({
        "externalNetwork": named("dmz"),
        "network": named("brought"),
        "subnets": [{"filter": {"cidr": "10.7.0.0/24"}}],
        "router": named("brought"),
        "apiServer": {"enableFloatingIP": false, "fixedIP": "10.7.0.10"},
    });
    let (actions, last) = asked(&spec, &mut cloud);
    assert_eq!(actions, []);
    let status = last.status.status;
    let network = status.network.expect("published");
    assert_eq!(
        (network.id.as_str(), network.name.as_str()),
        ("brought", "brought")
    );
    let subnet = &network.subnets[0];
    assert_eq!(
        (
            subnet.id.as_str(),
            subnet.name.as_str(),
            subnet.cidr.as_str()
        ),
        ("s-brought", "brought", "10.7.0.0/24")
    );
    let router = status.router.expect("published");
    assert_eq!(
        (router.id.as_str(), router.name.as_str()),
        ("r-brought", "brought")
    );
    let external = status.external_network.expect("published");
    assert_eq!(
        (external.id.as_str(), external.name.as_str()),
        ("x2", "dmz")
    );
}

#[test]
fn a_load_balancer_is_published() {
    let on = json!({"filter": {"name": "brought"}});
    let subnet = json!([{"filter": {"cidr": "10.7.0.0/24"}}]);
    let spec = balanced(json!({"network": on, "subnets": subnet}), json!({}));
    let mut cloud = cloud();
    let status = settle(&spec, &mut cloud).status.status;
    let published = status.api_server_managed_load_balancer.expect("published");
    let made = cloud.holds.load_balancers.last().expect("made");
    assert_eq!((&published.id, &published.name), (&made.id, &made.name));
    assert_eq!(published.internal_ip, made.vip_address);
    assert_ne!(published.ip, made.vip_address, "that is the floating IP");
    let network = published.load_balancer_network.expect("published");
    assert_eq!(
        (network.id.as_str(), network.name.as_str()),
        ("brought", "brought")
    );
    assert_eq!(network.subnets[0].cidr, "10.7.0.0/24");
}

/// Rules that are asked for, with the id of their group.
fn rules(actions: &[Action]) -> Vec<(&str, &WantedRule)> {
    let mut all = Vec::new();
    for action in actions {
        if let Action::CreateRules { group, rules } = action {
            all.extend(rules.iter().map(|rule| (group.as_str(), rule)));
        }
    }
    all
}

#[test]
fn rules_of_the_user_come_on_top() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({}));
    spec["managedSecurityGroups"] = json!({
        "clusterNodesSecurityGroupRules": [{
            "name": "a", "description": "everywhere", "direction": "ingress", "etherType": "IPv6", "protocol": "tcp",
            "portRangeMin": 179, "portRangeMax": 180, "remoteIPPrefix": "2001:db8::/32",
        }],
        "controlPlaneNodesSecurityGroupRules": [{
            "name": "b", "description": "above", "direction": "egress", "protocol": "udp", "remoteGroupID": "default",
        }],
        "workerNodesSecurityGroupRules": [{
            "name": "c", "description": "below", "direction": "ingress", "remoteManagedGroups": ["controlplane", "worker"],
        }],
    });
    let (actions, last) = asked(&spec, &mut cloud);
    let status = last.status.status;
    let above = status.control_plane_security_group.expect("published").id;
    let below = status.worker_security_group.expect("published").id;
    let made = rules(&actions);
    let described = |what: &str| -> Vec<(&str, Rule)> {
        let made = made.iter().filter(|(_, rule)| rule.description == what);
        made.map(|(group, rule)| (*group, rule.rule.clone()))
            .collect()
    };
    let bgp = Rule {
        direction: Direction::Ingress,
        ether_type: EtherType::IPv6,
        protocol: Some("tcp".into()),
        port_min: Some(179),
        port_max: Some(180),
        remote_group_id: None,
        remote_ip_prefix: Some("2001:db8::/32".into()),
    };
    let mut everywhere = described("everywhere");
    everywhere.sort();
    let mut expected = [(above.as_str(), bgp.clone()), (below.as_str(), bgp.clone())];
    expected.sort();
    assert_eq!(everywhere, expected);
    let plain = |direction, protocol: Option<&str>, group: &str| Rule {
        direction,
        ether_type: EtherType::IPv4,
        protocol: protocol.map(Into::into),
        port_min: None,
        port_max: None,
        remote_group_id: Some(group.into()),
        remote_ip_prefix: None,
    };
    let egress = plain(Direction::Egress, Some("udp"), "default");
    assert_eq!(described("above"), [(above.as_str(), egress)]);
    let from = |group| (below.as_str(), plain(Direction::Ingress, None, group));
    assert_eq!(
        described("below"),
        [from(above.as_str()), from(below.as_str())]
    );
    let kubelet = |made: &[(&str, &WantedRule)]| {
        made.iter()
            .any(|(_, rule)| rule.rule.port_min == Some(10250))
    };
    assert!(kubelet(&made));

    spec["managedSecurityGroups"]["allowAllInClusterTraffic"] = json!(true);
    let mut cloud = super::shapes::cloud();
    let (actions, _) = asked(&spec, &mut cloud);
    assert!(!kubelet(&rules(&actions)), "all of it is open");
}

/// Neutron keeps some rules in other words than they are asked for.
#[test]
fn rules_of_the_user_settle_whatever_neutron_makes_of_them() {
    let mut cloud = cloud();
    let rule = |family: &str, protocol: &str, ports: (i32, i32)| {
        json!({
            "name": "r", "direction": "ingress", "etherType": family, "protocol": protocol,
            "portRangeMin": ports.0, "portRangeMax": ports.1, "remoteGroupID": "self",
        })
    };
    let mut spec = balanced(json!({}), json!({}));
    spec["managedSecurityGroups"] = json!({"clusterNodesSecurityGroupRules": [
        rule("IPv4", "tcp", (1, 65535)), rule("IPv4", "UDP", (0, 0)), rule("IPv4", "", (0, 0)),
        rule("IPv4", "icmp", (8, 0)), rule("IPv6", "icmp", (128, 0)), rule("IPv6", "icmpv6", (0, 0)),
    ]});
    let (_, last) = asked(&spec, &mut cloud);
    let status = last.status.status;
    for group in [
        status.control_plane_security_group,
        status.worker_security_group,
    ] {
        let id = group.expect("published").id;
        let mut groups = cloud.holds.security_groups.iter();
        let group = groups.find(|group| group.id == id).expect("made");
        // The group itself is meant, by its id.
        let from_itself = |protocol: Option<&str>, ports: (Option<i32>, Option<i32>)| {
            let rules = group.rules.iter().map(|have| &have.rule);
            let mut rules = rules.filter(|rule| rule.remote_group_id.as_ref() == Some(&id));
            rules.any(|rule| {
                rule.protocol.as_deref() == protocol && (rule.port_min, rule.port_max) == ports
            })
        };
        let any = (None, None);
        assert!(from_itself(Some("tcp"), any) && from_itself(Some("udp"), any));
        assert!(from_itself(None, any));
        assert!(from_itself(Some("icmp"), (Some(8), Some(0))));
        assert!(from_itself(Some("ipv6-icmp"), (Some(128), Some(0))));
        assert!(from_itself(Some("ipv6-icmp"), (Some(0), Some(0))));
    }
}

#[test]
fn a_bastion_is_in_its_zone() {
    let mut spec = balanced(json!({}), json!({}));
    spec["bastion"] = bastion_spec();
    spec["bastion"]["availabilityZone"] = json!("az2");
    let (actions, _) = asked(&spec, &mut cloud());
    let zone = actions.iter().find_map(|action| match action {
        Action::ForBastion(inner) => match inner.as_ref() {
            Action::CreateServerObject(object) => object.spec.availability_zone.clone(),
            _ => None,
        },
        _ => None,
    });
    assert_eq!(zone.as_deref(), Some("az2"));
}

/// The server object of the bastion has these.
#[test]
fn what_capo_resolved_of_a_bastion_is_left() {
    let mut cloud = cloud();
    let mut spec = balanced(json!({}), json!({}));
    spec["bastion"] = bastion_spec();
    settle(&spec, &mut cloud);
    let bastion = cloud.holds.status.bastion.as_mut().expect("published");
    assert_eq!((&bastion.resolved, &bastion.resources), (&None, &None));
    bastion.resolved = Some(ResolvedMachineSpec {
        flavor_id: Some("f".into()),
        ..ResolvedMachineSpec::default()
    });
    bastion.resources = Some(MachineResources::default());
    let before = cloud.holds.status.bastion.clone();
    settle(&spec, &mut cloud);
    assert_eq!(cloud.holds.status.bastion, before);
}
