use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Resource;
use crate::schema;
use crate::stacks::conditions::Condition;

/// The add-ons of one Cluster. The spec is written by the operator, not by users.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterstack.x-k8s.io",
    version = "v1alpha1",
    kind = "ClusterAddon",
    namespaced,
    status = "ClusterAddonStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "caddon",
    doc = "The add-ons of a Cluster.",
    printcolumn = r#"{"name": "Cluster", "type": "string", "jsonPath": ".metadata.ownerReferences[?(@.kind==\"Cluster\")].name"}"#,
    printcolumn = r#"{"name": "Hook", "type": "string", "jsonPath": ".spec.hook"}"#,
    printcolumn = r#"{"name": "Ready", "type": "boolean", "jsonPath": ".status.ready"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].message"}"#
)]
pub struct ClusterAddonSpec {
    /// The ClusterClass whose add-ons were applied last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_stack: Option<String>,
    /// Version of the add-ons, with dashes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The hook to serve. Set by the hook server, cleared when it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// The Cluster.
    #[schemars(schema_with = "schema::object_reference")]
    pub cluster_ref: ObjectReference,
}

/// What was made of the add-ons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterAddonStatus {
    /// Objects that were applied to the workload cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// The stages of the hook that is being served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageStatus>,
    /// What `stages` are about. An extension: the Cluster Stack Operator forgets
    /// it, and after a restart cannot tell an old run from a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<StageRun>,
    /// Kubernetes version of the release in `spec.clusterStack`. An extension: without it, the
    /// old release is needed to tell whether Kubernetes changes.
    #[serde(
        default,
        rename = "kubernetesVersion",
        skip_serializing_if = "Option::is_none"
    )]
    pub kubernetes_version: Option<String>,
    /// All add-ons are applied.
    #[serde(default)]
    pub ready: bool,
    /// What works and what does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// Which stages are on their way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageRun {
    /// The ClusterClass whose stages they are.
    pub cluster_stack: String,
    /// The hook whose stages they are.
    pub hook: String,
}

/// How far a stage is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageStatus {
    /// Name of the stage: the folder of its chart.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// `apply` or `delete`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// How far it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phase: String,
    /// What is awaited, or went wrong. An extension: the Cluster Stack Operator has no such field.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

crate::names::names! {
    /// What a stage does with its chart.
    StageAction {
        /// Apply its objects.
        Apply = "apply",
        /// Delete its objects.
        Delete = "delete",
    }
}

crate::names::names! {
    /// How far a stage is.
    StagePhase {
        /// Nothing is known yet.
        None = "",
        /// Its turn has not come.
        Pending = "Pending",
        /// Its precondition does not hold yet.
        WaitingForPreCondition = "waitingForPreCondition",
        /// Objects are being applied or deleted.
        ApplyingOrDeleting = "applyingOrDeleting",
        /// Its postcondition does not hold yet.
        WaitingForPostCondition = "waitingForPostCondition",
        /// Done.
        Done = "done",
    }
}
