//! kubeadm's part on a control plane machine: certificates, kubeconfigs and static Pods, all by kubeadm itself.

use std::{fs, path::Path, process::Command};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{
    Played,
    programs::{self, Program},
};
use crate::tools;

/// Phases that need no kubelet and no API server.
const PHASES: [&[&str]; 4] = [
    &["certs", "all"],
    &["kubeconfig", "all"],
    &["control-plane", "all"],
    &["etcd", "local"],
];
const CONFIGURATION: &str = "/run/kubeadm/played.yaml";
/// Port of the kubelet that kwok plays.
const KUBELET: u16 = 10250;

/// Runs kubeadm's phases in the machine's root.
pub fn prepare(played: &Played<'_>, cluster: &Value, registration: &Value) -> Result<()> {
    let mut cluster = cluster.clone();
    // RSA keys for seven certificates take a second, elliptic ones none.
    if cluster["encryptionAlgorithm"].is_null() {
        cluster["encryptionAlgorithm"] = json!("ECDSA-P256");
    }
    let mut registration = registration.clone();
    registration["criSocket"] = json!("unix:///run/containerd/containerd.sock");
    let init = json!({
        "apiVersion": cluster["apiVersion"],
        "kind": "InitConfiguration",
        "localAPIEndpoint": { "advertiseAddress": played.address },
        "nodeRegistration": registration,
    });
    let path = played.root.join(CONFIGURATION.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap_or(&played.root))?;
    fs::write(&path, format!("{cluster}\n---\n{init}\n"))
        .with_context(|| path.display().to_string())?;
    let kubeadm = tools::bin(played.lab, "kubeadm")?;
    for phase in PHASES {
        let out = Command::new(&kubeadm)
            .args(["init", "phase"])
            .args(phase)
            .args(["--config", CONFIGURATION, "--rootfs"])
            .arg(&played.root)
            .output()
            .context("run kubeadm")?;
        if !out.status.success() {
            bail!(
                "kubeadm init phase {}: {}",
                phase.join(" "),
                String::from_utf8_lossy(&out.stderr).trim()
            );
        }
    }
    Ok(())
}

/// Static Pods that kubeadm wrote.
pub fn static_pods(root: &Path) -> Result<Vec<Value>> {
    let dir = root.join("etc/kubernetes/manifests");
    let mut pods = vec![];
    for file in fs::read_dir(&dir).with_context(|| dir.display().to_string())? {
        let path = file?.path();
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        pods.push(serde_saphyr::from_str(&text).with_context(|| path.display().to_string())?);
    }
    Ok(pods)
}

/// What their containers would run.
pub fn programs(root: &Path) -> Result<Vec<Program>> {
    let mut programs: Vec<_> = static_pods(root)?.iter().filter_map(program).collect();
    // etcd is asked first by everything else.
    programs.sort_by_key(|p| p.name != "etcd");
    if programs.len() != 4 {
        bail!(
            "kubeadm wrote {} static Pods instead of 4 (an external etcd cannot be played)",
            programs.len()
        );
    }
    Ok(programs)
}

fn program(pod: &Value) -> Option<Program> {
    let mut command = pod["spec"]["containers"][0]["command"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str);
    let name = command.next()?.to_owned();
    let mut arguments: Vec<_> = command.map(str::to_owned).collect();
    if name == "etcd" {
        // Nobody loses anything that was not written when the power was cut for good.
        arguments.push("--unsafe-no-fsync".to_owned());
    }
    Some(Program { name, arguments })
}

/// Go module with the stages of kwok's Nodes and Pods.
pub const KWOK: &str = "sigs.k8s.io/kwok";

/// The kubelet of all played machines. Several in one cluster share the Nodes by their leases.
pub fn kwok(played: &Played<'_>) -> Result<Program> {
    let stages = tools::module_dir(played.lab, KWOK)?.join("kustomize/stage");
    let files = [
        "node/fast/node-initialize.yaml",
        "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
        "pod/fast/pod-ready.yaml",
        "pod/fast/pod-complete.yaml",
        "pod/fast/pod-delete.yaml",
    ];
    let mut text = String::new();
    for file in files {
        let path = stages.join(file);
        text += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        text += "\n---\n";
    }
    // The kubeadm control plane provider asks etcd about its health through the Pod's port.
    let forward = json!({
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "ClusterPortForward",
        "metadata": { "name": "etcd" },
        "spec": {
            "selector": { "matchNamespaces": ["kube-system"], "matchNames": [format!("etcd-{}", played.boot.name)] },
            "forwards": [{ "ports": [2379], "target": { "address": played.address, "port": 2379 } }],
        },
    });
    let path = played.root.join("etc/kubernetes/kwok.yaml");
    fs::write(&path, format!("{text}{forward}\n")).with_context(|| path.display().to_string())?;
    programs::place(played, "kwok")?;
    let arguments = [
        "--config=/etc/kubernetes/kwok.yaml".to_owned(),
        "--kubeconfig=/etc/kubernetes/super-admin.conf".to_owned(),
        format!("--master=https://{}:6443", played.address),
        format!(
            "--manage-nodes-with-label-selector={}=true",
            super::node::PLAYED
        ),
        format!("--node-port={KUBELET}"),
        format!("--node-name={}", played.boot.name),
        format!("--server-address={}:{KUBELET}", played.address),
        "--tls-cert-file=/etc/kubernetes/pki/apiserver.crt".to_owned(),
        "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key".to_owned(),
        "--node-lease-duration-seconds=40".to_owned(),
    ];
    Ok(Program {
        name: "kwok".to_owned(),
        arguments: arguments.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_static_pod_says_what_runs() {
        let pod = json!({"spec": {"containers": [{"command": ["etcd", "--name=a"]}]}});
        let program = program(&pod).unwrap();
        assert_eq!(program.name, "etcd");
        assert_eq!(program.arguments, ["--name=a", "--unsafe-no-fsync"]);
    }
}
