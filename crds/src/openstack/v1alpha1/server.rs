use k8s_openapi::api::core::v1::{LocalObjectReference, NodeAddress, TypedLocalObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openstack::v1beta2::{
    AdditionalBlockDevice, ImageParam, OpenStackIdentityReference, PortOpts, PortStatus,
    ResolvedPortSpec, RootVolume, SchedulerHintAdditionalProperty, SecurityGroupParam,
    ServerGroupParam, ServerMetadata,
};
use crate::schema;

/// A server, whatever it is for. Made by OpenStackMachines and by bastions.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "OpenStackServer",
    namespaced,
    status = "OpenStackServerStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "oss",
    category = "cluster-api",
    doc = "A server in OpenStack.",
    printcolumn = r#"{"name": "InstanceState", "type": "string", "jsonPath": ".status.instanceState"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.ready"}"#,
    printcolumn = r#"{"name": "InstanceID", "type": "string", "jsonPath": ".status.instanceID"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(has(self.flavor) || has(self.flavorID))",
    "message": "flavor or flavorID must be set",
}]))]
pub struct OpenStackServerSpec {
    /// Where the credentials for OpenStack come from.
    pub identity_ref: OpenStackIdentityReference,
    /// Name of the flavor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub flavor: Option<String>,
    /// ID of the flavor; wins over `flavor`.
    #[serde(rename = "flavorID", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub flavor_id: Option<String>,
    /// Image of the server, or of its root volume.
    pub image: ImageParam,
    /// Name of the key pair for SSH; may be empty.
    pub ssh_key_name: String,
    /// Ports of the server, at least one.
    pub ports: Vec<PortOpts>,
    /// Security groups of the ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<SecurityGroupParam>,
    /// Put a trunk on every port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<bool>,
    /// Tags of the server, its ports and trunks.
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
    /// Availability zone. Absent means as Nova chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// An OpenStackFloatingIPPool that gives the server a floating IP.
    #[serde(
        rename = "floatingIPPoolRef",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(schema_with = "schema::typed_local_object_reference")]
    pub floating_ip_pool_ref: Option<TypedLocalObjectReference>,
    /// Secret with the user data, under the key `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::local_object_reference")]
    pub user_data_ref: Option<LocalObjectReference>,
    /// Further hints to Nova's scheduler.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub scheduler_hint_additional_properties: Vec<SchedulerHintAdditionalProperty>,
}

/// What was found or made for a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("required" = ["ready"]))]
pub struct OpenStackServerStatus {
    /// The server is active.
    #[serde(default)]
    #[schemars(extend("default" = false))]
    pub ready: bool,
    /// UUID of the server.
    #[serde(rename = "instanceID", skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Nova's state of the server, for example `ACTIVE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_state: Option<String>,
    /// Addresses of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::node_addresses")]
    pub addresses: Vec<NodeAddress>,
    /// The spec with every reference looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedServerSpec>,
    /// What was created for the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ServerResources>,
    /// What works and what does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}

/// A server's spec with every reference looked up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedServerSpec {
    /// UUID of the server group.
    #[serde(rename = "serverGroupID", skip_serializing_if = "Option::is_none")]
    pub server_group_id: Option<String>,
    /// UUID of the image.
    #[serde(rename = "imageID", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    /// ID of the flavor.
    #[serde(rename = "flavorID", skip_serializing_if = "Option::is_none")]
    pub flavor_id: Option<String>,
    /// The ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ResolvedPortSpec>,
}

/// What was created for a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerResources {
    /// The ports, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortStatus>,
}
