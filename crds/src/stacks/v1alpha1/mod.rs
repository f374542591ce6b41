//! Version `v1alpha1`, the only one.

mod cluster_addon;
mod cluster_stack;
mod cluster_stack_release;
mod resource;

pub use cluster_addon::*;
pub use cluster_stack::*;
pub use cluster_stack_release::*;
pub use resource::*;
