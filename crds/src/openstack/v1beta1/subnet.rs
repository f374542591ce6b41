use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openstack::v1beta2::{FilterByNeutronTags, IPv6Mode};
use crate::schema;

/// A subnet to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubnetSpec {
    /// Addresses of the subnet; also tells an existing subnet apart.
    pub cidr: String,
    /// DNS servers that nodes are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dns_nameservers: Vec<String>,
    /// Ranges that ports get their addresses from. Empty means the whole CIDR.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allocation_pools: Vec<AllocationPool>,
    /// How hosts in an IPv6 subnet get their addresses. Absent means `slaac`. Read when the subnet
    /// is created, and only then; without a meaning for IPv4.
    #[serde(rename = "ipv6Mode", skip_serializing_if = "Option::is_none")]
    pub ipv6_mode: Option<IPv6Mode>,
}

/// A range of addresses, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AllocationPool {
    /// First address.
    pub start: String,
    /// Last address.
    pub end: String,
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

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::exactly_one)]
pub struct SubnetParam {
    /// UUID of the subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub id: Option<String>,
    /// Matches one subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<SubnetFilter>,
}

/// Properties of a subnet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_empty)]
pub struct SubnetFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Exact description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Owning project.
    #[serde(rename = "projectID", skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// 4 or 6.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::int)]
    pub ip_version: Option<i64>,
    /// Address of the gateway.
    #[serde(rename = "gatewayIP", skip_serializing_if = "Option::is_none")]
    pub gateway_ip: Option<String>,
    /// Exact CIDR.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// How IPv6 addresses are given out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address_mode: Option<String>,
    /// Who sends IPv6 router advertisements.
    #[serde(rename = "ipv6RAMode", skip_serializing_if = "Option::is_none")]
    pub ipv6_ra_mode: Option<String>,
    /// Tags.
    #[serde(flatten)]
    pub by_tags: FilterByNeutronTags,
}
