//! Whatever is asked in whatever order, the cloud stays consistent, and can be emptied.

use std::collections::HashSet;
use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use simulator::{Resource, Service};

use crate::Cloud;

const SEEDS: u64 = 40;
const STEPS: u64 = 150;

/// Numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

fn any(cloud: &Cloud, dice: &mut Dice, resource: Resource) -> String {
    let ids: Vec<&Value> = cloud.world.all(resource).map(|row| &row["id"]).collect();
    match ids.len() {
        0 => "00000000-0000-4000-a000-000000000000".to_owned(),
        count => ids[dice.roll(count)].as_str().unwrap().to_owned(),
    }
}

/// One request, right or wrong.
fn step(cloud: &mut Cloud, dice: &mut Dice) {
    use Resource as R;
    let neutron = Service::Network;
    let octavia = Service::LoadBalancer;
    let network = any(cloud, dice, R::Networks);
    let subnet = any(cloud, dice, R::Subnets);
    let port = any(cloud, dice, R::Ports);
    let ip = any(cloud, dice, R::FloatingIps);
    let router = any(cloud, dice, R::Routers);
    let balancer = any(cloud, dice, R::LoadBalancers);
    let external = cloud.world.id_of(R::Networks, "public").unwrap();
    let post = |path: &str, body| (Method::POST, path.to_owned(), body);
    let delete =
        |collection: &str, id: &str| (Method::DELETE, format!("/{collection}/{id}"), Value::Null);
    let choice = dice.roll(16);
    let (service, (method, path, body)) = match choice {
        0 => (
            neutron,
            post("/networks", json!({"network": {"name": "n"}})),
        ),
        1 => {
            let cidr = format!("10.{}.0.0/28", dice.roll(9));
            (
                neutron,
                post(
                    "/subnets",
                    json!({"subnet": {"network_id": network, "ip_version": 4, "cidr": cidr}}),
                ),
            )
        }
        2 | 3 => (
            neutron,
            post("/ports", json!({"port": {"network_id": network}})),
        ),
        4 => {
            let gateway = json!({"network_id": external});
            (
                neutron,
                post(
                    "/routers",
                    json!({"router": {"external_gateway_info": gateway}}),
                ),
            )
        }
        5 => {
            let path = format!("/routers/{router}/add_router_interface");
            (neutron, (Method::PUT, path, json!({"subnet_id": subnet})))
        }
        6 => {
            let path = format!("/routers/{router}/remove_router_interface");
            (neutron, (Method::PUT, path, json!({"subnet_id": subnet})))
        }
        7 => (
            neutron,
            post(
                "/floatingips",
                json!({"floatingip": {"floating_network_id": external, "port_id": port}}),
            ),
        ),
        8 => (neutron, delete("floatingips", &ip)),
        9 => (neutron, delete("ports", &port)),
        10 => (neutron, delete("networks", &network)),
        11 => (neutron, delete("routers", &router)),
        12 => (
            octavia,
            post(
                "/lbaas/loadbalancers",
                json!({"loadbalancer": {"vip_subnet_id": subnet}}),
            ),
        ),
        13 => (octavia, delete("lbaas/loadbalancers", &balancer)),
        14 => {
            let body = cloud.server_body("s", &port);
            (Service::Compute, post("/servers", json!({"server": body})))
        }
        _ => (
            Service::Compute,
            delete("servers", &any(cloud, dice, R::Servers)),
        ),
    };
    let reply = cloud.send(service, method, &path, body);
    assert!(reply.status < 500, "{path}: {reply:?}");
    cloud.wait(Duration::from_millis(dice.roll(400) as u64));
}

fn ids(cloud: &Cloud, resource: Resource) -> HashSet<&str> {
    cloud
        .world
        .all(resource)
        .map(|row| row["id"].as_str().unwrap())
        .collect()
}

