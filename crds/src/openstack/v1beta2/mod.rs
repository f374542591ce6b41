//! Version `v1beta2`, the one that is stored.

mod cluster;
mod cluster_network;
mod cluster_status;
mod cluster_template;
mod identity;
mod machine;
mod machine_template;
mod network;
mod port;
mod security_group;
mod server;

pub use cluster::*;
pub use cluster_network::*;
pub use cluster_status::*;
pub use cluster_template::*;
pub use identity::*;
pub use machine::*;
pub use machine_template::*;
pub use network::*;
pub use port::*;
pub use security_group::*;
pub use server::*;
