//! Whose infrastructure an `OpenStackCluster` is, and whether it is ours to touch.

use crds::capi::names::{CLUSTER_NAME_LABEL, GROUP, MANAGED_BY_ANNOTATION};
use crds::capi::{self, Cluster};
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackMachine};
use kube::ResourceExt;
use plan::cluster::Owner;
use runtime::Key;
use runtime::controller::Cached;

use super::Controller;
use crate::Error;
use crate::lookup::find;

/// The `Cluster` that owns the object; `None` until Cluster API has said so.
pub(super) fn of(object: &OpenStackCluster) -> Option<Owner> {
    let is_cluster = |api_version: &str| {
        api_version
            .split_once('/')
            .is_some_and(|(group, _)| group == GROUP)
    };
    let owners = object.owner_references();
    let owner = owners
        .iter()
        .find(|owner| owner.kind == "Cluster" && is_cluster(&owner.api_version))?;
    Some(Owner {
        namespace: object.namespace()?,
        name: owner.name.clone(),
    })
}

/// Not managed by something else.
pub(super) fn is_ours(object: &OpenStackCluster) -> bool {
    !object.annotations().contains_key(MANAGED_BY_ANNOTATION)
}

/// The infrastructure of a `Cluster`.
pub(super) fn infrastructure_of(cluster: &Cluster) -> Option<Key> {
    let reference = cluster.spec.infrastructure_ref.as_ref()?;
    let ours =
        reference.kind == "OpenStackCluster" && reference.group() == crds::openstack::names::GROUP;
    ours.then(|| Key::new(cluster.namespace().unwrap_or_default(), &reference.name))
}

/// The infrastructure of a machine's `Cluster`: it waits for the end of the last machine.
pub(super) fn of_machine(
    clusters: Cached<Cluster>,
) -> impl Fn(&OpenStackMachine) -> Option<Key> + Send + Sync {
    move |machine| {
        machine.metadata.deletion_timestamp.as_ref()?;
        let cluster = machine.labels().get(CLUSTER_NAME_LABEL)?;
        infrastructure_of(&clusters.get(&Key::new(machine.namespace()?, cluster))?)
    }
}

fn endpoint_of(cluster: &Cluster) -> Option<(String, u16)> {
    let endpoint = &cluster.spec.control_plane_endpoint;
    let port = u16::try_from(endpoint.port)
        .ok()
        .filter(|port| *port != 0)?;
    (!endpoint.host.is_empty()).then(|| (endpoint.host.clone(), port))
}

impl Controller {
    /// Whether somebody switched reconciling off, here or at the `Cluster`.
    pub(super) async fn is_paused(
        &self,
        object: &OpenStackCluster,
        owner: &Owner,
    ) -> Result<bool, Error> {
        let key = Key::new(&owner.namespace, &owner.name);
        let cluster = find(&self.context.client, &self.clusters, &key).await?;
        Ok(capi::is_paused(cluster.as_ref(), &object.metadata))
    }

    /// Host and port of the `Cluster`'s endpoint, when it has both.
    pub(super) fn cluster_endpoint(&self, owner: &Owner) -> Option<(String, u16)> {
        let cluster = self
            .clusters
            .get(&Key::new(&owner.namespace, &owner.name))?;
        endpoint_of(&cluster)
    }

    /// How many machines of the cluster still exist.
    pub(super) fn machines(&self, owner: &Owner) -> usize {
        let is_of_cluster = |machine: &OpenStackMachine| {
            machine.namespace().as_ref() == Some(&owner.namespace)
                && machine.labels().get(CLUSTER_NAME_LABEL) == Some(&owner.name)
        };
        self.machines.list(is_of_cluster).len()
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn object<K: DeserializeOwned>(json: Value) -> K {
        serde_json::from_value(json).expect("an object")
    }

    fn cluster() -> Cluster {
        object(json!({
            "metadata": {"namespace": "team", "name": "demo"},
            "spec": {"infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "OpenStackCluster", "name": "demo-abc",
            }},
        }))
    }

    fn infrastructure(owner: &str, api_version: &str) -> OpenStackCluster {
        object(json!({
            "metadata": {"namespace": "team", "name": "demo-abc", "ownerReferences": [
                {"apiVersion": api_version, "kind": owner, "name": "demo", "uid": "1"},
            ]},
            "spec": {"identityRef": {"name": "cloud", "cloudName": "openstack"}},
        }))
    }

    #[test]
    fn the_owner_is_a_cluster_of_cluster_api() {
        let owner = of(&infrastructure("Cluster", "cluster.x-k8s.io/v1beta2"));
        assert_eq!(
            owner,
            Some(Owner {
                namespace: "team".into(),
                name: "demo".into()
            })
        );
        assert_eq!(
            of(&infrastructure("ClusterClass", "cluster.x-k8s.io/v1beta2")),
            None
        );
        assert_eq!(of(&infrastructure("Cluster", "example.org/v1")), None);
    }

    #[test]
    fn an_endpoint_has_host_and_port() {
        for (host, port, expected) in [
            (
                "api.example.org",
                443,
                Some(("api.example.org".into(), 443)),
            ),
            ("api.example.org", 0, None),
            ("api.example.org", 70_000, None),
            ("", 443, None),
        ] {
            let mut cluster = cluster();
            cluster.spec.control_plane_endpoint.host = host.into();
            cluster.spec.control_plane_endpoint.port = port;
            assert_eq!(endpoint_of(&cluster), expected);
        }
    }

    #[test]
    fn a_machine_wakes_the_infrastructure_of_its_cluster_only_when_it_goes() {
        let wakes = of_machine(Cached::fixed([cluster()]));
        let machine = |deleted: Value| -> OpenStackMachine {
            object(json!({
                "metadata": {
                    "namespace": "team", "name": "demo-worker", "deletionTimestamp": deleted,
                    "labels": {"cluster.x-k8s.io/cluster-name": "demo"},
                },
                "spec": {"flavor": {"id": "1"}, "image": {"id": "1"}},
            }))
        };
        assert_eq!(
            wakes(&machine(json!("2026-01-01T00:00:00Z"))),
            Some(Key::new("team", "demo-abc"))
        );
        assert_eq!(wakes(&machine(Value::Null)), None);
        assert_eq!(infrastructure_of(&Cluster::default()), None);
    }
}
