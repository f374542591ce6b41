use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::{Deserialize, Serialize};

/// A Cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cluster {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What the user wants.
    pub spec: ClusterSpec,
    /// What Cluster API sees.
    pub status: ClusterStatus,
}

super::resource!(Cluster, "Cluster", "clusters");

impl Cluster {
    /// The infrastructure was complete once.
    pub fn infrastructure_provisioned(&self) -> bool {
        self.status.initialization.infrastructure_provisioned || self.status.infrastructure_ready
    }

    /// The first control plane node answered once.
    pub fn control_plane_initialized(&self) -> bool {
        let condition = |c: &Condition| c.type_ == "ControlPlaneInitialized" && c.status == "True";
        self.status.initialization.control_plane_initialized
            || self.status.conditions.iter().any(condition)
    }
}

/// What the user wants of a Cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterSpec {
    /// Nothing of the cluster is to be changed.
    pub paused: bool,
    /// Addresses of pods and services.
    pub cluster_network: ClusterNetwork,
    /// The Kubernetes API as clients reach it; empty until it is known.
    pub control_plane_endpoint: ControlPlaneEndpoint,
    /// The object that stands for the infrastructure.
    pub infrastructure_ref: Option<ObjectRef>,
    /// The object that stands for the control plane.
    pub control_plane_ref: Option<ObjectRef>,
    /// The ClusterClass that the cluster is made from.
    pub topology: Option<Topology>,
}

/// Addresses of pods and services.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterNetwork {
    /// Port that the API server itself listens on.
    pub api_server_port: Option<i32>,
    /// Addresses of pods.
    pub pods: NetworkRanges,
    /// Addresses of services.
    pub services: NetworkRanges,
    /// DNS domain of services.
    pub service_domain: Option<String>,
}

/// Ranges of addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkRanges {
    /// The CIDRs.
    pub cidr_blocks: Vec<String>,
}

/// The Kubernetes API as clients reach it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ControlPlaneEndpoint {
    /// Address or DNS name; empty until it is known.
    pub host: String,
    /// Port; 0 until it is known.
    pub port: i32,
}

/// An object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ObjectRef {
    /// API group; empty in references of Cluster API before v1beta2, which have `apiVersion`.
    pub api_group: String,
    /// Group and version; empty in references of Cluster API v1beta2.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    /// API group, whichever way it is written.
    pub fn group(&self) -> &str {
        match self.api_version.split_once('/') {
            Some((group, _)) if self.api_group.is_empty() => group,
            _ => &self.api_group,
        }
    }
}

impl Cluster {
    /// Name of the ClusterClass; empty if the Cluster has no topology.
    pub fn class_name(&self) -> &str {
        let topology = self.spec.topology.as_ref();
        topology.map(Topology::class_name).unwrap_or_default()
    }
}

/// The ClusterClass that a cluster is made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Topology {
    /// The ClusterClass, as Cluster API v1beta2 has it.
    pub class_ref: ClassRef,
    /// Name of the ClusterClass, as older versions have it. Read [`Topology::class_name`].
    pub class: String,
    /// Namespace of the ClusterClass, as older versions have it.
    pub class_namespace: String,
    /// Kubernetes version, for example `v1.36.2`.
    pub version: String,
}

impl Topology {
    /// Name of the ClusterClass, whichever way it is written; empty if there is none.
    pub fn class_name(&self) -> &str {
        first_set(&self.class_ref.name, &self.class)
    }

    /// Namespace of the ClusterClass; empty means that of the Cluster.
    pub fn class_namespace(&self) -> &str {
        first_set(&self.class_ref.namespace, &self.class_namespace)
    }
}

fn first_set<'a>(new: &'a str, old: &'a str) -> &'a str {
    if new.is_empty() { old } else { new }
}

/// Name of a ClusterClass.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassRef {
    /// Name.
    pub name: String,
    /// Namespace; empty means that of the Cluster.
    pub namespace: String,
}

/// What Cluster API sees of a Cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Progress of the first provisioning. Read the methods of [`Cluster`].
    pub initialization: ClusterInitialization,
    /// As Cluster API before v1beta2 says that the infrastructure is complete.
    pub infrastructure_ready: bool,
    /// Conditions.
    pub conditions: Vec<Condition>,
}

/// Progress of a cluster's first provisioning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterInitialization {
    /// The infrastructure was complete once.
    pub infrastructure_provisioned: bool,
    /// The first control plane node answered once.
    pub control_plane_initialized: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn cluster(value: Value) -> Cluster {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn reads_v1beta2() {
        let cluster = cluster(json!({
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "kind": "Cluster",
            "metadata": { "name": "demo" },
            "spec": {
                "infrastructureRef": {
                    "apiGroup": "infrastructure.cluster.x-k8s.io",
                    "kind": "OpenStackCluster",
                    "name": "demo-x",
                },
                "topology": {
                    "classRef": { "name": "openstack-lab-1-36-v1", "namespace": "classes" },
                    "version": "v1.36.2",
                },
                "futureField": true,
            },
            "status": { "initialization": {
                "infrastructureProvisioned": true,
                "controlPlaneInitialized": true,
            } },
        }));
        let topology = cluster.spec.topology.clone().unwrap();
        assert_eq!(topology.class_name(), "openstack-lab-1-36-v1");
        assert_eq!(topology.class_namespace(), "classes");
        let infrastructure = cluster.spec.infrastructure_ref.clone().unwrap();
        assert_eq!(infrastructure.group(), "infrastructure.cluster.x-k8s.io");
        assert!(cluster.infrastructure_provisioned() && cluster.control_plane_initialized());
    }

    #[test]
    fn reads_v1beta1() {
        let cluster = cluster(json!({
            "apiVersion": "cluster.x-k8s.io/v1beta1",
            "kind": "Cluster",
            "metadata": { "name": "demo" },
            "spec": {
                "infrastructureRef": {
                    "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta1",
                    "kind": "OpenStackCluster",
                    "name": "demo-x",
                },
                "topology": { "class": "openstack-lab-1-36-v1", "version": "v1.36.2" },
            },
            "status": {
                "infrastructureReady": true,
                // without reason and message, as conditions of v1beta1 may be
                "conditions": [{
                    "type": "ControlPlaneInitialized",
                    "status": "True",
                    "lastTransitionTime": "2026-11-21T12:00:00Z",
                }],
            },
        }));
        let topology = cluster.spec.topology.clone().unwrap();
        assert_eq!(topology.class_name(), "openstack-lab-1-36-v1");
        assert_eq!(topology.class_namespace(), "");
        let infrastructure = cluster.spec.infrastructure_ref.clone().unwrap();
        assert_eq!(infrastructure.group(), "infrastructure.cluster.x-k8s.io");
        assert!(cluster.infrastructure_provisioned() && cluster.control_plane_initialized());
    }

    #[test]
    fn missing_fields_take_their_default() {
        assert_eq!(cluster(json!({})), Cluster::default());
    }
}
