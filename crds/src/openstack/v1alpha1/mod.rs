//! Version `v1alpha1`: kinds that are younger than the others.

mod cluster_identity;
mod floating_ip_pool;
mod server;

pub use cluster_identity::*;
pub use floating_ip_pool::*;
pub use server::*;
