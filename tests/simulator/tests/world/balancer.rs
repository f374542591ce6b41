use axum::http::Method;
use serde_json::{Value, json};
use simulator::{Doom, Resource, Service};

use crate::{Cloud, Net};

const OCTAVIA: Service = Service::LoadBalancer;

fn make(cloud: &mut Cloud, collection: &str, key: &str, body: Value) -> String {
    let id = cloud.make(OCTAVIA, &format!("/lbaas/{collection}"), key, body);
    cloud.settle();
    id
}

fn balancer(cloud: &mut Cloud, net: &Net, provider: &str) -> String {
    let body = json!({"name": "lb", "vip_subnet_id": net.subnet, "provider": provider});
    make(cloud, "loadbalancers", "loadbalancer", body)
}

#[test]
fn a_pending_balancer_is_immutable_with_all_its_children() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let id = balancer(&mut cloud, &net, "amphora");
    let listener = json!({"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443});
    let made = cloud.send(
        OCTAVIA,
        Method::POST,
        "/lbaas/listeners",
        json!({"listener": listener}),
    );
    assert_eq!(
        made.body["listener"]["provisioning_status"],
        "PENDING_CREATE"
    );
    let row = cloud.get(OCTAVIA, &format!("/lbaas/loadbalancers/{id}"));
    assert_eq!(row["loadbalancer"]["provisioning_status"], "PENDING_UPDATE");
    let another =
        json!({"listener": {"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 80}});
    assert_eq!(
        cloud
            .send(OCTAVIA, Method::POST, "/lbaas/listeners", another.clone())
            .status,
        409
    );
    assert_eq!(
        cloud.delete(OCTAVIA, &format!("/lbaas/loadbalancers/{id}?cascade=true")),
        409
    );
    cloud.settle();
    assert_eq!(
        cloud
            .send(OCTAVIA, Method::POST, "/lbaas/listeners", another)
            .status,
        201
    );
    cloud.settle();
    let twice = cloud.send(
        OCTAVIA,
        Method::POST,
        "/lbaas/listeners",
        json!({"listener": listener}),
    );
    assert_eq!(twice.status, 409, "one listener for each port");
}

#[test]
fn children_come_and_go_in_order() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let id = balancer(&mut cloud, &net, "amphora");
    let listener = json!({"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443});
    let listener = make(&mut cloud, "listeners", "listener", listener);
    let pool = json!({"listener_id": listener, "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"});
    let pool = make(&mut cloud, "pools", "pool", pool);
    let monitor =
        json!({"pool_id": pool, "type": "TCP", "delay": 10, "timeout": 5, "max_retries": 5});
    make(&mut cloud, "healthmonitors", "healthmonitor", monitor);
    let member = json!({"address": "10.8.0.9", "protocol_port": 6443});
    let path = format!("pools/{pool}/members");
    let member = make(&mut cloud, &path, "member", member);
    let row = cloud.get(OCTAVIA, &format!("/lbaas/pools/{pool}"));
    assert_eq!(row["pool"]["members"], json!([{"id": member}]));
    assert_eq!(
        cloud.delete(OCTAVIA, &format!("/lbaas/loadbalancers/{id}")),
        400,
        "it has children"
    );
    assert_eq!(
        cloud.delete(OCTAVIA, &format!("/lbaas/pools/{pool}/members/{member}")),
        204
    );
    cloud.settle();
    assert_eq!(cloud.delete(OCTAVIA, &format!("/lbaas/pools/{pool}")), 204);
    cloud.settle();
    assert_eq!(cloud.world.all(Resource::Monitors).count(), 0);
    assert_eq!(
        cloud.get(OCTAVIA, &format!("/lbaas/listeners/{listener}"))["listener"]["default_pool_id"],
        Value::Null
    );
    assert_eq!(
        cloud.delete(OCTAVIA, &format!("/lbaas/loadbalancers/{id}?cascade=true")),
        204
    );
    cloud.settle();
    assert_eq!(cloud.world.all(Resource::Listeners).count(), 0);
    let left = cloud
        .world
        .all(Resource::Ports)
        .filter(|port| port["device_owner"] == "Octavia");
    assert_eq!(left.count(), 0, "its port goes too");
}

#[test]
fn ovn_refuses_what_it_cannot_do() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let id = balancer(&mut cloud, &net, "ovn");
    let listener = json!({"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443});
    let mut restricted = listener.clone();
    restricted["allowed_cidrs"] = json!(["10.0.0.0/8"]);
    let refused = cloud.send(
        OCTAVIA,
        Method::POST,
        "/lbaas/listeners",
        json!({"listener": restricted}),
    );
    assert_eq!(refused.status, 501);
    let listener = make(&mut cloud, "listeners", "listener", listener);
    for (algorithm, status) in [("ROUND_ROBIN", 501), ("SOURCE_IP_PORT", 201)] {
        let pool = json!({"pool": {"listener_id": listener, "protocol": "TCP", "lb_algorithm": algorithm}});
        assert_eq!(
            cloud
                .send(OCTAVIA, Method::POST, "/lbaas/pools", pool)
                .status,
            status,
            "{algorithm}"
        );
    }
}

#[test]
fn a_balancer_in_error_can_only_be_deleted() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    cloud.world.doom(Doom {
        resource: Resource::LoadBalancers,
        prefix: String::new(),
        times: 1,
        message: String::new(),
    });
    let id = balancer(&mut cloud, &net, "amphora");
    let row = cloud.get(OCTAVIA, &format!("/lbaas/loadbalancers/{id}"));
    assert_eq!(row["loadbalancer"]["provisioning_status"], "ERROR");
    let listener =
        json!({"listener": {"loadbalancer_id": id, "protocol": "TCP", "protocol_port": 80}});
    assert_eq!(
        cloud
            .send(OCTAVIA, Method::POST, "/lbaas/listeners", listener)
            .status,
        409
    );
    assert_eq!(
        cloud.delete(OCTAVIA, &format!("/lbaas/loadbalancers/{id}?cascade=true")),
        204
    );
}

#[test]
fn a_vip_can_have_an_address_on_several_subnets() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let sixth = json!({"network_id": net.network, "cidr": "fd00:8::/64", "ip_version": 6});
    let sixth = cloud.make(Service::Network, "/subnets", "subnet", sixth);
    let additional = json!([{"subnet_id": sixth}]);
    let body = json!({"vip_subnet_id": net.subnet, "additional_vips": additional});
    let id = make(&mut cloud, "loadbalancers", "loadbalancer", body);
    let row = cloud.get(OCTAVIA, &format!("/lbaas/loadbalancers/{id}"));
    let vips = &row["loadbalancer"]["additional_vips"];
    assert_eq!(vips[0]["subnet_id"], json!(sixth));
    assert!(
        vips[0]["ip_address"]
            .as_str()
            .is_some_and(|address| address.starts_with("fd00:8:")),
        "{vips}"
    );
    let twice =
        json!({"vip_subnet_id": net.subnet, "additional_vips": [{"subnet_id": net.subnet}]});
    let path = "/lbaas/loadbalancers";
    let refused = cloud.send(OCTAVIA, Method::POST, path, json!({"loadbalancer": twice}));
    assert_eq!(refused.status, 400);
}

#[test]
fn a_listener_keeps_networks() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let id = balancer(&mut cloud, &net, "amphora");
    let listener = json!({
        "loadbalancer_id": id, "protocol": "TCP", "protocol_port": 6443, "allowed_cidrs": ["192.0.2.17/24"],
    });
    let listener = make(&mut cloud, "listeners", "listener", listener);
    let path = format!("/lbaas/listeners/{listener}");
    let kept = |cloud: &mut Cloud| cloud.get(OCTAVIA, &path)["listener"]["allowed_cidrs"].clone();
    assert_eq!(kept(&mut cloud), json!(["192.0.2.0/24"]));
    let mut update = |cidr: &str| {
        let body = json!({"listener": {"allowed_cidrs": [cidr]}});
        let status = cloud.send(OCTAVIA, Method::PUT, &path, body).status;
        cloud.settle();
        (status, kept(&mut cloud))
    };
    assert_eq!(update("2001:DB8::7"), (200, json!(["2001:db8::7/128"])));
    assert_eq!(update("nonsense").0, 400);
}
