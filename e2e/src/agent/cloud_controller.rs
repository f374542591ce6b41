//! The part of a cloud controller manager.
//!
//! In production the OpenStack cloud controller manager of the cluster does this; it cannot be had here (see
//! e2e/README.md), so the agent stands in for its node controllers: addresses, providerID, labels, the taint, and the
//! deletion of Nodes whose server is gone. Load balancers for Services are not part of it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, anyhow};
use ipnet::Ipv4Net;
use k8s_openapi::api::core::v1::{Node, NodeAddress};
use kube::{
    Api, Client, Config,
    api::{ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    log,
    observe::{Seen, Server},
    plan::PodRanges,
};

/// Until it has run, nothing is scheduled to a Node.
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// The only region of the lab's OpenStack.
const REGION: &str = "RegionOne";
const ROUND: Duration = Duration::from_secs(2);
/// For everything that is asked of one cluster in a round.
const DEADLINE: Duration = Duration::from_secs(10);

/// What the agent's loop and this one tell each other.
#[derive(Default)]
pub struct Shared {
    seen: Arc<Seen>,
    kubeconfigs: Vec<PathBuf>,
    ranges: PodRanges,
}

/// Called by the agent's loop: tells what is seen, and gets the ranges of pod addresses of all nodes.
pub fn exchange(shared: &Mutex<Shared>, seen: &Seen, kubeconfigs: Vec<PathBuf>) -> PodRanges {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.seen = Arc::new(seen.clone());
    shared.kubeconfigs = kubeconfigs;
    shared
        .ranges
        .retain(|server, _| seen.servers.contains_key(server));
    shared.ranges.clone()
}

/// Never returns.
pub fn run(shared: &Mutex<Shared>) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(e) => return log(format_args!("cloud controller: {e}")),
    };
    runtime.block_on(async {
        // By endpoint: what was said last, because a cluster that is coming up or going answers nothing for long.
        let mut said: BTreeMap<String, String> = BTreeMap::new();
        loop {
            let (seen, kubeconfigs) = {
                let shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                (shared.seen.clone(), shared.kubeconfigs.clone())
            };
            let clusters = clusters(&kubeconfigs);
            said.retain(|endpoint, _| clusters.contains_key(endpoint));
            for (endpoint, kubeconfig) in clusters {
                let problem = match timeout(DEADLINE, cluster(kubeconfig, &seen)).await {
                    Ok(Ok(found)) => {
                        shared
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .ranges
                            .extend(found);
                        String::new()
                    }
                    Ok(Err(e)) => brief(e).to_string(),
                    Err(_) => format!("no answer within {} s", DEADLINE.as_secs()),
                };
                if said
                    .insert(endpoint.clone(), problem.clone())
                    .is_none_or(|before| before != problem)
                {
                    let what = if problem.is_empty() {
                        "its nodes are looked after"
                    } else {
                        &problem
                    };
                    log(format_args!("cluster at {endpoint}: {what}"));
                }
            }
            sleep(ROUND).await;
        }
    });
}

/// What an API server has answered, without all that kube says about it. Of everything else the outermost: how exactly
/// a connection fails changes from try to try.
pub fn brief(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<kube::Error>() {
        Ok(kube::Error::Api(status)) => anyhow!("{} ({})", status.message, status.code),
        Ok(kube::Error::Service(_) | kube::Error::HyperError(_)) => anyhow!("does not answer"),
        Ok(other) => other.into(),
        Err(other) => other,
    }
}

/// One kubeconfig for each endpoint: every control plane machine of a cluster has one.
fn clusters(paths: &[PathBuf]) -> BTreeMap<String, Kubeconfig> {
    let mut found = BTreeMap::new();
    // A file that is just being written is read in the next round.
    for kubeconfig in paths.iter().filter_map(|p| Kubeconfig::read_from(p).ok()) {
        let server = kubeconfig
            .clusters
            .first()
            .and_then(|c| c.cluster.as_ref()?.server.clone());
        if let Some(server) = server {
            found.insert(server, kubeconfig);
        }
    }
    found
}

