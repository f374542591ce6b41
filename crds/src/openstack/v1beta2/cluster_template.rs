use std::collections::BTreeMap;

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::OpenStackClusterSpec;
use crate::schema;

/// A template that a ClusterClass makes OpenStackClusters from.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
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
    /// Labels and annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<TemplateMetadata>,
    /// The spec.
    pub spec: OpenStackClusterSpec,
}

/// Labels and annotations that a template passes on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::not_empty)]
pub struct TemplateMetadata {
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}
