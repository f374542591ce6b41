//! Group `infrastructure.cluster.x-k8s.io`: the OpenStack infrastructure provider.
//!
//! Kinds, field names, defaults and rules are CAPO's, so that either provider can
//! take over the other's objects.

pub mod conditions;
pub mod conversion;
pub mod names;
pub mod v1alpha1;
pub mod v1beta1;
pub mod v1beta2;
pub mod validation;
