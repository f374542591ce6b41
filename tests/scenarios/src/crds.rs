//! The CRDs that the tests need: ours from `config/crd`, Cluster API's from the Go module that the lab pins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

const MODULE: &str = "sigs.k8s.io/cluster-api";
const FROM_MODULE: &str = "core/config/crd/bases";
/// Of Cluster API's kinds, those that the provider reads or writes.
const WANTED: [&str; 6] = [
    "cluster.x-k8s.io_clusters.yaml",
    "cluster.x-k8s.io_machines.yaml",
    "cluster.x-k8s.io_machinesets.yaml",
    "cluster.x-k8s.io_machinedeployments.yaml",
    "ipam.cluster.x-k8s.io_ipaddresses.yaml",
    "ipam.cluster.x-k8s.io_ipaddressclaims.yaml",
];
const ESTABLISHED: Duration = Duration::from_secs(60);

/// Creates all CRDs and waits until they are served.
pub(crate) async fn install(client: &Client) -> Result<()> {
    let module = cluster_api()?.join(FROM_MODULE);
    let mut files: Vec<PathBuf> = WANTED.iter().map(|name| module.join(name)).collect();
    for entry in root().join("config/crd").read_dir()? {
        files.push(entry?.path());
    }
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let installed = files.iter().map(|file| install_one(&api, file));
    let installs = try_join_all(installed);
    tokio::time::timeout(ESTABLISHED, installs)
        .await
        .context("CRDs are not established")??;
    Ok(())
}

/// The folder of Cluster API in Go's module cache.
///
/// # Errors
/// What `go` complains about.
pub fn cluster_api() -> Result<PathBuf> {
    module(&root().join("e2e/tools/cluster-api"))
}

/// The definitions of all kinds of Cluster API's core, in its folder.
///
/// # Errors
/// The folder is another one.
pub fn of_core(cluster_api: &Path) -> Result<Vec<PathBuf>> {
    let folder = cluster_api.join(FROM_MODULE);
    let entries = folder
        .read_dir()
        .with_context(|| folder.display().to_string())?;
    entries.map(|entry| Ok(entry?.path())).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

async fn install_one(api: &Api<CustomResourceDefinition>, file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut crd: Value =
        serde_saphyr::from_str(&text).with_context(|| file.display().to_string())?;
    // Nobody serves Cluster API's own conversions here; ours are tested by whoever installs them.
    crd["spec"]["conversion"] = json!({ "strategy": "None" });
    let crd: CustomResourceDefinition = serde_json::from_value(crd)?;
    let name = crd.name_any();
    api.patch(
        &name,
        &PatchParams::apply("scenarios").force(),
        &Patch::Apply(&crd),
    )
    .await?;
    await_condition(api.clone(), &name, conditions::is_crd_established()).await?;
    Ok(())
}

/// The folder of Cluster API in Go's module cache, downloaded if it is not there.
fn module(folder: &Path) -> Result<PathBuf> {
    let list = || {
        go(
            folder,
            &["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", MODULE],
        )
    };
    let mut dir = list()?;
    if dir.is_empty() {
        go(folder, &["mod", "download", MODULE])?;
        dir = list()?;
    }
    Ok(PathBuf::from(dir))
}

fn go(folder: &Path, arguments: &[&str]) -> Result<String> {
    let mut go = Command::new("go");
    go.current_dir(folder)
        .env("GOWORK", "off")
        .env_remove("GOFLAGS");
    let out = go
        .args(arguments)
        .output()
        .context("go, which the tests read Cluster API's CRDs with")?;
    if !out.status.success() {
        bail!(
            "go {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8(out.stdout)?.trim().to_owned())
}
