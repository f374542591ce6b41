//! API types: what users write and controllers publish.
//!
//! - [`openstack`]: the infrastructure provider's kinds, compatible with CAPO's; how their versions
//!   convert, and what of them is refused.
//! - [`stacks`]: cluster stacks, compatible with the Cluster Stack Operator's.
//! - [`capi`]: read views of the Cluster API kinds that own ours.
//! - [`orc`]: read views of the OpenStack Resource Controller's kinds that ours refer to.
//!
//! [`definitions`] holds the CustomResourceDefinitions, the source of `config/crd/`.

pub mod capi;
pub mod definitions;
mod names;
pub mod openstack;
pub mod orc;
mod schema;
pub mod stacks;
