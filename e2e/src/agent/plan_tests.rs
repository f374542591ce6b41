use serde_json::{Value, json};

use super::*;
use crate::agent::{observe::LoadBalancer, world::Process};

const ROUTER: &str = "r0000000-0000";

/// A tenant network with a router, one server in it, an external network.
fn seen() -> Seen {
    fn parse<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }
    let fixed = |subnet: &str, ip: &str| json!([{"subnet_id": subnet, "ip_address": ip}]);
    Seen {
        servers: [(
            "s1".to_owned(),
            parse(json!({"id": "s1", "name": "cp-0", "status": "ACTIVE"})),
        )]
        .into(),
        subnets: [
            (
                "u1".to_owned(),
                parse(json!({"id": "u1", "cidr": "10.8.0.0/24", "gateway_ip": "10.8.0.1"})),
            ),
            (
                "ext".to_owned(),
                parse(json!({"id": "ext", "cidr": "172.29.0.0/16", "gateway_ip": "172.29.0.1"})),
            ),
        ]
        .into(),
        ports: parse(json!([
            {"id": "p1", "network_id": "n1", "device_id": "s1", "device_owner": "compute:nova",
             "mac_address": "fa:16:3e:00:00:01", "fixed_ips": fixed("u1", "10.8.0.5")},
            {"id": "p2", "network_id": "n1", "device_id": ROUTER, "device_owner": "network:router_interface",
             "fixed_ips": fixed("u1", "10.8.0.1")},
        ])),
        routers: parse(json!([
            {"id": ROUTER, "external_gateway_info": {"external_fixed_ips": fixed("ext", "172.29.1.7")}},
        ])),
        floating_ips: parse(json!([
            {"floating_ip_address": "172.29.1.9", "fixed_ip_address": "10.8.0.5", "router_id": ROUTER, "port_id": "p1"},
            {"floating_ip_address": "172.29.1.10", "fixed_ip_address": null, "router_id": null, "port_id": null},
        ])),
        load_balancers: vec![LoadBalancer {
            vip_network_id: "n1".into(),
            balancers: vec![Balancer {
                vip: "10.8.0.9".parse().unwrap(),
                port: 6443,
                allowed: None,
                members: vec!["10.8.0.5:6443".parse().unwrap()],
            }],
        }],
        rules: BTreeMap::new(),
    }
}

fn machine(running: bool) -> Machine {
    let own = Process::of(i32::try_from(std::process::id()).unwrap()).unwrap();
    Machine {
        id: "s1".into(),
        name: "cp-0".into(),
        kind: Kind::Real,
        netns: "capstan-x-n-s1".into(),
        rootfs: None,
        on: running,
        processes: [("init".to_owned(), own)].into(),
        restarted: None,
        links: if running {
            [("p1".to_owned(), ROUTER.to_owned())].into()
        } else {
            [].into()
        },
        since: jiff::Timestamp::UNIX_EPOCH,
    }
}

fn world(seen: &Seen, machine: Option<Machine>) -> World {
    World {
        machines: machine.into_iter().map(|m| (m.id.clone(), m)).collect(),
        routers: routers(seen, &PodRanges::new())
            .into_iter()
            .map(|(id, r)| (id, Some(r)))
            .collect(),
        firewalls: seen
            .servers
            .keys()
            .map(|id| (id.clone(), firewall::of(seen, &PodRanges::new(), id)))
            .collect(),
        busy: [].into(),
    }
}

fn planned(seen: &Seen, world: &World) -> Vec<Action> {
    plan(seen, &PodRanges::new(), world)
}

#[test]
fn from_nothing_the_router_comes_first_and_then_the_machine_on_it() {
    let actions = planned(&seen(), &World::default());
    let [Action::Router(router), Action::Boot(boot)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        router.external,
        Some((
            "172.29.1.7/16".parse().unwrap(),
            Some("172.29.0.1".parse().unwrap())
        ))
    );
    assert_eq!(
        router.networks["n1"],
        ["10.8.0.1/24".parse::<Ipv4Net>().unwrap()]
    );
    assert_eq!(
        router.floating.len(),
        1,
        "a floating IP without target leads nowhere"
    );
    assert_eq!(router.balancers.len(), 1);
    assert_eq!(
        boot.links[0].addresses,
        ["10.8.0.5/24".parse::<Ipv4Net>().unwrap()]
    );
    assert_eq!(boot.links[0].gateway, Some("10.8.0.1".parse().unwrap()));
}

