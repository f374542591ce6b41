//! The end-to-end flows: what `cargo lab test` shows on the running lab, each a function of its own.

mod audit;
mod bad_input;
mod clean;
mod conditions;
mod corrupt;
mod crash;
mod delete;
mod demo;
mod kubernetes;
mod requests;
mod scale;
mod shapes;
mod stack;
mod tenant;
mod upgrade;
mod wait;

use anyhow::Result;

use crate::{agent, lab::Lab, openstack, parts::webhooks};

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

/// Everything.
const ALL: &[&str] = &[
    "openstack",
    "registry",
    "management",
    "capi",
    "capstan",
    "agent",
];

/// All flows, in the order in which they run: those with real machines share one cluster, from its creation to its end.
pub fn all() -> Vec<Flow> {
    let flow = |name, run| Flow {
        name,
        parts: ALL,
        run,
    };
    vec![
        Flow {
            name: "openstack",
            parts: &["openstack"],
            run: openstack::prove::prove,
        },
        Flow {
            name: "webhooks",
            parts: &["capi", "capstan"],
            run: webhooks::prove,
        },
        Flow {
            name: "machines",
            parts: &["openstack", "agent"],
            run: agent::prove::prove,
        },
        flow("create", demo::run),
        flow("scale", scale::run),
        flow("upgrade", upgrade::run),
        flow("delete", delete::run),
        flow("crash", crash::run),
        flow("shapes", shapes::run),
        flow("bad_input", bad_input::run),
        flow("requests", requests::run),
        Flow {
            name: "lab_leaves_nothing",
            parts: &[],
            run: clean::lab_leaves_nothing,
        },
    ]
}
