//! `down` leaves nothing, whatever was killed before.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    mount::{MsFlags, mount},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{clean::leftovers, lab::Lab, netns, process::wait_for};

/// A second, small lab: killed while it comes up, brought up again over the remains, its processes killed, taken down.
pub fn lab_leaves_nothing(lab: &Lab) -> Result<()> {
    let second = Lab::open("leaves0")?;
    let names = |l: &Lab| {
        l.records("management")
            .into_iter()
            .map(|(n, _)| n)
            .collect::<Vec<_>>()
    };

    lab.say("a lab is killed while it comes up");
    let mut first = command(&second, &["up", "management"])?.spawn()?;
    wait_for("etcd of the second lab", Duration::from_secs(60), || {
        ensure!(second.alive("management", "etcd"), "not started yet");
        Ok(())
    })?;
    kill(Pid::from_raw(i32::try_from(first.id())?), Signal::SIGKILL)?;
    first.wait()?;

    lab.say("it resumes");
    run(&second, &["up", "management"])?;
    ensure!(
        names(&second).len() == 3,
        "etcd, kube-apiserver and kube-controller-manager run, not {:?}",
        names(&second)
    );

    lab.say("its processes are killed, and one that nobody recorded is left in its namespace");
    run(
        &second,
        &[
            "shell",
            "--",
            "sh",
            "-c",
            "setsid sleep 3600 >/dev/null 2>&1 &",
        ],
    )?;
    for name in names(&second) {
        second.kill("management", &name)?;
    }
    remains_of_a_machine(&second)?;
    let before = leftovers(&second);
    ensure!(
        before.len() >= 5,
        "a process, two namespaces, a mount and a cgroup are seen before `down`: {before:?}"
    );
    run(&second, &["down", "--purge"])?;

    let left = leftovers(&second);
    ensure!(left.is_empty(), "left behind: {}", left.join(", "));
    ensure!(names(&second).is_empty(), "records left behind");
    // Lab::open made the folder anew; purged, it holds nothing.
    let files = fs::read_dir(&second.dir).map_or(0, Iterator::count);
    ensure!(files == 0, "{files} files left in {}", second.dir.display());
    Ok(())
}

/// What a node agent would leave that is killed between two steps: a namespace, a mount and a cgroup.
fn remains_of_a_machine(lab: &Lab) -> Result<()> {
    netns::ip(&["netns", "add", &format!("{}-machine", lab.netns())])?;
    let root = lab.part_dir("agent/machine/root");
    let none = None::<&str>;
    mount(none, &root, Some("tmpfs"), MsFlags::empty(), none).context("mount a tmpfs")?;
    // Version 2, or the hierarchy of a controller of version 1.
    let cgroups = Path::new("/sys/fs/cgroup");
    let hierarchy = if cgroups.join("cgroup.procs").exists() {
        cgroups.to_owned()
    } else {
        cgroups.join("pids")
    };
    let cgroup = hierarchy.join(lab.netns()).join("machine");
    fs::create_dir_all(&cgroup).with_context(|| cgroup.display().to_string())
}

fn command(lab: &Lab, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env::current_exe().context("path of this program")?);
    command
        .args(["--name", &lab.name])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    Ok(command)
}

fn run(lab: &Lab, arguments: &[&str]) -> Result<()> {
    let status = command(lab, arguments)?.status()?;
    ensure!(
        status.success(),
        "`cargo lab --name {} {}`: {status}",
        lab.name,
        arguments.join(" ")
    );
    Ok(())
}
