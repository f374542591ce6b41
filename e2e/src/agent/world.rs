//! The world that the agent has made: recorded on disk, so that a killed agent finds it again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{firewall::Firewall, plan::RouterWanted};
use crate::process::start_time;

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// By server id.
    pub machines: BTreeMap<String, Machine>,
    /// Routers with a namespace, by id, and what was last done to them; None after a restart of the agent.
    pub routers: BTreeMap<String, Option<RouterWanted>>,
    /// What was last let through to machines, by server id; absent after a restart of the agent.
    pub firewalls: BTreeMap<String, Firewall>,
    /// Machines that something is being done to at this moment.
    pub busy: BTreeSet<String>,
}

/// A machine that was made, running or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The server's id.
    pub id: String,
    pub name: String,
    pub kind: Kind,
    /// The network namespace that it owns.
    pub netns: String,
    /// The lower layer of a real machine's root; stays the same for as long as its disk lives.
    pub rootfs: Option<PathBuf>,
    /// Is it powered on?
    pub on: bool,
    /// What runs of it on the host, by name: pid 1 of a real machine, the programs of a played one.
    pub processes: BTreeMap<String, Process>,
    /// The last reboot or rebuild that this boot answers.
    pub restarted: Option<String>,
    /// Ports that have a link, with the router whose namespace holds the other end.
    pub links: BTreeMap<String, String>,
    /// Last power-on.
    pub since: jiff::Timestamp,
}

/// How a server is brought to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Booted: namespaces, systemd, cloud-init.
    Real,
    /// Its Node is played by kwok, its API server and etcd are real.
    Played,
}

/// A process that cannot be mistaken for a later one of the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks between the machine's boot and its start.
    pub started: u64,
}

impl Process {
    /// The process of this number, if it runs.
    pub fn of(pid: i32) -> Option<Self> {
        Some(Self {
            pid,
            started: start_time(pid)?,
        })
    }

    /// Does it still run?
    pub fn alive(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }
}

impl Machine {
    /// Reads the record in a machine's folder.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join("machine.json");
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let (path, new) = (dir.join("machine.json"), dir.join("machine.json.new"));
        fs::write(&new, serde_json::to_vec_pretty(self)?)
            .with_context(|| new.display().to_string())?;
        fs::rename(&new, &path).with_context(|| path.display().to_string())
    }

    /// Is it powered on, and does everything of it run?
    pub fn running(&self) -> bool {
        self.on && self.processes.values().all(Process::alive)
    }
}

/// All machines with a record below `machines`; a folder without one was left by a crash before the first boot.
pub fn machines(machines: &Path) -> BTreeMap<String, Machine> {
    let folders = fs::read_dir(machines).into_iter().flatten();
    folders
        .filter_map(|f| Machine::read(&f.ok()?.path()).ok())
        .map(|m| (m.id.clone(), m))
        .collect()
}
