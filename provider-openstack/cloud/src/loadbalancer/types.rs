//! Octavia's resources, as far as the provider needs them. `operating_status` is left out: it changes
//! by itself, and nobody decides by it.

use serde::{Deserialize, Serialize};

use crate::Ref;
use crate::wire::words;

words! {
    /// `provisioning_status`. While a load balancer or a child of it is pending, Octavia refuses changes
    /// of the whole load balancer with a conflict.
    ProvisioningStatus {
        /// Ready for changes.
        Active = "ACTIVE",
        /// Being made.
        PendingCreate = "PENDING_CREATE",
        /// Being changed.
        PendingUpdate = "PENDING_UPDATE",
        /// Being deleted.
        PendingDelete = "PENDING_DELETE",
        /// Gone.
        Deleted = "DELETED",
        /// Octavia gave up; only deletion is possible.
        Error = "ERROR",
    }
}

impl ProvisioningStatus {
    /// Whether Octavia is still at work.
    pub fn is_pending(&self) -> bool {
        matches!(
            self,
            Self::PendingCreate | Self::PendingUpdate | Self::PendingDelete
        )
    }
}

/// A load balancer.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LoadBalancer {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    pub provisioning_status: ProvisioningStatus,
    /// For example `amphora`, `ovn`.
    pub provider: String,
    pub flavor_id: Option<String>,
    pub availability_zone: Option<String>,
    pub vip_address: String,
    pub vip_port_id: String,
    pub vip_subnet_id: String,
    pub vip_network_id: String,
    /// Since 2.26.
    pub additional_vips: Vec<AdditionalVip>,
}

/// A further address of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdditionalVip {
    pub subnet_id: String,
    /// `None` leaves it to Octavia.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

/// A listener.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Listener {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub provisioning_status: ProvisioningStatus,
    pub protocol: String,
    pub protocol_port: i32,
    /// Who may connect; empty means everybody.
    pub allowed_cidrs: Vec<String>,
    pub default_pool_id: Option<String>,
    pub loadbalancers: Vec<Ref>,
}

/// A pool with its members.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pool {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub provisioning_status: ProvisioningStatus,
    pub protocol: String,
    pub lb_algorithm: String,
    pub healthmonitor_id: Option<String>,
    pub loadbalancers: Vec<Ref>,
    pub listeners: Vec<Ref>,
    /// Complete in a view; a bare list of pools has only their ids.
    pub members: Vec<Member>,
}

/// A member of a pool.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Member {
    pub id: String,
    pub name: String,
    pub tags: Vec<String>,
    pub provisioning_status: ProvisioningStatus,
    pub address: String,
    pub protocol_port: i32,
    pub subnet_id: Option<String>,
}

/// A health monitor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Monitor {
    pub id: String,
    pub name: String,
    pub tags: Vec<String>,
    pub provisioning_status: ProvisioningStatus,
    /// For example `TCP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds between probes.
    pub delay: i32,
    /// Seconds until a probe has failed.
    pub timeout: i32,
    pub max_retries: i32,
    pub max_retries_down: i32,
    pub pools: Vec<Ref>,
}

/// What a load balancer is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadBalancerCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub vip_network_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vip_subnet_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vip_address: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_vips: Vec<AdditionalVip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a listener is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ListenerCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub loadbalancer_id: String,
    pub protocol: String,
    pub protocol_port: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_pool_id: Option<String>,
    /// `None` where the cloud does not support it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_cidrs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a pool is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PoolCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub listener_id: String,
    pub protocol: String,
    pub lb_algorithm: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a member is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MemberCreate {
    pub name: String,
    pub address: String,
    pub protocol_port: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// What a health monitor is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct MonitorCreate {
    pub name: String,
    pub pool_id: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Seconds between probes.
    pub delay: i32,
    /// Seconds until a probe has failed.
    pub timeout: i32,
    pub max_retries: i32,
    pub max_retries_down: i32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// A provider of load balancers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Provider {
    pub name: String,
    pub description: String,
}

/// A flavor of load balancers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LoadBalancerFlavor {
    pub id: String,
    pub name: String,
    pub enabled: bool,
}
