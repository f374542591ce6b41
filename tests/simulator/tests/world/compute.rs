use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use simulator::{Delays, Doom, Request, Resource, Service};

use crate::Cloud;

const NOVA: Service = Service::Compute;

fn status(cloud: &mut Cloud, id: &str) -> String {
    let server = cloud.get(NOVA, &format!("/servers/{id}"));
    server["server"]["status"].as_str().unwrap().to_owned()
}

#[test]
fn a_server_is_built_takes_its_port_and_gives_it_back() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let port = cloud.port(&net.network);
    let id = cloud.server("s", &port);
    assert_eq!(status(&mut cloud, &id), "BUILD");
    cloud.wait(Delays::default().server_build);
    assert_eq!(status(&mut cloud, &id), "ACTIVE");
    let row = cloud.get(NOVA, &format!("/servers/{id}"));
    assert_eq!(
        row["server"]["addresses"]["n"][0]["OS-EXT-IPS:type"],
        "fixed"
    );
    let row = cloud.get(Service::Network, &format!("/ports/{port}"));
    assert_eq!(
        (&row["port"]["device_id"], &row["port"]["status"]),
        (&json!(id), &json!("ACTIVE"))
    );
    assert_eq!(cloud.delete(NOVA, &format!("/servers/{id}")), 204);
    let row = cloud.get(NOVA, &format!("/servers/{id}"));
    assert_eq!(row["server"]["OS-EXT-STS:task_state"], "deleting");
    cloud.settle();
    assert_eq!(cloud.delete(NOVA, &format!("/servers/{id}")), 404);
    let row = cloud.get(Service::Network, &format!("/ports/{port}"));
    assert_eq!(
        (&row["port"]["device_id"], &row["port"]["status"]),
        (&json!(""), &json!("DOWN"))
    );
}

#[test]
fn a_port_that_nova_made_goes_with_its_server() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let mut body = cloud.server_body("s", "");
    body["networks"] = json!([{"uuid": net.network}]);
    let id = cloud.make(NOVA, "/servers", "server", body);
    cloud.settle();
    let ports = |cloud: &Cloud| {
        cloud
            .world
            .all(Resource::Ports)
            .filter(|port| port["device_id"] == *id)
            .count()
    };
    assert_eq!(ports(&cloud), 1);
    cloud.delete(NOVA, &format!("/servers/{id}"));
    cloud.settle();
    assert_eq!(ports(&cloud), 0);
    assert_eq!(
        cloud.delete(Service::Network, &format!("/subnets/{}", net.subnet)),
        409,
        "the router's port is left"
    );
}

#[test]
fn a_list_of_changes_has_what_is_gone() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let (first, second) = (cloud.port(&net.network), cloud.port(&net.network));
    let old = cloud.server("old", &first);
    let gone = cloud.server("gone", &second);
    cloud.settle();
    cloud.wait(Duration::from_secs(600));
    let since = cloud.world.now().to_string();
    cloud.delete(NOVA, &format!("/servers/{gone}"));
    cloud.settle();
    let changes = cloud.get(NOVA, &format!("/servers/detail?changes-since={since}"));
    let changes = changes["servers"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(
        (&changes[0]["id"], &changes[0]["status"]),
        (&json!(gone), &json!("DELETED"))
    );
    let all = cloud.get(NOVA, "/servers/detail");
    assert_eq!(all["servers"][0]["id"], json!(old));
}

#[test]
fn a_doomed_server_ends_in_error_and_the_next_does_not() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    cloud.world.doom(Doom {
        resource: Resource::Servers,
        prefix: "worker".to_owned(),
        times: 1,
        message: "No valid host was found.".to_owned(),
    });
    let ids: Vec<String> = ["master-1", "worker-1", "worker-2"]
        .iter()
        .map(|name| {
            let port = cloud.port(&net.network);
            let id = cloud.server(name, &port);
            cloud.settle();
            id
        })
        .collect();
    let seen: Vec<String> = ids.iter().map(|id| status(&mut cloud, id)).collect();
    assert_eq!(seen, ["ACTIVE", "ERROR", "ACTIVE"]);
    let row = cloud.get(NOVA, &format!("/servers/{}", ids[1]));
    assert_eq!(
        row["server"]["fault"]["message"],
        "No valid host was found."
    );
}

