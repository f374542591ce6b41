//! The Node of a played machine and the Pods that its kubelet would mirror.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use super::{
    Played,
    cluster::{Access, donors},
};
use crate::{
    agent::{machine, world::Machine},
    lab::Lab,
};

/// Label of Nodes that kwok looks after.
pub const PLAYED: &str = "lab.capstan.dev/played";
/// What the kubelet sets when it runs with an external cloud provider.
const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";

/// Makes the Node if it is not there, tells kwok to look after it, and mirrors static Pods.
pub fn register(
    played: &Played<'_>,
    access: &Access,
    registration: &Value,
    version: &str,
    static_pods: &[Value],
) -> Result<()> {
    let control_plane = !static_pods.is_empty();
    let node = node(
        &played.boot.name,
        &played.boot.id,
        registration,
        version,
        control_plane,
    )?;
    let name = played.boot.name.clone();
    let static_pods = static_pods.to_vec();
    access.run(async move |client| {
        let nodes: Api<Node> = Api::all(client.clone());
        if nodes.get_opt(&name).await?.is_none() {
            nodes.create(&PostParams::default(), &node).await?;
        }
        let played = json!({ "metadata": { "labels": { PLAYED: "true" } } });
        let node_now = nodes
            .patch(&name, &PatchParams::default(), &Patch::Merge(played))
            .await?;
        let info = json!({ "status": { "nodeInfo": node.status.and_then(|s| s.node_info) } });
        nodes
            .patch_status(&name, &PatchParams::default(), &Patch::Merge(info))
            .await?;
        let pods: Api<Pod> = Api::namespaced(client, "kube-system");
        for pod in static_pods {
            let pod = mirror(
                pod,
                &name,
                node_now.metadata.uid.as_deref().unwrap_or_default(),
            );
            let pod_name = pod["metadata"]["name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if pods.get_opt(&pod_name).await?.is_none() {
                pods.create(&PostParams::default(), &serde_json::from_value(pod)?)
                    .await?;
            }
        }
        Ok(())
    })
}

/// Lets kwok forget the Node of a machine that is off: as with a real one, nobody renews its lease any more.
pub fn abandon(lab: &Lab, machine: &Machine) -> Result<()> {
    let path = machine::folder(lab, &machine.id).join("endpoint");
    // A machine that is no node has none.
    let Ok(endpoint) = fs::read_to_string(&path) else {
        return Ok(());
    };
    let Some(donor) = donors(lab, &endpoint, &machine.id).into_iter().next() else {
        return Ok(());
    };
    let name = machine.name.clone();
    donor.run(async move |client| {
        let nodes: Api<Node> = Api::all(client);
        let forgotten = json!({ "metadata": { "labels": { PLAYED: null } } });
        match nodes
            .patch(&name, &PatchParams::default(), &Patch::Merge(forgotten))
            .await
        {
            Err(kube::Error::Api(e)) if e.code == 404 => Ok(()),
            done => done.map(drop).map_err(Into::into),
        }
    })
}

/// The Node as a kubelet would register it.
fn node(
    name: &str,
    server: &str,
    registration: &Value,
    version: &str,
    control_plane: bool,
) -> Result<Node> {
    let arguments: BTreeMap<_, _> = registration["kubeletExtraArgs"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|a| Some((a["name"].as_str()?, a["value"].as_str()?)))
        .collect();
    let list = |name: &str| {
        arguments
            .get(name)
            .into_iter()
            .flat_map(|l| l.split(','))
            .filter(|l| !l.is_empty())
    };
    let mut labels = json!({
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux", "beta.kubernetes.io/arch": "amd64",
    });
    for (key, value) in list("node-labels").filter_map(|l| l.split_once('=')) {
        labels[key] = json!(value);
    }
    let mut taints: Vec<Value> = registration["taints"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    if control_plane {
        labels["node-role.kubernetes.io/control-plane"] = json!("");
        labels["node.kubernetes.io/exclude-from-external-load-balancers"] = json!("");
        if registration["taints"].is_null() {
            taints.push(
                json!({ "key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule" }),
            );
        }
    }
    for (key, effect) in list("register-with-taints").filter_map(|t| t.split_once(':')) {
        taints.push(json!({ "key": key.split('=').next(), "effect": effect }));
    }
    // Templates quote a part of it for the shell-like file that the kubelet gets its arguments from.
    let provider_id = arguments.get("provider-id").map(|id| id.replace('\'', ""));
    if arguments.get("cloud-provider") == Some(&"external") {
        taints.push(json!({ "key": UNINITIALIZED, "value": "true", "effect": "NoSchedule" }));
    }
    let info = json!({
        "machineID": server, "systemUUID": server, "bootID": server,
        "kernelVersion": "played", "osImage": "played", "containerRuntimeVersion": "played://0",
        "kubeletVersion": version, "kubeProxyVersion": version,
        "operatingSystem": "linux", "architecture": "amd64",
    });
    serde_json::from_value(json!({
        "metadata": { "name": name, "labels": labels },
        "spec": { "providerID": provider_id, "taints": taints },
        "status": { "nodeInfo": info },
    }))
    .context("Node")
}

/// A static Pod as the kubelet shows it in the API.
fn mirror(mut pod: Value, node: &str, uid: &str) -> Value {
    let name = format!(
        "{}-{node}",
        pod["metadata"]["name"].as_str().unwrap_or_default()
    );
    let metadata = &mut pod["metadata"];
    metadata["name"] = json!(name);
    metadata["annotations"]["kubernetes.io/config.mirror"] = json!(uid);
    metadata["annotations"]["kubernetes.io/config.source"] = json!("file");
    metadata["ownerReferences"] = json!([{ "apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": true }]);
    pod["spec"]["nodeName"] = json!(node);
    pod["spec"]["tolerations"] = json!([{ "operator": "Exists", "effect": "NoExecute" }]);
    if let Some(pod) = pod.as_object_mut() {
        pod.remove("status");
    }
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_what_its_registration_says() {
        let registration = json!({
            "name": "worker-0",
            "kubeletExtraArgs": [
                {"name": "provider-id", "value": "openstack:///'6b86'"},
                {"name": "cloud-provider", "value": "external"},
                {"name": "node-labels", "value": "pool=a,zone=b"},
            ],
            "taints": [{"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}],
        });
        let node = node("worker-0", "6b86", &registration, "v1.36.3", false).unwrap();
        let spec = node.spec.unwrap();
        assert_eq!(spec.provider_id.as_deref(), Some("openstack:///6b86"));
        let taints: Vec<_> = spec.taints.unwrap().into_iter().map(|t| t.key).collect();
        assert_eq!(
            taints,
            ["node.cluster.x-k8s.io/uninitialized", UNINITIALIZED]
        );
        assert_eq!(node.metadata.labels.unwrap()["pool"], "a");
    }

    #[test]
    fn a_control_plane_without_taints_of_its_own_gets_the_usual_one() {
        let node = node("cp-0", "1", &json!({"taints": null}), "v1.36.3", true).unwrap();
        assert_eq!(
            node.spec.unwrap().taints.unwrap()[0].key,
            "node-role.kubernetes.io/control-plane"
        );
    }
}
