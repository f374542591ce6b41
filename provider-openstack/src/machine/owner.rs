//! The objects around a machine: `Machine`, `Cluster` and `OpenStackCluster`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crds::capi;
use crds::openstack::names::GROUP;
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackIdentityReference, OpenStackMachine};
use kube::{Api, ResourceExt};
use plan::machine::{Ingress, Want};
use runtime::Key;
use runtime::controller::Cached;

use super::Machines;
use crate::lookup::find;
use crate::wake::Waiter;
use crate::{Error, condition, pause};

/// The object that stands for the server of a `Machine`.
pub fn object_of(machine: &capi::Machine) -> Option<Key> {
    let reference = &machine.spec.infrastructure_ref;
    let ours = reference.kind == "OpenStackMachine" && reference.group() == GROUP;
    ours.then(|| Key::new(machine.namespace().unwrap_or_default(), &reference.name))
}

/// Remembers of each cluster what machines that run have of it.
#[derive(Debug, Default)]
pub struct Shared(Mutex<HashMap<Key, (OpenStackIdentityReference, Ingress)>>);

impl Shared {
    fn has_changed(&self, cluster: &OpenStackCluster) -> bool {
        let now = (cluster.spec.identity_ref.clone(), Ingress::of(cluster));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.insert(Key::of(cluster), now.clone());
        before.is_some_and(|before| before != now)
    }

    /// The machines of a cluster that a change of it concerns: those that are not provisioned yet,
    /// for they may wait for it, or all when it has other credentials now, or another way to its API,
    /// such as a load balancer that was made anew.
    pub fn concerned(
        &self,
        cluster: &OpenStackCluster,
        objects: &Cached<OpenStackMachine>,
    ) -> Vec<Key> {
        let all = self.has_changed(cluster);
        waiting_for(cluster, objects, all)
    }
}

fn waiting_for(
    cluster: &OpenStackCluster,
    objects: &Cached<OpenStackMachine>,
    all: bool,
) -> Vec<Key> {
    let Some(name) =
        capi::cluster_name(&cluster.metadata).or(capi::owner_cluster_name(&cluster.metadata))
    else {
        return Vec::new();
    };
    let key = Key::new(cluster.namespace().unwrap_or_default(), name);
    pause::members(&key, objects, |machine| {
        let initialization = machine
            .status
            .as_ref()
            .and_then(|status| status.initialization.as_ref());
        all || initialization.and_then(|initialization| initialization.provisioned) != Some(true)
    })
}

impl Machines {
    /// What is wanted of the machine; `None` while that is not known, or nobody is to touch it.
    pub async fn want(&self, object: &OpenStackMachine, key: &Key) -> Result<Option<Want>, Error> {
        let deleting = object.metadata.deletion_timestamp.is_some();
        let beside = |name: &str| Key::new(&key.namespace, name);
        let client = &self.context.client;
        let machine = match capi::owner_machine(&object.metadata) {
            Some(owner) => find(client, &self.machines, &beside(owner)).await?,
            None => None,
        };
        let name = machine
            .as_ref()
            .map(|machine| machine.spec.cluster_name.as_str());
        let name = name
            .or(capi::cluster_name(&object.metadata))
            .unwrap_or_default()
            .to_owned();
        let cluster = find(client, &self.clusters, &beside(&name)).await?;
        if capi::is_paused(cluster.as_ref(), &object.metadata) {
            self.context.clouds.forget(&Waiter::Machine.key(key));
            let api = Api::namespaced(client.clone(), &key.namespace);
            let (status, said) = (object.status.as_ref(), [pause::condition(true)]);
            condition::publish(&api, object, status, |status| &mut status.conditions, said).await?;
            return Ok(None);
        }
        let reference = cluster
            .as_ref()
            .and_then(|cluster| cluster.spec.infrastructure_ref.as_ref());
        let infrastructure = match reference {
            Some(reference) => {
                find(client, &self.infrastructures, &beside(&reference.name)).await?
            }
            None => None,
        };
        Ok(match (machine, cluster, infrastructure) {
            (Some(machine), Some(cluster), Some(infrastructure)) => {
                Some(Want::new(object, &machine, &cluster, &infrastructure))
            }
            // Whoever removed the owners by force still wants the machine to go.
            (machine, cluster, infrastructure) if deleting => {
                let mut cluster = cluster.unwrap_or_default();
                cluster.metadata.name.get_or_insert(name);
                cluster
                    .metadata
                    .namespace
                    .get_or_insert_with(|| key.namespace.clone());
                let (machine, infrastructure) = (
                    machine.unwrap_or_default(),
                    infrastructure.unwrap_or_default(),
                );
                Some(Want::new(object, &machine, &cluster, &infrastructure))
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn machines_that_are_done_hear_of_what_they_have_of_their_cluster_alone() {
        let machine = |name: &str, provisioned: bool| -> OpenStackMachine {
            serde_json::from_value(json!({
                "metadata": {
                    "name": name,
                    "namespace": "ns",
                    "labels": {"cluster.x-k8s.io/cluster-name": "c"},
                },
                "spec": {"flavor": {"id": "f"}, "image": {"id": "i"}},
                "status": {"initialization": {"provisioned": provisioned}},
            }))
            .expect("decodes")
        };
        let objects = Cached::fixed([machine("done", true), machine("waits", false)]);
        let mut cluster = OpenStackCluster::default();
        cluster.metadata.namespace = Some("ns".into());
        cluster.metadata.name = Some("c".into());
        let label = ("cluster.x-k8s.io/cluster-name".to_string(), "c".to_string());
        cluster.metadata.labels = Some([label].into());
        let shared = Shared::default();
        let concerned = |cluster: &OpenStackCluster| {
            let keys = shared.concerned(cluster, &objects).into_iter();
            let mut names: Vec<String> = keys.map(|key| key.name).collect();
            names.sort();
            names
        };
        cluster.spec.identity_ref.name = "old".into();
        assert_eq!(
            concerned(&cluster),
            ["waits"],
            "what there is, is no change"
        );
        cluster.spec.tags.push("new".into());
        assert_eq!(concerned(&cluster), ["waits"]);
        cluster.spec.identity_ref.name = "new".into();
        assert_eq!(concerned(&cluster), ["done", "waits"]);
        assert_eq!(concerned(&cluster), ["waits"]);
        let balanced = |id: &str| {
            let balancer =
                json!({"name": "api", "id": id, "ip": "192.0.2.1", "internalIP": "10.6.0.9"});
            serde_json::from_value(json!({"apiServerManagedLoadBalancer": balancer}))
        };
        cluster.spec.api_server =
            serde_json::from_value(json!({"managedLoadBalancer": {}})).expect("decodes");
        for id in ["first", "made anew"] {
            cluster.status = balanced(id).expect("decodes");
            assert_eq!(concerned(&cluster), ["done", "waits"], "{id}");
            assert_eq!(concerned(&cluster), ["waits"], "{id}");
        }
    }
}
