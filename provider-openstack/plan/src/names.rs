//! Names and descriptions of the resources in the cloud.
//!
//! They are the adoption keys: a cluster that was built by CAPO, or whose status was lost (a move
//! between management clusters), is found again by exactly these names. None may ever change.

/// Description of every security group of a cluster.
pub const SECURITY_GROUP_DESCRIPTION: &str = "Cluster API managed group";

/// The names of one cluster's resources, from namespace and name of its `Cluster` object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNames {
    /// `NAMESPACE-NAME`
    resource: String,
}

impl ClusterNames {
    pub fn new(namespace: &str, cluster: &str) -> Self {
        Self {
            resource: format!("{namespace}-{cluster}"),
        }
    }

    /// Network, subnet and router share this name.
    pub fn network(&self) -> String {
        format!("k8s-clusterapi-cluster-{}", self.resource)
    }

    /// See [`Self::network`].
    pub fn subnet(&self) -> String {
        self.network()
    }

    /// See [`Self::network`].
    pub fn router(&self) -> String {
        self.network()
    }

    /// The security group of a role.
    pub fn security_group(&self, role: Role) -> String {
        format!("k8s-cluster-{}-secgroup-{}", self.resource, role.suffix())
    }

    /// The load balancer in front of the API server.
    pub fn load_balancer(&self) -> String {
        format!("{}-kubeapi", self.network())
    }

    /// Listener, pool and health monitor of one port of the API load balancer share this name.
    pub fn load_balancer_port(&self, port: u16) -> String {
        format!("{}-{port}", self.load_balancer())
    }

    /// The member of a control plane machine in the pool of one port.
    pub fn load_balancer_member(&self, port: u16, machine: &str) -> String {
        format!("{}-{machine}", self.load_balancer_port(port))
    }

    /// Description of network, router, floating IP and load balancer of the cluster.
    pub fn description(&self) -> String {
        description(&self.resource)
    }
}

/// `Created by … cluster WHO`. Ports of a machine carry the cluster's bare name as `who`, the
/// resources of a cluster carry `NAMESPACE-NAME`.
pub fn description(who: &str) -> String {
    format!("Created by cluster-api-provider-openstack cluster {who}")
}

/// A port of a server: its index in the list of ports, or the suffix that the user chose.
pub fn port(server: &str, suffix: &str) -> String {
    format!("{server}-{suffix}")
}

/// A subport of a server's trunk, from when the trunk is taken apart.
pub fn sub_port(server: &str) -> String {
    port(server, "subport")
}

/// Description of such a subport.
pub fn sub_port_description(namespace: &str, server: &str) -> String {
    format!("Goes with OpenStackServer {namespace}/{server}")
}

/// The IPAddressClaim of a server that gets a floating IP from a pool.
pub fn floating_ip_claim(server: &str) -> String {
    format!("{server}-floating-ip-address")
}

/// The root volume of a server.
pub fn root_volume(server: &str) -> String {
    volume(server, "root")
}

/// The volume of an additional block device of a server.
pub fn volume(server: &str, device: &str) -> String {
    format!("{server}-{device}")
}

/// Which machines a security group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    ControlPlane,
    Worker,
    Bastion,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::ControlPlane, Role::Worker, Role::Bastion];

    /// The word that stands in names and in `remoteManagedGroups`.
    pub fn suffix(self) -> &'static str {
        match self {
            Role::ControlPlane => "controlplane",
            Role::Worker => "worker",
            Role::Bastion => "bastion",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_capo() {
        let names = ClusterNames::new("default", "demo");
        assert_eq!(names.network(), "k8s-clusterapi-cluster-default-demo");
        assert_eq!(
            names.security_group(Role::Worker),
            "k8s-cluster-default-demo-secgroup-worker"
        );
        assert_eq!(
            names.load_balancer(),
            "k8s-clusterapi-cluster-default-demo-kubeapi"
        );
        assert_eq!(
            names.load_balancer_port(6443),
            "k8s-clusterapi-cluster-default-demo-kubeapi-6443"
        );
        assert_eq!(
            names.load_balancer_member(6443, "demo-cp-1"),
            "k8s-clusterapi-cluster-default-demo-kubeapi-6443-demo-cp-1"
        );
        assert_eq!(
            names.description(),
            "Created by cluster-api-provider-openstack cluster default-demo"
        );
        assert_eq!(port("demo-cp-1", "0"), "demo-cp-1-0");
        assert_eq!(root_volume("demo-cp-1"), "demo-cp-1-root");
    }
}
