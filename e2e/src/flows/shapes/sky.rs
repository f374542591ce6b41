//! What the services of OpenStack list of one cluster.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use super::NAMESPACE;
use crate::{
    flows::{
        conditions::text,
        kubernetes::{OPENSTACK_CLUSTER, OPENSTACK_MACHINE},
        tenant::Tenant,
    },
    openstack::client::{Client, Service},
};

/// Lists of the tenant's project, and of Kubernetes what leads there.
pub struct Sky {
    /// The OpenStackCluster.
    pub cluster: Value,
    /// Servers of the cluster, its bastion among them.
    pub servers: Vec<Value>,
    /// Ports of these servers.
    pub ports: Vec<Value>,
    /// All floating IPs, trunks, volumes, networks, routers, server groups, load balancers and listeners of the project.
    pub floating_ips: Vec<Value>,
    pub trunks: Vec<Value>,
    pub volumes: Vec<Value>,
    pub networks: Vec<Value>,
    pub routers: Vec<Value>,
    pub server_groups: Vec<Value>,
    pub load_balancers: Vec<Value>,
    pub listeners: Vec<Value>,
}

impl Sky {
    /// Now.
    ///
    /// # Errors
    /// A service does not answer, or the cluster is gone.
    pub fn see(tenant: &Tenant<'_>, name: &str) -> Result<Self> {
        let client = Client::tenant(tenant.lab)?;
        let cluster = tenant
            .api
            .get(OPENSTACK_CLUSTER, NAMESPACE, name)?
            .with_context(|| format!("OpenStackCluster {name} is gone"))?;
        let machines = tenant.api.list(OPENSTACK_MACHINE, NAMESPACE)?;
        let mut names: BTreeSet<String> = machines
            .iter()
            .filter(|m| m["metadata"]["labels"]["cluster.x-k8s.io/cluster-name"] == name)
            .map(|m| text(&m["metadata"]["name"]).to_owned())
            .collect();
        names.insert(format!("{name}-bastion"));
        let mut servers = client.list(Service::Compute, "/servers/detail", "servers")?;
        servers.retain(|s| names.contains(text(&s["name"])));
        let network = |path: &str, key: &str| client.list(Service::Network, path, key);
        let mut ports = network("/ports", "ports")?;
        ports.retain(|p| servers.iter().any(|s| s["id"] == p["device_id"]));
        let balance = |path: &str, key: &str| client.list(Service::LoadBalancer, path, key);
        Ok(Self {
            cluster,
            servers,
            ports,
            floating_ips: network("/floatingips", "floatingips")?,
            trunks: network("/trunks", "trunks")?,
            networks: network("/networks", "networks")?,
            routers: network("/routers", "routers")?,
            volumes: client.list(Service::BlockStorage, "/volumes/detail", "volumes")?,
            server_groups: client.list(Service::Compute, "/os-server-groups", "server_groups")?,
            load_balancers: balance("/loadbalancers", "loadbalancers")?,
            listeners: balance("/listeners", "listeners")?,
        })
    }

    /// Ids of all servers but the bastion.
    pub fn server_ids(&self) -> BTreeSet<String> {
        let machines = self.servers.iter().filter(|s| !is_bastion(s));
        machines.map(|s| text(&s["id"]).to_owned()).collect()
    }

    /// Servers of workers, by the name of their MachineDeployment's objects.
    pub fn workers(&self) -> Vec<&Value> {
        let control_plane = |s: &Value| {
            self.ports_of(s)
                .iter()
                .any(|p| self.in_group(p, "controlplane"))
        };
        self.servers
            .iter()
            .filter(|s| !is_bastion(s) && !control_plane(s))
            .collect()
    }

    /// Servers of the control plane.
    pub fn control_planes(&self) -> Vec<&Value> {
        let workers = self.workers();
        let others = self.servers.iter().filter(|s| !is_bastion(s));
        others
            .filter(|s| !workers.iter().any(|w| w["id"] == s["id"]))
            .collect()
    }

    /// The bastion's server.
    pub fn bastion(&self) -> Option<&Value> {
        self.servers.iter().find(|s| is_bastion(s))
    }

    /// Ports of a server.
    pub fn ports_of(&self, server: &Value) -> Vec<&Value> {
        self.ports
            .iter()
            .filter(|p| p["device_id"] == server["id"])
            .collect()
    }

    /// The floating IP with this address.
    pub fn floating_ip(&self, address: &str) -> Option<&Value> {
        self.floating_ips
            .iter()
            .find(|f| f["floating_ip_address"] == address)
    }

    /// Is a port in the group of this role, as the status names it?
    fn in_group(&self, port: &Value, role: &str) -> bool {
        let status = &self.cluster["status"];
        let group = match role {
            "controlplane" => &status["controlPlaneSecurityGroup"]["id"],
            _ => &status["workerSecurityGroup"]["id"],
        };
        port["security_groups"]
            .as_array()
            .is_some_and(|groups| groups.contains(group))
    }
}

fn is_bastion(server: &Value) -> bool {
    text(&server["name"]).ends_with("-bastion")
}
