//! Neutron's resources, as far as the provider needs them.

use serde::{Deserialize, Serialize};

use crate::wire::words;

words! {
    /// `status` of a network, router, port or floating IP.
    NetworkStatus {
        /// Usable.
        Active = "ACTIVE",
        /// Not bound, not plugged, or switched off.
        Down = "DOWN",
        /// Being made.
        Build = "BUILD",
        /// Neutron gave up.
        Error = "ERROR",
    }
}

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    pub status: NetworkStatus,
    pub mtu: Option<i64>,
    /// Whether new ports get port security; `None` when the cloud lacks the extension.
    pub port_security_enabled: Option<bool>,
    #[serde(rename = "router:external")]
    pub external: bool,
    pub shared: bool,
    /// Ids of its subnets.
    pub subnets: Vec<String>,
}

/// A range of addresses, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AllocationPool {
    pub start: String,
    pub end: String,
}

/// A subnet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Subnet {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    pub network_id: String,
    pub cidr: String,
    /// 4 or 6.
    pub ip_version: u8,
    pub gateway_ip: Option<String>,
    pub dns_nameservers: Vec<String>,
    pub allocation_pools: Vec<AllocationPool>,
    pub enable_dhcp: bool,
    pub ipv6_address_mode: Option<String>,
    pub ipv6_ra_mode: Option<String>,
}

/// An address on a subnet. In requests either field may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FixedIp {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subnet_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip_address: String,
}

/// The external gateway of a router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gateway {
    pub network_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_fixed_ips: Vec<FixedIp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_snat: Option<bool>,
}

/// A router.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Router {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    pub status: NetworkStatus,
    pub external_gateway_info: Option<Gateway>,
}

/// An address pair that a port may use besides its fixed IPs. The address may be a CIDR.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressPair {
    pub ip_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Port {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    pub network_id: String,
    /// What uses it: a server, router or load balancer; empty when nothing does.
    pub device_id: String,
    /// For example `compute:az1`, `network:router_interface`, `Octavia`.
    pub device_owner: String,
    pub status: NetworkStatus,
    pub mac_address: String,
    pub fixed_ips: Vec<FixedIp>,
    /// Ids of its security groups.
    pub security_groups: Vec<String>,
    pub allowed_address_pairs: Vec<AddressPair>,
    pub port_security_enabled: Option<bool>,
    #[serde(rename = "binding:vnic_type")]
    pub vnic_type: Option<String>,
    /// Set when it is the parent of a trunk.
    pub trunk_details: Option<TrunkDetails>,
}

/// What a port says about its trunk.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TrunkDetails {
    pub trunk_id: String,
}

/// A trunk.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Trunk {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    /// Its parent port.
    pub port_id: String,
    pub sub_ports: Vec<SubPort>,
    pub status: NetworkStatus,
}

/// A port of a trunk besides its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubPort {
    pub port_id: String,
}

/// A security group with its rules.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    #[serde(rename = "security_group_rules")]
    pub rules: Vec<SecurityGroupRule>,
}

/// A rule of a security group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SecurityGroupRule {
    pub id: String,
    pub security_group_id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// Name or number; `None` means any.
    pub protocol: Option<String>,
    pub port_range_min: Option<i32>,
    pub port_range_max: Option<i32>,
    pub remote_group_id: Option<String>,
    pub remote_ip_prefix: Option<String>,
    pub description: String,
}

/// A floating IP.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FloatingIp {
    pub id: String,
    /// Neutron gives floating IPs no name.
    pub description: String,
    pub project_id: String,
    pub tags: Vec<String>,
    pub floating_ip_address: String,
    pub floating_network_id: String,
    /// The address it leads to; `None` while it leads nowhere.
    pub fixed_ip_address: Option<String>,
    /// The port it leads to; empty while it leads nowhere.
    pub port_id: String,
    pub status: NetworkStatus,
    /// Neutron counts the changes; `None` where it does not, or when the number is not known any more.
    pub revision_number: Option<i64>,
}

/// What a network is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NetworkCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub admin_state_up: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_security_enabled: Option<bool>,
}

/// What a subnet is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SubnetCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub network_id: String,
    /// 4 or 6.
    pub ip_version: u8,
    pub cidr: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_nameservers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allocation_pools: Vec<AllocationPool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_dhcp: Option<bool>,
    /// `slaac`, `dhcpv6-stateful` or `dhcpv6-stateless`; only in IPv6, and the same as
    /// `ipv6_ra_mode`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_address_mode: Option<&'static str>,
    /// What Neutron's routers advertise; without it they are silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_ra_mode: Option<&'static str>,
}

/// What a router is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct RouterCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_gateway_info: Option<Gateway>,
}

/// What a port is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PortCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    pub network_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin_state_up: Option<bool>,
    /// Absent lets Neutron choose an address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixed_ips: Vec<FixedIp>,
    /// Ids; `None` lets Neutron add the project's default group, an empty list means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_address_pairs: Vec<AddressPair>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_security_enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub propagate_uplink_status: Option<bool>,
    #[serde(rename = "binding:vnic_type", skip_serializing_if = "Option::is_none")]
    pub vnic_type: Option<String>,
    #[serde(rename = "binding:host_id", skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    #[serde(rename = "binding:profile", skip_serializing_if = "Option::is_none")]
    pub profile: Option<serde_json::Value>,
    /// Accepted only by [`super::Networking::create_ports`], and only where
    /// [`crate::View::ports_take_tags`]; elsewhere leave it empty and call `set_tags`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The guest may change its MAC address and mode: only where Neutron has
    /// [`super::TRUSTED_PORTS`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted: Option<bool>,
    /// Fields that we do not know, as the user gave them.
    #[serde(flatten)]
    pub value_specs: serde_json::Map<String, serde_json::Value>,
}

/// What a trunk is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrunkCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Its parent port.
    pub port_id: String,
}

/// What a rule is created with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SecurityGroupRuleCreate {
    pub security_group_id: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_min: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_range_max: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_group_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_ip_prefix: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// What a floating IP is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FloatingIpCreate {
    pub floating_network_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// A certain address, which many clouds allow only administrators to choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floating_ip_address: Option<String>,
    /// The port to lead to at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_id: Option<String>,
}
