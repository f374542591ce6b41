use k8s_openapi::api::core::v1::ObjectReference;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::stacks::conditions::Condition;

/// A subscription to the releases of one stack for one Kubernetes minor version.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "clusterstack.x-k8s.io",
    version = "v1alpha1",
    kind = "ClusterStack",
    namespaced,
    status = "ClusterStackStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "csk",
    doc = "A subscription to the releases of a cluster stack.",
    printcolumn = r#"{"name": "Provider", "type": "string", "jsonPath": ".spec.provider"}"#,
    printcolumn = r#"{"name": "ClusterStack", "type": "string", "jsonPath": ".spec.name"}"#,
    printcolumn = r#"{"name": "K8s", "type": "string", "jsonPath": ".spec.kubernetesVersion"}"#,
    printcolumn = r#"{"name": "Channel", "type": "string", "jsonPath": ".spec.channel"}"#,
    printcolumn = r#"{"name": "Autosubscribe", "type": "string", "jsonPath": ".spec.autoSubscribe"}"#,
    printcolumn = r#"{"name": "Usable", "type": "string", "jsonPath": ".status.usableVersions"}"#,
    printcolumn = r#"{"name": "Latest", "type": "string", "jsonPath": ".status.latestRelease"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].reason"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].message"}"#
)]
pub struct ClusterStackSpec {
    /// Provider, for example `openstack`. Immutable.
    #[schemars(length(min = 1))]
    pub provider: String,
    /// Name of the stack, for example `scs`. Immutable.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Kubernetes minor version, for example `1.36`. Immutable.
    #[schemars(regex(pattern = r"^\d\.\d+$"))]
    pub kubernetes_version: String,
    /// Release channel. Absent means `stable`. Immutable.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "stable"))]
    pub channel: Option<Channel>,
    /// Releases to have in any case, for example `v1` or `v0-sha.abc1234`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// Take the newest release of the channel by itself. Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub auto_subscribe: Option<bool>,
    /// The stack needs nothing of its provider. Absent means false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = false))]
    pub no_provider: Option<bool>,
    /// The template of the provider's release objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::object_reference")]
    pub provider_ref: Option<ObjectReference>,
}

/// Which releases a stack takes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Numbered releases: `v1`, `v2`.
    #[default]
    Stable,
    /// Anything else, by `versions` only.
    Custom,
}

/// What is known of a stack's releases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStackStatus {
    /// Newest release that is ready: `<release> | <Kubernetes version>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_release: Option<String>,
    /// The releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summary: Vec<ClusterStackReleaseSummary>,
    /// Versions that are ready, joined by `, `.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usable_versions: Option<String>,
    /// What works and what does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
}

/// One release of a stack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterStackReleaseSummary {
    /// Version, with dashes: `v1`, `v0-sha-abc1234`.
    pub name: String,
    /// Clusters can use it.
    pub ready: bool,
    /// How far it is.
    pub phase: String,
    /// What is awaited, or went wrong.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

crate::names::names! {
    /// How far a release is.
    ReleasePhase {
        /// Nothing is known yet.
        None = "",
        /// On its way into the local store.
        DownloadingReleaseAssets = "downloading release assets",
        /// The provider does its part.
        ProviderSpecificWork = "provider-specific work",
        /// The ClusterClass is being applied.
        ApplyingObjects = "applying objects",
        /// Ready.
        Done = "done",
    }
}