fn check(cloud: &Cloud) {
    let (networks, ports) = (ids(cloud, Resource::Networks), ids(cloud, Resource::Ports));
    let refers = |row: &Value, field: &str, to: &HashSet<&str>| {
        let id = row[field].as_str();
        assert!(id.is_none_or(|id| to.contains(id)), "{field} of {row}");
    };
    let mut taken = HashSet::new();
    for port in cloud.world.all(Resource::Ports) {
        refers(port, "network_id", &networks);
        for ip in port["fixed_ips"].as_array().unwrap() {
            assert!(taken.insert(ip.to_string()), "{ip} is given twice");
        }
        let owner = port["device_owner"].as_str().unwrap();
        let device = port["device_id"].as_str().unwrap();
        let users = match owner {
            "network:floatingip" => ids(cloud, Resource::FloatingIps),
            "network:router_gateway" | "network:router_interface" => ids(cloud, Resource::Routers),
            "" => HashSet::from([""]),
            "Octavia" => continue,
            _ => ids(cloud, Resource::Servers),
        };
        assert!(users.contains(device), "nobody has {port}");
    }
    for subnet in cloud.world.all(Resource::Subnets) {
        refers(subnet, "network_id", &networks);
    }
    for ip in cloud.world.all(Resource::FloatingIps) {
        refers(ip, "port_id", &ports);
    }
    // A VIP port can be deleted under its balancer: Neutron does not protect it.
}

/// Deletes everything in the order in which it can be deleted.
fn empty(cloud: &mut Cloud) {
    cloud.settle();
    let all = |cloud: &Cloud, resource| -> Vec<String> {
        ids(cloud, resource)
            .into_iter()
            .map(str::to_owned)
            .collect()
    };
    for (service, collection, resource) in [
        (
            Service::LoadBalancer,
            "lbaas/loadbalancers",
            Resource::LoadBalancers,
        ),
        (Service::Compute, "servers", Resource::Servers),
        (Service::Network, "floatingips", Resource::FloatingIps),
    ] {
        for id in all(cloud, resource) {
            assert_eq!(cloud.delete(service, &format!("/{collection}/{id}")), 204);
        }
        cloud.settle();
    }
    let interfaces: Vec<(String, Value)> = cloud
        .world
        .all(Resource::Ports)
        .filter(|port| port["device_owner"] == "network:router_interface")
        .map(|port| {
            (
                port["device_id"].as_str().unwrap().to_owned(),
                port["id"].clone(),
            )
        })
        .collect();
    for (router, port) in interfaces {
        let path = format!("/routers/{router}/remove_router_interface");
        let body = json!({"port_id": port});
        assert_eq!(
            cloud
                .send(Service::Network, Method::PUT, &path, body)
                .status,
            200
        );
    }
    for (collection, resource) in [("routers", Resource::Routers), ("ports", Resource::Ports)] {
        for id in all(cloud, resource) {
            assert_eq!(
                cloud.delete(Service::Network, &format!("/{collection}/{id}")),
                204,
                "{collection}"
            );
        }
    }
    let external = cloud.world.id_of(Resource::Networks, "public").unwrap();
    for id in all(cloud, Resource::Networks) {
        if id != external {
            assert_eq!(
                cloud.delete(Service::Network, &format!("/networks/{id}")),
                204
            );
        }
    }
    assert_eq!(
        cloud.world.all(Resource::Subnets).count(),
        1,
        "that of the external network"
    );
}

#[test]
fn random_requests_leave_the_cloud_consistent() {
    let mut made = 0;
    for seed in 1..=SEEDS {
        let mut cloud = Cloud::start();
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        cloud.net();
        for _ in 0..STEPS {
            step(&mut cloud, &mut dice);
            check(&cloud);
        }
        made += cloud.world.all(Resource::Ports).count();
        empty(&mut cloud);
    }
    assert!(
        made > usize::try_from(SEEDS).unwrap(),
        "the dice made hardly anything: {made} ports"
    );
}
