use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openstack::v1beta2::{EtherType, ManagedSecurityGroupName, RuleDirection};
use crate::schema;

/// Let the provider make the security groups of the nodes and the bastion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedSecurityGroups {
    /// Rules for all nodes, besides the built-in ones. Became `clusterNodesSecurityGroupRules`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub all_nodes_security_group_rules: Vec<SecurityGroupRuleSpec>,
    /// Rules for control plane nodes, besides the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub control_plane_nodes_security_group_rules: Vec<SecurityGroupRuleSpec>,
    /// Rules for workers, besides the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub worker_nodes_security_group_rules: Vec<SecurityGroupRuleSpec>,
    /// Allow all traffic between nodes, in place of the ports that Kubernetes needs.
    #[schemars(extend("default" = false))]
    pub allow_all_in_cluster_traffic: bool,
}

/// A rule of a managed security group. At most one `remote…` field may be set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroupRuleSpec {
    /// Tells the rules of a list apart.
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
    #[schemars(transform = schema::int)]
    pub port_range_min: Option<i64>,
    /// Last port, or ICMP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::int)]
    pub port_range_max: Option<i64>,
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
    pub remote_managed_groups: Vec<ManagedSecurityGroupName>,
}
