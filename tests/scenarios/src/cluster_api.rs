//! What Cluster API does around the provider, as far as the provider needs it: it creates the objects
//! with their owners, brings bootstrap data, and deletes machines before their cluster. Kubernetes'
//! own garbage collector, which a bare API server lacks, is played where machines go.

mod garbage;
mod waiting;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt};
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use waiting::is_ready;

const CORE: &str = "cluster.x-k8s.io";
const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io";
const IPAM: &str = "ipam.cluster.x-k8s.io";
const CLUSTER_NAME: &str = "cluster.x-k8s.io/cluster-name";
/// Requests to the API server at a time.
const AT_A_TIME: usize = 16;
/// The first cluster of a namespace, and the Secret with its credentials.
const FIRST: (&str, &str) = ("demo", "cloud");

/// One cluster, as its user and Cluster API see it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// Namespace.
    pub namespace: String,
    /// Name of the Cluster and of its OpenStackCluster.
    pub name: String,
    /// Secret with the credentials, for the identityRef of all objects.
    pub identity: String,
    /// How long anything that is waited for may take, on the real clock.
    pub deadline: Duration,
}

/// A Machine to be.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Name of the Machine and of its OpenStackMachine.
    pub name: String,
    /// Whether it is part of the control plane.
    pub control_plane: bool,
    /// Availability zone.
    pub failure_domain: Option<String>,
    /// Spec of the OpenStackMachine.
    pub spec: Value,
}

