//! Who may log in: service users, the tenant, the catalogue. Part of the databases that the cache keeps.

use anyhow::Result;
use serde_json::{Value, json};

use super::{
    PASSWORD,
    client::{Client, Service},
};
use crate::lab::Lab;

const SERVICE_USERS: [&str; 6] = [
    "nova",
    "neutron",
    "glance",
    "cinder",
    "octavia",
    "placement",
];
/// Besides those that Keystone makes itself.
const ROLES: [&str; 3] = ["load-balancer_member", "load-balancer_admin", "creator"];
/// Name, type in the catalogue, path of the endpoint. Cinder has a second, older type that clients still ask for.
const CATALOGUE: [(&str, &str, Service, &str); 7] = [
    ("nova", "compute", Service::Compute, "/v2.1"),
    ("placement", "placement", Service::Placement, ""),
    ("glance", "image", Service::Image, ""),
    ("neutron", "network", Service::Network, ""),
    ("cinder", "block-storage", Service::BlockStorage, "/v3"),
    ("cinderv3", "volumev3", Service::BlockStorage, "/v3"),
    ("octavia", "load-balancer", Service::LoadBalancer, ""),
];

/// Fills a Keystone that was just bootstrapped.
pub fn seed(lab: &Lab) -> Result<()> {
    let admin = Client::admin(lab)?;
    let create = |path: &str, kind: &str, body: Value| -> Result<String> {
        let answer = admin.post(Service::Identity, path, &json!({ kind: body }))?;
        Ok(answer[kind]["id"].as_str().unwrap_or_default().to_owned())
    };
    let project = |name: &str| {
        create(
            "/projects",
            "project",
            json!({ "name": name, "domain_id": "default" }),
        )
    };
    let user = |name: &str| {
        create(
            "/users",
            "user",
            json!({ "name": name, "password": PASSWORD, "domain_id": "default" }),
        )
    };
    for name in ROLES {
        create("/roles", "role", json!({ "name": name }))?;
    }
    let roles = admin.list(Service::Identity, "/roles", "roles")?;
    let assign = |project: &str, user: &str, names: &[&str]| -> Result<()> {
        for role in roles
            .iter()
            .filter(|r| names.iter().any(|n| r["name"] == *n))
        {
            let id = role["id"].as_str().unwrap_or_default();
            let path = format!("/projects/{project}/users/{user}/roles/{id}");
            admin.put(Service::Identity, &path, &Value::Null)?;
        }
        Ok(())
    };
    let service = project("service")?;
    for name in SERVICE_USERS {
        assign(&service, &user(name)?, &["admin", "service"])?;
    }
    assign(
        &project("tenant")?,
        &user("tenant")?,
        &["member", "load-balancer_member"],
    )?;
    for (name, kind, at, path) in CATALOGUE {
        let id = create(
            "/services",
            "service",
            json!({ "name": name, "type": kind }),
        )?;
        let port = at.port();
        for (interface, url) in [
            ("public", format!("https://127.0.0.1:{port}{path}")),
            ("internal", format!("http://127.0.0.1:1{port}{path}")),
        ] {
            let endpoint = json!({ "service_id": id, "interface": interface, "url": url, "region_id": "RegionOne" });
            create("/endpoints", "endpoint", endpoint)?;
        }
    }
    Ok(())
}
