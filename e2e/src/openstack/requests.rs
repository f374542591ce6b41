//! Counts of requests at the front end, from its access log.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::PathBuf,
};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{NAME, client::Service};
use crate::lab::Lab;

/// One request, logged when it was answered.
#[derive(Clone, Debug, Deserialize)]
pub struct Request {
    /// Port of the front end: which service.
    pub port: u16,
    /// Its method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// HTTP status.
    pub status: u16,
    /// What the client calls itself.
    pub agent: String,
}

impl Request {
    /// The service that it went to.
    pub fn service(&self) -> Option<Service> {
        Service::ALL.into_iter().find(|s| s.port() == self.port)
    }
}

/// A moment: what was logged before it does not count.
#[derive(Clone, Copy, Debug)]
pub struct Mark(u64);

/// Now.
pub fn mark(lab: &Lab) -> Mark {
    Mark(fs::metadata(log(lab)).map_or(0, |m| m.len()))
}

/// Requests since `mark` by clients whose user agent contains `agent` (`""`: by all).
///
/// # Errors
/// A log that cannot be read.
pub fn since(lab: &Lab, mark: Mark, agent: &str) -> Result<Vec<Request>> {
    let path = log(lab);
    let mut text = String::new();
    let mut file = File::open(&path).with_context(|| path.display().to_string())?;
    file.seek(SeekFrom::Start(mark.0))?;
    file.read_to_string(&mut text)
        .with_context(|| path.display().to_string())?;
    // The last line may still be being written.
    let requests = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Request>(line).ok());
    Ok(requests.filter(|r| r.agent.contains(agent)).collect())
}

/// Number of requests since `mark` for each service, by clients whose user agent contains `agent`.
///
/// # Errors
/// A log that cannot be read.
pub fn requests_since(lab: &Lab, mark: Mark, agent: &str) -> Result<BTreeMap<&'static str, usize>> {
    let mut counts = BTreeMap::new();
    for service in since(lab, mark, agent)?.iter().filter_map(Request::service) {
        *counts.entry(service.name()).or_default() += 1;
    }
    Ok(counts)
}

fn log(lab: &Lab) -> PathBuf {
    lab.part_dir(NAME).join("log/requests.jsonl")
}
