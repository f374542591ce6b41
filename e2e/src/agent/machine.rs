//! What real and played machines have in common: a folder, a network namespace, links, processes to end.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    network::link,
    plan::{Boot, Link},
    real::cgroups,
    world::Machine,
};
use crate::{lab::Lab, netns, process::wait_for};

/// Folder of a machine: its record, its console or logs, and its disk.
pub fn folder(lab: &Lab, id: &str) -> PathBuf {
    lab.part_dir("agent/machines").join(id)
}

/// A machine's own files as the host sees them: for a real one without what is on its tmpfs (`/run`, `/tmp`).
pub fn root(dir: &Path) -> PathBuf {
    dir.join("disk/upper")
}

/// The administrator's kubeconfig on a control plane machine.
pub fn admin_conf(lab: &Lab, id: &str) -> PathBuf {
    root(&folder(lab, id)).join("etc/kubernetes/admin.conf")
}

/// A record of a machine that is not powered on yet.
pub fn new(lab: &Lab, boot: &Boot) -> Machine {
    Machine {
        id: boot.id.clone(),
        name: boot.name.clone(),
        kind: boot.kind,
        netns: format!("{}-n-{}", lab.netns(), boot.id),
        rootfs: None,
        on: false,
        processes: [].into(),
        restarted: None,
        links: [].into(),
        since: jiff::Timestamp::now(),
    }
}

/// Makes the network namespace and its links.
pub fn wire(lab: &Lab, machine: &mut Machine, links: &[Link]) -> Result<()> {
    let dir = folder(lab, &machine.id);
    netns::ip(&["netns", "add", &machine.netns])?;
    for (number, wanted) in links.iter().enumerate() {
        machine
            .links
            .insert(wanted.port.clone(), wanted.router.clone());
        machine.write(&dir)?;
        link::attach(lab, &machine.netns, number, wanted)?;
    }
    Ok(())
}

/// Removes them.
pub fn unwire(lab: &Lab, machine: &Machine) -> Result<()> {
    for (port, router) in &machine.links {
        link::detach(lab, router, port);
    }
    if netns::named(lab).contains(&machine.netns) {
        netns::delete(&machine.netns)?;
    }
    Ok(())
}

/// SIGKILL to everything of it, and its end: power is cut.
pub fn kill_all(machine: &Machine) -> Result<()> {
    let alive = || machine.processes.iter().filter(|(_, p)| p.alive());
    for (name, process) in alive() {
        match kill(Pid::from_raw(process.pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => bail!("{}: kill {name} ({}): {e}", machine.name, process.pid),
        }
    }
    wait_for(
        &format!("end of {}", machine.name),
        Duration::from_secs(20),
        || match alive().next() {
            Some((name, process)) => bail!("{name} ({}) still runs", process.pid),
            None => Ok(()),
        },
    )
}

/// All processes of all machines, containers included.
pub fn processes(lab: &Lab) -> BTreeSet<Pid> {
    let prefix = format!("{}-n-", lab.netns());
    let networks: Vec<_> = netns::named(lab)
        .into_iter()
        .filter(|n| n.starts_with(&prefix))
        .collect();
    let mut found: BTreeSet<_> = netns::processes(&networks).into_iter().collect();
    // Pods have network namespaces of their own.
    found.extend(cgroups::processes(&lab.netns()));
    found
}
