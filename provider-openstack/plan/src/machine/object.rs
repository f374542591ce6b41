//! The `OpenStackServer` object of a machine.

use std::collections::BTreeMap;

use crds::capi::names::{CLUSTER_NAME_LABEL, WATCH_FILTER_LABEL};
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerSpec};
use crds::openstack::v1beta2::{FixedIP, NetworkParam, PortOpts, SecurityGroupParam};
use k8s_openapi::api::core::v1::LocalObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::Want;
use crate::tags;

/// The object to create, owned by the machine.
pub fn server(want: &Want, bootstrap_secret: &str) -> OpenStackServer {
    let mut object = OpenStackServer::new(&want.name, spec(want, bootstrap_secret));
    let mut labels = BTreeMap::from([(CLUSTER_NAME_LABEL.to_string(), want.cluster.name.clone())]);
    if let Some(value) = &want.watch_filter {
        labels.insert(WATCH_FILTER_LABEL.to_string(), value.clone());
    }
    object.metadata.namespace = Some(want.namespace.clone());
    object.metadata.labels = Some(labels);
    object.metadata.owner_references = Some(vec![OwnerReference {
        api_version: "infrastructure.cluster.x-k8s.io/v1beta2".to_string(),
        kind: "OpenStackMachine".to_string(),
        name: want.name.clone(),
        uid: want.uid.clone(),
        ..OwnerReference::default()
    }]);
    object
}

fn spec(want: &Want, bootstrap_secret: &str) -> OpenStackServerSpec {
    let spec = want.spec.clone();
    let cluster = &want.cluster;
    let ports = if spec.ports.is_empty() {
        vec![PortOpts::default()]
    } else {
        spec.ports
    };
    OpenStackServerSpec {
        identity_ref: spec
            .identity_ref
            .unwrap_or_else(|| cluster.identity_ref.clone()),
        flavor: spec.flavor.filter.and_then(|filter| filter.name),
        flavor_id: spec.flavor.id,
        image: spec.image,
        ssh_key_name: spec.ssh_key_name.unwrap_or_default(),
        ports: ports.into_iter().map(|port| complete(want, port)).collect(),
        // They are in each port already.
        security_groups: Vec::new(),
        trunk: spec.trunk,
        tags: tags::merged([spec.tags.as_slice(), cluster.tags.as_slice()]),
        server_metadata: spec.server_metadata,
        config_drive: spec.config_drive,
        root_volume: spec.root_volume,
        additional_block_devices: spec.additional_block_devices,
        server_group: spec.server_group,
        availability_zone: want.failure_domain.clone(),
        floating_ip_pool_ref: spec.floating_ip_pool_ref,
        user_data_ref: Some(LocalObjectReference {
            name: bootstrap_secret.to_string(),
        }),
        scheduler_hint_additional_properties: spec.scheduler_hint_additional_properties,
    }
}

/// A port with what it does not say itself: the cluster's network, and the managed group of its
/// role. The machine's own groups come on top.
fn complete(want: &Want, mut port: PortOpts) -> PortOpts {
    let cluster = &want.cluster;
    if port.network.is_none() && port.fixed_ips.is_empty() {
        port.network = cluster.network.as_ref().map(|network| NetworkParam {
            id: Some(network.id.clone()),
            filter: None,
        });
        let subnets = cluster.subnets.iter().cloned();
        port.fixed_ips = subnets
            .map(|subnet| FixedIP {
                subnet: Some(subnet),
                ip_address: None,
            })
            .collect();
    }
    if port.enable_port_security != Some(false) {
        let managed = cluster
            .security_group
            .iter()
            .filter(|_| port.security_groups.is_empty());
        let managed: Vec<SecurityGroupParam> = managed
            .map(|group| SecurityGroupParam {
                id: Some(group.id.clone()),
                filter: None,
            })
            .collect();
        port.security_groups.extend(managed);
        port.security_groups
            .extend(want.spec.security_groups.iter().cloned());
    }
    port
}