#[test]
fn what_is_as_it_should_be_stays_untouched() {
    let seen = seen();
    assert_eq!(planned(&seen, &world(&seen, Some(machine(true)))), []);
}

#[test]
fn a_server_that_is_off_gone_or_rebooted_does_that_to_its_machine() {
    let mut seen = seen();
    let world = world(&seen, Some(machine(true)));
    let off = Action::PowerOff("s1".into());
    if let Some(server) = seen.servers.get_mut("s1") {
        server.status = "SHUTOFF".into();
    }
    assert_eq!(planned(&seen, &world), std::slice::from_ref(&off));
    if let Some(server) = seen.servers.get_mut("s1") {
        server.status = "ACTIVE".into();
        server.restarted = Some("reboot 2026-01-01T00:00:00".into());
    }
    assert_eq!(planned(&seen, &world), [off]);
    if let Some(server) = seen.servers.get_mut("s1") {
        server.restarted = Some("rebuild 2026-01-01T00:00:00".into());
    }
    assert_eq!(planned(&seen, &world), [Action::Remove("s1".into())]);
    seen.servers.clear();
    assert_eq!(planned(&seen, &world), [Action::Remove("s1".into())]);
}

#[test]
fn a_machine_that_is_off_boots_from_its_disk_when_its_server_is_active_again() {
    let seen = seen();
    let actions = planned(&seen, &world(&seen, Some(machine(false))));
    assert!(matches!(&actions[..], [Action::Boot(_)]), "{actions:?}");
}

#[test]
fn without_a_router_a_machine_waits() {
    let mut seen = seen();
    seen.routers.clear();
    assert_eq!(planned(&seen, &World::default()), []);
}

#[test]
fn busy_machines_are_left_alone() {
    let mut seen = seen();
    let mut world = world(&seen, Some(machine(true)));
    world.busy.insert("s1".into());
    seen.servers.clear();
    assert_eq!(planned(&seen, &world), []);
}

#[test]
fn a_port_that_comes_or_goes_is_linked_or_unlinked() {
    let mut seen = seen();
    let world = world(&seen, Some(machine(true)));
    let mut second = seen.ports[0].clone();
    second.id = "p9".into();
    seen.ports.push(second);
    let actions = planned(&seen, &world);
    assert!(
        matches!(&actions[..], [Action::Attach(_, link)] if link.port == "p9"),
        "{actions:?}"
    );
    seen.ports.retain(|p| p.id == "p2" || p.id == "p9");
    assert!(planned(&seen, &world).contains(&Action::Detach("s1".into(), "p1".into())));
}

#[test]
fn a_changed_member_or_pod_range_changes_the_router_alone() {
    let mut seen = seen();
    let world = world(&seen, Some(machine(true)));
    seen.load_balancers[0].balancers[0].members.clear();
    assert!(
        matches!(&planned(&seen, &world)[..], [Action::Router(r)] if r.balancers[0].1.members.is_empty())
    );
    let ranges = [("s1".to_owned(), vec!["10.244.0.0/24".parse().unwrap()])].into();
    let actions = plan(&seen, &ranges, &world);
    let [Action::Router(router)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(
        router.routes[&"10.244.0.0/24".parse().unwrap()],
        Ipv4Addr::new(10, 8, 0, 5)
    );
}

#[test]
fn a_deleted_router_goes() {
    let mut seen = seen();
    let world = world(&seen, None);
    seen = Seen {
        routers: vec![],
        servers: [].into(),
        ..seen
    };
    assert_eq!(
        planned(&seen, &world),
        [Action::RemoveRouter(ROUTER.into())]
    );
}

#[test]
fn changed_security_groups_reach_a_running_machine_once() {
    let mut seen = seen();
    let settled = world(&seen, Some(machine(true)));
    assert_eq!(planned(&seen, &settled), []);
    let rule = json!({"direction": "ingress", "ethertype": "IPv4"});
    seen.ports[0].security_groups = vec!["g".into()];
    seen.rules = [("g".to_owned(), vec![serde_json::from_value(rule).unwrap()])].into();
    let actions = planned(&seen, &settled);
    let [Action::Filter(id, firewall)] = &actions[..] else {
        panic!("{actions:?}")
    };
    assert_eq!(id, "s1");
    assert!(
        firewall["fa:16:3e:00:00:01"]
            .ingress
            .contains("meta nfproto ipv4")
    );
    let off = world(&seen, Some(machine(false)));
    assert!(
        !planned(&seen, &off)
            .iter()
            .any(|a| matches!(a, Action::Filter(..)))
    );
}
