//! API types: what users write and controllers publish.
//!
//! - [`openstack`]: the infrastructure provider's kinds, compatible with CAPO's.
//! - [`stacks`]: cluster stacks, compatible with the Cluster Stack Operator's.
//! - [`capi`]: read views of the Cluster API kinds that own ours.
//!
//! [`definitions`] holds the CustomResourceDefinitions, the source of `config/crd/`.

pub mod capi;
pub mod definitions;
mod names;
pub mod openstack;
mod schema;
pub mod stacks;
