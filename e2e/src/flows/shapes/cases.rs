//! The shapes: what is asked for, and what OpenStack must then list.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{NAMESPACE, brought, has, sky::Sky};
use crate::flows::conditions::text;

/// A cluster, as it differs from a plain one.
pub struct Shape {
    /// Name of the cluster.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    pub control_planes: usize,
    pub workers: usize,
    /// Put over the spec of the OpenStackCluster.
    pub cluster: Value,
    /// Put over the spec of control plane machines.
    pub control_plane: Value,
    /// Put over the spec of workers.
    pub worker: Value,
    /// Does it have an OpenStackFloatingIPPool of its name?
    pub pool: bool,
    /// Is it upgraded in the end?
    pub upgrade: bool,
    /// What must be seen, at the end of creation and of an upgrade.
    pub check: fn(&Sky) -> Result<()>,
}

fn plain(name: &'static str, about: &'static str, check: fn(&Sky) -> Result<()>) -> Shape {
    Shape {
        name,
        about,
        control_planes: 1,
        workers: 1,
        cluster: json!({}),
        control_plane: json!({}),
        worker: json!({}),
        pool: false,
        upgrade: false,
        check,
    }
}

/// All of them.
pub fn all() -> Vec<Shape> {
    vec![
        bastion(),
        without_load_balancer(),
        brought_network(),
        storage(),
        pool(),
        zones(),
    ]
}

fn bastion() -> Shape {
    let spec = json!({
        "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
        "image": { "filter": { "name": "ubuntu-capi-image-v1.36.3" } },
        "sshKeyName": "capi",
        "serverMetadata": [{ "key": "lab:boot", "value": "played" }],
    });
    Shape {
        cluster: json!({
            "bastion": { "enabled": true, "spec": spec },
            "apiServer": { "managedLoadBalancer": {
                "additionalPorts": [50051],
                "allowedCIDRs": ["172.29.0.0/16"],
            } },
            "tags": ["shaped"],
        }),
        ..plain("bastion", "a bastion beside a load balancer", |sky| {
            let bastion = sky.bastion().context("no server of the bastion")?;
            ensure!(bastion["status"] == "ACTIVE", "the bastion: {bastion}");
            let public = text(&sky.cluster["status"]["bastion"]["floatingIP"]);
            let floating = sky.floating_ip(public);
            let floating = floating.with_context(|| format!("no floating IP {public:?}"))?;
            let target = sky.ports_of(bastion).into_iter();
            ensure!(
                target
                    .map(|p| &p["id"])
                    .any(|id| *id == floating["port_id"]),
                "{public} does not lead to the bastion: {floating}"
            );
            let listener = |suffix: &str| {
                let name = format!("{}{suffix}", resource("bastion"));
                let found = sky.listeners.iter().find(|l| l["name"] == name);
                found.with_context(|| format!("no listener {name}"))
            };
            let cidrs = listener("-kubeapi-6443")?["allowed_cidrs"].to_string();
            for wanted in ["172.29.0.0/16", "10.8.0.0/20", &format!("{public}/32")] {
                ensure!(cidrs.contains(wanted), "{wanted} is not among {cidrs}");
            }
            listener("-kubeapi-50051")?;
            let network = sky
                .networks
                .iter()
                .find(|n| n["name"] == resource("bastion"));
            let tags = &network.context("no network")?["tags"];
            ensure!(tags.to_string().contains("shaped"), "tags: {tags}");
            Ok(())
        })
    }
}

fn without_load_balancer() -> Shape {
    Shape {
        cluster: json!({ "apiServer": { "managedLoadBalancer": { "enabled": false } } }),
        ..plain(
            "direct",
            "no load balancer: a floating IP leads to the API",
            |sky| {
                ensure!(
                    !has(
                        &sky.load_balancers,
                        "name",
                        &format!("{}-kubeapi", resource("direct"))
                    ),
                    "there is a load balancer"
                );
                let host = text(&sky.cluster["spec"]["controlPlaneEndpoint"]["host"]);
                let floating = sky.floating_ip(host);
                let floating = floating.with_context(|| format!("no floating IP {host:?}"))?;
                let api = sky.control_planes();
                let api = api.first().context("no control plane")?;
                ensure!(
                    sky.ports_of(api)
                        .iter()
                        .any(|p| p["id"] == floating["port_id"]),
                    "{host} does not lead to the control plane: {floating}"
                );
                Ok(())
            },
        )
    }
}

