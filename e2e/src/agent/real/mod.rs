//! Machines that really boot: namespaces, an overlay root, systemd as pid 1, Debian's cloud-init.

pub mod cgroups;
pub mod init;
pub mod seed;

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use super::{
    machine::{self, folder},
    plan::Boot,
    world::{Machine, Process},
};
use crate::{image, lab::Lab};

/// Folders of a machine that must not lie on the overlay: containerd, kubelet and etcd need a real file system.
pub const STATE: [&str; 4] = ["kubelet", "containerd", "etcd", "log"];

/// Powers a machine on, from its disk if it has one.
pub fn boot(lab: &Lab, boot: &Boot) -> Result<()> {
    let dir = folder(lab, &boot.id);
    let mut machine = match Machine::read(&dir) {
        Ok(kept) => kept,
        Err(_) => create(lab, &dir, boot)?,
    };
    // What a power-off that was cut short has left.
    clear(lab, &machine)?;
    machine::wire(lab, &mut machine, &boot.links)?;
    seed::registry(lab, &machine::root(&dir))?;
    machine.restarted.clone_from(&boot.restarted);
    machine.since = jiff::Timestamp::now();
    let init = launch(lab, &dir, &machine)?;
    machine.processes.insert("init".to_owned(), init);
    machine.on = true;
    machine.write(&dir)
}

/// A new disk with its seed, and then a record of it, before anything outside the machine's folder is made.
fn create(lab: &Lab, dir: &Path, boot: &Boot) -> Result<Machine> {
    let rootfs = image::rootfs(lab)?;
    for folder in ["disk/work", "disk/root"] {
        fs::create_dir_all(dir.join(folder)).with_context(|| dir.display().to_string())?;
    }
    for folder in STATE {
        fs::create_dir_all(dir.join("disk/var").join(folder))?;
    }
    seed::write(&machine::root(dir), boot)?;
    let machine = Machine {
        rootfs: Some(rootfs),
        ..machine::new(lab, boot)
    };
    machine.write(dir)?;
    Ok(machine)
}

/// Starts pid 1 by way of this program: see [`init`].
fn launch(lab: &Lab, dir: &Path, machine: &Machine) -> Result<Process> {
    let rootfs = machine
        .rootfs
        .as_deref()
        .context("the machine's record names no rootfs")?;
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
        .arg(rootfs)
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
pub fn clear(lab: &Lab, machine: &Machine) -> Result<()> {
    machine::kill_all(machine)?;
    cgroups::remove(&cgroup(lab, &machine.id))?;
    machine::unwire(lab, machine)
}

/// A machine's group in every hierarchy.
fn cgroup(lab: &Lab, id: &str) -> String {
    format!("{}/{id}", lab.netns())
}
