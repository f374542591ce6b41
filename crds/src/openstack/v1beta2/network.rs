//! How a spec points at something in Neutron: by `id`, or by a `filter` that matches one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Match by Neutron tags. Each list must hold as Neutron's filter of the same name says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FilterByNeutronTags {
    /// Has all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1), regex(pattern = "^[^,]+$")), transform = schema::set)]
    pub tags: Vec<String>,
    /// Has at least one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1), regex(pattern = "^[^,]+$")), transform = schema::set)]
    pub tags_any: Vec<String>,
    /// Lacks at least one of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1), regex(pattern = "^[^,]+$")), transform = schema::set)]
    pub not_tags: Vec<String>,
    /// Has none of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(inner(length(min = 1), regex(pattern = "^[^,]+$")), transform = schema::set)]
    pub not_tags_any: Vec<String>,
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::exactly_one)]
pub struct NetworkParam {
    /// UUID of the network.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub id: Option<String>,
    /// Matches one network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<NetworkFilter>,
}

/// Properties of a network.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_empty)]
pub struct NetworkFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Exact description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Owning project.
    #[serde(rename = "projectID", skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Tags.
    #[serde(flatten)]
    pub by_tags: FilterByNeutronTags,
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
    pub ip_version: Option<i32>,
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

/// A router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::exactly_one)]
pub struct RouterParam {
    /// UUID of the router.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub id: Option<String>,
    /// Matches one router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<RouterFilter>,
}

/// Properties of a router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_empty)]
pub struct RouterFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Exact description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Owning project.
    #[serde(rename = "projectID", skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Tags.
    #[serde(flatten)]
    pub by_tags: FilterByNeutronTags,
}

/// A security group, or several where a filter matches several.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::exactly_one)]
pub struct SecurityGroupParam {
    /// UUID of the security group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub id: Option<String>,
    /// Matches security groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<SecurityGroupFilter>,
}

/// Properties of a security group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::not_empty)]
pub struct SecurityGroupFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Exact description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Owning project.
    #[serde(rename = "projectID", skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// Tags.
    #[serde(flatten)]
    pub by_tags: FilterByNeutronTags,
}
