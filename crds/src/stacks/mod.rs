//! Group `clusterstack.x-k8s.io`: cluster stacks.
//!
//! Kinds, field names, defaults and rules are the Cluster Stack Operator's, so that either
//! operator can take over the other's objects.

pub mod conditions;
pub mod names;
pub mod v1alpha1;
