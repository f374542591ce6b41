//! Conditions of cluster stacks. They have the shape of Cluster API's v1beta1
//! ones, with a severity; the strings are the Cluster Stack Operator's.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::names;

/// One aspect of an object's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// How bad it is, with status False only: `Error`, `Warning` or `Info`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// When the status last changed.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub last_transition_time: Time,
    /// Why, in one word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Why, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

names! {
    /// How bad a condition with status False is.
    Severity {
        /// Somebody has to act.
        Error = "Error",
        /// It is tried again.
        Warning = "Warning",
        /// It takes its time.
        Info = "Info",
    }
}

names! {
    /// What a condition is about.
    ConditionType {
        /// All the others together. On all kinds.
        Ready = "Ready",
        /// The source of releases could be set up. On all kinds.
        AssetsClientAPIAvailable = "AssetsClientAPIAvailable",
        /// The list of releases is up to date. On ClusterStack.
        ReleasesSynced = "ReleasesSynced",
        /// The ClusterStackReleases are as wanted. On ClusterStack.
        ClusterStackReleasesSynced = "ClusterStackReleasesSynced",
        /// The provider's release objects are as wanted. On ClusterStack.
        ProviderClusterStackReleasesSynced = "ProviderClusterStackReleasesSynced",
        /// At least one release can be used. On ClusterStack.
        ClusterStackReleaseAvailable = "ClusterStackReleaseAvailable",
        /// The release is in the local store, and whole. On ClusterStackRelease, ClusterAddon.
        ClusterStackReleaseDownloaded = "ClusterStackReleaseDownloaded",
        /// The provider's part of the release is done. On ClusterStackRelease.
        ProviderClusterStackReleaseReady = "ProviderClusterStackReleaseReady",
        /// All objects are applied. On ClusterStackRelease, ClusterAddon.
        HelmChartApplied = "HelmChartApplied",
        /// The workload cluster's API answers. On ClusterAddon.
        ClusterReady = "ClusterReady",
        /// `clusteraddon.yaml` is well-formed. On ClusterAddon.
        ClusterAddonConfigValidated = "ClusterAddonConfigValidated",
        /// Cluster API has called the hook. On ClusterAddon.
        HookServerReady = "HookServerReady",
        /// The charts of all stages are in the release. On ClusterAddon.
        HelmChartFound = "HelmChartFound",
        /// The charts of all stages could be rendered. On ClusterAddon.
        HelmChartTemplated = "HelmChartTemplated",
        /// What is to go is gone. On ClusterAddon.
        HelmChartDeleted = "HelmChartDeleted",
        /// The expressions of the stages could be evaluated. On ClusterAddon.
        EvaluatedCEL = "EvaluatedCEL",
    }
}

names! {
    /// Why a condition is False.
    Reason {
        /// The source of releases is not set up right, or not reachable.
        FailedCreateAssetsClient = "FailedCreateAssetsClient",
        /// Releases could not be listed.
        FailedToSync = "FailedToSync",
        /// An object could not be written.
        FailedToCreateOrUpdate = "FailedToCreateOrUpdate",
        /// `spec.providerRef` names nothing.
        ProviderTemplateNotFound = "ProviderTemplateNotFound",
        /// The release is not in the local store yet.
        ReleaseAssetsNotDownloadedYet = "ReleaseAssetsNotDownloadedYet",
        /// The release is broken: the message says which file.
        IssueWithReleaseAssets = "IssueWithReleaseAssets",
        /// The provider is still busy.
        ProcessOngoing = "ProcessOngoing",
        /// An object could not be applied.
        FailedToApplyObjects = "FailedToApplyObjects",
        /// Objects are being applied.
        ObjectsApplyingOngoing = "ObjectsApplyingOngoing",
        /// The workload cluster's API does not answer yet.
        ControlPlaneNotReady = "ControlPlaneNotReady",
        /// `clusteraddon.yaml` is malformed.
        ParsingClusterAddonConfigFailed = "ParsingClusterAddonConfigFailed",
        /// Cluster API has not called the hook yet.
        HookServerUnresponsive = "HookServerUnresponsive",
        /// A stage names a chart that the release lacks.
        HelmChartMissing = "HelmChartMissing",
        /// A chart of the new release could not be rendered.
        TemplateNewClusterStackFailed = "TemplateNewClusterStackFailed",
        /// Values of a chart of the new release could not be rendered.
        TemplateNewClusterStackOverwriteFailed = "TemplateNewClusterStackOverwriteFailed",
        /// A chart of the old release could not be rendered.
        TemplateOldClusterStackFailed = "TemplateOldClusterStackFailed",
        /// Values of a chart of the old release could not be rendered.
        TemplateOldClusterStackOverwriteFailed = "TemplateOldClusterStackOverwriteFailed",
        /// An object could not be deleted.
        FailedToDeleteObjects = "FailedToDeleteObjects",
        /// A stage's precondition could not be evaluated.
        FailedToEvaluatePreCondition = "FailedToEvaluatePreCondition",
        /// A stage's postcondition could not be evaluated.
        FailedToEvaluatePostCondition = "FailedToEvaluatePostCondition",
        /// A Cluster still uses the release, so that it cannot go.
        InUse = "InUse",
    }
}
