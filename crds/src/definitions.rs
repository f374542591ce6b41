//! The CustomResourceDefinitions of all kinds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::core::CustomResourceExt;

use crate::{capi, openstack, stacks};

/// The kinds of the infrastructure provider, labelled with the contracts of Cluster API that
/// they keep.
pub fn openstack() -> Vec<CustomResourceDefinition> {
    use openstack::{v1alpha1, v1beta1, v1beta2};
    let definitions = [
        both(
            v1beta1::OpenStackCluster::crd(),
            v1beta2::OpenStackCluster::crd(),
        ),
        both(
            v1beta1::OpenStackClusterTemplate::crd(),
            v1beta2::OpenStackClusterTemplate::crd(),
        ),
        both(
            v1beta1::OpenStackMachine::crd(),
            v1beta2::OpenStackMachine::crd(),
        ),
        both(
            v1beta1::OpenStackMachineTemplate::crd(),
            v1beta2::OpenStackMachineTemplate::crd(),
        ),
        v1alpha1::OpenStackServer::crd(),
        moved(
            v1alpha1::OpenStackFloatingIPPool::crd(),
            capi::names::MOVE_LABEL,
        ),
        moved(
            v1alpha1::OpenStackClusterIdentity::crd(),
            capi::names::MOVE_HIERARCHY_LABEL,
        ),
    ];
    definitions.map(|d| labelled(finished(d))).into()
}

/// A kind with two versions, of which the second is stored.
fn both(old: CustomResourceDefinition, new: CustomResourceDefinition) -> CustomResourceDefinition {
    let mut definition = new;
    let served = old.spec.versions.into_iter().map(|mut version| {
        version.storage = false;
        version
    });
    definition.spec.versions.splice(0..0, served);
    definition
}

/// The kinds of cluster stacks.
pub fn stacks() -> Vec<CustomResourceDefinition> {
    use stacks::v1alpha1;
    let definitions = [
        v1alpha1::ClusterStack::crd(),
        v1alpha1::ClusterStackRelease::crd(),
        v1alpha1::ClusterAddon::crd(),
    ];
    definitions.map(finished).into()
}

/// Cluster API finds the version of a kind that keeps a contract by the label named like the contract.
fn labelled(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    let labels = definition.metadata.labels.get_or_insert_default();
    let provider = (capi::names::PROVIDER_LABEL, openstack::names::PROVIDER);
    let contracts = openstack::names::CONTRACTS;
    for (key, value) in contracts.into_iter().chain([provider]) {
        labels.insert(key.into(), value.into());
    }
    definition
}

/// A kind that clusters refer to and do not own: `clusterctl move` would leave it behind.
fn moved(mut definition: CustomResourceDefinition, label: &str) -> CustomResourceDefinition {
    let labels = definition.metadata.labels.get_or_insert_default();
    labels.insert(label.into(), String::new());
    definition
}

/// Takes out what Rust types say and CRDs must not.
fn finished(mut definition: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut definition.spec.versions {
        if let Some(schema) = version
            .schema
            .as_mut()
            .and_then(|s| s.open_api_v3_schema.as_mut())
        {
            prune(schema);
        }
    }
    definition
}

/// - `nullable`: the API server drops a null in a field that is not nullable, and then applies
///   the default; `Option` in Rust means that the field may be absent, not null.
/// - `uint…` formats: Kubernetes knows `int32` and `int64` only.
/// - `title`: the name of the Rust type.
fn prune(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.title = None;
    if schema
        .format
        .as_ref()
        .is_some_and(|format| format.starts_with("uint"))
    {
        schema.format = None;
    }
    schema
        .properties
        .iter_mut()
        .flat_map(|p| p.values_mut())
        .for_each(prune);
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => prune(items),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(prune),
        None => {}
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        prune(values);
    }
}
