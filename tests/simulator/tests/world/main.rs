//! The state machine alone, without HTTP: time is what the test says.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use simulator::{Delays, Reply, Resource, Seed, Service, World};

mod balancer;
mod compute;
mod invariants;
mod network;

/// A cloud and its time.
pub struct Cloud {
    pub world: World,
    now: jiff::Timestamp,
}

impl Cloud {
    pub fn start() -> Self {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let world = World::new(now, "http://cloud", &Seed::default(), Delays::default());
        Self { world, now }
    }

    /// Lets time pass.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        self.world.advance(self.now);
    }

    /// Lets enough time pass for everything that is under way.
    pub fn settle(&mut self) {
        self.wait(Duration::from_secs(60));
    }

    pub fn send(&mut self, service: Service, method: Method, path: &str, body: Value) -> Reply {
        self.world.request("tenant", service, method, path, body)
    }

    pub fn get(&mut self, service: Service, path: &str) -> Value {
        let reply = self.send(service, Method::GET, path, Value::Null);
        assert_eq!(reply.status, 200, "GET {path}: {:?}", reply.body);
        reply.body
    }

    /// Makes something and returns its id.
    pub fn make(&mut self, service: Service, path: &str, key: &str, body: Value) -> String {
        let reply = self.send(service, Method::POST, path, json!({ key: body }));
        assert!(reply.is_success(), "POST {path}: {:?}", reply.body);
        reply.body[key]["id"].as_str().unwrap().to_owned()
    }

    pub fn delete(&mut self, service: Service, path: &str) -> u16 {
        self.send(service, Method::DELETE, path, Value::Null).status
    }

    /// A network with the subnet 10.8.0.0/24 behind a router to the external network.
    pub fn net(&mut self) -> Net {
        let network = self.make(
            Service::Network,
            "/networks",
            "network",
            json!({"name": "n"}),
        );
        let subnet = json!({"network_id": network, "cidr": "10.8.0.0/24", "ip_version": 4});
        let subnet = self.make(Service::Network, "/subnets", "subnet", subnet);
        let external = self.world.id_of(Resource::Networks, "public").unwrap();
        let router = json!({"name": "r", "external_gateway_info": {"network_id": external}});
        let router = self.make(Service::Network, "/routers", "router", router);
        let path = format!("/routers/{router}/add_router_interface");
        let plugged = self.send(
            Service::Network,
            Method::PUT,
            &path,
            json!({"subnet_id": subnet}),
        );
        assert_eq!(plugged.status, 200, "{plugged:?}");
        Net {
            network,
            subnet,
            router,
            external,
        }
    }

    pub fn port(&mut self, network: &str) -> String {
        self.make(
            Service::Network,
            "/ports",
            "port",
            json!({"network_id": network, "name": "p"}),
        )
    }

    /// A server on a port.
    pub fn server(&mut self, name: &str, port: &str) -> String {
        let body = self.server_body(name, port);
        self.make(Service::Compute, "/servers", "server", body)
    }

    pub fn server_body(&self, name: &str, port: &str) -> Value {
        let flavor = self.world.id_of(Resource::Flavors, "SCS-1L-1-10").unwrap();
        let image = self.world.all(Resource::Images).next().unwrap()["id"].clone();
        json!({"name": name, "flavorRef": flavor, "imageRef": image, "networks": [{"port": port}]})
    }
}

pub struct Net {
    pub network: String,
    pub subnet: String,
    pub router: String,
    pub external: String,
}
