//! The calls that a plan may ask for, as data.

use std::collections::BTreeSet;
use std::fmt;

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{IPv6Mode, OpenStackIdentityReference, PortOpts};
use ipnet::IpNet;

use super::balance::{Balance, NewLoadBalancer};
use crate::rules::WantedRule;
use crate::step::Resource;
use crate::world::FixedIp;

/// One call to the cloud. Deletions of what is gone already count as done. Strings are ids, but
/// for names, descriptions and addresses.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    CreateNetwork(NewNetwork),
    CreateSubnet(NewSubnet),
    UpdateNameservers {
        subnet: String,
        nameservers: Vec<String>,
    },
    CreateRouter(NewRouter),
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
    /// Changes a load balancer; Octavia takes one change of it at a time.
    Balance {
        load_balancer: String,
        change: Balance,
    },
    CreateFloatingIp(NewFloatingIp),
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
    /// Creates the object of the bastion, in Kubernetes.
    CreateServerObject(Box<OpenStackServer>),
    /// Deletes the object of the bastion; its controller takes the server away.
    DeleteServerObject {
        name: String,
    },
    /// Puts the label of the watch filter on the object of the bastion, so that whoever handles the
    /// cluster handles it too.
    LabelServerObject {
        name: String,
        watch_filter: String,
    },
    /// Writes into the object of the bastion what may change: the credentials.
    UpdateServerObject {
        name: String,
        identity_ref: OpenStackIdentityReference,
        /// As they are.
        ports: Vec<PortOpts>,
    },
    /// An action for the bastion, without which the cluster is complete.
    ForBastion(Box<Action>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewNetwork {
    pub name: String,
    pub description: String,
    pub mtu: Option<i32>,
    /// `None` leaves it to the cloud.
    pub port_security: Option<bool>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewSubnet {
    pub name: String,
    pub description: String,
    pub network: String,
    pub cidr: IpNet,
    pub nameservers: Vec<String>,
    /// First and last address of each pool.
    pub allocation_pools: Vec<(String, String)>,
    pub ipv6_mode: Option<IPv6Mode>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewRouter {
    pub name: String,
    pub description: String,
    /// The external network; `None` leaves the gateway to [`Action::SetGateway`].
    pub gateway: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NewFloatingIp {
    pub network: String,
    pub description: String,
    /// A certain one, which most clouds let administrators choose only.
    pub address: Option<String>,
    /// Id of the port that it leads to from the first.
    pub port: Option<String>,
}

impl Action {
    /// Verb and resource, such as `CreateNetwork`: what events call it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::CreateNetwork(_) => "CreateNetwork",
            Action::CreateSubnet(_) => "CreateSubnet",
            Action::UpdateNameservers { .. } => "UpdateSubnet",
            Action::CreateRouter(_) => "CreateRouter",
            Action::SetGateway { .. }
            | Action::AddRouterInterface { .. }
            | Action::RemoveRouterInterface { .. } => "UpdateRouter",
            Action::CreateSecurityGroup { .. } => "CreateSecurityGroup",
            Action::CreateRules { .. } => "CreateSecurityGroupRule",
            Action::DeleteRule { .. } => "DeleteSecurityGroupRule",
            Action::SetTags { .. } => "ReplaceAllAttributeTags",
            Action::CreateLoadBalancer(_) => "CreateLoadBalancer",
            Action::Balance { change, .. } => change.name(),
            Action::CreateFloatingIp(_) => "CreateFloatingIP",
            Action::AssociateFloatingIp { .. } => "AssociateFloatingIP",
            Action::DisassociateFloatingIp { .. } => "DisassociateFloatingIP",
            Action::DeleteFloatingIp { .. } => "DeleteFloatingIP",
            Action::DeletePort { .. } => "DeletePort",
            Action::DeleteRouter { .. } => "DeleteRouter",
            Action::DeleteNetwork { .. } => "DeleteNetwork",
            Action::DeleteSecurityGroup { .. } => "DeleteSecurityGroup",
            Action::CreateServerObject(_) => "CreateOpenStackServer",
            Action::DeleteServerObject { .. } => "DeleteOpenStackServer",
            Action::LabelServerObject { .. } => "LabelOpenStackServer",
            Action::UpdateServerObject { .. } => "UpdateOpenStackServer",
            Action::ForBastion(action) => action.name(),
        }
    }

    /// The same for an action that does nothing but what an earlier one did: without the id of a rule,
    /// which is another one whenever the rule is made anew.
    #[must_use]
    pub fn repeated(&self) -> Self {
        match self {
            Action::DeleteRule { group, .. } => Action::DeleteRule {
                group: group.clone(),
                rule: String::new(),
            },
            other => other.clone(),
        }
    }

    /// The condition that is False, and why, when this fails. `None` when nothing lacks.
    pub fn condition(&self) -> Option<(ConditionType, Reason)> {
        use {ConditionType as Of, Reason as Why};
        Some(match self {
            Action::CreateNetwork(_) | Action::DeleteNetwork { .. } => {
                (Of::NetworkReady, Why::NetworkCreateFailed)
            }
            Action::CreateSubnet(_) | Action::UpdateNameservers { .. } => {
                (Of::NetworkReady, Why::SubnetCreateFailed)
            }
            Action::CreateRouter(_)
            | Action::SetGateway { .. }
            | Action::AddRouterInterface { .. }
            | Action::RemoveRouterInterface { .. }
            | Action::DeleteRouter { .. } => (Of::RouterReady, Why::RouterCreateFailed),
            Action::CreateSecurityGroup { .. }
            | Action::CreateRules { .. }
            | Action::DeleteRule { .. }
            | Action::DeleteSecurityGroup { .. } => {
                (Of::SecurityGroupsReady, Why::SecurityGroupCreateFailed)
            }
            Action::SetTags { .. } | Action::DeletePort { .. } => {
                (Of::NetworkReady, Why::OpenStackError)
            }
            Action::CreateLoadBalancer(_)
            | Action::Balance { .. }
            | Action::CreateFloatingIp(_)
            | Action::AssociateFloatingIp { .. }
            | Action::DisassociateFloatingIp { .. }
            | Action::DeleteFloatingIp { .. } => {
                (Of::APIEndpointReady, Why::APIEndpointConfigFailed)
            }
            // One that is left over does no harm.
            Action::ForBastion(action)
                if matches!(**action, Action::DeleteSecurityGroup { .. }) =>
            {
                return None;
            }
            Action::CreateServerObject(_)
            | Action::DeleteServerObject { .. }
            | Action::LabelServerObject { .. }
            | Action::UpdateServerObject { .. }
            | Action::ForBastion(_) => (Of::Ready, Why::OpenStackError),
        })
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreateNetwork(new) => write!(f, "create network {}", new.name),
            Action::CreateSubnet(new) => write!(f, "create subnet {} ({})", new.name, new.cidr),
            Action::UpdateNameservers { subnet, .. } => {
                write!(f, "set name servers of subnet {subnet}")
            }
            Action::CreateRouter(new) => write!(f, "create router {}", new.name),
            Action::SetGateway { router, .. } => write!(f, "set gateway of router {router}"),
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
            Action::Balance {
                load_balancer,
                change,
            } => change.describe(f, load_balancer),
            Action::CreateFloatingIp(new) => {
                let address = new.address.as_deref().unwrap_or("of any address");
                write!(
                    f,
                    "create floating IP {address} in external network {}",
                    new.network
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
            Action::DeletePort { port } => write!(f, "delete port {port}"),
            Action::DeleteRouter { router } => write!(f, "delete router {router}"),
            Action::DeleteNetwork { network } => write!(f, "delete network {network}"),
            Action::DeleteSecurityGroup { group } => write!(f, "delete security group {group}"),
            Action::CreateServerObject(new) => {
                let name = new.metadata.name.as_deref().unwrap_or_default();
                write!(f, "create OpenStackServer {name}")
            }
            Action::DeleteServerObject { name } => write!(f, "delete OpenStackServer {name}"),
            Action::LabelServerObject { name, .. } => write!(f, "label OpenStackServer {name}"),
            Action::UpdateServerObject { name, .. } => write!(f, "update OpenStackServer {name}"),
            Action::ForBastion(action) => action.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_deleted_again_is_told_by_its_group() {
        let delete = |group: &str, rule: &str| Action::DeleteRule {
            group: group.into(),
            rule: rule.into(),
        };
        let told = delete("a", "1").repeated();
        assert_eq!(delete("a", "2").repeated(), told);
        assert_ne!(delete("b", "1").repeated(), told);
    }

    /// Condition and reason, as users' tools know them of CAPO.
    #[test]
    fn each_refusal_has_the_reason_of_its_action() {
        use {ConditionType as Of, Reason as Why};
        let text = || "text".to_string();
        let network = NewNetwork {
            name: text(),
            description: text(),
            mtu: None,
            port_security: None,
        };
        let router = NewRouter {
            name: text(),
            description: text(),
            gateway: None,
        };
        let subnet = NewSubnet {
            name: text(),
            description: text(),
            network: text(),
            cidr: "10.6.0.0/24".parse().expect("a CIDR"),
            nameservers: Vec::new(),
            allocation_pools: Vec::new(),
            ipv6_mode: None,
        };
        let interface = Action::AddRouterInterface {
            router: text(),
            subnet: text(),
        };
        let rules = Action::CreateRules {
            group: text(),
            rules: Vec::new(),
        };
        let delete = Balance::Delete;
        let balance = Action::Balance {
            load_balancer: text(),
            change: delete,
        };
        let tags = Action::SetTags {
            resource: Resource::Network,
            id: text(),
            tags: Vec::new(),
        };
        let group = || Action::DeleteSecurityGroup { group: text() };
        let bastion = Action::DeleteServerObject { name: text() };
        let ip = Action::DeleteFloatingIp {
            floating_ip: text(),
        };
        let cases = [
            (
                Action::CreateNetwork(network),
                Some((Of::NetworkReady, Why::NetworkCreateFailed)),
            ),
            (
                Action::CreateSubnet(subnet),
                Some((Of::NetworkReady, Why::SubnetCreateFailed)),
            ),
            (
                Action::CreateRouter(router),
                Some((Of::RouterReady, Why::RouterCreateFailed)),
            ),
            (interface, Some((Of::RouterReady, Why::RouterCreateFailed))),
            (
                rules,
                Some((Of::SecurityGroupsReady, Why::SecurityGroupCreateFailed)),
            ),
            (
                group(),
                Some((Of::SecurityGroupsReady, Why::SecurityGroupCreateFailed)),
            ),
            (
                balance,
                Some((Of::APIEndpointReady, Why::APIEndpointConfigFailed)),
            ),
            (
                ip,
                Some((Of::APIEndpointReady, Why::APIEndpointConfigFailed)),
            ),
            (tags, Some((Of::NetworkReady, Why::OpenStackError))),
            (bastion, Some((Of::Ready, Why::OpenStackError))),
            (Action::ForBastion(Box::new(group())), None),
        ];
        for (action, expected) in cases {
            assert_eq!(action.condition(), expected, "{action}");
        }
    }
}