fn brought_network() -> Shape {
    let by_name = json!({ "filter": { "name": brought::NETWORK } });
    Shape {
        cluster: json!({
            "managedSubnets": null,
            "network": by_name, "subnets": [by_name], "router": by_name,
        }),
        ..plain(
            "brought",
            "on a network, subnet and router of the tenant's own",
            |sky| {
                let own = sky.networks.iter().find(|n| n["name"] == brought::NETWORK);
                let own = own.context("the tenant's network is gone")?;
                let elsewhere: Vec<_> = sky
                    .ports
                    .iter()
                    .filter(|p| p["network_id"] != own["id"])
                    .collect();
                ensure!(
                    elsewhere.is_empty(),
                    "ports in another network: {elsewhere:?}"
                );
                ensure!(
                    sky.ports.len() == 2,
                    "{} ports instead of 2",
                    sky.ports.len()
                );
                for managed in [&sky.networks, &sky.routers] {
                    ensure!(
                        !has(managed, "name", &resource("brought")),
                        "something was made beside it"
                    );
                }
                Ok(())
            },
        )
    }
}

fn storage() -> Shape {
    let port = json!({ "description": "first", "trunk": true, "tags": ["first"] });
    let second = json!({ "nameSuffix": "second", "description": "second" });
    Shape {
        control_plane: json!({ "flavor": { "filter": { "name": "SCS-2V-4" } }, "rootVolume": { "sizeGiB": 15 } }),
        worker: json!({
            "flavor": { "filter": { "name": "SCS-2V-4" } },
            "rootVolume": { "sizeGiB": 15, "type": "ssd" },
            "additionalBlockDevices": [
                { "name": "data", "sizeGiB": 2, "storage": { "type": "Volume", "volume": { "type": "ssd" } } },
            ],
            "serverGroup": { "filter": { "name": brought::GROUP } },
            "ports": [port, second],
            "configDrive": true,
        }),
        ..plain(
            "storage",
            "trunks, volumes, a server group, a boot volume",
            |sky| {
                let workers = sky.workers();
                let worker = workers.first().context("no worker")?;
                let name = text(&worker["name"]);
                let ports = sky.ports_of(worker);
                ensure!(ports.len() == 2, "{} ports instead of 2", ports.len());
                ensure!(
                    has(&sky.trunks, "name", &format!("{name}-0")),
                    "no trunk of {name}: {:?}",
                    sky.trunks
                );
                for (volume, size) in [("root", 15), ("data", 2)] {
                    let wanted = format!("{name}-{volume}");
                    let found = sky.volumes.iter().find(|v| v["name"] == wanted);
                    let found = found.with_context(|| format!("no volume {wanted}"))?;
                    ensure!(
                        found["size"] == size
                            && found["volume_type"] == "ssd"
                            && found["status"] == "in-use",
                        "{found}"
                    );
                }
                let group = sky
                    .server_groups
                    .iter()
                    .find(|g| g["name"] == brought::GROUP);
                let members = &group.context("no server group")?["members"];
                ensure!(
                    members
                        .as_array()
                        .is_some_and(|m| m.contains(&worker["id"])),
                    "members: {members}"
                );
                ensure!(
                    worker["config_drive"] == "True",
                    "no config drive: {}",
                    worker["config_drive"]
                );
                Ok(())
            },
        )
    }
}

fn pool() -> Shape {
    let reference = json!({
        "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackFloatingIPPool", "name": "pool",
    });
    Shape {
        worker: json!({ "floatingIPPoolRef": reference }),
        pool: true,
        ..plain("pool", "floating IPs of workers from a pool", |sky| {
            let workers = sky.workers();
            let worker = workers.first().context("no worker")?;
            let ports = sky.ports_of(worker);
            let own = sky
                .floating_ips
                .iter()
                .find(|f| ports.iter().any(|p| p["id"] == f["port_id"]));
            let tags = &own.context("no floating IP leads to the worker")?["tags"];
            ensure!(
                tags.to_string()
                    .contains("cluster-api-provider-openstack-fip-pool-pool"),
                "its tags are {tags}"
            );
            Ok(())
        })
    }
}

fn zones() -> Shape {
    Shape {
        control_planes: 3,
        upgrade: true,
        ..plain(
            "zones",
            "three control planes in three availability zones",
            |sky| {
                let mut zones: Vec<_> = sky
                    .control_planes()
                    .iter()
                    .map(|s| text(&s["OS-EXT-AZ:availability_zone"]).to_owned())
                    .collect();
                zones.sort();
                ensure!(zones == ["az1", "az2", "az3"], "they are in {zones:?}");
                Ok(())
            },
        )
    }
}

/// Name of what is made for a cluster.
fn resource(cluster: &str) -> String {
    format!("k8s-clusterapi-cluster-{NAMESPACE}-{cluster}")
}
