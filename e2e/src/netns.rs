//! The lab's network namespaces: without an uplink, so that no packet for a test address leaves the machine.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use nix::{
    sched::{CloneFlags, setns},
    unistd::Pid,
};

use crate::{lab::Lab, process::pids};

/// Bridge of the external network in the lab's namespace; the router of the node agent is attached to it.
pub const EXTERNAL_BRIDGE: &str = "ext0";
/// The lab's own leg of the external network.
pub const EXTERNAL_ADDRESS: &str = "172.29.0.1/16";

const NAMED: &str = "/run/netns";

/// Makes the lab's namespace with loopback and the external network, if it does not exist.
pub fn create(lab: &Lab) -> Result<()> {
    let name = lab.netns();
    if !path(&name).exists() {
        ip(&["netns", "add", &name])?;
    }
    let inside = |args: &[&str]| ip(&[&["-n", name.as_str()], args].concat());
    inside(&["link", "set", "lo", "up"])?;
    if inside(&["link", "show", EXTERNAL_BRIDGE]).is_err() {
        inside(&["link", "add", EXTERNAL_BRIDGE, "type", "bridge"])?;
    }
    inside(&["addr", "replace", EXTERNAL_ADDRESS, "dev", EXTERNAL_BRIDGE])?;
    inside(&["link", "set", EXTERNAL_BRIDGE, "up"])
}

/// Moves the calling thread into the lab's namespace; threads and processes that it starts later follow.
pub fn enter(lab: &Lab) -> Result<()> {
    enter_named(&lab.netns())
}

/// The same for any named namespace.
pub fn enter_named(name: &str) -> Result<()> {
    let path = path(name);
    let file = File::open(&path).with_context(|| format!("{}: is the lab up?", path.display()))?;
    setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("enter network namespace {name}"))
}

/// Refuses to go on outside the lab's namespace.
pub fn require_inside(lab: &Lab) -> Result<()> {
    let name = lab.netns();
    if identity(Path::new("/proc/thread-self/ns/net")) != identity(&path(&name)) {
        bail!(
            "this thread is not in network namespace {name}: nothing of the lab may start outside it"
        );
    }
    Ok(())
}

/// Names of the lab's namespaces that exist: `capstan-<name>` and `capstan-<name>-*`.
pub fn named(lab: &Lab) -> Vec<String> {
    let own = lab.netns();
    let further = format!("{own}-");
    let entries = fs::read_dir(NAMED).into_iter().flatten();
    let names = entries.filter_map(|e| e.ok()?.file_name().into_string().ok());
    names
        .filter(|n| *n == own || n.starts_with(&further))
        .collect()
}

/// Is any lab of this machine up?
pub fn any_lab() -> bool {
    let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
    entries
        .filter_map(|e| e.file_name().into_string().ok())
        .any(|name| name.starts_with("capstan-"))
}

/// All processes inside one of these namespaces.
pub fn processes(names: &[String]) -> Vec<Pid> {
    let ours: BTreeSet<_> = names.iter().filter_map(|n| identity(&path(n))).collect();
    pids()
        .filter(|p| {
            identity(Path::new(&format!("/proc/{p}/ns/net"))).is_some_and(|id| ours.contains(&id))
        })
        .collect()
}

/// Removes a namespace; the links in it go with it.
pub fn delete(name: &str) -> Result<()> {
    ip(&["netns", "delete", name])
}

/// Runs `ip`; the error holds what it said.
pub fn ip(args: &[&str]) -> Result<()> {
    let out = Command::new("ip")
        .args(args)
        .output()
        .context("run ip (Debian package iproute2)")?;
    if !out.status.success() {
        bail!(
            "ip {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(())
}

fn path(name: &str) -> PathBuf {
    Path::new(NAMED).join(name)
}

/// Device and inode of a namespace file: the same for everything inside it.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}
