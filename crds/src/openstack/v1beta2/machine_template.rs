use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OpenStackMachineSpec;
use crate::schema;

/// A template that OpenStackMachines are made from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
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
    #[schemars(schema_with = "schema::conditions", transform = schema::map_by_type)]
    pub conditions: Vec<Condition>,
}

/// Platform of the machines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_empty)]
pub struct NodeInfo {
    /// Operating system, for example `linux`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operating_system: Option<String>,
}
