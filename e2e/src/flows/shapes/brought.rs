//! What tenants make themselves before their clusters: a network with subnet and router, a server group.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    lab::Lab,
    openstack::client::{Client, Service},
};

/// Name of the network, its subnet and its router.
pub const NETWORK: &str = "shapes-brought";
/// Name of the server group.
pub const GROUP: &str = "shapes-apart";

/// Makes it.
///
/// # Errors
/// OpenStack refuses.
pub fn make(lab: &Lab) -> Result<()> {
    let t = Client::tenant(lab)?;
    let post = |path: &str, key: &str, object: Value| -> Result<String> {
        id(&t.post(Service::Network, path, &json!({ key: object }))?[key])
    };
    let network = post("/networks", "network", json!({ "name": NETWORK }))?;
    let subnet =
        json!({ "name": NETWORK, "network_id": network, "ip_version": 4, "cidr": "10.20.0.0/24" });
    let subnet = post("/subnets", "subnet", subnet)?;
    let public = t.list(Service::Network, "/networks?name=public", "networks")?;
    let public = id(public.first().context("no network public")?)?;
    let router = json!({ "name": NETWORK, "external_gateway_info": { "network_id": public } });
    let router = post("/routers", "router", router)?;
    let path = format!("/routers/{router}/add_router_interface");
    t.put(Service::Network, &path, &json!({ "subnet_id": subnet }))?;
    let group = json!({ "server_group": { "name": GROUP, "policy": "soft-anti-affinity" } });
    t.post(Service::Compute, "/os-server-groups", &group)?;
    Ok(())
}

/// Is all of it still there? Nobody but who made it may remove it.
///
/// # Errors
/// Something is gone.
pub fn there(lab: &Lab) -> Result<()> {
    let t = Client::tenant(lab)?;
    for (service, path, key, name) in OWN {
        ensure!(
            !named(&t, service, path, key, name)?.is_empty(),
            "{name} is gone from {path}, though a tenant has brought it"
        );
    }
    Ok(())
}

/// Removes it, also what an earlier run has left.
///
/// # Errors
/// Something is still in use.
pub fn remove(lab: &Lab) -> Result<()> {
    let t = Client::tenant(lab)?;
    for router in named(&t, Service::Network, "/routers", "routers", NETWORK)? {
        let path = format!("/ports?device_id={router}");
        for port in t.list(Service::Network, &path, "ports")? {
            let path = format!("/routers/{router}/remove_router_interface");
            t.put(Service::Network, &path, &json!({ "port_id": port["id"] }))?;
        }
    }
    for (service, path, key, name) in OWN {
        for id in named(&t, service, path, key, name)? {
            t.delete(service, &format!("{path}/{id}"))?;
        }
    }
    Ok(())
}

/// In the order of deletion; a subnet goes with its network.
const OWN: [(Service, &str, &str, &str); 3] = [
    (Service::Network, "/routers", "routers", NETWORK),
    (Service::Network, "/networks", "networks", NETWORK),
    (
        Service::Compute,
        "/os-server-groups",
        "server_groups",
        GROUP,
    ),
];

fn named(t: &Client, service: Service, path: &str, key: &str, name: &str) -> Result<Vec<String>> {
    let items = t.list(service, path, key)?;
    items.iter().filter(|i| i["name"] == name).map(id).collect()
}

fn id(object: &Value) -> Result<String> {
    let id = object["id"].as_str();
    id.map(str::to_owned).context("an answer without id")
}
