use k8s_openapi::api::core::v1::TypedLocalObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::openstack::v1beta2::{SecurityGroupParam, ServerGroupParam};
use crate::schema;

/// A server that becomes a node.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "OpenStackMachine",
    namespaced,
    status = "OpenStackMachineStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "osm",
    category = "cluster-api",
    doc = "The OpenStack server of a Machine.",
    printcolumn = r#"{"name": "Cluster", "type": "string", "jsonPath": ".metadata.labels.cluster\\.x-k8s\\.io/cluster-name"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.ready"}"#,
    printcolumn = r#"{"name": "ProviderID", "type": "string", "jsonPath": ".spec.providerID"}"#,
    printcolumn = r#"{"name": "Machine", "type": "string", "jsonPath": ".metadata.ownerReferences[?(@.kind==\"Machine\")].name"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.flavor) || has(self.flavorID))",
    "message": "flavor or flavorID must be set",
}]))]
pub struct OpenStackMachineSpec {
    /// `openstack://<region>/<server UUID>`, as the node has it. Written by the provider.
    #[serde(rename = "providerID", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Name of the flavor. Became `flavor.filter.name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub flavor: Option<String>,
    /// ID of the flavor; wins over `flavor`. Became `flavor.id`.
    #[serde(rename = "flavorID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub flavor_id: Option<String>,
    /// Image of the server, or of its root volume.
    pub image: ImageParam,
    /// Name of the key pair for SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_key_name: Option<String>,
    /// Ports of the server. Empty means one in the cluster's network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortOpts>,
    /// Security groups of every port that has none of its own and of the ports that have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<SecurityGroupParam>,
    /// Put a trunk on every port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<bool>,
    /// Tags of the server, its ports and trunks, besides those of the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub tags: Vec<String>,
    /// Metadata of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_key)]
    pub server_metadata: Vec<ServerMetadata>,
    /// Offer the user data on a config drive too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_drive: Option<bool>,
    /// Boot from a volume. Absent means from the flavor's own disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_volume: Option<RootVolume>,
    /// Further disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub additional_block_devices: Vec<AdditionalBlockDevice>,
    /// Server group of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_group: Option<ServerGroupParam>,
    /// Credentials for this machine. Absent means those of the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_ref: Option<OpenStackIdentityReference>,
    /// An OpenStackFloatingIPPool that gives the server a floating IP.
    #[serde(
        rename = "floatingIPPoolRef",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::typed_local_object_reference")]
    pub floating_ip_pool_ref: Option<TypedLocalObjectReference>,
    /// Further hints to Nova's scheduler.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub scheduler_hint_additional_properties: Vec<SchedulerHintAdditionalProperty>,
}
