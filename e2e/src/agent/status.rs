//! What the agent is about, for `check`, for flows and for people: `<lab>/agent/status.json`.

use std::{collections::BTreeMap, fs, path::PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::{execute::Executor, world::Kind};
use crate::lab::Lab;

/// Written after every round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// Why OpenStack could not be observed; empty while it can.
    pub problem: String,
    pub machines: Vec<MachineStatus>,
    /// What failed last and is tried again, by the id of a server or router.
    pub failures: BTreeMap<String, String>,
}

/// One machine.
#[derive(Debug, Serialize, Deserialize)]
pub struct MachineStatus {
    /// The server's id.
    pub id: String,
    pub name: String,
    pub kind: Kind,
    pub running: bool,
    /// Last power-on.
    pub since: jiff::Timestamp,
}

/// Where it is written.
pub fn path(lab: &Lab) -> PathBuf {
    lab.part_dir("agent").join("status.json")
}

impl Status {
    /// After a round that ended with `problem`.
    pub fn of(executor: &Executor<'_, '_>, problem: String) -> Self {
        let machines = executor
            .world()
            .machines
            .into_values()
            .map(|m| MachineStatus {
                running: m.running(),
                id: m.id,
                name: m.name,
                kind: m.kind,
                since: m.since,
            });
        Self {
            problem,
            machines: machines.collect(),
            failures: executor.failures(),
        }
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, lab: &Lab) -> Result<()> {
        let path = path(lab);
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_vec_pretty(self)?)
            .with_context(|| new.display().to_string())?;
        fs::rename(&new, &path).with_context(|| path.display().to_string())
    }

    /// The last one.
    pub fn read(lab: &Lab) -> Result<Self> {
        let path = path(lab);
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        serde_json::from_slice(&bytes).with_context(|| path.display().to_string())
    }
}
