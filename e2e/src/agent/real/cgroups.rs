//! Control groups of machines: one subtree for each machine in every hierarchy, which becomes the root that the
//! machine sees.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use nix::unistd::Pid;

use crate::process::wait_for;

/// A hierarchy that is mounted on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hierarchy {
    pub mounted: PathBuf,
    /// Its mount options that name controllers (`cpu,cpuacct`, `none,name=systemd`); None for cgroup2.
    pub v1: Option<String>,
}

/// The host's hierarchies.
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    parse(&fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?)
}

/// From lines of /proc/self/mounts.
fn parse(mounts: &str) -> Result<Vec<Hierarchy>> {
    const GENERAL: [&str; 6] = ["rw", "ro", "relatime", "nosuid", "nodev", "noexec"];
    let mut found = vec![];
    for line in mounts.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let [_, mounted, kind, options, ..] = fields[..] else {
            continue;
        };
        let v1 = match kind {
            "cgroup2" => None,
            "cgroup" => {
                let own: Vec<_> = options
                    .split(',')
                    .filter(|o| !GENERAL.contains(o) && *o != "xattr")
                    .collect();
                Some(own.join(",").replace("name=systemd", "none,name=systemd"))
            }
            _ => continue,
        };
        // The same hierarchy may be mounted twice, for instance inside a container's root.
        if mounted.starts_with("/sys/fs/cgroup") {
            found.push(Hierarchy {
                mounted: PathBuf::from(mounted),
                v1,
            });
        }
    }
    if found.is_empty() {
        bail!(
            "no cgroup hierarchy is mounted below /sys/fs/cgroup: mount one (cgroup2 or v1) to boot machines"
        );
    }
    Ok(found)
}

/// Makes `group` (`<lab>/<machine>`) everywhere and moves this process into it.
pub fn join(group: &str) -> Result<()> {
    let hierarchies = hierarchies()?;
    let unified = hierarchies.iter().all(|h| h.v1.is_none());
    for Hierarchy { mounted, .. } in &hierarchies {
        let (lab, machine) = (
            group.split('/').next().unwrap_or(group),
            mounted.join(group),
        );
        fs::create_dir_all(&machine).with_context(|| machine.display().to_string())?;
        if unified {
            delegate(mounted)?;
            delegate(&mounted.join(lab))?;
        }
        if mounted.join("cpuset.cpus").exists() {
            inherit_cpuset(mounted, &mounted.join(lab))?;
            inherit_cpuset(mounted, &machine)?;
        }
        let procs = machine.join("cgroup.procs");
        fs::write(&procs, std::process::id().to_string())
            .with_context(|| procs.display().to_string())?;
    }
    Ok(())
}

/// A group of the v1 cpuset hierarchy starts without CPUs and takes no process in.
fn inherit_cpuset(root: &Path, group: &Path) -> Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        fs::copy(root.join(file), group.join(file))
            .map(drop)
            .or_else(|_| {
                // copy() also sets permissions, which not every kernel lets happen here.
                fs::read(root.join(file)).and_then(|all| fs::write(group.join(file), all))
            })?;
    }
    fs::write(group.join("cgroup.clone_children"), "1").with_context(|| group.display().to_string())
}

/// cgroup2: hands all controllers down to the groups below.
fn delegate(group: &Path) -> Result<()> {
    let path = group.join("cgroup.controllers");
    let has = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let all: Vec<_> = has.split_whitespace().map(|c| format!("+{c}")).collect();
    let path = group.join("cgroup.subtree_control");
    fs::write(&path, all.join(" ")).with_context(|| path.display().to_string())
}

/// Removes `group` everywhere, once its last processes have left it: a moment after their pid 1.
pub fn remove(group: &str) -> Result<()> {
    for Hierarchy { mounted, .. } in hierarchies()? {
        let path = mounted.join(group);
        if path.exists() {
            wait_for(
                &format!("removal of {}", path.display()),
                Duration::from_secs(20),
                || Ok(remove_tree(&path)?),
            )?;
        }
    }
    Ok(())
}

/// Processes in `group` and below it, in whichever hierarchy comes first: a process of a machine is in all.
pub fn processes(group: &str) -> Vec<Pid> {
    fn below(dir: &Path, found: &mut Vec<Pid>) {
        let members = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
        found.extend(
            members
                .lines()
                .filter_map(|l| l.parse().ok().map(Pid::from_raw)),
        );
        let folders = fs::read_dir(dir).into_iter().flatten().flatten();
        for folder in folders.filter(|f| f.file_type().is_ok_and(|t| t.is_dir())) {
            below(&folder.path(), found);
        }
    }
    let mut found = vec![];
    if let Some(first) = hierarchies().unwrap_or_default().first() {
        below(&first.mounted.join(group), &mut found);
    }
    found
}

/// Depth first; a group's files are no files and need no removal.
fn remove_tree(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_found() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let options: Vec<_> = parse(mounts).unwrap().into_iter().map(|h| h.v1).collect();
        assert_eq!(
            options,
            [
                Some("cpu,cpuacct".to_owned()),
                Some("none,name=systemd".to_owned()),
                None
            ]
        );
    }

    #[test]
    fn a_host_without_hierarchies_is_told_so() {
        let error = parse("proc /proc proc rw 0 0\n").unwrap_err();
        assert!(error.to_string().contains("cgroup"));
    }
}
