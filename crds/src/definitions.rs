//! The CustomResourceDefinitions of all kinds.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::CustomResourceExt;

use crate::{openstack, stacks};

/// The kinds of the infrastructure provider.
///
/// One version of each is served, so there is no conversion.
pub fn openstack() -> Vec<CustomResourceDefinition> {
    use openstack::{v1alpha1, v1beta2};
    vec![
        v1beta2::OpenStackCluster::crd(),
        v1beta2::OpenStackClusterTemplate::crd(),
        v1beta2::OpenStackMachine::crd(),
        v1beta2::OpenStackMachineTemplate::crd(),
        v1alpha1::OpenStackServer::crd(),
    ]
}

/// The kinds of cluster stacks.
pub fn stacks() -> Vec<CustomResourceDefinition> {
    use stacks::v1alpha1;
    vec![
        v1alpha1::ClusterStack::crd(),
        v1alpha1::ClusterStackRelease::crd(),
        v1alpha1::ClusterAddon::crd(),
    ]
}
