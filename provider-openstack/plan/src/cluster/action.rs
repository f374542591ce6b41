//! The calls that a plan may ask for, as data.

use std::collections::BTreeSet;
use std::fmt;

use crds::openstack::conditions::{ConditionType, Reason};
use ipnet::IpNet;

use super::want::Probe;
use crate::rules::WantedRule;
use crate::step::Resource;
use crate::world::FixedIp;

/// One call to the cloud. Deletions of what is gone already count as done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    CreateNetwork {
        name: String,
        description: String,
        mtu: Option<i32>,
        port_security: Option<bool>,
    },
    CreateSubnet(NewSubnet),
    UpdateNameservers {
        subnet: String,
        nameservers: Vec<String>,
    },
    /// `gateway`: the external network; `None` leaves the gateway to [`Action::SetGateway`].
    CreateRouter {
        name: String,
        description: String,
        gateway: Option<String>,
    },
    /// `addresses` may be empty: any. An address without `ip_address` is any of that subnet.
    SetGateway {
        router: String,
        network: String,
        addresses: Vec<FixedIp>,
    },
    AddRouterInterface {
        router: String,
        subnet: String,
    },
    RemoveRouterInterface {
        router: String,
        subnet: String,
    },
    CreateSecurityGroup {
        name: String,
        description: String,
    },
    /// All or none. Neutron takes the rules of one group at a time.
    CreateRules {
        group: String,
        rules: Vec<WantedRule>,
    },
    DeleteRule {
        group: String,
        rule: String,
    },
    /// Replaces all tags of a Neutron resource.
    SetTags {
        resource: Resource,
        id: String,
        tags: Vec<String>,
    },
    CreateLoadBalancer(NewLoadBalancer),
    CreateListener {
        load_balancer: String,
        name: String,
        port: u16,
        allowed_cidrs: Option<Vec<String>>,
        tags: Vec<String>,
    },
    UpdateAllowedCidrs {
        load_balancer: String,
        listener: String,
        allowed_cidrs: Vec<String>,
    },
    CreatePool {
        load_balancer: String,
        listener: String,
        name: String,
        method: Balancing,
        tags: Vec<String>,
    },
    CreateMonitor {
        load_balancer: String,
        pool: String,
        name: String,
        probe: Probe,
    },
    UpdateMonitor {
        load_balancer: String,
        monitor: String,
        probe: Probe,
    },
    /// `address`: a certain one, which most clouds allow administrators only.
    CreateFloatingIp {
        network: String,
        description: String,
        address: Option<String>,
    },
    AssociateFloatingIp {
        floating_ip: String,
        port: String,
    },
    DisassociateFloatingIp {
        floating_ip: String,
    },
    DeleteFloatingIp {
        floating_ip: String,
    },
    /// With listeners, pools, members and monitors.
    DeleteLoadBalancer {
        load_balancer: String,
    },
    DeletePort {
        port: String,
    },
    DeleteRouter {
        router: String,
    },
    /// With its subnets.
    DeleteNetwork {
        network: String,
    },
    DeleteSecurityGroup {
        group: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewSubnet {
    pub name: String,
    pub description: String,
    pub network: String,
    pub cidr: IpNet,
    pub nameservers: Vec<String>,
    pub allocation_pools: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewLoadBalancer {
    pub name: String,
    pub description: String,
    pub vip_network: String,
    pub vip_subnet: Option<String>,
    pub vip_address: Option<String>,
    pub provider: Option<String>,
    pub flavor: Option<String>,
    pub availability_zone: Option<String>,
    pub tags: Vec<String>,
}

/// How a pool spreads connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancing {
    RoundRobin,
    /// The only one that OVN knows.
    SourceIpPort,
}

impl Action {
    /// Verb and resource, such as `CreateNetwork`: what events and metrics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::CreateNetwork { .. } => "CreateNetwork",
            Action::CreateSubnet(_) => "CreateSubnet",
            Action::UpdateNameservers { .. } => "UpdateSubnet",
            Action::CreateRouter { .. } => "CreateRouter",
            Action::SetGateway { .. }
            | Action::AddRouterInterface { .. }
            | Action::RemoveRouterInterface { .. } => "UpdateRouter",
            Action::CreateSecurityGroup { .. } => "CreateSecurityGroup",
            Action::CreateRules { .. } => "CreateSecurityGroupRule",
            Action::DeleteRule { .. } => "DeleteSecurityGroupRule",
            Action::SetTags { .. } => "ReplaceAllAttributeTags",
            Action::CreateLoadBalancer(_) => "CreateLoadBalancer",
            Action::CreateListener { .. } => "CreateListener",
            Action::UpdateAllowedCidrs { .. } => "UpdateListener",
            Action::CreatePool { .. } => "CreatePool",
            Action::CreateMonitor { .. } => "CreateMonitor",
            Action::UpdateMonitor { .. } => "UpdateMonitor",
            Action::CreateFloatingIp { .. } => "CreateFloatingIP",
            Action::AssociateFloatingIp { .. } => "AssociateFloatingIP",
            Action::DisassociateFloatingIp { .. } => "DisassociateFloatingIP",
            Action::DeleteFloatingIp { .. } => "DeleteFloatingIP",
            Action::DeleteLoadBalancer { .. } => "DeleteLoadBalancer",
            Action::DeletePort { .. } => "DeletePort",
            Action::DeleteRouter { .. } => "DeleteRouter",
            Action::DeleteNetwork { .. } => "DeleteNetwork",
            Action::DeleteSecurityGroup { .. } => "DeleteSecurityGroup",
        }
    }
}

