//! `down` leaves nothing, whatever was killed before.

use std::{
    env, fs,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{clean::leftovers, lab::Lab, process::wait_for};

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
    ensure!(
        !leftovers(&second).is_empty(),
        "the stray process and the namespace are seen before `down`"
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
