//! The objects beside a cluster's infrastructure: its bastion, and clusters of other names that are
//! the same name in the cloud.

use std::collections::BTreeSet;

use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackClusterStatus};
use kube::{Api, ResourceExt};
use plan::cluster::{Namesake, Owner, bastion_name};
use plan::names::ClusterNames;
use runtime::Key;

use super::{Controller, owner};
use crate::Error;

impl Controller {
    /// The object with the name of the bastion. One that was not seen yet must not be left behind, so
    /// an infrastructure that goes asks for it.
    pub(super) async fn bastion(
        &self,
        owner: &Owner,
        deleting: bool,
    ) -> Result<Option<OpenStackServer>, Error> {
        let key = Key::new(&owner.namespace, bastion_name(&owner.name));
        match self.servers.get(&key) {
            None if deleting => {
                let client = self.context.client.clone();
                let servers = Api::<OpenStackServer>::namespaced(client, &key.namespace);
                Ok(servers.get_opt(&key.name).await?)
            }
            cached => Ok(cached),
        }
    }

    /// Other clusters whose resources would have the names of `object`'s.
    pub(super) fn namesakes(&self, object: &OpenStackCluster, owner: &Owner) -> Vec<Namesake> {
        let names = |owner: &Owner| ClusterNames::new(&owner.namespace, &owner.name);
        let is_other = |other: &OpenStackCluster| {
            owner::of(other).is_some_and(|of| of != *owner && names(&of) == names(owner))
        };
        let others = self.objects.list(is_other);
        others.iter().map(|other| namesake(object, other)).collect()
    }
}

fn namesake(object: &OpenStackCluster, other: &OpenStackCluster) -> Namesake {
    let age = |of: &OpenStackCluster| {
        let created = of.metadata.creation_timestamp.as_ref().map(|time| time.0);
        (created, of.namespace(), of.name_any())
    };
    let status = other.status.clone().unwrap_or_default();
    let initialization = status.initialization.as_ref();
    Namesake {
        object: format!("OpenStackCluster {}", Key::of(other)),
        provisioned: initialization.and_then(|so_far| so_far.provisioned) == Some(true),
        older: age(other) < age(object),
        holds: holds(other, &status),
    }
}

fn holds(object: &OpenStackCluster, status: &OpenStackClusterStatus) -> BTreeSet<String> {
    let groups = [
        &status.control_plane_security_group,
        &status.worker_security_group,
        &status.bastion_security_group,
    ];
    let groups = groups.into_iter().flatten().map(|group| group.id.clone());
    let balancer = status.api_server_managed_load_balancer.iter();
    let balancer = balancer.flat_map(|balancer| [balancer.id.clone(), balancer.ip.clone()]);
    let bastion = status.bastion.iter();
    let bastion = bastion.filter_map(|bastion| bastion.floating_ip.clone());
    let endpoint = object.spec.control_plane_endpoint.iter();
    let endpoint = endpoint.filter_map(|endpoint| endpoint.host.clone());
    let network = status.network.iter().map(|network| network.id.clone());
    let router = status.router.iter().map(|router| router.id.clone());
    groups
        .chain(balancer)
        .chain(bastion)
        .chain(endpoint)
        .chain(network)
        .chain(router)
        .filter(|held| !held.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_namesake_is_known_by_age_and_by_what_it_published() {
        let object = |namespace: &str, created: &str| -> OpenStackCluster {
            serde_json::from_value(json!({
                "metadata": {"namespace": namespace, "name": "infra", "creationTimestamp": created},
                "spec": {
                    "identityRef": {"name": "cloud", "cloudName": "openstack"},
                    "controlPlaneEndpoint": {"host": "203.0.113.1", "port": 6443},
                },
                "status": {
                    "initialization": {"provisioned": true},
                    "network": {"id": "network", "name": "x"},
                    "workerSecurityGroup": {"id": "group", "name": "x"},
                },
            }))
            .expect("an object")
        };
        let first = object("a", "2026-01-01T00:00:00Z");
        let second = object("a-b", "2026-01-02T00:00:00Z");
        let seen = namesake(&second, &first);
        assert_eq!(
            seen,
            Namesake {
                object: "OpenStackCluster a/infra".into(),
                holds: ["203.0.113.1", "group", "network"].map(String::from).into(),
                provisioned: true,
                older: true,
            }
        );
        assert!(!namesake(&first, &second).older);
    }
}
