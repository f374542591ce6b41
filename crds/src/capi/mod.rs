//! Read views of the Cluster API objects that own ours or that we wait for.
//!
//! They hold only the fields that we read. Decoding is tolerant: unknown fields are
//! ignored, missing ones take their default, and what older versions of Cluster API
//! name otherwise is read too. Cluster API writes these objects; patch them as JSON.

mod cluster;
mod ipam;
mod machine;
pub mod names;
mod owner;

pub use cluster::*;
pub use ipam::*;
pub use machine::*;
pub use owner::*;

/// `kube::Resource` for a namespaced kind: of Cluster API itself, or of the group and version given.
macro_rules! resource {
    ($type:ty, $kind:literal, $plural:literal) => {
        crate::capi::resource!(
            $type,
            $kind,
            $plural,
            crate::capi::names::GROUP,
            crate::capi::names::VERSION
        );
    };
    ($type:ty, $kind:literal, $plural:literal, $group:expr, $version:expr) => {
        impl kube::core::Resource for $type {
            type DynamicType = ();
            type Scope = k8s_openapi::NamespaceResourceScope;

            fn kind(_: &()) -> std::borrow::Cow<'_, str> {
                $kind.into()
            }
            fn group(_: &()) -> std::borrow::Cow<'_, str> {
                $group.into()
            }
            fn version(_: &()) -> std::borrow::Cow<'_, str> {
                $version.into()
            }
            fn plural(_: &()) -> std::borrow::Cow<'_, str> {
                $plural.into()
            }
            fn meta(&self) -> &k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &self.metadata
            }
            fn meta_mut(
                &mut self,
            ) -> &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
                &mut self.metadata
            }
        }
    };
}

pub(crate) use resource;
