//! The parts of the lab.

pub mod admission;
pub mod capi;
pub mod capstan;
pub mod management;
pub mod manifests;
pub mod registry;
pub mod webhooks;

use anyhow::{Result, anyhow};

use crate::{agent, openstack, part::Part};

/// All parts, in the order of `status`.
pub fn all() -> Vec<Box<dyn Part>> {
    vec![
        Box::new(openstack::OpenStack),
        Box::new(registry::Registry),
        Box::new(management::Management),
        Box::new(capi::ClusterApi),
        Box::new(capstan::Capstan),
        Box::new(agent::Agent),
    ]
}

/// The part of this name.
pub fn find(name: &str) -> Result<Box<dyn Part>> {
    let known: Vec<_> = all().iter().map(|p| p.name()).collect();
    all()
        .into_iter()
        .find(|p| p.name() == name)
        .ok_or_else(|| anyhow!("no part is called {name}; there are {}", known.join(", ")))
}
