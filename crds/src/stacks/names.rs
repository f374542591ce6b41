//! Finalizers, labels and annotations of cluster stacks.

/// API group of all kinds here.
pub const GROUP: &str = "clusterstack.x-k8s.io";

/// Finalizer of ClusterStackRelease.
pub const RELEASE_FINALIZER: &str = "clusterstackrelease.clusterstack.x-k8s.io";
/// Finalizer of ClusterAddon.
pub const ADDON_FINALIZER: &str = "clusteraddon.clusterstack.x-k8s.io";

/// Label on every object that a stack applies, with the value [`INSTANCE_OWNED`].
pub const INSTANCE_LABEL: &str = "clusterstack.x-k8s.io/instance";
/// Value of [`INSTANCE_LABEL`].
pub const INSTANCE_OWNED: &str = "owned";

/// Annotation of a ClusterAddon: the last hook that was served.
pub const STAGE_ANNOTATION: &str = "ClusterAddonStage";
/// Value of [`STAGE_ANNOTATION`] after `AfterControlPlaneInitialized`.
pub const STAGE_CREATED: &str = "created";
/// Value of [`STAGE_ANNOTATION`] after `BeforeClusterUpgrade`.
pub const STAGE_UPGRADED: &str = "upgraded";

/// The hook after which add-ons are applied for the first time.
pub const HOOK_AFTER_CONTROL_PLANE_INITIALIZED: &str = "AfterControlPlaneInitialized";
/// The hook before which Cluster API does not start an upgrade.
pub const HOOK_BEFORE_CLUSTER_UPGRADE: &str = "BeforeClusterUpgrade";

/// The ClusterAddon of a Cluster.
pub fn addon_name(cluster: &str) -> String {
    format!("cluster-addon-{cluster}")
}
