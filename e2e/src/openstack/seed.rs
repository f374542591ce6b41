//! What a cloud of the SCS offers its tenants: flavors, images, an external network, availability zones.
//! All of it is made only if it is missing.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::{
    client::{Client, Service},
    config::hypervisors,
};
use crate::lab::Lab;

/// Name (its meaning is in the SCS flavor naming standard), vCPUs, memory in MiB, disk and local disk in GiB.
///
/// Members cannot boot an image on a flavor without a disk: SCS-2V-4 and SCS-4V-8 need a root volume.
const FLAVORS: [(&str, u32, u32, u32, u32); 7] = [
    ("SCS-1L-1-10", 1, 1024, 10, 0), // played machines
    ("SCS-1V-2-10", 1, 2048, 10, 0),
    ("SCS-2V-4", 2, 4096, 0, 0),
    ("SCS-2V-4-20s", 2, 4096, 20, 0),
    ("SCS-4V-8", 4, 8192, 0, 0),
    ("SCS-4V-8-50", 4, 8192, 50, 0),
    ("local-1V-2-10-5", 1, 2048, 10, 5),
];
/// Kubernetes versions with a machine image. The content does not matter: the node agent has the real one.
const KUBERNETES: [&str; 4] = ["v1.35.6", "v1.36.2", "v1.36.3", "v1.37.0"];
const IMAGE_SIZE: usize = 1 << 20;
/// Name of the tenant's keypair.
const KEYPAIR: &str = "capi";
const PUBLIC_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFhmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm capstan-lab";
/// Volume types, besides Cinder's default, and whether several machines can share a volume.
const VOLUME_TYPES: [(&str, bool); 2] = [("ssd", false), ("multiattach", true)];
/// Flavors of load balancers; their name is their topology.
const BALANCER_FLAVORS: [&str; 2] = ["SINGLE", "ACTIVE_STANDBY"];
/// Availability zone of load balancers.
const BALANCER_ZONE: &str = "az1";

/// Seeds everything that needs no hypervisor.
pub fn cloud(lab: &Lab) -> Result<()> {
    let admin = Client::admin(lab)?;
    let flavors = admin.list(Service::Compute, "/flavors", "flavors")?;
    for (name, vcpus, ram, disk, local) in FLAVORS {
        if !has(&flavors, name) {
            let flavor = json!({ "name": name, "vcpus": vcpus, "ram": ram, "disk": disk,
                "OS-FLV-EXT-DATA:ephemeral": local });
            admin.post(Service::Compute, "/flavors", &json!({ "flavor": flavor }))?;
        }
    }
    let types = admin.list(Service::BlockStorage, "/types", "volume_types")?;
    for (name, is_shared) in VOLUME_TYPES {
        if !has(&types, name) {
            let specs = if is_shared {
                json!({ "multiattach": "<is> True" })
            } else {
                json!({})
            };
            let body = json!({ "volume_type": {
                "name": name, "os-volume-type-access:is_public": true, "extra_specs": specs } });
            admin.post(Service::BlockStorage, "/types", &body)?;
        }
    }
    balancing(&admin)?;
    images(&admin)?;
    external_network(&admin)?;
    let tenant = Client::tenant(lab)?;
    let keypairs = tenant.list(Service::Compute, "/os-keypairs", "keypairs")?;
    if !keypairs.iter().any(|k| k["keypair"]["name"] == KEYPAIR) {
        let keypair = json!({ "name": KEYPAIR, "type": "ssh", "public_key": PUBLIC_KEY });
        tenant.post(
            Service::Compute,
            "/os-keypairs",
            &json!({ "keypair": keypair }),
        )?;
    }
    Ok(())
}