/// One round in one cluster; returns the pod ranges of its nodes.
async fn cluster(kubeconfig: Kubeconfig, seen: &Seen) -> Result<PodRanges> {
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.proxy_url = None;
    config.connect_timeout = Some(Duration::from_secs(2));
    let nodes: Api<Node> = Api::all(Client::try_from(config)?);
    let mut ranges = PodRanges::new();
    for node in nodes.list(&ListParams::default()).await? {
        let name = node.metadata.name.clone().unwrap_or_default();
        let Some(server) = server_of(&node, seen) else {
            if node_is_lost(&node, seen) {
                nodes
                    .delete(&name, &kube::api::DeleteParams::default())
                    .await?;
                log(format_args!("node {name}: deleted, its server is gone"));
            }
            continue;
        };
        let cidrs = node.spec.iter().flat_map(|s| s.pod_cidrs.iter().flatten());
        ranges.insert(
            server.id.clone(),
            cidrs.filter_map(|c| c.parse::<Ipv4Net>().ok()).collect(),
        );
        if let Some(status) = status_patch(&node, server, seen) {
            nodes
                .patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
                .await?;
        } else if let Some(patch) = patch(&node, server) {
            nodes
                .patch(&name, &PatchParams::default(), &Patch::Merge(patch))
                .await?;
            log(format_args!(
                "node {name}: initialized for server {}",
                server.id
            ));
        }
    }
    Ok(ranges)
}

/// Server of a Node: by its providerID (`openstack:///<id>`, with the region before the last slash if there are
/// several), and by its name for as long as it has none.
fn server_of<'a>(node: &Node, seen: &'a Seen) -> Option<&'a Server> {
    match provider_id(node) {
        Some(id) => seen.servers.get(id),
        None => seen
            .servers
            .values()
            .find(|s| Some(&s.name) == node.metadata.name.as_ref()),
    }
}

fn provider_id(node: &Node) -> Option<&str> {
    let id = node.spec.as_ref()?.provider_id.as_deref()?;
    id.strip_prefix("openstack://")?
        .rsplit('/')
        .next()
        .filter(|id| !id.is_empty())
}

/// A Node whose server is gone is deleted once it stops being Ready, as the lifecycle controller does.
fn node_is_lost(node: &Node, seen: &Seen) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|s| s.conditions.iter().flatten());
    let ready = conditions
        .into_iter()
        .any(|c| c.type_ == "Ready" && c.status == "True");
    !ready && provider_id(node).is_some_and(|id| !seen.servers.contains_key(id))
}

/// Addresses, if they differ.
fn status_patch(node: &Node, server: &Server, seen: &Seen) -> Option<Value> {
    let mut wanted = vec![];
    let address = |type_: &str, address: String| NodeAddress {
        type_: type_.to_owned(),
        address,
    };
    for port in seen.ports_of(&server.id) {
        wanted.extend(
            port.addresses()
                .map(|(_, ip)| address("InternalIP", ip.to_string())),
        );
    }
    for port in seen.ports_of(&server.id) {
        let floating = seen
            .floating_ips
            .iter()
            .filter(|f| f.port_id.as_ref() == Some(&port.id));
        wanted.extend(floating.map(|f| address("ExternalIP", f.floating_ip_address.clone())));
    }
    wanted.push(address("Hostname", server.name.clone()));
    let has = node.status.as_ref().and_then(|s| s.addresses.as_ref());
    (has != Some(&wanted)).then(|| json!({ "status": { "addresses": wanted } }))
}

