use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::*;
use crate::openstack::v1beta2::{NetworkParam, RouterParam};
use crate::schema;

/// The infrastructure of a cluster: network, security groups, API endpoint, bastion.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1beta1",
    kind = "OpenStackCluster",
    namespaced,
    status = "OpenStackClusterStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "osc",
    category = "cluster-api",
    doc = "The OpenStack infrastructure of a Cluster.",
    printcolumn = r#"{"name": "Cluster", "type": "string", "jsonPath": ".metadata.labels.cluster\\.x-k8s\\.io/cluster-name"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.ready"}"#,
    printcolumn = r#"{"name": "Network", "type": "string", "jsonPath": ".status.network.id"}"#,
    printcolumn = r#"{"name": "Endpoint", "type": "string", "jsonPath": ".spec.controlPlaneEndpoint.host", "priority": 1}"#,
    printcolumn = r#"{"name": "Bastion IP", "type": "string", "jsonPath": ".status.bastion.floatingIP"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.disableExternalNetwork) && self.disableExternalNetwork ? !has(self.bastion) || !has(self.bastion.floatingIP) : true",
        "message": "bastion.floatingIP needs the external network, which disableExternalNetwork turns off",
    },
    {
        "rule": "has(self.disableExternalNetwork) && self.disableExternalNetwork ? has(self.disableAPIServerFloatingIP) && self.disableAPIServerFloatingIP : true",
        "message": "disableAPIServerFloatingIP must be true when disableExternalNetwork is true",
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
    /// Largest packet of the managed network, in bytes. Became `managedNetwork.mtu`.
    #[serde(rename = "networkMTU", skip_serializing_if = "Option::is_none")]
    #[schemars(transform = schema::int)]
    pub network_mtu: Option<i64>,
    /// Addresses of the managed router's gateway. Became `managedRouter.externalIPs`.
    #[serde(
        rename = "externalRouterIPs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(transform = schema::atomic)]
    pub external_router_ips: Vec<ExternalRouterIPParam>,
    /// Where routers get their gateway and floating IPs come from.
    /// Absent means the only external network there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_network: Option<NetworkParam>,
    /// Do without an external network. Became the opposite, `enableExternalNetwork`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_external_network: Option<bool>,
    /// Load balancer of the API. Became `apiServer.managedLoadBalancer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_server_load_balancer: Option<APIServerLoadBalancer>,
    /// Give the API no floating IP. Became the opposite, `apiServer.enableFloatingIP`.
    #[serde(
        rename = "disableAPIServerFloatingIP",
        skip_serializing_if = "Option::is_none"
    )]
    pub disable_api_server_floating_ip: Option<bool>,
    /// Floating IP of the API. Became `apiServer.floatingIP`.
    #[serde(
        rename = "apiServerFloatingIP",
        skip_serializing_if = "Option::is_none"
    )]
    pub api_server_floating_ip: Option<String>,
    /// Address of the API inside the cluster's network. Became `apiServer.fixedIP`.
    #[serde(rename = "apiServerFixedIP", skip_serializing_if = "Option::is_none")]
    pub api_server_fixed_ip: Option<String>,
    /// Port of the API. Became `apiServer.port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 65535))]
    pub api_server_port: Option<u16>,
    /// Let the provider make the security groups. Absent means that nodes have
    /// those of their own spec only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_security_groups: Option<ManagedSecurityGroups>,
    /// Let Neutron filter no traffic in the managed network.
    /// Became the opposite, `managedNetwork.enablePortSecurity`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable_port_security: Option<bool>,
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

/// An Octavia load balancer in front of the control plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct APIServerLoadBalancer {
    /// False means no load balancer.
    #[schemars(extend("default" = true))]
    pub enabled: bool,
    /// Ports to balance besides that of the API.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set, transform = schema::ints)]
    pub additional_ports: Vec<i64>,
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
    #[schemars(range(min = 0), transform = schema::int)]
    pub delay: Option<i64>,
    /// Seconds until a check counts as failed. Absent means 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), transform = schema::int)]
    pub timeout: Option<i64>,
    /// Good checks that bring a member up. Absent means 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10), transform = schema::int)]
    pub max_retries: Option<i64>,
    /// Bad checks that take a member down. Absent means 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10), transform = schema::int)]
    pub max_retries_down: Option<i64>,
}

/// The Kubernetes API as clients reach it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct APIEndpoint {
    /// Address or DNS name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub host: Option<String>,
    /// Port.
    #[serde(skip_serializing_if = "Option::is_none")]
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
