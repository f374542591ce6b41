use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::{Deserialize, Serialize};

use super::ObjectRef;

/// A Machine: what becomes a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: MachineSpec,
    /// What Cluster API sees.
    pub status: MachineStatus,
}

super::resource!(Machine, "Machine", "machines");

/// What is wanted of a Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MachineSpec {
    /// The Cluster that the machine is part of.
    pub cluster_name: String,
    /// How the server becomes a node.
    pub bootstrap: Bootstrap,
    /// The object that stands for the server.
    pub infrastructure_ref: ObjectRef,
    /// Availability zone.
    pub failure_domain: Option<String>,
    /// Kubernetes version, for example `v1.36.2`.
    pub version: Option<String>,
    /// Name of the server for Kubernetes.
    #[serde(rename = "providerID")]
    pub provider_id: Option<String>,
}

/// How a server becomes a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Bootstrap {
    /// Secret with the user data; absent until it is written.
    pub data_secret_name: Option<String>,
}

/// What Cluster API sees of a Machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MachineStatus {
    /// Phase, for people.
    pub phase: Option<String>,
    /// The node.
    pub node_ref: Option<NodeRef>,
    /// Conditions.
    pub conditions: Vec<Condition>,
}

/// A node of the workload cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeRef {
    /// Name of the node.
    pub name: String,
}

/// A MachineDeployment, as far as it names its Cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineDeployment {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What is wanted.
    pub spec: MachineDeploymentSpec,
}

super::resource!(MachineDeployment, "MachineDeployment", "machinedeployments");

/// What is wanted of a MachineDeployment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MachineDeploymentSpec {
    /// The Cluster that the machines are part of.
    pub cluster_name: String,
}
