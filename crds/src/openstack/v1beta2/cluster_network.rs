//! The network that the provider makes for a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SubnetParam;
use crate::schema;

/// A subnet to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSpec {
    /// Addresses of the subnet; also tells an existing subnet apart.
    #[schemars(length(min = 1))]
    pub cidr: String,
    /// DNS servers that nodes are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub dns_nameservers: Vec<String>,
    /// Ranges that ports get their addresses from. Empty means the whole CIDR.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub allocation_pools: Vec<AllocationPool>,
    /// How hosts in an IPv6 subnet get their addresses. Absent means `slaac`. Read when the subnet
    /// is created, and only then; without a meaning for IPv4.
    #[serde(rename = "ipv6Mode", skip_serializing_if = "Option::is_none")]
    pub ipv6_mode: Option<IPv6Mode>,
}

/// How hosts in an IPv6 subnet get their addresses: Neutron's `ipv6_address_mode` and
/// `ipv6_ra_mode`, which are of use only together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IPv6Mode {
    /// From router advertisements alone.
    #[default]
    #[serde(rename = "slaac")]
    Slaac,
    /// From DHCPv6.
    #[serde(rename = "dhcpv6-stateful")]
    DHCPv6Stateful,
    /// Addresses from router advertisements, name servers from DHCPv6.
    #[serde(rename = "dhcpv6-stateless")]
    DHCPv6Stateless,
}

impl IPv6Mode {
    /// Neutron's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slaac => "slaac",
            Self::DHCPv6Stateful => "dhcpv6-stateful",
            Self::DHCPv6Stateless => "dhcpv6-stateless",
        }
    }
}

/// A range of addresses, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AllocationPool {
    /// First address.
    #[schemars(length(min = 1))]
    pub start: String,
    /// Last address.
    #[schemars(length(min = 1))]
    pub end: String,
}

/// Properties of the managed network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self == null || has(self.mtu) || has(self.enablePortSecurity)",
    "message": "mtu or enablePortSecurity must be set",
}]))]
pub struct ManagedNetwork {
    /// Largest packet, in bytes. Absent means the cloud's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i32>,
    /// Whether Neutron filters traffic of ports in this network. Absent means the cloud's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_port_security: Option<bool>,
}

/// Properties of the managed router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "has(self.externalIPs)",
    "message": "externalIPs must be set",
}]))]
pub struct ManagedRouter {
    /// Addresses of the gateway in the external network.
    #[serde(rename = "externalIPs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1), transform = schema::atomic)]
    pub external_ips: Vec<ExternalRouterIPParam>,
}

/// An address of a router in the external network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalRouterIPParam {
    /// The address. Absent means any free one.
    #[serde(rename = "fixedIP", skip_serializing_if = "Option::is_none")]
    pub fixed_ip: Option<String>,
    /// Subnet of the external network.
    pub subnet: SubnetParam,
}