impl Cluster {
    /// Creates the namespace and the Secret with `clouds.yaml`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn open(
        client: Client,
        namespace: &str,
        clouds_yaml: &str,
        deadline: Duration,
    ) -> Result<Self> {
        let (name, identity) = FIRST;
        let cluster = Self {
            client,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            deadline,
        };
        let namespaces: Api<DynamicObject> =
            Api::all_with(cluster.client.clone(), &resource("", "v1", "Namespace"));
        create(
            &namespaces,
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        )
        .await?;
        cluster.secret(identity, "clouds.yaml", clouds_yaml).await?;
        Ok(cluster)
    }

    /// Another cluster to be in the same namespace, with the same credentials.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The same cluster to be, in the cloud of this `clouds.yaml`, which becomes a Secret of its name.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn in_cloud(self, clouds_yaml: &str) -> Result<Self> {
        self.secret(&self.name, "clouds.yaml", clouds_yaml).await?;
        let identity = self.name.clone();
        Ok(Self { identity, ..self })
    }

    /// The same cluster in another management cluster.
    #[must_use]
    pub fn on(&self, client: Client) -> Self {
        Self {
            client,
            ..self.clone()
        }
    }

    /// The objects of a kind: `Cluster`, `OpenStackMachine` and so on.
    #[must_use]
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let of = match kind {
            "Secret" => resource("", "v1", kind),
            "Event" => resource("events.k8s.io", "v1", kind),
            "Cluster" | "Machine" => resource(CORE, "v1beta2", kind),
            "IPAddressClaim" | "IPAddress" => resource(IPAM, "v1beta2", kind),
            "OpenStackServer" | "OpenStackFloatingIPPool" => {
                resource(INFRASTRUCTURE, "v1alpha1", kind)
            }
            _ => resource(INFRASTRUCTURE, "v1beta2", kind),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &of)
    }

    /// Creates the Cluster and its OpenStackCluster; the identity is added to `spec`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create(&self, spec: Value) -> Result<()> {
        let owner = create(
            &self.api("Cluster"),
            json!({
                "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
                "metadata": self.metadata(&self.name, json!({})),
                "spec": { "infrastructureRef": self.reference("OpenStackCluster", &self.name) },
            }),
        )
        .await?;
        let mut object = json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "OpenStackCluster",
            "metadata": self.metadata(&self.name, json!({})),
            "spec": spec,
        });
        object["spec"]["identityRef"] = self.identity_ref();
        object["metadata"]["ownerReferences"] = json!([owned_by(&owner)]);
        create(&self.api("OpenStackCluster"), object).await?;
        Ok(())
    }

    /// Creates a pool of floating IPs; the identity is added to `spec`.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create_pool(&self, name: &str, mut spec: Value) -> Result<()> {
        spec["identityRef"] = self.identity_ref();
        let pool = json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1", "kind": "OpenStackFloatingIPPool",
            "metadata": { "name": name },
            "spec": spec,
        });
        create(&self.api("OpenStackFloatingIPPool"), pool)
            .await
            .map(drop)
    }

    /// Creates a template of machines, which the Cluster owns.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create_template(&self, name: &str, machine: &Machine) -> Result<()> {
        let owner = self.api("Cluster").get(&self.name).await?;
        let mut owned_by = owned_by(&owner);
        owned_by["controller"] = json!(false);
        let mut template = json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "OpenStackMachineTemplate",
            "metadata": self.metadata(name, json!({})),
            "spec": { "template": { "spec": machine.spec } },
        });
        template["metadata"]["ownerReferences"] = json!([owned_by]);
        create(&self.api("OpenStackMachineTemplate"), template)
            .await
            .map(drop)
    }

    /// Creates a Machine, its bootstrap data and its OpenStackMachine.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create_machine(&self, machine: &Machine) -> Result<()> {
        let data = format!("{}-bootstrap", machine.name);
        self.secret(&data, "value", "#cloud-config\n").await?;
        let labels = if machine.control_plane {
            json!({ "cluster.x-k8s.io/control-plane": "" })
        } else {
            json!({})
        };
        let mut spec = json!({
            "clusterName": self.name,
            "bootstrap": { "dataSecretName": data },
            "infrastructureRef": self.reference("OpenStackMachine", &machine.name),
        });
        if let Some(zone) = &machine.failure_domain {
            spec["failureDomain"] = json!(zone);
        }
        let owner = create(
            &self.api("Machine"),
            json!({
                "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine",
                "metadata": self.metadata(&machine.name, labels.clone()),
                "spec": spec,
            }),
        )
        .await?;
        let mut object = json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": "OpenStackMachine",
            "metadata": self.metadata(&machine.name, labels),
            "spec": machine.spec,
        });
        object["metadata"]["ownerReferences"] = json!([owned_by(&owner)]);
        create(&self.api("OpenStackMachine"), object).await?;
        Ok(())
    }

    /// Waits until the OpenStackCluster is provisioned and ready, and says so in the Cluster.
    ///
    /// # Errors
    /// The object as it was at the deadline.
    pub async fn provisioned(&self) -> Result<()> {
        let object = self
            .wait_for("OpenStackCluster", &self.name, is_ready)
            .await?;
        let endpoint = &object.data["spec"]["controlPlaneEndpoint"];
        let patch = json!({
            "spec": { "controlPlaneEndpoint": endpoint },
            "status": { "initialization": { "infrastructureProvisioned": true } },
        });
        let (api, params) = (self.api("Cluster"), PatchParams::default());
        api.patch(&self.name, &params, &Patch::Merge(&patch))
            .await?;
        api.patch_status(&self.name, &params, &Patch::Merge(&patch))
            .await?;
        Ok(())
    }

    /// Creates machines and waits until all of them are ready.
    ///
    /// # Errors
    /// What the API server says, or which are not ready at the deadline.
    pub async fn add_machines(&self, machines: &[Machine]) -> Result<()> {
        self.create_machines(machines).await?;
        self.machines_ready(machines).await
    }

    /// Creates machines.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn create_machines(&self, machines: &[Machine]) -> Result<()> {
        let created = machines.iter().map(|machine| self.create_machine(machine));
        futures::stream::iter(created)
            .buffer_unordered(AT_A_TIME)
            .try_collect::<()>()
            .await
    }

    /// Deletes machines as Cluster API does: the infrastructure first, the Machines when it is gone. What
    /// their servers owned goes with them.
    ///
    /// # Errors
    /// What does not go before the deadline.
    pub async fn delete_machines(&self, names: &[String]) -> Result<()> {
        for (kind, waits) in [("OpenStackMachine", true), ("Machine", false)] {
            let deletes = names.iter().map(|name| self.ask_to_go(kind, name));
            futures::stream::iter(deletes)
                .buffer_unordered(AT_A_TIME)
                .try_collect::<()>()
                .await?;
            if waits {
                let is_there =
                    |there: &BTreeMap<String, bool>, name: &&String| there.contains_key(*name);
                self.machines("gone", |there| {
                    names
                        .iter()
                        .filter(|name| is_there(there, name))
                        .cloned()
                        .collect()
                })
                .await?;
            }
        }
        self.collect_garbage().await
    }

    /// Deletes all machines, then the cluster.
    ///
    /// # Errors
    /// What does not go before the deadline.
    pub async fn delete_all(&self) -> Result<()> {
        let own = ListParams::default().labels(&format!("{CLUSTER_NAME}={}", self.name));
        let machines = self.api("Machine").list(&own).await?;
        let names: Vec<String> = machines.iter().map(ResourceExt::name_any).collect();
        self.delete_machines(&names).await?;
        self.delete("OpenStackCluster", &self.name).await?;
        self.delete("Cluster", &self.name).await
    }

    /// Deletes an object and waits until it is gone.
    ///
    /// # Errors
    /// The object as it was at the deadline.
    pub async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        self.ask_to_go(kind, name).await?;
        let gone = self.until(kind, name, "gone", |object| object.is_none());
        gone.await.map(drop)
    }

    /// Deletes an object, which may be gone already.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn ask_to_go(&self, kind: &str, name: &str) -> Result<()> {
        let api = self.api(kind);
        match api.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(()),
            result => Ok(result.map(drop)?),
        }
    }

    async fn secret(&self, name: &str, key: &str, value: &str) -> Result<()> {
        create(
            &self.api("Secret"),
            json!({
                "apiVersion": "v1", "kind": "Secret",
                "metadata": { "name": name }, "stringData": { key: value },
            }),
        )
        .await
        .map(drop)
    }

    fn metadata(&self, name: &str, mut labels: Value) -> Value {
        labels[CLUSTER_NAME] = json!(self.name);
        json!({ "name": name, "labels": labels })
    }

    fn identity_ref(&self) -> Value {
        json!({ "name": self.identity, "cloudName": crate::scenario::PROJECT })
    }

    fn reference(&self, kind: &str, name: &str) -> Value {
        json!({ "apiGroup": INFRASTRUCTURE, "kind": kind, "name": name })
    }
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

async fn create(api: &Api<DynamicObject>, object: Value) -> Result<DynamicObject> {
    let what = format!("create {} {}", object["kind"], object["metadata"]["name"]);
    let object: DynamicObject = serde_json::from_value(object)?;
    api.create(&PostParams::default(), &object)
        .await
        .context(what)
}

fn owned_by(owner: &DynamicObject) -> Value {
    let types = owner.types.as_ref();
    json!({
        "apiVersion": types.map(|types| &types.api_version),
        "kind": types.map(|types| &types.kind),
        "name": owner.name_any(),
        "uid": owner.uid(),
        "controller": true,
    })
}
