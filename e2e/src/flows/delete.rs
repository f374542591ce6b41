//! A deleted Cluster leaves nothing behind.

use anyhow::Result;

use super::{audit, demo, wait};
use crate::lab::Lab;

/// Deletes the demo's cluster, and compares cloud and host with what they were before it.
pub fn run(lab: &Lab) -> Result<()> {
    let (tenant, cluster) = demo::create(lab)?;
    let before = audit::kept(lab, demo::NAME)?;
    let gone = tenant.delete(&cluster.name);
    if gone.is_err() {
        wait::diagnose(&tenant, &cluster.name);
    }
    lab.say(format_args!("gone after {:.1} s", gone?.as_secs_f64()));
    audit::clean_since(lab, &before)
}
