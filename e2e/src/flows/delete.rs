//! A deleted Cluster leaves nothing behind.

use anyhow::Result;

use super::{audit, demo, tenant::Tenant};
use crate::lab::Lab;

/// Deletes the demo's cluster, and compares cloud and host with what they were before it.
pub fn run(lab: &Lab) -> Result<()> {
    let tenant = Tenant::open(lab, demo::NAME)?;
    let cluster = match tenant.cluster(demo::NAME)? {
        Some(there) => there,
        None => demo::create(lab)?.1,
    };
    let before = audit::kept(lab, demo::NAME)?;
    let gone = tenant.delete(&cluster.name)?;
    lab.say(format_args!("gone after {:.1} s", gone.as_secs_f64()));
    audit::clean_since(lab, &before)
}
