//! The part of the small cloud that the controller of `OpenStackServer` and Nova play, for a bastion.

use crds::capi::names::WATCH_FILTER_LABEL;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerStatus, ServerResources};
use crds::openstack::v1beta2::{OpenStackIdentityReference, PortStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::world::{FixedIp, Port};

use super::cloud::{Cloud, find};

impl Cloud {
    pub(super) fn create_bastion(&mut self, object: OpenStackServer) -> Result<(), String> {
        if let Some(have) = &self.holds.bastion {
            return Err(format!("{:?} exists", have.metadata.name));
        }
        self.holds.bastion = Some(object);
        Ok(())
    }

    pub(super) fn delete_bastion(&mut self, name: &str) {
        let is_it = |object: &&mut OpenStackServer| object.metadata.name.as_deref() == Some(name);
        if let Some(object) = self.holds.bastion.as_mut().filter(is_it) {
            object.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
        }
    }

    pub(super) fn label_bastion(&mut self, watch_filter: String) {
        let label = (WATCH_FILTER_LABEL.to_string(), watch_filter);
        let object = self.holds.bastion.as_mut().expect("an object");
        let labels = object.metadata.labels.get_or_insert_default();
        labels.extend([label]);
    }

    pub(super) fn update_bastion(&mut self, identity_ref: OpenStackIdentityReference) {
        let object = self.holds.bastion.as_mut().expect("an object");
        object.spec.identity_ref = identity_ref;
    }

    /// Somebody deletes the bastion.
    pub fn lose_bastion(&mut self) {
        if let Some(name) = self
            .holds
            .bastion
            .as_ref()
            .and_then(|object| object.metadata.name.clone())
        {
            self.delete_bastion(&name);
            self.tick_bastion();
        }
    }

    /// The server of the bastion is there, or gone.
    pub(super) fn tick_bastion(&mut self) {
        let Some(mut object) = self.holds.bastion.take() else {
            return;
        };
        let status = object.status.take().unwrap_or_default();
        if object.metadata.deletion_timestamp.is_some() {
            let ids: Vec<String> = (status.resources.into_iter().flat_map(|made| made.ports))
                .map(|port| port.id)
                .collect();
            self.holds.ports.retain(|port| !ids.contains(&port.id));
            for ip in &mut self.holds.floating_ips {
                ip.port_id = ip.port_id.take().filter(|port| !ids.contains(port));
            }
            return;
        }
        object.status = Some(match status.ready {
            true => status,
            false => self.boot(&object),
        });
        self.holds.bastion = Some(object);
    }

    fn boot(&mut self, object: &OpenStackServer) -> OpenStackServerStatus {
        let (id, server) = (self.id("port"), self.id("server"));
        let spec = object.spec.ports.first().cloned().unwrap_or_default();
        let network = (spec.network.and_then(|network| network.id)).expect("a network");
        find(&mut self.holds.networks, |have| have.id == network).expect("its network");
        let subnets = self.holds.subnets.iter();
        let fixed_ips = subnets
            .filter(|subnet| subnet.network_id == network)
            .map(|subnet| FixedIp {
                subnet_id: subnet.id.clone(),
                ip_address: subnet.cidr.hosts().last().expect("a host").to_string(),
            });
        let port = Port {
            id: id.clone(),
            name: "bastion-0".into(),
            device_id: server.clone(),
            fixed_ips: fixed_ips.collect(),
            security_groups: (spec.security_groups.into_iter())
                .filter_map(|group| group.id)
                .collect(),
            network_id: network,
            ..Port::default()
        };
        self.holds.ports.push(port);
        OpenStackServerStatus {
            ready: true,
            instance_id: Some(server),
            instance_state: Some("ACTIVE".into()),
            resources: Some(ServerResources {
                ports: vec![PortStatus { id }],
            }),
            ..OpenStackServerStatus::default()
        }
    }
}