/// providerID, labels and the taint, if anything is missing. The taint goes last, and with the rest: what is
/// scheduled then finds everything.
fn patch(node: &Node, server: &Server) -> Option<Value> {
    let spec = node.spec.clone().unwrap_or_default();
    let mut patch = json!({});
    let flavor = &server.flavor.name;
    let labels = [
        ("topology.kubernetes.io/region", REGION),
        ("topology.kubernetes.io/zone", &server.availability_zone),
        ("failure-domain.beta.kubernetes.io/region", REGION),
        (
            "failure-domain.beta.kubernetes.io/zone",
            &server.availability_zone,
        ),
        ("node.kubernetes.io/instance-type", flavor),
        ("beta.kubernetes.io/instance-type", flavor),
    ];
    let has = node.metadata.labels.clone().unwrap_or_default();
    let missing = labels.iter().filter(|(key, value)| {
        !value.is_empty() && has.get(*key).map(String::as_str) != Some(value)
    });
    for (key, value) in missing {
        patch["metadata"]["labels"][key] = json!(value);
    }
    if spec.provider_id.as_deref().unwrap_or_default().is_empty() {
        patch["spec"]["providerID"] = json!(format!("openstack:///{}", server.id));
    }
    let taints = spec.taints.unwrap_or_default();
    if taints.iter().any(|t| t.key == UNINITIALIZED) {
        let kept: Vec<_> = taints
            .into_iter()
            .filter(|t| t.key != UNINITIALIZED)
            .collect();
        patch["spec"]["taints"] = json!(kept);
    }
    if patch == json!({}) {
        return None;
    }
    // Taints are replaced as a whole: not over a change that was not seen.
    patch["metadata"]["resourceVersion"] = json!(node.metadata.resource_version);
    Some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::observe::{Flavor, Port};

    fn node(value: Value) -> Node {
        serde_json::from_value(value).unwrap()
    }

    fn seen() -> Seen {
        let server = Server {
            id: "s1".into(),
            name: "worker-0".into(),
            availability_zone: "az1".into(),
            flavor: Flavor {
                name: "SCS-2V-4-20s".into(),
                ..Flavor::default()
            },
            ..Server::default()
        };
        let port: Port = serde_json::from_value(json!({
            "id": "p1", "network_id": "n1", "device_id": "s1",
            "fixed_ips": [{"subnet_id": "u1", "ip_address": "10.8.0.5"}],
        }))
        .unwrap();
        Seen {
            servers: [("s1".into(), server)].into(),
            ports: vec![port],
            ..Seen::default()
        }
    }

    #[test]
    fn a_new_node_gets_addresses_first_and_loses_its_taint_then() {
        let seen = seen();
        let new = node(json!({
            "metadata": {"name": "worker-0", "resourceVersion": "7"},
            "spec": {"taints": [{"key": UNINITIALIZED, "effect": "NoSchedule"}, {"key": "other", "effect": "NoSchedule"}]},
        }));
        let server = server_of(&new, &seen).unwrap();
        let status = status_patch(&new, server, &seen).unwrap();
        assert_eq!(
            status["status"]["addresses"][0],
            json!({"type": "InternalIP", "address": "10.8.0.5"})
        );
        let patch = patch(&new, server).unwrap();
        assert_eq!(patch["spec"]["providerID"], "openstack:///s1");
        assert_eq!(patch["spec"]["taints"].as_array().unwrap().len(), 1);
        assert_eq!(
            patch["metadata"]["labels"]["topology.kubernetes.io/zone"],
            "az1"
        );
        assert_eq!(patch["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn nothing_is_patched_twice() {
        let seen = seen();
        let labels: BTreeMap<_, _> =
            patch(&node(json!({})), &seen.servers["s1"]).unwrap()["metadata"]["labels"]
                .as_object()
                .unwrap()
                .clone()
                .into_iter()
                .collect();
        let done = node(json!({
            "metadata": {"name": "worker-0", "labels": labels},
            "spec": {"providerID": "openstack:///s1"},
            "status": {"addresses": [{"type": "InternalIP", "address": "10.8.0.5"}, {"type": "Hostname", "address": "worker-0"}]},
        }));
        assert_eq!(patch(&done, &seen.servers["s1"]), None);
        assert_eq!(status_patch(&done, &seen.servers["s1"], &seen), None);
    }

    #[test]
    fn a_node_is_deleted_only_when_its_server_is_gone_and_it_is_not_ready() {
        let seen = seen();
        let lost = |id: &str, ready: &str| {
            node_is_lost(
                &node(json!({
                    "metadata": {"name": "x"}, "spec": {"providerID": format!("openstack:///{id}")},
                    "status": {"conditions": [{"type": "Ready", "status": ready}]},
                })),
                &seen,
            )
        };
        assert!(lost("gone", "Unknown"));
        assert!(!lost("gone", "True"));
        assert!(!lost("s1", "Unknown"));
    }
}
