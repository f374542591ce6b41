//! Labels and annotations of Cluster API.

/// API group of Cluster, Machine and MachineDeployment.
pub const GROUP: &str = "cluster.x-k8s.io";
/// The version that the views read, and the contract that our kinds follow.
pub const VERSION: &str = "v1beta2";
/// API group of IPAddressClaim and IPAddress; the version is [`VERSION`].
pub const IPAM_GROUP: &str = "ipam.cluster.x-k8s.io";

/// Label: the Cluster that an object is part of.
pub const CLUSTER_NAME_LABEL: &str = "cluster.x-k8s.io/cluster-name";
/// Label: the machine is of the control plane.
pub const CONTROL_PLANE_LABEL: &str = "cluster.x-k8s.io/control-plane";
/// Label: the MachineDeployment that a machine is part of.
pub const DEPLOYMENT_NAME_LABEL: &str = "cluster.x-k8s.io/deployment-name";
/// Label: only controllers with the same filter handle the object.
pub const WATCH_FILTER_LABEL: &str = "cluster.x-k8s.io/watch-filter";
/// Label: the provider that a shipped object is part of.
pub const PROVIDER_LABEL: &str = "cluster.x-k8s.io/provider";
/// Label: the object was made from a ClusterClass.
pub const TOPOLOGY_OWNED_LABEL: &str = "topology.cluster.x-k8s.io/owned";

/// Label of a definition: `clusterctl move` takes along all objects of the kind, which no Cluster owns.
pub const MOVE_LABEL: &str = "clusterctl.cluster.x-k8s.io/move";
/// Label of a definition: as [`MOVE_LABEL`], and what they own.
pub const MOVE_HIERARCHY_LABEL: &str = "clusterctl.cluster.x-k8s.io/move-hierarchy";

/// Annotation: no controller handles the object while it is there.
pub const PAUSED_ANNOTATION: &str = "cluster.x-k8s.io/paused";
/// Annotation: something else provides the infrastructure.
pub const MANAGED_BY_ANNOTATION: &str = "cluster.x-k8s.io/managed-by";
/// Annotation: `clusterctl move` has made the object anew in another management cluster, whose
/// controllers handle it now; here it only goes.
pub const DELETE_FOR_MOVE_ANNOTATION: &str = "clusterctl.cluster.x-k8s.io/delete-for-move";
/// Annotation: Cluster API only tries out what an apply would do.
pub const TOPOLOGY_DRY_RUN_ANNOTATION: &str = "topology.cluster.x-k8s.io/dry-run";
