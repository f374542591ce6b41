use super::*;
use crate::compute::ServerStatus;

fn port(id: &str, name: &str, device: &str) -> Port {
    Port {
        id: id.into(),
        name: name.into(),
        device_id: device.into(),
        ..Port::default()
    }
}

fn names<'a>(ports: impl Iterator<Item = &'a Port>) -> Vec<&'a str> {
    ports.map(|port| port.name.as_str()).collect()
}

#[test]
fn a_list_says_what_changed_and_what_is_gone() {
    let mut tables = Tables::default();
    let began = tables.begin_list();
    tables.apply_list(vec![port("1", "a", ""), port("2", "b", "")], began);
    let began = tables.begin_list();
    let changed = tables.apply_list(vec![port("1", "a", "s"), port("3", "c", "")], began);
    assert_eq!(changed, ["1", "a", "3", "c", "2", "b"]);
    let began = tables.begin_list();
    let changed = tables.apply_list(vec![port("1", "a", "s"), port("3", "c", "")], began);
    assert!(changed.is_empty(), "{changed:?}");
}

#[test]
fn a_list_that_began_before_a_write_does_not_undo_it() {
    let mut tables = Tables::default();
    let began = tables.begin_list();
    tables.apply_list(vec![port("1", "old", ""), port("2", "doomed", "")], began);
    let slow = tables.begin_list();
    tables.apply_write(Item::Ports(port("1", "new", "")));
    tables.apply_write(Item::Ports(port("3", "born", "")));
    tables.apply_delete(Kind::Ports, "2");
    tables.apply_list(vec![port("1", "old", ""), port("2", "doomed", "")], slow);
    assert_eq!(tables.ports.get("1").unwrap().name, "new");
    assert!(
        tables.ports.get("2").is_none(),
        "deleted, so not resurrected"
    );
    assert!(tables.ports.get("3").is_some(), "created, so not lost");
    let later = tables.begin_list();
    tables.apply_list(vec![port("1", "newest", "")], later);
    assert_eq!(
        names(tables.ports.iter()),
        ["newest"],
        "a later list knows better"
    );
}

#[test]
fn rows_are_found_by_name_prefix_and_owner() {
    let mut tables = Tables::default();
    for (id, name, device) in [
        ("1", "w-0", "s1"),
        ("2", "w-1", "s1"),
        ("3", "x", ""),
        ("4", "x", "s2"),
    ] {
        tables.apply_write(Item::Ports(port(id, name, device)));
    }
    assert_eq!(names(tables.ports.with_prefix("w-")), ["w-0", "w-1"]);
    assert_eq!(tables.ports.named("x").count(), 2);
    assert_eq!(names(tables.ports.of("s1")), ["w-0", "w-1"]);
    tables.apply_write(Item::Ports(port("1", "renamed", "")));
    assert_eq!(names(tables.ports.with_prefix("w-")), ["w-1"]);
    assert_eq!(names(tables.ports.of("s1")), ["w-1"]);
    tables.apply_delete(Kind::Ports, "2");
    assert_eq!(tables.ports.of("s1").count(), 0);
}

#[test]
fn a_deleted_server_says_so_until_it_is_gone() {
    let mut tables = Tables::default();
    let server = Server {
        id: "s".into(),
        status: ServerStatus::Active,
        ..Server::default()
    };
    tables.apply_write(Item::Servers(server));
    tables.apply(Change::Ending(Kind::Servers, "s".into()));
    assert!(tables.servers.get("s").unwrap().is_being_deleted());
    let began = tables.begin_list();
    let changed = tables.apply_changes::<Server>(Vec::new(), vec!["s".into()], began);
    assert_eq!(changed[0], "s");
    assert!(tables.servers.is_empty());
}

/// Neutron says nothing of it, and the list of floating IPs may be old.
#[test]
fn the_floating_ips_of_a_deleted_port_are_free() {
    let mut tables = Tables::default();
    for (id, port_id) in [("1", "p"), ("2", "q")] {
        tables.apply_write(Item::FloatingIps(FloatingIp {
            id: id.into(),
            port_id: port_id.into(),
            fixed_ip_address: Some("10.6.0.4".into()),
            revision_number: Some(1),
            ..FloatingIp::default()
        }));
    }
    tables.apply_write(Item::Ports(port("p", "a", "s")));
    let changed = tables.apply(Change::Gone(Kind::Ports, "p".into()));
    assert!(changed.contains(&"1".to_owned()), "who follows it is woken");
    let free = tables.floating_ips.get("1").unwrap();
    assert_eq!((free.port_id.as_str(), &free.fixed_ip_address), ("", &None));
    assert_eq!(tables.floating_ips.of("p").count(), 0);
    assert_eq!(tables.floating_ips.get("2").unwrap().port_id, "q");
}

#[test]
fn rules_members_and_tags_are_fed_into_their_owner() {
    let mut tables = Tables::default();
    let group = SecurityGroup {
        id: "g".into(),
        ..SecurityGroup::default()
    };
    tables.apply_write(Item::SecurityGroups(group));
    let rule = SecurityGroupRule {
        id: "r".into(),
        security_group_id: "g".into(),
        ..SecurityGroupRule::default()
    };
    tables.apply(Change::Rules(vec![rule]));
    assert_eq!(tables.security_groups.get("g").unwrap().rules.len(), 1);
    tables.apply(Change::RuleGone("r".into()));
    tables.apply(Change::Tags(
        Kind::SecurityGroups,
        "g".into(),
        vec!["t".into()],
    ));
    let group = tables.security_groups.get("g").unwrap();
    assert!(group.rules.is_empty());
    assert_eq!(group.tags, ["t"]);
}

#[test]
fn a_snapshot_does_not_change_and_tells_what_has() {
    let mut tables = Tables::default();
    tables.apply_write(Item::Ports(port("1", "a", "")));
    let earlier = tables.clone();
    assert!(tables.is_same(&earlier, "1") && tables.is_same(&earlier, "b"));
    tables.apply_write(Item::Ports(port("2", "b", "")));
    tables.apply_delete(Kind::Ports, "1");
    assert_eq!(earlier.ports.len(), 1);
    assert!(!tables.is_same(&earlier, "1"), "gone");
    assert!(
        !tables.is_same(&earlier, "b"),
        "one of that name has appeared"
    );
}
