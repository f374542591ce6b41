//! Machines that are played: a Node without a kernel, an API server and an etcd that are real.

use anyhow::{Result, bail};

use super::{plan::Boot, world::Machine};
use crate::lab::Lab;

pub fn boot(_: &Lab, boot: &Boot) -> Result<Machine> {
    bail!("{}: cannot be played yet", boot.name)
}
pub fn power_off(_: &Lab, _: &mut Machine) -> Result<()> {
    Ok(())
}
pub fn remove(_: &Lab, _: &Machine) -> Result<()> {
    Ok(())
}
