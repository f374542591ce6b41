//! Version `v1beta1`: served for clients that have not moved to [`v1beta2`](super::v1beta2) yet.
//!
//! The types say what the schema is and what a field has become; requests in this version are
//! [converted](super::conversion) before they are stored. Types that are the same in both
//! versions are those of `v1beta2`. What upstream does not have is in both: a client of this
//! version would otherwise drop it.

mod cluster;
mod cluster_status;
mod identity;
mod machine;
mod machine_status;
mod port;
mod security_group;
mod server;
mod subnet;
mod template;

pub use cluster::*;
pub use cluster_status::*;
pub use identity::*;
pub use machine::*;
pub use machine_status::*;
pub use port::*;
pub use security_group::*;
pub use server::*;
pub use subnet::*;
pub use template::*;
