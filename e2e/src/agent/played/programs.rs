//! Programs of a played machine: recorded, and started with the machine's files as their root.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::Played;
use crate::{
    agent::{network::inside, world::Process},
    tools,
};

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name among the lab's tools.
    pub name: String,
    pub arguments: Vec<String>,
}

/// What the first boot has recorded, if it came to its end.
pub fn read(dir: &Path) -> Option<Vec<Program>> {
    serde_json::from_slice(&fs::read(dir.join("programs.json")).ok()?).ok()
}

/// Records them, all or none.
pub fn write(dir: &Path, programs: &[Program]) -> Result<()> {
    let (path, new) = (dir.join("programs.json"), dir.join("programs.json.new"));
    fs::write(&new, serde_json::to_vec_pretty(programs)?)
        .with_context(|| new.display().to_string())?;
    fs::rename(&new, &path).with_context(|| path.display().to_string())
}

/// Puts a tool where a program of the machine finds it.
pub fn place(played: &Played<'_>, name: &str) -> Result<()> {
    let (from, to) = (
        tools::bin(played.lab, name)?,
        played.root.join("usr/bin").join(name),
    );
    if to.exists() || fs::hard_link(&from, &to).is_ok() {
        return Ok(());
    }
    // On another file system.
    fs::copy(&from, &to)
        .map(drop)
        .with_context(|| format!("copy {} to {}", from.display(), to.display()))
}

/// Starts a program in the machine's network namespace, in a session of its own, so that it outlives the agent.
pub fn start(played: &Played<'_>, program: &Program) -> Result<Process> {
    place(played, &program.name)?;
    let log = played.dir.join(format!("{}.log", program.name));
    let out = File::options()
        .create(true)
        .append(true)
        .open(&log)
        .with_context(|| log.display().to_string())?;
    let mut command = Command::new("setsid");
    command
        .arg("chroot")
        .arg(&played.root)
        .arg(format!("/usr/bin/{}", program.name))
        .args(&program.arguments);
    command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out)
        .env_clear()
        .env("PATH", "/usr/bin:/usr/sbin:/bin");
    let mut child = inside(&played.netns, || {
        command
            .spawn()
            .with_context(|| format!("start {}", program.name))
    })?;
    let process = Process::of(i32::try_from(child.id())?);
    // Reaped here if it ends while the agent runs.
    thread::spawn(move || child.wait());
    process.with_context(|| format!("{} ended at once, see {}", program.name, log.display()))
}