impl Action {
    /// The condition that is False, and why, when this fails.
    pub fn condition(&self) -> (ConditionType, Reason) {
        match self.name() {
            "CreateNetwork" | "DeleteNetwork" => {
                (ConditionType::NetworkReady, Reason::NetworkCreateFailed)
            }
            "CreateSubnet" | "UpdateSubnet" => {
                (ConditionType::NetworkReady, Reason::SubnetCreateFailed)
            }
            "CreateRouter" | "UpdateRouter" | "DeleteRouter" => {
                (ConditionType::RouterReady, Reason::RouterCreateFailed)
            }
            "CreateSecurityGroup"
            | "DeleteSecurityGroup"
            | "CreateSecurityGroupRule"
            | "DeleteSecurityGroupRule" => (
                ConditionType::SecurityGroupsReady,
                Reason::SecurityGroupCreateFailed,
            ),
            "ReplaceAllAttributeTags" | "DeletePort" => {
                (ConditionType::NetworkReady, Reason::OpenStackError)
            }
            _ => (
                ConditionType::APIEndpointReady,
                Reason::APIEndpointConfigFailed,
            ),
        }
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreateNetwork { name, .. } => write!(f, "create network {name}"),
            Action::CreateSubnet(new) => write!(f, "create subnet {} ({})", new.name, new.cidr),
            Action::UpdateNameservers { subnet, .. } => {
                write!(f, "update name servers of subnet {subnet}")
            }
            Action::CreateRouter { name, .. } => write!(f, "create router {name}"),
            Action::SetGateway {
                router, network, ..
            } => {
                write!(
                    f,
                    "set gateway of router {router} to external network {network}"
                )
            }
            Action::AddRouterInterface { router, subnet } => {
                write!(f, "connect router {router} to subnet {subnet}")
            }
            Action::RemoveRouterInterface { router, subnet } => {
                write!(f, "disconnect router {router} from subnet {subnet}")
            }
            Action::CreateSecurityGroup { name, .. } => write!(f, "create security group {name}"),
            Action::CreateRules { group, rules } => {
                let names: BTreeSet<&str> =
                    rules.iter().map(|rule| rule.description.as_str()).collect();
                let names = names.into_iter().collect::<Vec<_>>().join(", ");
                write!(
                    f,
                    "create {} rules in security group {group} ({names})",
                    rules.len()
                )
            }
            Action::DeleteRule { group, rule } => {
                write!(f, "delete rule {rule} of security group {group}")
            }
            Action::SetTags { resource, id, .. } => write!(f, "set tags of {resource:?} {id}"),
            Action::CreateLoadBalancer(new) => write!(f, "create load balancer {}", new.name),
            Action::CreateListener { name, .. } => write!(f, "create listener {name}"),
            Action::UpdateAllowedCidrs {
                listener,
                allowed_cidrs,
                ..
            } => {
                write!(
                    f,
                    "update allowed_cidrs of listener {listener} to {allowed_cidrs:?}"
                )
            }
            Action::CreatePool { name, .. } => write!(f, "create pool {name}"),
            Action::CreateMonitor { name, .. } => write!(f, "create monitor {name}"),
            Action::UpdateMonitor { monitor, .. } => write!(f, "update monitor {monitor}"),
            Action::CreateFloatingIp {
                network,
                address: None,
                ..
            } => {
                write!(f, "create floating IP in external network {network}")
            }
            Action::CreateFloatingIp {
                network,
                address: Some(address),
                ..
            } => {
                write!(
                    f,
                    "create floating IP {address} in external network {network}"
                )
            }
            Action::AssociateFloatingIp { floating_ip, port } => {
                write!(f, "associate floating IP {floating_ip} with port {port}")
            }
            Action::DisassociateFloatingIp { floating_ip } => {
                write!(f, "disassociate floating IP {floating_ip}")
            }
            Action::DeleteFloatingIp { floating_ip } => {
                write!(f, "delete floating IP {floating_ip}")
            }
            Action::DeleteLoadBalancer { load_balancer } => {
                write!(f, "delete load balancer {load_balancer}")
            }
            Action::DeletePort { port } => write!(f, "delete port {port}"),
            Action::DeleteRouter { router } => write!(f, "delete router {router}"),
            Action::DeleteNetwork { network } => write!(f, "delete network {network}"),
            Action::DeleteSecurityGroup { group } => write!(f, "delete security group {group}"),
        }
    }
}
