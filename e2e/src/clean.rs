//! `cargo lab down`: parts stop in their own way, then whatever is still there is found and removed.
//!
//! Found by what was recorded (PID and start time) and by names that only this lab uses: network namespaces
//! `capstan-<name>` and `capstan-<name>-*`, cgroups `capstan-<name>`, mounts below its folder. Thus it works
//! after a `kill -9` of anything, the lab's own commands included.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    mount::{MntFlags, umount2},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    cache,
    lab::Lab,
    limits, netns,
    order::{self, Direction},
    parts,
    process::{ancestors, wait_for},
};

const DEADLINE: Duration = Duration::from_secs(30);

/// Stops everything; with `purge` the lab's files go as well.
///
/// # Errors
/// What could not be removed, each thing named.
pub fn down(lab: &Lab, purge: bool) -> Result<()> {
    let stopped = order::each(&parts::all(), Direction::Down, |part| {
        if lab.records(part.name()).is_empty() {
            return Ok(());
        }
        lab.step(format_args!("{}: down", part.name()), || part.down(lab))
    });
    if let Err(e) = stopped {
        lab.say(format_args!("{e:#}; what is left of it is removed now"));
    }
    sweep(lab)?;
    if purge {
        fs::remove_dir_all(&lab.dir).with_context(|| format!("remove {}", lab.dir.display()))?;
        cache::prune(lab)?;
    }
    match leftovers(lab) {
        left if left.is_empty() => Ok(()),
        left => bail!("still there: {}", left.join(", ")),
    }
}

/// Everything of this lab that is not a plain file: empty after `down`.
pub fn leftovers(lab: &Lab) -> Vec<String> {
    let processes = processes(lab).into_iter().map(|p| format!("process {p}"));
    let namespaces = netns::named(lab)
        .into_iter()
        .map(|n| format!("network namespace {n}"));
    let mounts = mounts_below(&lab.dir)
        .into_iter()
        .map(|m| format!("mount {}", m.display()));
    let cgroups = cgroups(lab)
        .into_iter()
        .map(|c| format!("cgroup {}", c.display()));
    processes
        .chain(namespaces)
        .chain(mounts)
        .chain(cgroups)
        .collect()
}

fn sweep(lab: &Lab) -> Result<()> {
    wait_for("end of the lab's processes", DEADLINE, || {
        let left = processes(lab);
        for pid in &left {
            match kill(*pid, Signal::SIGKILL) {
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(e) => bail!("SIGKILL to PID {pid}: {e}"),
            }
        }
        if left.is_empty() {
            Ok(())
        } else {
            bail!("{left:?} still run")
        }
    })?;
    for mount in mounts_below(&lab.dir) {
        umount2(&mount, MntFlags::MNT_DETACH)
            .with_context(|| format!("unmount {}", mount.display()))?;
    }
    for cgroup in cgroups(lab) {
        // The kernel lets go of an ended process a moment after it has ended.
        wait_for("empty cgroup", DEADLINE, || remove_cgroup(&cgroup))?;
    }
    for name in netns::named(lab) {
        netns::delete(&name)?;
    }
    limits::put_back(lab)
}

/// Processes in the lab's network namespaces or cgroups, without this command and those that called it.
fn processes(lab: &Lab) -> Vec<Pid> {
    let spared = ancestors();
    let mut found = netns::processes(&netns::named(lab));
    for cgroup in cgroups(lab) {
        walk(&cgroup, &mut |dir| found.extend(members(dir)));
    }
    found.retain(|p| !spared.contains(p));
    found.sort();
    found.dedup();
    found
}

/// Mounts below `dir` in this mount namespace, the innermost first.
fn mounts_below(dir: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    // Blanks in a path are written in octal there; the lab makes none.
    let points = table
        .lines()
        .filter_map(|l| l.split(' ').nth(4))
        .map(PathBuf::from);
    let mut below: Vec<_> = points.filter(|p| p.starts_with(dir) && p != dir).collect();
    below.reverse();
    below
}

/// The lab's cgroup in each hierarchy where it exists: cgroup v2, or one for each controller.
fn cgroups(lab: &Lab) -> Vec<PathBuf> {
    let root = Path::new("/sys/fs/cgroup");
    let hierarchies = fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|e| Some(e.ok()?.path()));
    let mut found: Vec<_> = [root.to_owned()]
        .into_iter()
        .chain(hierarchies)
        .map(|h| h.join(lab.netns()))
        .filter(|c| c.join("cgroup.procs").exists())
        .collect();
    // Controllers that are mounted together are one hierarchy under several names.
    found.sort_by_key(|c| fs::canonicalize(c).ok());
    found.dedup_by_key(|c| fs::canonicalize(c).ok());
    found
}

fn remove_cgroup(dir: &Path) -> Result<()> {
    let mut result = Ok(());
    walk(dir, &mut |d| {
        if result.is_ok() {
            result = fs::remove_dir(d).with_context(|| format!("remove {}", d.display()));
        }
    });
    result
}

fn members(cgroup: &Path) -> Vec<Pid> {
    let list = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    list.lines()
        .filter_map(|l| l.parse().ok().map(Pid::from_raw))
        .collect()
}

/// Calls `visit` for `dir` and all folders in it, the deepest first.
fn walk(dir: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            walk(&entry.path(), visit);
        }
    }
    visit(dir);
}
