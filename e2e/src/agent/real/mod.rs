//! Machines that really boot: namespaces, an overlay root, systemd as pid 1, Debian's cloud-init.

pub mod cgroups;
pub mod init;
pub mod seed;

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{
    network::link,
    plan::Boot,
    world::{Kind, Machine, Process},
};
use crate::{lab::Lab, netns, process::wait_for};

/// Folders of a machine that must not lie on the overlay: containerd, kubelet and etcd need a real file system.
pub const STATE: [&str; 4] = ["kubelet", "containerd", "etcd", "log"];

/// Folder of a machine: its record, its console and its disk.
pub fn folder(lab: &Lab, id: &str) -> PathBuf {
    lab.part_dir("agent/machines").join(id)
}

/// Root of a running machine, as the host sees it. On disk, so only what is not on a tmpfs of the machine (`/run`,
/// `/tmp`).
pub fn upper(dir: &Path) -> PathBuf {
    dir.join("disk/upper")
}

/// Powers a machine on, from its disk if it has one.
pub fn boot(lab: &Lab, boot: &Boot) -> Result<Machine> {
    let dir = folder(lab, &boot.id);
    let mut machine = match Machine::read(&dir) {
        Ok(kept) => kept,
        Err(_) => create(lab, &dir, boot)?,
    };
    // What a power-off that was cut short has left.
    clear(lab, &machine)?;
    netns::ip(&["netns", "add", &machine.netns])?;
    for (number, wanted) in boot.links.iter().enumerate() {
        machine
            .links
            .insert(wanted.port.clone(), wanted.router.clone());
        machine.write(&dir)?;
        link::attach(lab, &machine.netns, number, wanted)?;
    }
    seed::registry(lab, &upper(&dir))?;
    machine.restarted.clone_from(&boot.restarted);
    machine.since = jiff::Timestamp::now();
    machine.init = Some(launch(lab, &dir, &machine)?);
    machine.write(&dir)?;
    Ok(machine)
}

/// A new disk with its seed, and then a record of it, before anything outside the machine's folder is made.
fn create(lab: &Lab, dir: &Path, boot: &Boot) -> Result<Machine> {
    let rootfs = lab.cache.join("rootfs");
    for folder in ["disk/upper", "disk/work", "disk/root"] {
        fs::create_dir_all(dir.join(folder)).with_context(|| dir.display().to_string())?;
    }
    for folder in STATE {
        fs::create_dir_all(dir.join("disk/var").join(folder))?;
    }
    seed::write(&upper(dir), boot)?;
    let machine = Machine {
        id: boot.id.clone(),
        name: boot.name.clone(),
        kind: Kind::Real,
        netns: format!("{}-n-{}", lab.netns(), boot.id),
        rootfs,
        init: None,
        restarted: None,
        links: [].into(),
        since: jiff::Timestamp::now(),
    };
    machine.write(dir)?;
    Ok(machine)
}

/// Starts pid 1 by way of this program: see [`init`].
fn launch(lab: &Lab, dir: &Path, machine: &Machine) -> Result<Process> {
    let console = File::options()
        .create(true)
        .append(true)
        .open(dir.join("console.log"))?;
    let mut launcher = Command::new("/proc/self/exe")
        .args([
            "agent",
            "launch",
            "--netns",
            &machine.netns,
            "--cgroup",
            &cgroup(lab, &machine.id),
        ])
        .args(["--host", &machine.name])
        .arg("--disk")
        .arg(dir.join("disk"))
        .arg("--rootfs")
        .arg(&machine.rootfs)
        .env("CAPSTAN_LAB", &lab.name)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(console)
        .spawn()
        .context("start the launcher")?;
    let mut said = String::new();
    if let Some(stdout) = launcher.stdout.as_mut() {
        stdout.read_to_string(&mut said)?;
    }
    let ended = launcher.wait()?;
    if !ended.success() {
        bail!(
            "the launcher failed, see {}",
            dir.join("console.log").display()
        );
    }
    let pid = said
        .trim()
        .parse()
        .with_context(|| format!("the launcher said {said:?} instead of a PID"))?;
    Process::of(pid).with_context(|| {
        format!(
            "pid 1 ended at once, see {}",
            dir.join("console.log").display()
        )
    })
}

/// Powers a machine off, hard: with pid 1 all its processes end and its mounts go.
pub fn power_off(lab: &Lab, machine: &mut Machine) -> Result<()> {
    clear(lab, machine)?;
    machine.init = None;
    machine.links.clear();
    machine.write(&folder(lab, &machine.id))
}

/// Powers a machine off and removes its disk.
pub fn remove(lab: &Lab, machine: &Machine) -> Result<()> {
    clear(lab, machine)?;
    let dir = folder(lab, &machine.id);
    fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())
}

fn clear(lab: &Lab, machine: &Machine) -> Result<()> {
    if let Some(init) = machine.init.as_ref().filter(|i| i.alive()) {
        match kill(Pid::from_raw(init.pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(e) => bail!("{}: kill pid 1 ({}): {e}", machine.name, init.pid),
        }
        wait_for("end of a machine's pid 1", Duration::from_secs(20), || {
            if init.alive() {
                bail!("PID {} still runs", init.pid)
            } else {
                Ok(())
            }
        })?;
    }
    cgroups::remove(&cgroup(lab, &machine.id))?;
    for (port, router) in &machine.links {
        link::detach(lab, router, port);
    }
    if netns::named(lab).contains(&machine.netns) {
        netns::delete(&machine.netns)?;
    }
    Ok(())
}

/// A machine's group in every hierarchy.
fn cgroup(lab: &Lab, id: &str) -> String {
    format!("{}/{id}", lab.netns())
}
