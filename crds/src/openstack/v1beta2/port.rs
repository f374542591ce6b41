//! Ports of a server: as asked for ([`PortOpts`]), and with every name
//! looked up ([`ResolvedPortSpec`]).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{NetworkParam, SecurityGroupParam, SubnetParam};
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
    /// False creates the port administratively down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// MAC address. Absent means that Neutron chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// Further addresses that may send through the port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
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
    /// Whether Neutron filters the port's traffic. Absent means as the network says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_port_security: Option<bool>,
    /// Let the guest see the state of the physical uplink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagate_uplink_status: Option<bool>,
    /// Extra attributes, sent to Neutron as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub value_specs: Vec<ValueSpec>,
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

/// An address that may send through a port besides the port's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AddressPair {
    /// Address or CIDR.
    #[schemars(length(min = 1))]
    pub ip_address: String,
    /// MAC address. Absent means the port's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
}

/// How a port is bound to hardware.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BindingProfile {
    /// Offload Open vSwitch to the network card (`capabilities: [switchdev]`).
    #[serde(rename = "ovsHWOffload", skip_serializing_if = "Option::is_none")]
    pub ovs_hw_offload: Option<bool>,
    /// The guest may change its MAC address and mode.
    #[serde(rename = "trustedVF", skip_serializing_if = "Option::is_none")]
    pub trusted_vf: Option<bool>,
}

/// An attribute that is sent to Neutron as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValueSpec {
    /// Tells the entries of the list apart; not sent.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Name of the attribute.
    #[schemars(length(min = 1))]
    pub key: String,
    /// Its value.
    #[schemars(length(min = 1))]
    pub value: String,
}

/// A port with every reference looked up: what is sent to Neutron.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedPortSpec {
    /// Name of the port.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Description of the port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// UUID of the network.
    #[serde(rename = "networkID")]
    #[schemars(length(min = 1))]
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
    /// False creates the port administratively down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// MAC address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    /// Further addresses that may send through the port.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub allowed_address_pairs: Vec<AddressPair>,
    /// Host that the port is bound to.
    #[serde(rename = "hostID", skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Neutron's `binding:vnic_type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vnic_type: Option<String>,
    /// Neutron's `binding:profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<BindingProfile>,
    /// Whether Neutron filters the port's traffic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_port_security: Option<bool>,
    /// Let the guest see the state of the physical uplink.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagate_uplink_status: Option<bool>,
    /// Extra attributes, sent to Neutron as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::map_by_name)]
    pub value_specs: Vec<ValueSpec>,
}

/// A fixed IP with its subnet looked up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedFixedIP {
    /// UUID of the subnet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
}

/// A port that was created.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PortStatus {
    /// UUID of the port.
    #[schemars(length(min = 1))]
    pub id: String,
}
