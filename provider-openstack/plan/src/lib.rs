//! What to do next, decided from values in hand.
//!
//! Every controller of the provider asks a `plan` function of this crate: given what is wanted
//! (`Want`, validated), what exists now (`Seen`) and the time, it answers a [`step::Decision`]:
//! the next actions as data, and the status to publish. Nothing here performs I/O or reads a clock,
//! so each decision can be replayed, tested with properties, and interrupted anywhere.
//!
//! - [`step`]: the shape of an answer
//! - [`world`]: OpenStack's resources, cut down to what decisions need
//! - [`names`], `tags`, [`rules`]: how our resources are recognised in a cloud
//! - [`filter`]: which resources the filter of a spec means
//! - `near`: what was meant by a name that nothing has
//! - [`conditions`]: conditions whose times change only with their status
//! - [`cluster`]: network, router, security groups, API endpoint and bastion of a cluster
//! - [`machine`]: the server object of a machine, and its way to the API traffic
//! - [`server`]: ports, volumes and the server itself
//! - [`floating_ip_pool`]: the addresses of a pool, and the claims on them
//! - [`machine_template`]: what machines will have, and address pairs that changed since

pub mod cluster;
pub mod conditions;
pub mod filter;
pub mod floating_ip_pool;
pub mod machine;
pub mod machine_template;
pub mod names;
mod near;
pub mod rules;
pub mod server;
pub mod step;
mod tags;
pub mod world;
