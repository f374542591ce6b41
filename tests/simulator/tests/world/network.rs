use axum::http::Method;
use serde_json::{Value, json};
use simulator::{Resource, Service};

use crate::Cloud;

const NEUTRON: Service = Service::Network;

#[test]
fn what_is_in_use_cannot_be_deleted() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let port = cloud.port(&net.network);
    let ports = cloud.get(NEUTRON, &format!("/ports?device_id={}", net.router));
    let interface = ports["ports"][0]["id"].as_str().unwrap().to_owned();
    let group = cloud.make(
        NEUTRON,
        "/security-groups",
        "security_group",
        json!({"name": "g"}),
    );
    let body = json!({"port": {"security_groups": [group]}});
    assert_eq!(
        cloud
            .send(NEUTRON, Method::PUT, &format!("/ports/{port}"), body)
            .status,
        200
    );
    for path in [
        format!("/networks/{}", net.network),
        format!("/subnets/{}", net.subnet),
        format!("/routers/{}", net.router),
        format!("/security-groups/{group}"),
        format!("/ports/{interface}"),
    ] {
        assert_eq!(cloud.delete(NEUTRON, &path), 409, "{path}");
    }
    assert_eq!(cloud.delete(NEUTRON, &format!("/ports/{port}")), 204);
    assert_eq!(cloud.delete(NEUTRON, &format!("/ports/{port}")), 404);
    assert_eq!(
        cloud.delete(NEUTRON, &format!("/security-groups/{group}")),
        204
    );
}

#[test]
fn a_floating_ip_needs_a_way_to_its_port_and_keeps_the_interface() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let port = cloud.port(&net.network);
    let body = json!({"floating_network_id": net.external, "port_id": port});
    let ip = cloud.make(NEUTRON, "/floatingips", "floatingip", body.clone());
    let unplug = format!("/routers/{}/remove_router_interface", net.router);
    let subnet = json!({"subnet_id": net.subnet});
    assert_eq!(
        cloud
            .send(NEUTRON, Method::PUT, &unplug, subnet.clone())
            .status,
        409
    );
    let twice = cloud.send(
        NEUTRON,
        Method::POST,
        "/floatingips",
        json!({"floatingip": body}),
    );
    assert_eq!(twice.status, 409);
    assert_eq!(cloud.delete(NEUTRON, &format!("/floatingips/{ip}")), 204);
    assert_eq!(
        cloud
            .send(NEUTRON, Method::PUT, &unplug, subnet.clone())
            .status,
        200
    );
    assert_eq!(
        cloud.send(NEUTRON, Method::PUT, &unplug, subnet).status,
        404
    );
    let body = json!({"floatingip": {"floating_network_id": net.external, "port_id": port}});
    assert_eq!(
        cloud
            .send(NEUTRON, Method::POST, "/floatingips", body)
            .status,
        404
    );
    let left = cloud.get(NEUTRON, "/floatingips");
    assert_eq!(
        left["floatingips"],
        json!([]),
        "the refused one leaves nothing"
    );
}

#[test]
fn addresses_are_given_once_and_come_back() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let wish = json!({"network_id": net.network, "fixed_ips": [{"ip_address": "10.8.0.7"}]});
    let port = cloud.make(NEUTRON, "/ports", "port", wish.clone());
    let again = cloud.send(NEUTRON, Method::POST, "/ports", json!({"port": wish}));
    assert_eq!(
        (again.status, again.body["NeutronError"]["type"].as_str()),
        (409, Some("IpAddressAlreadyAllocated"))
    );
    cloud.delete(NEUTRON, &format!("/ports/{port}"));
    cloud.make(NEUTRON, "/ports", "port", wish);
    let mut seen = std::collections::HashSet::new();
    // 254 hosts, of which the gateway and 10.8.0.7 are taken.
    for _ in 0..252 {
        let port = cloud.port(&net.network);
        let row = cloud.get(NEUTRON, &format!("/ports/{port}"));
        assert!(seen.insert(row["port"]["fixed_ips"][0]["ip_address"].clone()));
    }
    let body = json!({"port": {"network_id": net.network}});
    let full = cloud.send(NEUTRON, Method::POST, "/ports", body);
    assert_eq!(
        full.body["NeutronError"]["type"],
        "IpAddressGenerationFailure"
    );
}

#[test]
fn bulk_creation_is_all_or_nothing() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let count = |cloud: &Cloud| cloud.world.all(Resource::Ports).count();
    let before = count(&cloud);
    let good = json!({"network_id": net.network, "tags": ["a"]});
    let bad = json!({"network_id": net.network, "fixed_ips": [{"ip_address": "10.9.0.1"}]});
    let refused = cloud.send(
        NEUTRON,
        Method::POST,
        "/ports",
        json!({"ports": [good, bad]}),
    );
    assert_eq!((refused.status, count(&cloud)), (400, before));
    let made = cloud.send(
        NEUTRON,
        Method::POST,
        "/ports",
        json!({"ports": [good, good]}),
    );
    assert_eq!((made.status, count(&cloud)), (201, before + 2));
    assert_eq!(made.body["ports"][1]["tags"], json!(["a"]));
    let alone = cloud.send(NEUTRON, Method::POST, "/ports", json!({"port": good}));
    assert_eq!(alone.status, 201);
    assert_eq!(alone.body["port"]["tags"], json!(["a"]));
    let network = json!({"network": {"name": "n", "tags": ["a"]}});
    let refused = cloud.send(NEUTRON, Method::POST, "/networks", network);
    assert_eq!(refused.status, 400, "only ports are made with tags");
}

