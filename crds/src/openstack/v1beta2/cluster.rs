use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::schema;

/// The infrastructure of a cluster: network, security groups, API endpoint, bastion.
///
/// Everything but `identityRef` may be left out.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta2",
    kind = "OpenStackCluster",
    namespaced,
    status = "OpenStackClusterStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "osc",
    category = "cluster-api",
    doc = "The OpenStack infrastructure of a Cluster.",
    printcolumn = r#"{"name": "Cluster", "type": "string", "jsonPath": ".metadata.labels.cluster\\.x-k8s\\.io/cluster-name"}"#,
    printcolumn = r#"{"name": "Network", "type": "string", "jsonPath": ".status.network.id"}"#,
    printcolumn = r#"{"name": "Endpoint", "type": "string", "jsonPath": ".spec.controlPlaneEndpoint.host", "priority": 1}"#,
    printcolumn = r#"{"name": "Bastion IP", "type": "string", "jsonPath": ".status.bastion.floatingIP"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.enableExternalNetwork) && !self.enableExternalNetwork ? !has(self.bastion) || !has(self.bastion.floatingIP) : true",
        "message": "bastion.floatingIP needs the external network, which enableExternalNetwork turns off",
    },
    {
        "rule": "has(self.enableExternalNetwork) && !self.enableExternalNetwork ? has(self.apiServer) && has(self.apiServer.enableFloatingIP) && !self.apiServer.enableFloatingIP : true",
        "message": "apiServer.enableFloatingIP must be false when enableExternalNetwork is false",
    },
]))]
pub struct OpenStackClusterSpec {
    /// Subnets to create, in a network and behind a router of the cluster's own.
    /// At most one of each IP version; empty means that `network` and `subnets` exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), transform = schema::atomic)]
    pub managed_subnets: Vec<SubnetSpec>,
    /// Router to connect the managed subnets to. Absent means to create one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub router: Option<RouterParam>,
    /// Network of the nodes. Absent means a managed one, or that of the first of `subnets`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkParam>,
    /// Subnets of the network that the nodes use. Absent means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub subnets: Vec<SubnetParam>,
    /// The one of several subnets that ports without fixed addresses use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary_subnet: Option<SubnetParam>,
    /// Properties of the managed network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_network: Option<ManagedNetwork>,
    /// Properties of the managed router.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_router: Option<ManagedRouter>,
    /// Where routers get their gateway and floating IPs come from.
    /// Absent means the only external network there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_network: Option<NetworkParam>,
    /// False makes the cluster do without an external network. Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_external_network: Option<bool>,
    /// How the Kubernetes API is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server: Option<APIServer>,
    /// Let the provider make the security groups. Absent means that nodes have
    /// those of their own spec only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_security_groups: Option<ManagedSecurityGroups>,
    /// Tags of everything that is created for the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub tags: Vec<String>,
    /// The Kubernetes API as clients reach it. Written by the provider unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_endpoint: Option<APIEndpoint>,
    /// Availability zones that control plane nodes may be in. Empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub control_plane_availability_zones: Vec<String>,
    /// Offer no availability zone to control plane nodes, so that Nova chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control_plane_omit_availability_zone: Option<bool>,
    /// A server to reach the nodes by SSH.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bastion: Option<Bastion>,
    /// Where the credentials for OpenStack come from.
    pub identity_ref: OpenStackIdentityReference,
}

/// How the Kubernetes API is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct APIServer {
    /// Port of the endpoint. Absent means 6443.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub port: Option<u16>,
    /// Address of the endpoint inside the cluster's network, or of the load balancer there.
    #[serde(rename = "fixedIP", skip_serializing_if = "Option::is_none")]
    pub fixed_ip: Option<String>,
    /// Floating IP to use. Absent means to allocate one.
    #[serde(rename = "floatingIP", skip_serializing_if = "Option::is_none")]
    pub floating_ip: Option<String>,
    /// Give the endpoint a floating IP. Absent means true.
    #[serde(rename = "enableFloatingIP", skip_serializing_if = "Option::is_none")]
    pub enable_floating_ip: Option<bool>,
    /// Put an Octavia load balancer in front of the control plane.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_load_balancer: Option<ManagedLoadBalancer>,
}

/// An Octavia load balancer in front of the control plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedLoadBalancer {
    /// False means no load balancer. Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// Ports to balance besides that of the API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub additional_ports: Vec<i32>,
    /// CIDRs that may connect. Empty means anybody.
    #[serde(
        rename = "allowedCIDRs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(transform = schema::set)]
    pub allowed_cidrs: Vec<String>,
    /// Octavia provider, for example `amphora` or `ovn`. Absent means the cloud's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Network of the virtual address. Absent means the cluster's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkParam>,
    /// Subnets of the virtual address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::atomic)]
    pub subnets: Vec<SubnetParam>,
    /// Availability zone of the load balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Name of the Octavia flavor. Absent means the cloud's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flavor: Option<String>,
    /// How often members are checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<APIServerLoadBalancerMonitor>,
    /// Port of the API servers behind the load balancer. Absent means that of the endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub member_port: Option<u16>,
}

/// Health checks of a load balancer's members.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct APIServerLoadBalancerMonitor {
    /// Seconds between two checks. Absent means 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub delay: Option<i32>,
    /// Seconds until a check counts as failed. Absent means 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub timeout: Option<i32>,
    /// Good checks that bring a member up. Absent means 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10))]
    pub max_retries: Option<i32>,
    /// Bad checks that take a member down. Absent means 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10))]
    pub max_retries_down: Option<i32>,
}

/// The Kubernetes API as clients reach it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::not_empty)]
pub struct APIEndpoint {
    /// Address or DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub host: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
}

/// A server to reach the nodes by SSH.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!self.enabled || has(self.spec)",
    "message": "spec must be set unless enabled is false",
}]))]
pub struct Bastion {
    /// False removes the bastion. Absent means true.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = true))]
    pub enabled: Option<bool>,
    /// The server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<OpenStackMachineSpec>,
    /// Availability zone of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// Floating IP to use. Absent means to allocate one.
    #[serde(rename = "floatingIP", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "ipv4"))]
    pub floating_ip: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is written must be what was read: server-side apply takes an absent list and an
    /// empty one for different things.
    #[test]
    fn a_spec_is_written_as_it_was_read() {
        let spec = json!({
            "identityRef": { "type": "Secret", "name": "openstack", "cloudName": "openstack" },
            "managedSubnets": [{ "cidr": "10.8.0.0/20", "dnsNameservers": ["9.9.9.9"] }],
            "network": { "filter": { "projectID": "p", "tags": ["a"], "notTagsAny": ["b"] } },
            "apiServer": {
                "port": 6443,
                "enableFloatingIP": true,
                "managedLoadBalancer": { "enabled": true, "allowedCIDRs": ["10.0.0.0/8"] },
            },
            "managedSecurityGroups": {
                "allowAllInClusterTraffic": false,
                "workerNodesSecurityGroupRules": [{
                    "name": "bgp",
                    "direction": "ingress",
                    "etherType": "IPv4",
                    "portRangeMin": 179,
                    "portRangeMax": 179,
                    "remoteManagedGroups": ["controlplane", "worker"],
                }],
            },
            "bastion": { "enabled": true, "spec": {
                "flavor": { "filter": { "name": "m1" } },
                "image": { "imageRef": { "name": "ubuntu" } },
                "rootVolume": { "sizeGiB": 20, "availabilityZone": { "from": "Machine" } },
            } },
        });
        let read: OpenStackClusterSpec = serde_json::from_value(spec.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), spec);
    }
}
