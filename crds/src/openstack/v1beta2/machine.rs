use k8s_openapi::api::core::v1::{NodeAddress, TypedLocalObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::schema;

/// A server that becomes a node.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "OpenStackMachine",
    namespaced,
    status = "OpenStackMachineStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "osm",
    category = "cluster-api",
    doc = "The OpenStack server of a Machine.",
    printcolumn = r#"{"name": "Cluster", "type": "string", "jsonPath": ".metadata.labels.cluster\\.x-k8s\\.io/cluster-name"}"#,
    printcolumn = r#"{"name": "ProviderID", "type": "string", "jsonPath": ".spec.providerID"}"#,
    printcolumn = r#"{"name": "Machine", "type": "string", "jsonPath": ".metadata.ownerReferences[?(@.kind==\"Machine\")].name"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
pub struct OpenStackMachineSpec {
    /// `openstack://<region>/<server UUID>`, as the node has it. Written by the provider.
    #[serde(rename = "providerID", skip_serializing_if = "Option::is_none")]
    pub provider_id: Option<String>,
    /// Flavor of the server.
    pub flavor: FlavorParam,
    /// Image of the server, or of its root volume.
    pub image: ImageParam,
    /// Name of the key pair for SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh_key_name: Option<String>,
    /// Ports of the server. Empty means one in the cluster's network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub ports: Vec<PortOpts>,
    /// Security groups of every port that has none of its own and of the ports that have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
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

/// What was found or made for a machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenStackMachineStatus {
    /// What works and what does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions", transform = schema::map_by_type)]
    pub conditions: Vec<Condition>,
    /// The contract with Cluster API about the first provisioning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initialization: Option<MachineInitialization>,
    /// UUID of the server.
    #[serde(rename = "instanceID", skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// Nova's state of the server, for example `ACTIVE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_state: Option<String>,
    /// Addresses of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::node_addresses", transform = schema::atomic)]
    pub addresses: Vec<NodeAddress>,
    /// The spec with every reference looked up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolved: Option<ResolvedMachineSpec>,
    /// What was created for the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<MachineResources>,
}

/// Progress of the first provisioning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineInitialization {
    /// The server was active once. Never goes back to false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned: Option<bool>,
}

/// A machine's spec with every reference looked up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedMachineSpec {
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
    #[schemars(transform = schema::atomic)]
    pub ports: Vec<ResolvedPortSpec>,
}

/// What was created for a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MachineResources {
    /// The ports, in the order of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub ports: Vec<PortStatus>,
}
