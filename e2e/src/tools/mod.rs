//! Programs of Kubernetes and its neighbours, built from the Go modules that `e2e/tools/` pins.
//!
//! Results lie in `<cache>/tools/<sha256 of go.mod and go.sum>/bin/`, one digest for each folder of `e2e/tools/`:
//! a changed pin builds anew, everything else is there at once.

mod build;
mod catalogue;

use std::{env, path::PathBuf};

use anyhow::{Context, Result};

pub use catalogue::CNI_PLUGINS;

use crate::lab::Lab;

/// A program: from `$KUBEBUILDER_ASSETS` if it has one of this name, else [`built`].
///
/// Names: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kube-proxy, kubelet, kubeadm, kubectl, pause,
/// capi-core, capi-kubeadm-bootstrap, capi-kubeadm-control-plane, clusterctl, helm, registry, containerd,
/// containerd-shim-runc-v2, ctr, coredns, kwok and [`CNI_PLUGINS`].
///
/// # Errors
/// An unknown name; what stands in the way of building it.
pub fn bin(lab: &Lab, name: &str) -> Result<PathBuf> {
    let assets = env::var_os("KUBEBUILDER_ASSETS").filter(|dir| !dir.is_empty());
    match assets.map(|dir| PathBuf::from(dir).join(name)) {
        Some(asset) if asset.is_file() => Ok(asset),
        _ => built(lab, name),
    }
}

/// A program in exactly the version that is pinned, as what goes into images must be: built if it is not in the cache.
///
/// # Errors
/// As [`bin`].
pub fn built(lab: &Lab, name: &str) -> Result<PathBuf> {
    let (module, tool) =
        catalogue::find(name).with_context(|| format!("no tool is called {name}"))?;
    build::built(lab, module, tool).with_context(|| format!("tool {name}"))
}

/// Directory of an upstream Go module (`sigs.k8s.io/cluster-api`) in Go's module cache, read-only:
/// CRDs, webhook manifests and the like are read from there.
///
/// # Errors
/// A module that is not under one of `e2e/tools/`; a download that fails.
pub fn module_dir(lab: &Lab, module: &str) -> Result<PathBuf> {
    let folder = catalogue::of_module(module)
        .with_context(|| format!("Go module {module} belongs to no folder of e2e/tools"))?;
    build::module_dir(lab, folder, module).with_context(|| format!("Go module {module}"))
}

/// Pinned version of a tool, as `v1.36.3`.
///
/// # Errors
/// An unknown name; a go.mod without the module.
pub fn version(lab: &Lab, name: &str) -> Result<String> {
    let (module, _) = catalogue::find(name).with_context(|| format!("no tool is called {name}"))?;
    build::version(&build::folder(lab, module), module.upstream)
}

/// Digest of what a tool is built from, for whoever keeps something made of it.
///
/// # Errors
/// An unknown name; a go.mod or go.sum that cannot be read.
pub fn digest(lab: &Lab, name: &str) -> Result<String> {
    let (module, _) = catalogue::find(name).with_context(|| format!("no tool is called {name}"))?;
    build::digest(&build::folder(lab, module))
}