#[test]
fn lists_are_filtered_by_fields_and_tags() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let port = cloud.port(&net.network);
    let tags = json!({"tags": ["a", "b"]});
    assert_eq!(
        cloud
            .send(NEUTRON, Method::PUT, &format!("/ports/{port}/tags"), tags)
            .status,
        200
    );
    for (query, found) in [
        ("tags=a,b", 1),
        ("tags=a,c", 0),
        ("tags-any=a,c", 1),
        ("not-tags=a,b", 1),
        ("name=p&name=q", 1),
        ("fixed_ips=ip_address%3D10.8.0.1", 1),
    ] {
        let rows = cloud.get(
            NEUTRON,
            &format!("/ports?network_id={}&{query}", net.network),
        );
        assert_eq!(rows["ports"].as_array().unwrap().len(), found, "{query}");
    }
    let reply = cloud.send(NEUTRON, Method::GET, "/ports?nonsense=1", Value::Null);
    assert_eq!(reply.status, 400);
}

#[test]
fn a_list_comes_in_pages_where_asked() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let mut all: Vec<String> = (0..5).map(|_| cloud.port(&net.network)).collect();
    let mut path = "/ports?name=p&limit=2".to_owned();
    let mut pages = 0;
    loop {
        let page = cloud.get(NEUTRON, &path);
        for row in page["ports"].as_array().unwrap() {
            all.retain(|id| row["id"] != *id);
        }
        pages += 1;
        let links = page["ports_links"].as_array().unwrap();
        let Some(next) = links.iter().find(|link| link["rel"] == "next") else {
            break;
        };
        let next = next["href"].as_str().unwrap();
        path = format!("/ports?{}", next.split_once('?').unwrap().1);
    }
    assert_eq!((pages, all.len()), (3, 0));
}

#[test]
fn quotas_bite_and_others_see_nothing() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    cloud.world.set_quota("tenant", "port", 2);
    cloud.port(&net.network);
    let over = cloud.send(
        NEUTRON,
        Method::POST,
        "/ports",
        json!({"port": {"network_id": net.network}}),
    );
    assert_eq!(
        (over.status, over.body["NeutronError"]["type"].as_str()),
        (409, Some("OverQuota"))
    );
    cloud.world.add_project("other", "secret", false);
    let theirs = cloud
        .world
        .request("other", NEUTRON, Method::GET, "/ports", Value::Null);
    assert_eq!(theirs.body["ports"], json!([]));
    let path = format!("/networks/{}", net.network);
    let theirs = cloud
        .world
        .request("other", NEUTRON, Method::DELETE, &path, Value::Null);
    assert_eq!(theirs.status, 404);
}

#[test]
fn a_trunk_holds_its_ports() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let (parent, child) = (cloud.port(&net.network), cloud.port(&net.network));
    let trunk = cloud.make(
        NEUTRON,
        "/trunks",
        "trunk",
        json!({"port_id": parent, "name": "t"}),
    );
    let sub = json!({"sub_ports": [{"port_id": child, "segmentation_type": "vlan", "segmentation_id": 7}]});
    let path = format!("/trunks/{trunk}");
    assert_eq!(
        cloud
            .send(
                NEUTRON,
                Method::PUT,
                &format!("{path}/add_subports"),
                sub.clone()
            )
            .status,
        200
    );
    for port in [&parent, &child] {
        assert_eq!(cloud.delete(NEUTRON, &format!("/ports/{port}")), 409);
    }
    assert_eq!(
        cloud
            .send(
                NEUTRON,
                Method::PUT,
                &format!("{path}/remove_subports"),
                sub
            )
            .status,
        200
    );
    assert_eq!(cloud.delete(NEUTRON, &path), 204);
    for port in [&parent, &child] {
        assert_eq!(cloud.delete(NEUTRON, &format!("/ports/{port}")), 204);
    }
}

#[test]
fn rules_are_kept_in_the_words_of_neutron() {
    let mut cloud = Cloud::start();
    let group = json!({"name": "g"});
    let group = cloud.make(NEUTRON, "/security-groups", "security_group", group);
    let mut made = |family: &str, protocol: &str, ports: (i32, i32)| {
        let rule = json!({"security_group_rule": {
            "security_group_id": group, "direction": "ingress", "ethertype": family, "protocol": protocol,
            "port_range_min": ports.0, "port_range_max": ports.1,
        }});
        let reply = cloud.send(NEUTRON, Method::POST, "/security-group-rules", rule);
        let row = &reply.body["security_group_rule"];
        match reply.status {
            201 => json!([
                row["protocol"],
                row["port_range_min"],
                row["port_range_max"]
            ]),
            refused => json!(refused),
        }
    };
    for (family, protocol, ports, expected) in [
        ("IPv4", "TCP", (1, 65535), json!(["tcp", null, null])),
        ("IPv6", "icmp", (128, 0), json!(["ipv6-icmp", 128, 0])),
        ("IPv6", "1", (0, 0), json!(["58", 0, 0])),
        ("IPv4", "icmp", (8, 0), json!(["icmp", 8, 0])),
        ("IPv4", "icmp", (8, 256), json!(400)),
        ("IPv4", "ipv6-icmp", (8, 0), json!(400)),
        ("IPv4", "udp", (0, 0), json!(400)),
        ("IPv4", "any", (80, 80), json!(400)),
        ("IPv4", "esp", (80, 80), json!(400)),
        ("IPv4", "tcp", (1, 65535), json!(409)),
    ] {
        assert_eq!(
            made(family, protocol, ports),
            expected,
            "{family} {protocol} {ports:?}"
        );
    }
}
