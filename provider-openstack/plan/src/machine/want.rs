//! What is wanted of a machine, gathered from the four objects that say it.

use std::net::IpAddr;

use crds::capi;
use crds::capi::names::WATCH_FILTER_LABEL;
use crds::openstack::v1beta2::{
    OpenStackCluster, OpenStackIdentityReference, OpenStackMachine, OpenStackMachineSpec,
    OpenStackMachineStatus, SubnetParam,
};

use crate::names::{ClusterNames, Role};

/// A machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub generation: Option<i64>,
    pub deleting: bool,
    pub role: Role,
    /// Copied to the server object, so that the same manager watches both.
    pub watch_filter: Option<String>,
    /// Secret with the user data; `None` until the bootstrap provider wrote it.
    pub bootstrap_secret: Option<String>,
    /// Availability zone.
    pub failure_domain: Option<String>,
    pub spec: OpenStackMachineSpec,
    /// What was published last.
    pub status: OpenStackMachineStatus,
    pub cluster: Cluster,
}

/// What a machine needs to know about its cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    /// Name of the `Cluster` object.
    pub name: String,
    pub names: ClusterNames,
    /// The infrastructure was complete once.
    pub provisioned: bool,
    /// Everything goes, so nothing is cared for one by one.
    pub deleting: bool,
    pub identity_ref: OpenStackIdentityReference,
    pub tags: Vec<String>,
    /// Where ports go that name no network.
    pub network: Option<Network>,
    /// The subnets that such ports take their addresses from; empty leaves it to Neutron.
    pub subnets: Vec<SubnetParam>,
    /// The managed security group of the machine's role.
    pub security_group: Option<Group>,
    pub ingress: Ingress,
}

/// The cluster's network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    pub id: String,
    pub name: String,
}

/// A managed security group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    pub id: String,
}

/// How API traffic reaches the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ingress {
    /// It is a worker, or somebody else cares for that.
    None,
    LoadBalancer {
        id: String,
        /// Ports of the load balancer, that of the API first, and where each leads on the machine.
        ports: Vec<(u16, u16)>,
        /// The load balancer is in another network than the machines.
        other_network: bool,
    },
    /// The floating IP of the cluster leads to one control plane node.
    FloatingIp { address: String },
}

impl Want {
    /// Gathers what is wanted.
    pub fn new(
        object: &OpenStackMachine,
        machine: &capi::Machine,
        cluster: &capi::Cluster,
        infrastructure: &OpenStackCluster,
    ) -> Self {
        let meta = &object.metadata;
        let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
        let in_control_plane = [&machine.metadata, meta]
            .into_iter()
            .any(capi::is_control_plane);
        let role = if in_control_plane {
            Role::ControlPlane
        } else {
            Role::Worker
        };
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some(),
            role,
            watch_filter: label(WATCH_FILTER_LABEL).cloned(),
            bootstrap_secret: machine.spec.bootstrap.data_secret_name.clone(),
            failure_domain: machine.spec.failure_domain.clone(),
            spec: object.spec.clone(),
            status: object.status.clone().unwrap_or_default(),
            cluster: Cluster::new(cluster, infrastructure, role),
        }
    }

    /// The machine's own credentials, or those of its cluster.
    pub fn identity_ref(&self) -> &OpenStackIdentityReference {
        let own = self.spec.identity_ref.as_ref();
        own.unwrap_or(&self.cluster.identity_ref)
    }

    /// UUID of the server that the machine already stands for.
    pub fn instance_id(&self) -> Option<&str> {
        instance_id(&self.spec)
    }

    /// Whether [`super::Seen::ingress`] is needed, given that the machine is past its beginning.
    pub fn needs_ingress(&self) -> bool {
        self.cluster.ingress != Ingress::None && !(self.deleting && self.cluster.deleting)
    }
}

/// UUID of the server that a machine with this spec already stands for.
pub fn instance_id(spec: &OpenStackMachineSpec) -> Option<&str> {
    let provider_id = spec.provider_id.as_deref()?;
    provider_id.rsplit_once('/').map(|(_, id)| id)
}

impl Cluster {
    fn new(cluster: &capi::Cluster, infrastructure: &OpenStackCluster, role: Role) -> Self {
        let spec = &infrastructure.spec;
        let status = infrastructure.status.clone().unwrap_or_default();
        let name = cluster.metadata.name.clone().unwrap_or_default();
        let namespace = cluster.metadata.namespace.clone().unwrap_or_default();
        let group = match role {
            Role::ControlPlane => status.control_plane_security_group.as_ref(),
            Role::Worker => status.worker_security_group.as_ref(),
            Role::Bastion => status.bastion_security_group.as_ref(),
        };
        let managed = spec.managed_security_groups.is_some();
        Self {
            names: ClusterNames::new(&namespace, &name),
            name,
            provisioned: status.initialization.as_ref().and_then(|i| i.provisioned) == Some(true),
            deleting: [&cluster.metadata, &infrastructure.metadata]
                .iter()
                .any(|meta| meta.deletion_timestamp.is_some()),
            identity_ref: spec.identity_ref.clone(),
            tags: spec.tags.clone(),
            network: status.network.as_ref().map(|network| Network {
                id: network.id.clone(),
                name: network.name.clone(),
            }),
            subnets: match &spec.primary_subnet {
                Some(subnet) => vec![subnet.clone()],
                None => spec.subnets.clone(),
            },
            security_group: group.filter(|_| managed).map(|group| Group {
                id: group.id.clone(),
            }),
            ingress: match role {
                Role::ControlPlane => Ingress::of(infrastructure),
                Role::Worker | Role::Bastion => Ingress::None,
            },
        }
    }
}

impl Ingress {
    /// That of a control plane node.
    #[must_use]
    pub fn of(infrastructure: &OpenStackCluster) -> Self {
        let spec = &infrastructure.spec;
        let status = infrastructure.status.as_ref();
        let api = spec.api_server.clone().unwrap_or_default();
        let endpoint = spec.control_plane_endpoint.clone().unwrap_or_default();
        let managed = api
            .managed_load_balancer
            .filter(|balancer| balancer.enabled != Some(false));
        if let Some(managed) = managed {
            let Some(balancer) = status.and_then(|s| s.api_server_managed_load_balancer.as_ref())
            else {
                return Ingress::None;
            };
            let network = status
                .and_then(|status| status.network.as_ref())
                .map(|n| &n.id);
            let own = balancer.load_balancer_network.as_ref().map(|n| &n.id);
            let of_endpoint = endpoint.port.and_then(|port| u16::try_from(port).ok());
            let mut first = of_endpoint.into_iter().chain(api.port);
            let first = first.find(|port| *port != 0).unwrap_or(6443);
            let further = managed.additional_ports.iter();
            let further = further.filter_map(|port| u16::try_from(*port).ok());
            let further = further.filter(|port| *port != first);
            return Ingress::LoadBalancer {
                id: balancer.id.clone(),
                ports: std::iter::once((first, managed.member_port.unwrap_or(first)))
                    .chain(further.map(|port| (port, port)))
                    .collect(),
                other_network: own.is_some() && own != network,
            };
        }
        let external = spec.enable_external_network != Some(false);
        // A name leads to the floating IP that is given, or to none that is ours.
        let is_address = |host: &String| host.parse::<IpAddr>().is_ok();
        let address = endpoint.host.filter(is_address).or(api.floating_ip);
        match address.filter(|address| !address.is_empty()) {
            Some(address) if external && api.enable_floating_ip != Some(false) => {
                Ingress::FloatingIp { address }
            }
            _ => Ingress::None,
        }
    }
}