#[test]
fn anti_affinity_ends_with_the_hosts() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let group = json!({"name": "g", "policy": "anti-affinity"});
    let group = cloud.make(NOVA, "/os-server-groups", "server_group", group);
    let mut seen = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let port = cloud.port(&net.network);
        let body = cloud.server_body(name, &port);
        let body = json!({"server": body, "os:scheduler_hints": {"group": group}});
        let made = cloud.send(NOVA, Method::POST, "/servers", body);
        cloud.settle();
        seen.push(status(
            &mut cloud,
            made.body["server"]["id"].as_str().unwrap(),
        ));
    }
    assert_eq!(seen, ["ACTIVE", "ACTIVE", "ACTIVE", "ERROR"]);
    let row = cloud.get(NOVA, &format!("/os-server-groups/{group}"));
    assert_eq!(row["server_group"]["members"].as_array().unwrap().len(), 4);
}

#[test]
fn bad_requests_are_refused_as_nova_does() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let port = cloud.port(&net.network);
    let good = cloud.server_body("s", &port);
    for (field, value, refused) in [
        ("flavorRef", json!("x"), 400),
        (
            "imageRef",
            json!("00000000-0000-4000-a000-000000000000"),
            400,
        ),
        ("availability_zone", json!("nowhere"), 400),
        ("key_name", json!("nobody"), 400),
        (
            "networks",
            json!([{"port": "00000000-0000-4000-a000-000000000000"}]),
            400,
        ),
        ("user_data", json!("x".repeat(70_000)), 400),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let reply = cloud.send(NOVA, Method::POST, "/servers", json!({"server": body}));
        assert_eq!(reply.status, refused, "{field}: {:?}", reply.body);
    }
    cloud.world.set_quota("tenant", "instances", 0);
    let reply = cloud.send(NOVA, Method::POST, "/servers", json!({"server": good}));
    assert_eq!(reply.status, 403);
    assert!(
        reply.body["forbidden"]["message"]
            .as_str()
            .unwrap()
            .starts_with("Quota exceeded")
    );
}

#[test]
fn microversions_have_bounds() {
    let mut cloud = Cloud::start();
    let caller = cloud.world.member_of("tenant");
    let login = json!({"auth": {"identity": {"methods": ["password"], "password": {"user":
        {"id": caller.user_id, "password": "secret"}}}}});
    let now = cloud.world.now();
    let login = Request::new(Service::Identity, Method::POST, "/auth/tokens", login);
    let token = cloud.world.handle(now, &login);
    assert_eq!(token.status, 201);
    let mut request = Request::new(NOVA, Method::GET, "/servers", Value::Null);
    request.token = Some(token.headers[0].1.clone());
    for (version, status) in [
        ("2.53", 200),
        ("2.9999", 406),
        ("1.0", 406),
        ("x", 400),
        ("latest", 200),
    ] {
        request.microversion = Some(version.to_owned());
        assert_eq!(
            cloud.world.handle(now, &request).status,
            status,
            "{version}"
        );
    }
    request.token = Some("nonsense".to_owned());
    assert_eq!(cloud.world.handle(now, &request).status, 401);
}

#[test]
fn volumes_follow_their_servers() {
    let mut cloud = Cloud::start();
    let net = cloud.net();
    let port = cloud.port(&net.network);
    let volume = json!({"name": "v", "size": 1, "volume_type": "ssd"});
    let volume = cloud.make(Service::Volume, "/volumes", "volume", volume);
    let path = format!("/volumes/{volume}");
    let now = |cloud: &mut Cloud| cloud.get(Service::Volume, &path)["volume"]["status"].clone();
    assert_eq!(now(&mut cloud), "creating");
    cloud.settle();
    assert_eq!(now(&mut cloud), "available");
    let mut body = cloud.server_body("s", &port);
    body["block_device_mapping_v2"] = json!([
        {"source_type": "image", "destination_type": "local", "boot_index": 0, "delete_on_termination": true},
        {"source_type": "volume", "destination_type": "volume", "uuid": volume, "boot_index": -1, "delete_on_termination": true}]);
    let server = cloud.make(NOVA, "/servers", "server", body);
    cloud.settle();
    assert_eq!(now(&mut cloud), "in-use");
    assert_eq!(cloud.delete(Service::Volume, &path), 400);
    cloud.delete(NOVA, &format!("/servers/{server}"));
    cloud.settle();
    assert_eq!(cloud.delete(Service::Volume, &path), 404);
}
