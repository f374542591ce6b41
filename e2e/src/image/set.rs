//! Which OCI images there are, and what is in them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{layer::Layer, layout::Layout, machine};
use crate::{lab::Lab, tools};

/// Where kubeadm takes images from unless told otherwise.
const KUBERNETES: &str = "registry.k8s.io/";
/// Tools that are in images, for the digest of all.
const TOOLS: &[&str] = &["kube-apiserver", "etcd", "coredns", "bridge"];

/// See [`super::layout`].
pub fn layout(lab: &Lab) -> Result<PathBuf> {
    let rootfs = machine::rootfs(lab)?;
    let mut hash = Sha256::new();
    for source in [
        include_str!("set.rs"),
        include_str!("layer.rs"),
        include_str!("layout.rs"),
    ] {
        hash.update(source);
    }
    hash.update(rootfs.as_os_str().as_encoded_bytes());
    for tool in TOOLS {
        hash.update(tools::digest(lab, tool)?);
    }
    let digest = hex::encode(hash.finalize());
    machine::kept(lab, &format!("oci-{}", &digest[..16]), "OCI images", |to| {
        let mut layout = Layout::create(to)?;
        for name in asked_by_kubeadm(lab)? {
            kubernetes(lab, &rootfs, &mut layout, &name)
                .with_context(|| format!("image {name}"))?;
        }
        cni(lab, &rootfs, &mut layout).context("image lab/cni")?;
        check(&rootfs, &mut layout).context("image lab/check")?;
        layout.finish()
    })
}

/// Names as `kube-apiserver:v1.36.3`, without their registry: every registry is the lab's own.
fn asked_by_kubeadm(lab: &Lab) -> Result<Vec<String>> {
    let version = tools::version(lab, "kubeadm")?;
    let mut kubeadm = Command::new(tools::built(lab, "kubeadm")?);
    let out = kubeadm
        .args(["config", "images", "list", "--kubernetes-version", &version])
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let names: Vec<_> = text
        .lines()
        .filter_map(|l| l.strip_prefix(KUBERNETES))
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        bail!(
            "kubeadm config images list: {}",
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(names)
}

/// One of Kubernetes' own. The tag is the one that kubeadm asks for; etcd is of the pinned 3.7 whatever it says.
fn kubernetes(lab: &Lab, rootfs: &Path, layout: &mut Layout, name: &str) -> Result<()> {
    let repository = name.split(':').next().unwrap_or_default();
    let program = repository.rsplit('/').next().unwrap_or_default();
    // Where Kubernetes' own images have it: manifests name the program, or rely on the entry point.
    let (path, user) = match program {
        "coredns" => ("coredns", "65534:65534"),
        "pause" => ("pause", "65535:65535"),
        _ => (&*format!("usr/local/bin/{program}"), "0:0"),
    };
    let mut own = Layer::default();
    own.program(path, tools::built(lab, program)?);
    let run = run(&json!({"Entrypoint": [format!("/{path}")], "User": user}));
    if program == "pause" {
        require_pinned(rootfs, name)?;
    }
    if program == "kube-proxy" {
        let mut network = network(rootfs)?;
        network.debian(rootfs, &["/usr/sbin/conntrack", "/usr/sbin/ipset"])?;
        layout.add(name, &[&network, &own], &run)
    } else {
        layout.add(name, &[&Layer::base(), &own], &run)
    }
}

/// The pod network of the lab's stack: a shell, `ip`, `kubectl`, and the CNI plugins in /opt/cni/bin, to be copied to
/// the machine.
fn cni(lab: &Lab, rootfs: &Path, layout: &mut Layout) -> Result<()> {
    let mut own = Layer::default();
    own.program("usr/local/bin/kubectl", tools::built(lab, "kubectl")?);
    for plugin in tools::CNI_PLUGINS {
        own.program(&format!("opt/cni/bin/{plugin}"), tools::built(lab, plugin)?);
    }
    layout.add(
        "lab/cni:v1",
        &[&network(rootfs)?, &own],
        &run(&json!({"Cmd": ["/bin/sh"]})),
    )
}

/// A workload to check a cluster with: busybox alone, which has httpd, wget and nslookup.
fn check(rootfs: &Path, layout: &mut Layout) -> Result<()> {
    let mut all = Layer::base();
    busybox(&mut all, rootfs)?;
    all.link("usr/bin/sh", "busybox");
    layout.add("lab/check:v1", &[&all], &run(&json!({"Cmd": ["/bin/sh"]})))
}

/// A shell with busybox's tools, iproute2, and iptables on nftables.
fn network(rootfs: &Path) -> Result<Layer> {
    let mut layer = Layer::base();
    busybox(&mut layer, rootfs)?;
    // Debian's busybox prefers its own applets to programs of the same name when it is the shell; dash does not.
    layer.link("usr/bin/sh", "dash");
    let extensions = format!("/usr/lib/{}-linux-gnu/xtables", env::consts::ARCH);
    let programs = ["dash", "ip", "kmod"].map(|p| format!("/usr/bin/{p}"));
    let mut paths: Vec<&str> = programs.iter().map(String::as_str).collect();
    paths.extend([
        "/usr/sbin/xtables-nft-multi",
        "/usr/sbin/nft",
        "/etc/protocols",
        "/etc/services",
        &extensions,
    ]);
    layer.debian(rootfs, &paths)?;
    for family in ["iptables", "ip6tables"] {
        for name in ["", "-save", "-restore", "-nft", "-nft-save", "-nft-restore"] {
            layer.link(&format!("usr/sbin/{family}{name}"), "xtables-nft-multi");
        }
    }
    layer.link("usr/sbin/modprobe", "../bin/kmod");
    Ok(layer)
}

/// Busybox and a link for each applet.
fn busybox(layer: &mut Layer, rootfs: &Path) -> Result<()> {
    let out = Command::new("chroot")
        .arg(rootfs)
        .args(["/usr/bin/busybox", "--list"])
        .output()?;
    let applets = String::from_utf8_lossy(&out.stdout);
    // `ip` is iproute2's where it is there.
    for applet in applets
        .lines()
        .filter(|a| !["busybox", "sh", "ip", "modprobe"].contains(a))
    {
        layer.link(&format!("usr/bin/{applet}"), "busybox");
    }
    layer.debian(rootfs, &["/usr/bin/busybox"])
}

/// What is run, with a search path.
fn run(what: &Value) -> Value {
    let mut all =
        json!({"Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]});
    if let (Some(all), Some(what)) = (all.as_object_mut(), what.as_object()) {
        all.extend(what.clone());
    }
    all
}

/// containerd of the machines must ask for the same pause image as kubeadm.
fn require_pinned(rootfs: &Path, name: &str) -> Result<()> {
    let path = "etc/containerd/config.toml";
    let config = fs::read_to_string(rootfs.join(path)).with_context(|| path.to_owned())?;
    if !config.contains(&format!("'{KUBERNETES}{name}'")) {
        bail!(
            "e2e/image/root/{path} names another pause image than kubeadm, which wants {KUBERNETES}{name}"
        );
    }
    Ok(())
}
