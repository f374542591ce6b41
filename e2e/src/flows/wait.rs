//! Waiting for what must be seen, and saying what was seen instead.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use serde_json::Value;

use super::{conditions::text, tenant::Tenant};
use crate::{lab::Lab, parts::capstan};

const POLL: Duration = Duration::from_millis(500);
/// Lines of a log that are shown after a failure.
const LINES: usize = 15;

/// Waits until nothing is missing any more; returns how long that took.
///
/// # Errors
/// After `deadline`, with what still is; a failing question counts as something missing.
pub fn until(
    what: &str,
    deadline: Duration,
    mut missing: impl FnMut() -> Result<Vec<String>>,
) -> Result<Duration> {
    let begun = Instant::now();
    loop {
        let now = missing().unwrap_or_else(|e| vec![format!("{e:#}")]);
        let took = begun.elapsed();
        if now.is_empty() {
            return Ok(took);
        }
        if took >= deadline {
            bail!(
                "{what}: not there after {} s:\n  {}",
                deadline.as_secs(),
                now.join("\n  ")
            );
        }
        thread::sleep(POLL);
    }
}

/// The same for something that is there or not.
pub fn until_true(
    what: &str,
    deadline: Duration,
    mut there: impl FnMut() -> Result<bool>,
) -> Result<Duration> {
    until(what, deadline, || {
        Ok(if there()? {
            vec![]
        } else {
            vec!["not yet".to_owned()]
        })
    })
}

/// The same for something of a cluster: if it does not come, what is wrong with the cluster is said first.
///
/// # Errors
/// As [`until`].
pub fn until_cluster(
    tenant: &Tenant<'_>,
    cluster: &str,
    what: &str,
    deadline: Duration,
    missing: impl FnMut() -> Result<Vec<String>>,
) -> Result<Duration> {
    let waited = until(&format!("{cluster}: {what}"), deadline, missing);
    if waited.is_err() {
        diagnose(tenant, cluster);
    }
    waited
}

/// Says what is wrong with everything that belongs to a cluster, and what the operator logged last.
fn diagnose(tenant: &Tenant<'_>, cluster: &str) {
    let lab = tenant.lab;
    lab.say(format_args!(
        "What is not as it should be with {}/{cluster}:",
        tenant.namespace
    ));
    match tenant.objects(cluster) {
        Ok(objects) => {
            for line in objects.iter().flat_map(|o| o.complaints()) {
                lab.say(format_args!("  {line}"));
            }
        }
        Err(e) => lab.say(format_args!("  the management cluster does not say: {e:#}")),
    }
    if let Ok(nodes) = tenant.nodes(cluster) {
        for line in nodes.iter().flat_map(|n| n.complaints()) {
            lab.say(format_args!("  {line}"));
        }
    }
    lab.say("Last warnings of capstan-operator (all: `cargo lab logs capstan`):");
    for line in warnings(lab) {
        lab.say(format_args!("  {line}"));
    }
}

/// The operator's last lines that are warnings or errors.
fn warnings(lab: &Lab) -> Vec<String> {
    let log = fs::read_to_string(lab.log(capstan::NAME, capstan::PROCESS)).unwrap_or_default();
    let grave = |line: &&str| {
        let parsed: Value = serde_json::from_str(line).unwrap_or_default();
        ["WARN", "ERROR"].contains(&text(&parsed["level"]))
    };
    let lines = log.lines().rev().filter(grave).take(LINES);
    let mut lines: Vec<_> = lines.map(str::to_owned).collect();
    lines.reverse();
    lines
}
