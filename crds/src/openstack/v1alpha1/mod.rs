//! Version `v1alpha1`: kinds that are younger than the others.

mod server;

pub use server::*;
