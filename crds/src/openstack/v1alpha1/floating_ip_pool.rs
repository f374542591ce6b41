use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openstack::v1beta2::{NetworkParam, NetworkStatus, OpenStackIdentityReference};
use crate::schema;

/// Floating IPs for the servers whose spec refers to the pool, by way of Cluster API's IPAM contract.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "OpenStackFloatingIPPool",
    namespaced,
    status = "OpenStackFloatingIPPoolStatus",
    derive = "Default",
    derive = "PartialEq",
    doc = "A pool of floating IPs."
)]
pub struct OpenStackFloatingIPPoolSpec {
    /// Addresses of floating IPs that exist already. Given first, and never deleted.
    #[serde(
        rename = "preAllocatedFloatingIPs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub pre_allocated_floating_ips: Vec<String>,
    /// The pool makes no further floating IP once so many are claimed. Absent means no limit.
    #[serde(rename = "maxIPs", skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::int)]
    pub max_ips: Option<i64>,
    /// Where the credentials for OpenStack come from.
    pub identity_ref: OpenStackIdentityReference,
    /// External network that the addresses are from. Absent means the only one there is.
    #[serde(rename = "floatingIPNetwork", skip_serializing_if = "Option::is_none")]
    pub floating_ip_network: Option<NetworkParam>,
    /// What becomes of a floating IP that is claimed no more.
    pub reclaim_policy: ReclaimPolicy,
}

/// What becomes of a floating IP that is claimed no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// The pool keeps it for the next claim.
    #[default]
    Retain,
    /// It is deleted, unless it was there before the pool.
    Delete,
}

/// The addresses of a pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenStackFloatingIPPoolStatus {
    /// Addresses that are claimed.
    #[serde(rename = "claimedIPs", default)]
    pub claimed_ips: Vec<String>,
    /// Addresses that a claim can have at once.
    #[serde(rename = "availableIPs", default)]
    pub available_ips: Vec<String>,
    /// Addresses that could not be made ready for use.
    #[serde(rename = "failedIPs", default, skip_serializing_if = "Vec::is_empty")]
    pub failed_ips: Vec<String>,
    /// The network that the addresses are from.
    #[serde(rename = "floatingIPNetwork", skip_serializing_if = "Option::is_none")]
    pub floating_ip_network: Option<NetworkStatus>,
    /// What works and what does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
}
