//! The part `capi`: the managers of Cluster API, each under its own ServiceAccount so that its RBAC is really used,
//! with its webhooks by URL.

use std::{fs, path::PathBuf, process::Command, thread, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::{
    management::{ask, authority, kubeconfig_of, serving_certificate},
    manifests,
};
use crate::{
    lab::Lab,
    part::Part,
    probe,
    process::{Daemon, wait_for},
    tools,
};

const NAME: &str = "capi";
const MODULE: &str = "sigs.k8s.io/cluster-api";
const DEADLINE: Duration = Duration::from_secs(90);

/// One of the managers.
struct Manager {
    /// Also the name of its process and of its binary.
    name: &'static str,
    /// Its manifests in the module.
    manifests: &'static str,
    namespace: &'static str,
    account: &'static str,
    /// Webhooks; health is 10 above, metrics 20 above.
    port: u16,
    gates: &'static str,
    /// Something that it may list once its aggregated role is filled.
    resource: &'static str,
}

const MANAGERS: [Manager; 3] = [
    Manager {
        name: "capi-core",
        manifests: "core/config/default",
        namespace: "capi-system",
        account: "capi-manager",
        port: 19443,
        gates: "MachinePool=true,ClusterTopology=true,RuntimeSDK=true,MachineSetPreflightChecks=true,\
                PriorityQueue=true,ReconcilerRateLimiting=true",
        resource: "clusters.cluster.x-k8s.io",
    },
    Manager {
        name: "capi-kubeadm-bootstrap",
        manifests: "bootstrap/kubeadm/config/default",
        namespace: "capi-kubeadm-bootstrap-system",
        account: "capi-kubeadm-bootstrap-manager",
        port: 19444,
        gates: "MachinePool=true,PriorityQueue=true,ReconcilerRateLimiting=true",
        resource: "kubeadmconfigs.bootstrap.cluster.x-k8s.io",
    },
    Manager {
        name: "capi-kubeadm-control-plane",
        manifests: "controlplane/kubeadm/config/default",
        namespace: "capi-kubeadm-control-plane-system",
        account: "capi-kubeadm-control-plane-manager",
        port: 19445,
        gates: "MachinePool=true,ClusterTopology=true,PriorityQueue=true,ReconcilerRateLimiting=true",
        resource: "kubeadmcontrolplanes.controlplane.cluster.x-k8s.io",
    },
];

/// The part.
pub struct ClusterApi;

impl Part for ClusterApi {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> &'static [&'static str] {
        &["management"]
    }

    fn prepare(&self, lab: &Lab) -> Result<()> {
        MANAGERS
            .iter()
            .try_for_each(|m| tools::bin(lab, m.name).map(|_| ()))?;
        MANAGERS.iter().try_for_each(|m| render(lab, m).map(|_| ()))
    }

    fn up(&self, lab: &Lab) -> Result<()> {
        if self.check(lab).is_ok() {
            return Ok(());
        }
        let ca = fs::read(authority(lab)?.certificate)?;
        let mut documents = Vec::new();
        for manager in &MANAGERS {
            let rendered = render(lab, manager)?;
            let read: Vec<Value> = serde_json::from_slice(&fs::read(&rendered)?)
                .with_context(|| rendered.display().to_string())?;
            documents.push(manifests::localise(read, manager.port, &ca));
        }
        thread::scope(|scope| {
            let applies: Vec<_> = documents
                .iter()
                .map(|d| scope.spawn(|| manifests::apply(lab, d)))
                .collect();
            applies
                .into_iter()
                .try_for_each(|a| a.join().map_err(|_| anyhow!("apply panicked"))?)
        })?;
        // A manager that starts before its kinds are served ends at once.
        let established = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=60s",
        ];
        ask(lab, &established)?;
        for manager in &MANAGERS {
            wait_for(manager.account, DEADLINE, || manager.may_list(lab))?;
        }
        wait_for("Cluster API", DEADLINE, || {
            // Discovery may lag still: what ended is started again, as a kubelet does.
            MANAGERS.iter().try_for_each(|manager| manager.start(lab))?;
            self.check(lab)
        })
    }

    fn address(&self, _: &Lab) -> Option<String> {
        Some("webhooks 127.0.0.1:19443-19445".to_owned())
    }

    fn check(&self, lab: &Lab) -> Result<()> {
        for manager in &MANAGERS {
            if !lab.alive(NAME, manager.name) {
                bail!("{} does not run", manager.name);
            }
            probe::http(manager.port + 10, "/readyz")?;
            probe::tcp(manager.port)?;
        }
        Ok(())
    }

    fn down(&self, lab: &Lab) -> Result<()> {
        lab.stop_all(NAME)
    }
}

impl Manager {
    /// Roles are aggregated a moment after they are applied; a manager that starts before backs off for many seconds.
    fn may_list(&self, lab: &Lab) -> Result<()> {
        let user = format!("system:serviceaccount:{}:{}", self.namespace, self.account);
        ask(
            lab,
            &[
                "auth",
                "can-i",
                "list",
                self.resource,
                "--all-namespaces",
                "--as",
                &user,
            ],
        )
        .map(|_| ())
    }

    fn start(&self, lab: &Lab) -> Result<()> {
        if lab.alive(NAME, self.name) {
            return Ok(());
        }
        let mut command = Command::new(tools::bin(lab, self.name)?);
        command
            .arg("--kubeconfig")
            .arg(kubeconfig_of(lab, self.namespace, self.account)?);
        command
            .arg("--webhook-cert-dir")
            .arg(serving_certificate(lab, "webhook")?);
        command.args(["--webhook-port", &self.port.to_string()]);
        command.args(["--health-addr", &format!("127.0.0.1:{}", self.port + 10)]);
        command.args([
            "--diagnostics-address",
            &format!("127.0.0.1:{}", self.port + 20),
        ]);
        // Without --leader-elect: outside a Pod these managers know no namespace for the Lease.
        command.args(["--insecure-diagnostics", "--feature-gates", self.gates]);
        command
            .env("POD_NAMESPACE", self.namespace)
            .env_remove("SSL_CERT_FILE");
        lab.start(Daemon {
            part: NAME,
            name: self.name.to_owned(),
            command,
        })
    }
}

/// A manager's manifests as upstream ships them, as JSON; kept in the cache by the module's version.
fn render(lab: &Lab, manager: &Manager) -> Result<PathBuf> {
    let module = tools::module_dir(lab, MODULE)?;
    let version = module.file_name().context("a module without a name")?;
    let dir = lab.cache.join("manifests").join(version);
    let path = dir.join(format!("{}.json", manager.name));
    if path.exists() {
        return Ok(path);
    }
    let out = Command::new(tools::bin(lab, "kubectl")?)
        .arg("kustomize")
        .arg(module.join(manager.manifests))
        .output()?;
    if !out.status.success() {
        bail!(
            "kubectl kustomize {}: {}",
            manager.manifests,
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    let documents = manifests::parse(&String::from_utf8(out.stdout)?)?;
    fs::create_dir_all(&dir).with_context(|| dir.display().to_string())?;
    // Another lab may do the same now: a file appears whole or not at all.
    let file = tempfile::NamedTempFile::new_in(&dir)?;
    serde_json::to_writer(&file, &documents)?;
    file.persist(&path)?;
    Ok(path)
}
