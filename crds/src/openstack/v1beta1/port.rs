use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SubnetParam;
use crate::openstack::v1beta2::{
    BindingProfile, NetworkParam, ResolvedFixedIP, SecurityGroupParam,
};
use crate::schema;

/// A port to create for a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PortOpts {
    /// The port is named `<server>-<nameSuffix>`. Absent means the port's index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_suffix: Option<String>,
    /// Network of the port. Absent means the cluster's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkParam>,
    /// Description of the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Subnets and addresses. Empty means that Neutron chooses.
    #[serde(rename = "fixedIPs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub fixed_ips: Vec<FixedIP>,
    /// Security groups of the port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub security_groups: Vec<SecurityGroupParam>,
    /// Tags of the port, added to those of the machine and the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub tags: Vec<String>,
    /// Put a trunk on the port. Absent means as the machine says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<bool>,
    /// What is sent to Neutron as it is.
    #[serde(flatten)]
    pub fields: ResolvedPortSpecFields,
}

/// A subnet of a port, an address, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FixedIP {
    /// Subnet that the address comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<SubnetParam>,
    /// The address. Absent means any free one of the subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

/// Those fields of a port that need no looking up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedPortSpecFields {
    /// False creates the port administratively down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// MAC address. Absent means that Neutron chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// Further addresses that may send through the port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed_address_pairs: Vec<AddressPair>,
    /// Host that the port is bound to.
    #[serde(rename = "hostID", skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Neutron's `binding:vnic_type`, for example `normal` or `direct`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vnic_type: Option<String>,
    /// Neutron's `binding:profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<BindingProfile>,
    /// Let Neutron filter none of the port's traffic. Became the opposite, `enablePortSecurity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_port_security: Option<bool>,
    /// Let the guest see the state of the physical uplink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagate_uplink_status: Option<bool>,
    /// Extra attributes, sent to Neutron as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub value_specs: Vec<ValueSpec>,
}

/// An address that may send through a port besides the port's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressPair {
    /// Address or CIDR.
    pub ip_address: String,
    /// MAC address. Absent means the port's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
}

/// An attribute that is sent to Neutron as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValueSpec {
    /// Tells the entries of the list apart; not sent.
    pub name: String,
    /// Name of the attribute.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// A port with every reference looked up: what is sent to Neutron.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedPortSpec {
    /// Name of the port.
    pub name: String,
    /// Description of the port.
    pub description: String,
    /// UUID of the network.
    #[serde(rename = "networkID")]
    pub network_id: String,
    /// Tags of the port and of its trunk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub tags: Vec<String>,
    /// Put a trunk on the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<bool>,
    /// Subnets and addresses.
    #[serde(rename = "fixedIPs", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub fixed_ips: Vec<ResolvedFixedIP>,
    /// UUIDs of the security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub security_groups: Vec<String>,
    /// What is sent to Neutron as it is.
    #[serde(flatten)]
    pub fields: ResolvedPortSpecFields,
}

/// A port that was created.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PortStatus {
    /// UUID of the port.
    pub id: String,
}
