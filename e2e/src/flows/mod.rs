//! The end-to-end flows: what `cargo lab test` shows on the running lab, each a function of its own.

mod clean;
mod conditions;
mod demo;
mod kubernetes;
mod stack;
mod tenant;
mod wait;

use anyhow::Result;

use crate::{lab::Lab, openstack};

/// A flow: what must be seen, and how.
pub struct Flow {
    /// As the filter of `cargo lab test` and the table show it.
    pub name: &'static str,
    /// Parts that it uses; none for a flow that makes a lab of its own.
    pub parts: &'static [&'static str],
    /// An error says what was not seen.
    pub run: fn(&Lab) -> Result<()>,
}

/// From a published cluster stack to Ready nodes, with a table at the end.
pub fn demo(lab: &Lab) -> Result<()> {
    demo::run(lab)
}

/// All flows, in the order in which they run.
pub fn all() -> Vec<Flow> {
    vec![
        Flow {
            name: "lab_leaves_nothing",
            parts: &[],
            run: clean::lab_leaves_nothing,
        },
        Flow {
            name: "openstack",
            parts: &["openstack"],
            run: openstack::prove::prove,
        },
    ]
}
