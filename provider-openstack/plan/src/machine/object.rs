//! The `OpenStackServer` object of a machine.

use std::collections::BTreeMap;

use crds::capi::names::{CLUSTER_NAME_LABEL, WATCH_FILTER_LABEL};
use crds::openstack::names::{GROUP, INSTANCE_ID_ANNOTATION, SERVER_FINALIZER};
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerSpec};
use crds::openstack::v1beta2::{
    FixedIP, NetworkParam, OpenStackIdentityReference, OpenStackMachineSpec, PortOpts,
    SecurityGroupParam, SubnetParam,
};
use k8s_openapi::api::core::v1::LocalObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{Action, Want};
use crate::tags;

/// The object to create, owned by the machine.
pub fn server(want: &Want, bootstrap_secret: &str) -> OpenStackServer {
    let mut object = OpenStackServer::new(&want.name, spec(want, bootstrap_secret));
    let mut labels = BTreeMap::from([(CLUSTER_NAME_LABEL.to_string(), want.cluster.name.clone())]);
    if let Some(value) = &want.watch_filter {
        labels.insert(WATCH_FILTER_LABEL.to_string(), value.clone());
    }
    // A machine is a promise about one server: its new object adopts that one, and makes no other.
    if let Some(id) = want.instance_id() {
        let annotation = (INSTANCE_ID_ANNOTATION.to_string(), id.to_string());
        object.metadata.annotations = Some([annotation].into());
    }
    object.metadata.namespace = Some(want.namespace.clone());
    object.metadata.labels = Some(labels);
    // Before anything is created for it, and without a write of its own.
    object.metadata.finalizers = Some(vec![SERVER_FINALIZER.to_string()]);
    object.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "infrastructure.cluster.x-k8s.io/v1beta2".to_string(),
        kind: "OpenStackMachine".to_string(),
        name: want.name.clone(),
        uid: want.uid.clone(),
        ..OwnerReference::default()
    }]);
    object
}

/// Whether the object of this kind of the provider and name owns the server object. By name, because
/// a move gives the owner another UID.
pub(crate) fn is_owned(server: &OpenStackServer, kind: &str, name: &str) -> bool {
    let mut owners = server.metadata.owner_references.iter().flatten();
    owners.any(|owner| {
        owner.kind == kind
            && owner.name == name
            && owner.api_version.split('/').next() == Some(GROUP)
    })
}

/// CAPO gives the object no label of the watch filter, and handles it without.
pub fn label(want: &Want, server: &OpenStackServer) -> Option<Action> {
    let filter = want.watch_filter.as_ref()?;
    let labels = server.metadata.labels.as_ref();
    let has = labels.and_then(|labels| labels.get(WATCH_FILTER_LABEL));
    (has != Some(filter)).then(|| Action::LabelServerObject {
        name: want.name.clone(),
        watch_filter: filter.clone(),
    })
}

/// New credentials are for a server that goes, too: without them it could not go.
pub fn update(want: &Want, server: &OpenStackServer) -> Option<Action> {
    let mut ports = server.spec.ports.clone();
    for (port, wanted) in ports.iter_mut().zip(&want.spec.ports) {
        port.allowed_address_pairs
            .clone_from(&wanted.allowed_address_pairs);
    }
    // A cluster that is gone has left no credentials behind.
    let identity_ref = Some(want.identity_ref()).filter(|identity| !identity.name.is_empty());
    let identity_ref = identity_ref.unwrap_or(&server.spec.identity_ref);
    let current = ports == server.spec.ports && *identity_ref == server.spec.identity_ref;
    (!current).then(|| Action::UpdateServerObject {
        name: want.name.clone(),
        identity_ref: Box::new(identity_ref.clone()),
        ports,
    })
}

fn spec(want: &Want, bootstrap_secret: &str) -> OpenStackServerSpec {
    let cluster = &want.cluster;
    let blueprint = Blueprint {
        identity_ref: want.identity_ref(),
        cluster_tags: &cluster.tags,
        network: cluster.network.as_ref().map(|network| network.id.as_str()),
        subnets: &cluster.subnets,
        security_group: cluster
            .security_group
            .as_ref()
            .map(|group| group.id.as_str()),
        availability_zone: want.failure_domain.clone(),
        user_data: Some(bootstrap_secret.to_string()),
    };
    blueprint.spec(&want.spec)
}

/// What a server object takes from around the spec of a machine or a bastion.
pub(crate) struct Blueprint<'a> {
    pub identity_ref: &'a OpenStackIdentityReference,
    pub cluster_tags: &'a [String],
    /// Id of the network of ports that name none.
    pub network: Option<&'a str>,
    /// The subnets that such ports take their addresses from; empty leaves it to Neutron.
    pub subnets: &'a [SubnetParam],
    /// Id of the managed group of ports that name none.
    pub security_group: Option<&'a str>,
    pub availability_zone: Option<String>,
    /// Secret with the user data.
    pub user_data: Option<String>,
}

impl Blueprint<'_> {
    /// The spec of the server object for `machine`, as CAPO writes it.
    pub(crate) fn spec(&self, machine: &OpenStackMachineSpec) -> OpenStackServerSpec {
        let spec = machine.clone();
        let ports = if spec.ports.is_empty() {
            vec![PortOpts::default()]
        } else {
            spec.ports
        };
        let complete = |port| self.complete(&machine.security_groups, port);
        OpenStackServerSpec {
            identity_ref: self.identity_ref.clone(),
            flavor: spec.flavor.filter.and_then(|filter| filter.name),
            flavor_id: spec.flavor.id,
            image: spec.image,
            ssh_key_name: spec.ssh_key_name.unwrap_or_default(),
            ports: ports.into_iter().map(complete).collect(),
            // They are in each port already.
            security_groups: Vec::new(),
            trunk: spec.trunk,
            tags: tags::merged([spec.tags.as_slice(), self.cluster_tags]),
            server_metadata: spec.server_metadata,
            config_drive: spec.config_drive,
            root_volume: spec.root_volume,
            additional_block_devices: spec.additional_block_devices,
            server_group: spec.server_group,
            availability_zone: self.availability_zone.clone(),
            floating_ip_pool_ref: spec.floating_ip_pool_ref,
            user_data_ref: self
                .user_data
                .clone()
                .map(|name| LocalObjectReference { name }),
            scheduler_hint_additional_properties: spec.scheduler_hint_additional_properties,
        }
    }

    /// A port with what it does not say itself: the cluster's network, and the managed group. The
    /// machine's own groups come on top.
    fn complete(&self, groups: &[SecurityGroupParam], mut port: PortOpts) -> PortOpts {
        let mut subnets = port.fixed_ips.iter().filter_map(|ip| ip.subnet.as_ref());
        if port.network.is_none() && subnets.next().is_none() {
            port.network = self.network.map(|id| NetworkParam {
                id: Some(id.to_string()),
                filter: None,
            });
            let subnets = self.subnets.iter().cloned();
            let anywhere = subnets.map(|subnet| FixedIP {
                subnet: Some(subnet),
                ip_address: None,
            });
            // Addresses that the user chose say by themselves where they are from.
            if port.fixed_ips.is_empty() {
                port.fixed_ips = anywhere.collect();
            }
        }
        if port.enable_port_security != Some(false) {
            let managed = self
                .security_group
                .filter(|_| port.security_groups.is_empty());
            port.security_groups
                .extend(managed.map(|id| SecurityGroupParam {
                    id: Some(id.to_string()),
                    filter: None,
                }));
            port.security_groups.extend(groups.iter().cloned());
        }
        port
    }
}
