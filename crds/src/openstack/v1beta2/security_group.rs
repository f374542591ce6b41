use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Let the provider make the security groups of the nodes and the bastion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedSecurityGroups {
    /// Rules for all nodes, besides the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub cluster_nodes_security_group_rules: Vec<SecurityGroupRuleSpec>,
    /// Rules for control plane nodes, besides the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub control_plane_nodes_security_group_rules: Vec<SecurityGroupRuleSpec>,
    /// Rules for workers, besides the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub worker_nodes_security_group_rules: Vec<SecurityGroupRuleSpec>,
    /// Allow all traffic between nodes, in place of the ports that Kubernetes needs.
    /// Absent means false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub allow_all_in_cluster_traffic: Option<bool>,
}

/// A rule of a managed security group. At most one `remote…` field may be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupRuleSpec {
    /// Tells the rules of a list apart.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Description of the rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Into or out of the node.
    pub direction: RuleDirection,
    /// IP version of the rule. Absent means as Neutron does: IPv4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ether_type: Option<EtherType>,
    /// First port, or ICMP type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_min: Option<i32>,
    /// Last port, or ICMP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_max: Option<i32>,
    /// Protocol, by name or number. Absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// UUID of the security group of the other side.
    #[serde(rename = "remoteGroupID", skip_serializing_if = "Option::is_none")]
    pub remote_group_id: Option<String>,
    /// CIDR of the other side.
    #[serde(rename = "remoteIPPrefix", skip_serializing_if = "Option::is_none")]
    pub remote_ip_prefix: Option<String>,
    /// Managed groups of the other side; one rule each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub remote_managed_groups: Vec<ManagedSecurityGroupName>,
}

/// Direction of traffic, seen from the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuleDirection {
    /// Into the node.
    #[default]
    Ingress,
    /// Out of the node.
    Egress,
}

/// IP version of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EtherType {
    /// IP version 4.
    #[default]
    IPv4,
    /// IP version 6.
    IPv6,
}

/// The security groups that the provider makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ManagedSecurityGroupName {
    /// Of the bastion.
    Bastion,
    /// Of control plane nodes.
    #[default]
    ControlPlane,
    /// Of workers.
    Worker,
}
