//! Bringing parts up: prerequisites, downloads and builds outside, then everything else inside the namespace.

use anyhow::Result;

use crate::{
    lab::Lab,
    limits, netns,
    order::{self, Direction},
    part::Part,
    parts, prerequisites,
};

/// Brings up the parts called `wanted` (all if none is named) and what they need.
/// Afterwards the calling thread is in the lab's network namespace.
///
/// # Errors
/// The first thing in the way, with the part's name.
pub fn up(lab: &Lab, wanted: &[String]) -> Result<()> {
    let chosen = prepare(lab, wanted)?;
    netns::create(lab)?;
    limits::raise(lab)?;
    netns::enter(lab)?;
    order::each(&chosen, Direction::Up, |part| {
        lab.step(format_args!("{}: up", part.name()), || {
            part.up(lab)?;
            part.check(lab)
        })
    })
}

/// Installs, downloads and builds what these parts need; nothing is started.
pub fn prepare(lab: &Lab, wanted: &[String]) -> Result<Vec<Box<dyn Part>>> {
    let chosen = order::select(parts::all(), wanted)?;
    let names: Vec<_> = chosen.iter().map(|p| p.name()).collect();
    prerequisites::install(lab, &names)?;
    order::each(&chosen, Direction::Any, |part| {
        lab.step(format_args!("{}: prepared", part.name()), || {
            part.prepare(lab)
        })
    })?;
    Ok(chosen)
}