/// What load balancers can be asked for besides a provider.
fn balancing(admin: &Client) -> Result<()> {
    let octavia = Service::LoadBalancer;
    let flavors = admin.list(octavia, "/flavors", "flavors")?;
    for name in BALANCER_FLAVORS {
        if has(&flavors, name) {
            continue;
        }
        let data = json!({ "loadbalancer_topology": name }).to_string();
        let profile = json!({ "flavorprofile": {
            "name": name, "provider_name": "amphora", "flavor_data": data } });
        let profile = &admin.post(octavia, "/flavorprofiles", &profile)?["flavorprofile"];
        let flavor = json!({ "flavor": {
            "name": name, "enabled": true, "flavor_profile_id": id(profile)? } });
        admin.post(octavia, "/flavors", &flavor)?;
    }
    let zones = admin.list(octavia, "/availabilityzones", "availability_zones")?;
    if !has(&zones, BALANCER_ZONE) {
        let (kind, data) = (
            "availability_zone_profile",
            json!({ "compute_zone": BALANCER_ZONE }).to_string(),
        );
        let profile = json!({ kind: {
            "name": BALANCER_ZONE, "provider_name": "amphora", "availability_zone_data": data } });
        let profile = &admin.post(octavia, "/availabilityzoneprofiles", &profile)?[kind];
        let zone = json!({ "availability_zone": {
            "name": BALANCER_ZONE, "enabled": true, "availability_zone_profile_id": id(profile)? } });
        admin.post(octavia, "/availabilityzones", &zone)?;
    }
    Ok(())
}

fn images(admin: &Client) -> Result<()> {
    let images = admin.list(Service::Image, "/images", "images")?;
    for version in KUBERNETES {
        let name = format!("ubuntu-capi-image-{version}");
        if images
            .iter()
            .any(|i| i["name"] == *name && i["status"] == "active")
        {
            continue;
        }
        let image = json!({
            "name": name, "visibility": "public", "disk_format": "raw", "container_format": "bare",
            "min_disk": 1, "os_distro": "ubuntu", "hw_disk_bus": "scsi",
        });
        let id = id(&admin.post(Service::Image, "/images", &image)?)?;
        admin.upload(
            Service::Image,
            &format!("/images/{id}/file"),
            &vec![0; IMAGE_SIZE],
        )?;
    }
    Ok(())
}

/// `public` is the lab's own external network: gateway is the lab's namespace, the node agent's routers lie
/// below 172.29.16.0, floating IPs and Neutron's router gateways above.
fn external_network(admin: &Client) -> Result<()> {
    let networks = admin.list(Service::Network, "/networks?name=public", "networks")?;
    let network = match networks.first() {
        Some(network) => id(network)?,
        None => {
            let network = json!({
                "name": "public", "router:external": true, "shared": false,
                "provider:network_type": "flat", "provider:physical_network": "public",
            });
            id(&admin.post(
                Service::Network,
                "/networks",
                &json!({ "network": network }),
            )?["network"])?
        }
    };
    let path = format!("/subnets?network_id={network}");
    if !admin.list(Service::Network, &path, "subnets")?.is_empty() {
        return Ok(());
    }
    let subnet = json!({
        "name": "public", "network_id": network, "ip_version": 4, "cidr": "172.29.0.0/16", "enable_dhcp": false,
        "gateway_ip": "172.29.0.1", "allocation_pools": [{ "start": "172.29.16.0", "end": "172.29.31.255" }],
    });
    admin.post(Service::Network, "/subnets", &json!({ "subnet": subnet }))?;
    Ok(())
}

/// An availability zone for each hypervisor: az1, az2, ...
pub fn zones(lab: &Lab) -> Result<()> {
    let admin = Client::admin(lab)?;
    let known = admin.list(Service::Compute, "/os-aggregates", "aggregates")?;
    for (host, number) in hypervisors().zip(1..) {
        let name = format!("az{number}");
        let aggregate = match known.iter().find(|a| a["name"] == *name) {
            Some(aggregate) => aggregate.clone(),
            None => {
                let aggregate = json!({ "aggregate": { "name": name, "availability_zone": name } });
                admin.post(Service::Compute, "/os-aggregates", &aggregate)?["aggregate"].take()
            }
        };
        if !aggregate["hosts"]
            .as_array()
            .is_some_and(|hosts| hosts.iter().any(|h| *h == *host))
        {
            let path = format!("/os-aggregates/{}/action", aggregate["id"]);
            admin.post(
                Service::Compute,
                &path,
                &json!({ "add_host": { "host": host } }),
            )?;
        }
    }
    Ok(())
}

fn has(items: &[Value], name: &str) -> bool {
    items.iter().any(|i| i["name"] == name)
}

fn id(object: &Value) -> Result<String> {
    object["id"]
        .as_str()
        .map(str::to_owned)
        .with_context(|| format!("no id in {object}"))
}
