use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Condition, OpenStackClusterSpec, OpenStackMachineSpec};
use crate::openstack::v1beta2::NodeInfo;
use crate::schema;

/// A template that a ClusterClass makes OpenStackClusters from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "OpenStackClusterTemplate",
    namespaced,
    derive = "Default",
    derive = "PartialEq",
    shortname = "osct",
    category = "cluster-api",
    doc = "A template that a ClusterClass makes OpenStackClusters from."
)]
pub struct OpenStackClusterTemplateSpec {
    /// The template.
    pub template: OpenStackClusterTemplateResource,
}

/// What an OpenStackCluster gets from its template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenStackClusterTemplateResource {
    /// The spec.
    pub spec: OpenStackClusterSpec,
}

/// A template that OpenStackMachines are made from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "OpenStackMachineTemplate",
    namespaced,
    status = "OpenStackMachineTemplateStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "osmt",
    category = "cluster-api",
    doc = "A template that OpenStackMachines are made from."
)]
pub struct OpenStackMachineTemplateSpec {
    /// The template.
    pub template: OpenStackMachineTemplateResource,
}

/// What an OpenStackMachine gets from its template.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenStackMachineTemplateResource {
    /// The spec.
    pub spec: OpenStackMachineSpec,
}

/// What the cluster autoscaler needs to scale from zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenStackMachineTemplateStatus {
    /// Resources of a machine: `cpu`, `memory`, `ephemeral-storage`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::quantities")]
    pub capacity: BTreeMap<String, Quantity>,
    /// Its platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_info: Option<NodeInfo>,
    /// What works and what does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::capi_v1beta1_conditions")]
    pub conditions: Vec<Condition>,
}
