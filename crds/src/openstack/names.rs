//! Finalizers, labels and annotations of the provider.

/// API group of all kinds here.
pub const GROUP: &str = "infrastructure.cluster.x-k8s.io";

/// Finalizer of OpenStackCluster.
pub const CLUSTER_FINALIZER: &str = "openstackcluster.infrastructure.cluster.x-k8s.io";
/// Finalizer of OpenStackMachine.
pub const MACHINE_FINALIZER: &str = "openstackmachine.infrastructure.cluster.x-k8s.io";
/// Finalizer of OpenStackServer.
pub const SERVER_FINALIZER: &str = "openstackserver.infrastructure.cluster.x-k8s.io";
/// Finalizer of the IPAddressClaim of a server.
pub const IP_CLAIM_FINALIZER: &str = "openstackmachine.infrastructure.cluster.x-k8s.io/ip-claim";

/// Value of the label `cluster.x-k8s.io/provider` on what the provider ships.
pub const PROVIDER: &str = "infrastructure-openstack";
