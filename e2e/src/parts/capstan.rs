//! The part `capstan`: `capstan-operator` as it is shipped, under the RBAC that is shipped with it,
//! with webhooks and runtime hooks by URL.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    management::{authority, kubeconfig_of, serving_certificate},
    manifests, registry,
};
use crate::{checks, lab::Lab, part::Part, probe, process::Daemon, tools};

/// Name of the part.
pub const NAME: &str = "capstan";
/// Name of its process: `lab.stop(capstan::NAME, capstan::PROCESS)`, and `lab.kill` for a crash.
pub const PROCESS: &str = "operator";
const WEBHOOKS: u16 = 9443;
const HOOKS: u16 = 9442;
const HEALTH: u16 = 9440;
/// Prometheus metrics, plain HTTP on 127.0.0.1.
pub const METRICS: u16 = 8080;
/// Where the lab's cluster stacks are published, below the registry.
pub const REPOSITORY: &str = "cluster-stacks";
const DEADLINE: Duration = Duration::from_secs(60);

/// The part.
pub struct Capstan;

impl Part for Capstan {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> &'static [&'static str] {
        &["capi", "registry"]
    }

    fn prepare(&self, lab: &Lab) -> Result<()> {
        tools::bin(lab, "helm")?;
        checks::build(lab)
    }

    fn up(&self, lab: &Lab) -> Result<()> {
        let ca = fs::read(authority(lab)?.certificate)?;
        let shipped = |folder: &str, port| {
            Ok::<_, anyhow::Error>(manifests::localise(config(lab, folder)?, port, &ca))
        };
        manifests::apply(lab, &shipped("crd", WEBHOOKS)?)?;
        let rbac = shipped("rbac", WEBHOOKS)?;
        let account = Account::of(&rbac)?;
        manifests::apply(lab, &rbac)?;
        start(lab, &account, registry::ADDRESS)?;
        // Only now: the API server refuses objects whose webhooks do not answer.
        manifests::apply(lab, &shipped("webhook", WEBHOOKS)?)?;
        manifests::apply(lab, &shipped("hooks", HOOKS)?)
    }

    fn address(&self, _: &Lab) -> Option<String> {
        Some(format!("webhooks 127.0.0.1:{WEBHOOKS}, hooks {HOOKS}"))
    }

    fn check(&self, lab: &Lab) -> Result<()> {
        if !lab.alive(NAME, PROCESS) {
            bail!("capstan-operator does not run");
        }
        probe::http(HEALTH, "/readyz").map(|_| ())
    }

    fn down(&self, lab: &Lab) -> Result<()> {
        lab.stop_all(NAME)
    }
}

/// Starts the operator after `lab.stop` or `lab.kill`, and waits until it is ready.
///
/// # Errors
/// It ends, or is not ready in time.
pub fn restart(lab: &Lab) -> Result<()> {
    restart_with(lab, registry::ADDRESS)
}

/// The same with another registry, for instance one that is not there.
///
/// # Errors
/// As [`restart`].
pub fn restart_with(lab: &Lab, registry: &str) -> Result<()> {
    start(lab, &Account::of(&config(lab, "rbac")?)?, registry)
}

fn start(lab: &Lab, account: &Account, registry: &str) -> Result<()> {
    if lab.outdated(NAME, PROCESS) {
        lab.stop(NAME, PROCESS)?;
    }
    let certificates = serving_certificate(lab, "capstan")?;
    let mut command = Command::new(lab.programs()?.join("capstan-operator"));
    command
        .arg("--kubeconfig")
        .arg(kubeconfig_of(lab, &account.namespace, &account.name)?);
    command.args([
        "--lease-namespace",
        &account.namespace,
        "--log-format",
        "json",
    ]);
    // New releases are seen soon: flows wait for them.
    command.args(["--poll-interval", "5"]);
    command.args([
        "--webhook-port",
        &WEBHOOKS.to_string(),
        "--hook-port",
        &HOOKS.to_string(),
    ]);
    command
        .arg("--webhook-cert-dir")
        .arg(&certificates)
        .arg("--hook-cert-dir")
        .arg(&certificates);
    command.args(["--health-addr", &format!("127.0.0.1:{HEALTH}")]);
    command.args(["--metrics-addr", &format!("127.0.0.1:{METRICS}")]);
    command
        .arg("--release-dir")
        .arg(lab.part_dir("capstan/releases"));
    command.arg("--helm").arg(tools::bin(lab, "helm")?);
    command
        .arg("--registry-ca")
        .arg(lab.dir.join("registry/ca.pem"));
    // As upstream: the repository holds the registry's name.
    command.env("OCI_REGISTRY", registry);
    command.env("OCI_REPOSITORY", format!("{registry}/{REPOSITORY}"));
    for bundle in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(bundle);
    }
    lab.start(Daemon {
        part: NAME,
        name: PROCESS.to_owned(),
        command,
    })?;
    lab.wait_for(NAME, PROCESS, DEADLINE, || {
        probe::http(HEALTH, "/readyz").map(|_| ())
    })
}

/// The ServiceAccount of the shipped RBAC.
struct Account {
    namespace: String,
    name: String,
}

impl Account {
    fn of(rbac: &[Value]) -> Result<Self> {
        let account = rbac
            .iter()
            .find(|d| d["kind"] == "ServiceAccount")
            .context("config/rbac has no ServiceAccount")?;
        let text = |field: &str| account["metadata"][field].as_str().map(str::to_owned);
        Ok(Self {
            namespace: text("namespace")
                .context("config/rbac: ServiceAccount without a namespace")?,
            name: text("name").context("config/rbac: ServiceAccount without a name")?,
        })
    }
}

/// The generated manifests of one folder of `config/`: none if nothing of that sort is shipped.
/// Kustomizations are for clusters and not read.
fn config(lab: &Lab, folder: &str) -> Result<Vec<Value>> {
    let entries = fs::read_dir(lab.repo.join("config").join(folder))
        .into_iter()
        .flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|f| {
        f.extension().is_some_and(|e| e == "yaml") && !f.ends_with("kustomization.yaml")
    });
    files.sort();
    let documents: Vec<_> = files
        .iter()
        .map(|f| manifests::read(f))
        .collect::<Result<_>>()?;
    Ok(documents.concat())
}
