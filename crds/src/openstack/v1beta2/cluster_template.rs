use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OpenStackClusterSpec, TemplateMetadata};

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
