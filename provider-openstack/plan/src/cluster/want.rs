//! What a cluster should have, parsed once into types that cannot be wrong.

use crds::openstack::v1beta2::{
    IPv6Mode, NetworkFilter, NetworkParam, OpenStackIdentityReference, RouterFilter, RouterParam,
    SubnetFilter, SubnetParam,
};
use ipnet::IpNet;

use super::bastion::Bastion;

use crate::names::{ClusterNames, Role};
use crate::world::{Monitor, Rule};

/// The infrastructure of one cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    pub identity: Identity,
    /// Tags of everything that is created.
    pub tags: Vec<String>,
    pub external: External,
    pub network: Network,
    /// `None` when the cluster brings its own groups.
    pub groups: Option<Groups>,
    pub api: Api,
    pub zones: Zones,
    /// `None` without one, also when it was switched off.
    pub bastion: Option<Bastion>,
    /// Addresses of floating IPs that the user gave.
    pub keep_floating_ips: Vec<String>,
}

/// Whose infrastructure it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Kind and name for messages: `OpenStackCluster demo`.
    pub object: String,
    /// Namespace of all objects of the cluster.
    pub namespace: String,
    /// Name of the `OpenStackCluster`.
    pub name: String,
    pub names: ClusterNames,
    /// The generation that was looked at.
    pub generation: Option<i64>,
    /// Value of the label `cluster.x-k8s.io/watch-filter`, which all objects of the cluster have.
    pub watch_filter: Option<String>,
    /// What the cluster logs in with.
    pub credentials: OpenStackIdentityReference,
}

/// A resource that exists already, named by id or by filter.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<F> {
    /// Path of the field that names it.
    pub field: String,
    pub by: By<F>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum By<F> {
    Id(String),
    Filter(F),
}

/// Where gateway and floating IPs come from.
#[derive(Clone, Debug, PartialEq)]
pub enum External {
    /// The cluster does without.
    Disabled,
    /// The only external network that there is, or none when there is none.
    TheOnlyOne,
    Named(Named<NetworkFilter>),
}

/// The network of the machines.
#[derive(Clone, Debug, PartialEq)]
pub enum Network {
    Managed(Managed),
    Brought(Brought),
}

/// A network, its subnets and a router of the cluster's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Managed {
    /// One, or one of each IP version.
    pub subnets: Vec<ManagedSubnet>,
    pub mtu: Option<i32>,
    /// `None` leaves it to the cloud.
    pub port_security: Option<bool>,
    pub router: Router,
}

/// A subnet of a managed network.
#[derive(Clone, Debug, PartialEq)]
pub struct ManagedSubnet {
    pub cidr: IpNet,
    pub dns_nameservers: Vec<String>,
    /// First and last address of each pool; none means the whole CIDR.
    pub allocation_pools: Vec<(String, String)>,
    /// How hosts get their addresses; `None` in IPv4.
    pub ipv6_mode: Option<IPv6Mode>,
}

/// The router between a managed network and the external one.
#[derive(Clone, Debug, PartialEq)]
pub enum Router {
    /// Created, with these addresses in the external network, or any when empty.
    Managed(Vec<ExternalAddress>),
    /// Only the interface is ours.
    Brought(Named<RouterFilter>),
}

/// An address for a router's gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternalAddress {
    pub subnet: Named<SubnetFilter>,
    pub address: Option<String>,
}

/// A network that exists and is never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Brought {
    /// `None`: the network of the first subnet. It and `subnets` are never both absent.
    pub network: Option<Named<NetworkFilter>>,
    /// Empty: all subnets of the network.
    pub subnets: Vec<Named<SubnetFilter>>,
    pub router: Option<Named<RouterFilter>>,
}

/// Managed security groups: what users add to the rules that every cluster has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Groups {
    pub allow_all_in_cluster: bool,
    pub control_plane_rules: Vec<UserRule>,
    pub worker_rules: Vec<UserRule>,
}

/// A rule of the user. `remote` replaces the remote group of `rule` when it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct UserRule {
    pub description: String,
    pub rule: Rule,
    pub remote: Option<Role>,
}

/// How the Kubernetes API is reached.
#[derive(Clone, Debug, PartialEq)]
pub struct Api {
    /// Port of the endpoint.
    pub port: u16,
    /// Port of every API server.
    pub server_port: u16,
    /// Host of the endpoint that the object holds already.
    pub host: Option<String>,
    pub load_balancer: Option<LoadBalancer>,
    pub floating_ip: bool,
    /// The floating IP that the user gave; never deleted.
    pub floating_address: Option<String>,
    /// Address inside the cluster, of the load balancer or of something else that the user runs.
    pub fixed_ip: Option<String>,
    pub primary_subnet: Option<Named<SubnetFilter>>,
}

/// The load balancer in front of the API servers.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadBalancer {
    pub additional_ports: Vec<u16>,
    /// As the user wrote them; empty means everybody.
    pub allowed_cidrs: Vec<String>,
    pub provider: Option<String>,
    pub flavor: Option<String>,
    pub availability_zone: Option<String>,
    /// `None`: the cluster's network.
    pub network: Option<Named<NetworkFilter>>,
    pub subnets: Vec<Named<SubnetFilter>>,
    pub monitor: Probe,
}

/// How a load balancer probes its members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Seconds between two probes.
    pub delay: i32,
    /// Seconds.
    pub timeout: i32,
    pub max_retries: i32,
    pub max_retries_down: i32,
}

impl Probe {
    pub(super) fn of(monitor: &Monitor) -> Self {
        Self {
            delay: monitor.delay,
            timeout: monitor.timeout,
            max_retries: monitor.max_retries,
            max_retries_down: monitor.max_retries_down,
        }
    }
}

/// Which availability zones the control plane may use.
#[derive(Clone, Debug, PartialEq)]
pub enum Zones {
    All,
    None,
    Only(Vec<String>),
}

/// What to delete of a cluster. Made from names alone, so that even an object that is not valid,
/// or lost its status, leaves nothing behind.
#[derive(Clone, Debug, PartialEq)]
pub struct Gone {
    pub identity: Identity,
    /// Name of the `OpenStackCluster`: ports that begin with it are swept from the managed network.
    pub port_prefixes: Vec<String>,
    /// The network, and the router unless brought, are ours.
    pub managed_network: bool,
    pub managed_router: bool,
    /// Roles whose security group is no longer wanted, so that ports which use it matter.
    pub groups: Vec<Role>,
    /// Octavia is used, so that its lists are worth asking for.
    pub load_balancer: bool,
    /// Addresses of floating IPs that the user gave.
    pub keep_floating_ips: Vec<String>,
}

impl<F> Named<F> {
    fn new(field: &str, id: &Option<String>, filter: &Option<F>) -> Option<Self>
    where
        F: Clone,
    {
        let by = match (id, filter) {
            (Some(id), _) => By::Id(id.clone()),
            (None, Some(filter)) => By::Filter(filter.clone()),
            (None, None) => return None,
        };
        Some(Self {
            field: field.to_string(),
            by,
        })
    }
}

impl Named<NetworkFilter> {
    pub(super) fn network(field: &str, param: &NetworkParam) -> Option<Self> {
        Named::new(field, &param.id, &param.filter)
    }
}

impl Named<SubnetFilter> {
    pub(super) fn subnet(field: &str, param: &SubnetParam) -> Option<Self> {
        Named::new(field, &param.id, &param.filter)
    }
}

impl Named<RouterFilter> {
    pub(super) fn router(field: &str, param: &RouterParam) -> Option<Self> {
        Named::new(field, &param.id, &param.filter)
    }
}
