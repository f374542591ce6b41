//! What exists in the cloud, cut down to the fields that decisions need.
//!
//! The controllers fill these from the lists of the project view. Ids are OpenStack's own. Fields
//! that a resource may lack are `Option`, lists may be empty, and addresses are text as the cloud
//! writes them.

use ipnet::IpNet;
use jiff::Timestamp;

/// Where a resource with a life of its own stands. Each service has its own words; these are what
/// they mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Usable: `ACTIVE`, and for a volume `available` or `in-use`.
    #[default]
    Active,
    /// The service works on it and refuses changes: `BUILD`, `PENDING_CREATE`, `PENDING_UPDATE`, `creating`.
    Pending,
    /// The service works on its end: `PENDING_DELETE`, `deleting`.
    Deleting,
    /// The service gave up on it.
    Error,
    /// Anything else, for example a server that is shut off.
    Other,
}

/// A Neutron network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub project_id: String,
    /// `router:external`
    pub external: bool,
}

/// A Neutron subnet.
#[derive(Clone, Debug, PartialEq)]
pub struct Subnet {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub project_id: String,
    pub network_id: String,
    pub cidr: IpNet,
    pub gateway_ip: Option<String>,
    pub dns_nameservers: Vec<String>,
    pub ipv6_address_mode: Option<String>,
    pub ipv6_ra_mode: Option<String>,
}

/// A Neutron router.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Router {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub project_id: String,
    /// The external network of its gateway, if it has one.
    pub gateway_network_id: Option<String>,
    /// Its addresses there.
    pub gateway_ips: Vec<FixedIp>,
}

/// An address of a port or of a router's gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FixedIp {
    pub subnet_id: String,
    pub ip_address: String,
}

/// An address pair that a port may also use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressPair {
    /// An address or a CIDR.
    pub ip_address: String,
    pub mac_address: Option<String>,
}

/// A Neutron port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Port {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub network_id: String,
    /// What uses the port: a server, a router, a load balancer; empty when nothing does.
    pub device_id: String,
    /// For example `compute:az1`, `network:router_interface`.
    pub device_owner: String,
    pub fixed_ips: Vec<FixedIp>,
    pub security_groups: Vec<String>,
    pub allowed_address_pairs: Vec<AddressPair>,
    pub state: State,
}

/// A Neutron trunk.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trunk {
    pub id: String,
    pub name: String,
    pub tags: Vec<String>,
    /// Its parent port.
    pub port_id: String,
    pub sub_port_ids: Vec<String>,
}

/// A Neutron security group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SecurityGroup {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub project_id: String,
    pub rules: Vec<ExistingRule>,
}

/// A rule as it exists in a security group.
#[derive(Clone, Debug, PartialEq)]
pub struct ExistingRule {
    pub id: String,
    pub rule: Rule,
}

/// What a rule allows. Two rules are the same when these fields are: descriptions do not count.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Rule {
    pub direction: Direction,
    pub ether_type: EtherType,
    /// A name or number of a protocol; `None` means any.
    pub protocol: Option<String>,
    pub port_min: Option<i32>,
    pub port_max: Option<i32>,
    /// Id of the group whose ports are the other side.
    pub remote_group_id: Option<String>,
    /// CIDR of the other side.
    pub remote_ip_prefix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    Ingress,
    Egress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EtherType {
    IPv4,
    IPv6,
}

/// A Neutron floating IP.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatingIp {
    pub id: String,
    pub address: String,
    pub description: String,
    pub tags: Vec<String>,
    /// The external network that it comes from.
    pub network_id: String,
    /// The port that it leads to, if any.
    pub port_id: Option<String>,
}

/// An Octavia load balancer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoadBalancer {
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub provider: String,
    pub vip_address: String,
    pub vip_port_id: String,
    pub vip_network_id: String,
    pub vip_subnet_id: String,
    /// Addresses beside `vip_address`.
    pub additional_vips: Vec<String>,
    pub state: State,
}

/// A listener of a load balancer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listener {
    pub id: String,
    pub name: String,
    pub load_balancer_id: String,
    pub port: u16,
    pub allowed_cidrs: Vec<String>,
    pub state: State,
}

/// A pool of a load balancer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    pub id: String,
    pub name: String,
    pub load_balancer_id: String,
    pub listener_ids: Vec<String>,
    pub monitor_id: Option<String>,
    pub state: State,
}

/// A health monitor of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Monitor {
    pub id: String,
    pub name: String,
    pub pool_id: String,
    /// Seconds between two probes.
    pub delay: i32,
    /// Seconds.
    pub timeout: i32,
    pub max_retries: i32,
    pub max_retries_down: i32,
    pub state: State,
}

/// A member of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Member {
    pub id: String,
    pub name: String,
    pub pool_id: String,
    pub address: String,
    pub port: u16,
    pub subnet_id: Option<String>,
    pub state: State,
}

/// A Nova server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Server {
    pub id: String,
    pub name: String,
    /// Nova's word, in capitals: `BUILD`, `ACTIVE`, `SHUTOFF`, `ERROR`, `DELETED`, …
    pub status: String,
    /// Nova works on its end: `task_state` is `deleting`.
    pub deleting: bool,
    /// Why it failed, in Nova's words.
    pub fault: Option<String>,
    pub availability_zone: Option<String>,
    pub metadata: Vec<(String, String)>,
    pub tags: Vec<String>,
    /// Empty without one.
    pub key_name: String,
    pub addresses: Vec<ServerAddress>,
    pub attached_volume_ids: Vec<String>,
    pub created: Option<Timestamp>,
}

/// An address of a server, as Nova reports it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerAddress {
    /// Name of the network.
    pub network: String,
    pub address: String,
    /// 4 or 6
    pub version: u8,
    pub floating: bool,
}

/// A Cinder volume.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Volume {
    pub id: String,
    pub name: String,
    pub description: String,
    pub size_gib: i32,
    pub state: State,
    /// Cinder's word: `creating`, `available`, `in-use`, `error`, …
    pub status: String,
    pub attached_server_ids: Vec<String>,
    pub multiattach: bool,
    pub metadata: Vec<(String, String)>,
    pub created: Option<Timestamp>,
}

/// A Glance image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub tags: Vec<String>,
    /// `active` when it can be booted.
    pub status: String,
    /// The property `os_type`, for example `linux`.
    pub os_type: Option<String>,
}

/// A Nova flavor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flavor {
    pub id: String,
    pub name: String,
    pub vcpus: i32,
    pub ram_mib: i32,
    /// 0 when the flavor has no disk and the server must boot from a volume.
    pub disk_gib: i32,
    pub ephemeral_gib: i32,
}

/// A Nova server group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerGroup {
    pub id: String,
    pub name: String,
}

/// A Nova availability zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailabilityZone {
    pub name: String,
    pub available: bool,
}
