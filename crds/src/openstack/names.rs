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
/// Finalizer of OpenStackFloatingIPPool.
pub const FLOATING_IP_POOL_FINALIZER: &str =
    "openstackfloatingippool.infrastructure.cluster.x-k8s.io";
/// Finalizer of the IPAddresses that a pool makes.
pub const DELETE_FLOATING_IP_FINALIZER: &str =
    "openstackfloatingippool.infrastructure.cluster.x-k8s.io/delete-floating-ip";

/// Annotation of an OpenStackServer: UUID of the server that it stands for, so that a server whose
/// object is gone gets an object again, and never another server. Ours, CAPO ignores it.
pub const INSTANCE_ID_ANNOTATION: &str = "infrastructure.cluster.x-k8s.io/instance-id";
/// Annotation of an OpenStackMachine: the allowed address pairs of its ports (JSON, a list for each
/// port) that its template had when they were pushed to Neutron.
pub const ALLOWED_ADDRESS_PAIRS_ANNOTATION: &str =
    "infrastructure.cluster.x-k8s.io/osmt-allowed-address-pairs";

/// Annotation: what the object has in another version and cannot say in this one.
pub const CONVERSION_DATA_ANNOTATION: &str = "cluster.x-k8s.io/conversion-data";

/// Value of the label `cluster.x-k8s.io/provider` on what the provider ships.
pub const PROVIDER: &str = "infrastructure-openstack";
/// Contracts of Cluster API that the kinds keep, with the version that keeps them. Label of CRDs.
///
/// As CAPO has them, on the v1alpha1 kinds too. Cluster API takes the newest contract that it
/// knows, so that naming a version that is not served yet does no harm.
pub const CONTRACTS: [(&str, &str); 2] = [
    ("cluster.x-k8s.io/v1beta1", "v1beta1"),
    ("cluster.x-k8s.io/v1beta2", "v1beta2"),
];
