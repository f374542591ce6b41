//! What exists now, as far as a cluster is concerned.

use std::collections::BTreeSet;

use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::OpenStackClusterStatus;
use ipnet::IpNet;

use crate::world::{
    AvailabilityZone, FloatingIp, Listener, LoadBalancer, Monitor, Network, Pool, Port, Router,
    SecurityGroup, Subnet,
};

/// The world around one cluster.
///
/// Lists may hold more than the cluster's own: everything is recognised by name, description or id.
/// Security groups, routers, floating IPs, ports and load balancers are those of the project;
/// networks and subnets may be shared or external ones too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub project_id: String,
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
    pub routers: Vec<Router>,
    pub ports: Vec<Port>,
    pub security_groups: Vec<SecurityGroup>,
    pub floating_ips: Vec<FloatingIp>,
    pub load_balancers: Vec<LoadBalancer>,
    pub listeners: Vec<Listener>,
    pub pools: Vec<Pool>,
    pub monitors: Vec<Monitor>,
    pub octavia: Octavia,
    pub management: Management,
    /// Only looked at while the object holds no failure domains.
    pub availability_zones: Vec<AvailabilityZone>,
    /// Whether Neutron can tag resources (`standard-attr-tag`).
    pub tagging: bool,
    /// The address that the host of the object's endpoint resolves to.
    pub endpoint_address: Option<String>,
    /// Host and port of the `Cluster`'s endpoint. Who runs the control plane elsewhere may say there
    /// where it is reached.
    pub cluster_endpoint: Option<(String, u16)>,
    /// The object that has the name of the bastion, whoever owns it.
    pub bastion: Option<OpenStackServer>,
    /// Other clusters whose resources would have the same names.
    pub namesakes: Vec<Namesake>,
    /// How many machines of the cluster still exist.
    pub machines: usize,
    /// The status that the object holds.
    pub status: OpenStackClusterStatus,
}

/// Another cluster whose resources have the names that ours have: of namespace and name only both
/// together are in a name, so that `a-b` in `c` is like `b-c` in `a`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Namesake {
    /// Kind, namespace and name.
    pub object: String,
    /// Ids and addresses of what it has in the cloud, as far as it has published them.
    pub holds: BTreeSet<String>,
    /// It has published everything.
    pub provisioned: bool,
    /// It was there first.
    pub older: bool,
}

/// What this cloud's Octavia can do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Octavia {
    /// Highest API version, for example (2, 27).
    pub version: (u32, u32),
    pub providers: Vec<String>,
    /// Id and name of every flavor that is enabled.
    pub flavors: Vec<(String, String)>,
    /// The provider refused the health monitor of this cluster's load balancer.
    pub refuses_monitor: bool,
    /// The provider refused to give this cluster's load balancer more than one address.
    pub refuses_additional_vips: bool,
}

/// The management cluster, as the API of a workload cluster sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Management {
    /// Where its connections come from; empty when that is not known.
    pub cidrs: Vec<IpNet>,
    /// They are added to every list of `allowedCIDRs`. Otherwise a list that shuts them out is
    /// refused.
    pub let_in: bool,
}

impl Octavia {
    /// Whether listeners of `provider` can restrict who connects (since 2.12, never with OVN).
    pub fn has_allowed_cidrs(&self, provider: &str) -> bool {
        self.version >= (2, 12) && provider != "ovn"
    }

    /// Whether members behind `provider` see who connects, instead of the load balancer.
    pub fn keeps_source(&self, provider: &str) -> bool {
        provider == "ovn"
    }
}

impl Seen {
    /// Whether a resource with this owner can be one of ours.
    pub(super) fn is_own(&self, project_id: &str) -> bool {
        self.project_id.is_empty() || project_id.is_empty() || project_id == self.project_id
    }

    /// Whether we published this id as our own.
    pub(super) fn is_published(&self, id: &str) -> bool {
        let status = &self.status;
        let groups = [
            &status.control_plane_security_group,
            &status.worker_security_group,
            &status.bastion_security_group,
        ];
        let groups = groups.into_iter().flatten().map(|group| &group.id);
        let balancer = status.api_server_managed_load_balancer.iter();
        let network = status.network.iter().map(|network| &network.id);
        let router = status.router.iter().map(|router| &router.id);
        groups
            .chain(balancer.map(|balancer| &balancer.id))
            .chain(network)
            .chain(router)
            .any(|known| known == id)
    }

    /// The namesake that has this resource, by id or address.
    pub fn holder(&self, id: &str) -> Option<&Namesake> {
        (self.namesakes.iter()).find(|namesake| namesake.holds.contains(id))
    }

    /// A namesake of which it is not known yet what it has.
    pub(super) fn rival(&self) -> Option<&Namesake> {
        let is_rival = |namesake: &&Namesake| namesake.older && !namesake.provisioned;
        self.namesakes.iter().find(is_rival)
    }

    /// Whether a port has this security group.
    pub(super) fn is_used(&self, group: &str) -> bool {
        let uses = |port: &Port| port.security_groups.iter().any(|used| used == group);
        self.ports.iter().any(uses)
    }
}
