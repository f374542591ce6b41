//! A small cloud in memory, which refuses what Neutron and Octavia refuse.

use std::collections::BTreeSet;

use plan::cluster::{Action, NewFloatingIp, NewNetwork, NewRouter, NewSubnet, Seen};
use plan::rules::WantedRule;
use plan::step::Resource;
use plan::world::{
    Direction, EtherType, ExistingRule, FixedIp, FloatingIp, Network, Port, Router, Rule,
    SecurityGroup, Subnet,
};

pub const PROJECT: &str = "project";

/// The cloud; what it holds is what a plan sees.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    pub holds: Seen,
    /// How many addresses more than usual are taken when Octavia chooses one.
    pub vip_offset: u8,
    /// The number in the id that was given last.
    pub created: usize,
}

impl Cloud {
    pub fn id(&mut self, kind: &str) -> String {
        self.created += 1;
        format!("{kind}-{:04}", self.created)
    }

    /// Names of everything, by kind: equal for clouds that hold the same, whatever the ids are.
    pub fn inventory(&self) -> Vec<String> {
        let holds = &self.holds;
        let mut all: Vec<String> = Vec::new();
        let mut add = |kind: &str, names: Vec<String>| {
            all.extend(names.into_iter().map(|name| format!("{kind} {name}")));
        };
        add(
            "network",
            named(&holds.networks, |n| format!("{} {:?}", n.name, n.tags)),
        );
        add(
            "subnet",
            named(&holds.subnets, |s| format!("{} {}", s.name, s.cidr)),
        );
        add(
            "router",
            named(&holds.routers, |r| {
                format!("{} {:?}", r.name, r.gateway_network_id)
            }),
        );
        add(
            "port",
            named(&holds.ports, |p| format!("{} {}", p.name, p.device_owner)),
        );
        add(
            "group",
            named(&holds.security_groups, |g| {
                format!("{} {}", g.name, g.rules.len())
            }),
        );
        let leads = |ip: &FloatingIp| format!("{} {}", ip.description, ip.port_id.is_some());
        add("floating IP", named(&holds.floating_ips, leads));
        add(
            "load balancer",
            named(&holds.load_balancers, |lb| lb.name.clone()),
        );
        add(
            "listener",
            named(&holds.listeners, |l| {
                let cidrs = l.allowed_cidrs.iter().map(|cidr| self.plain(cidr));
                format!("{} {:?}", l.name, cidrs.collect::<BTreeSet<_>>())
            }),
        );
        add("pool", named(&holds.pools, |p| p.name.clone()));
        add(
            "monitor",
            named(&holds.monitors, |m| format!("{} {}", m.name, m.delay)),
        );
        let bastion = holds.bastion.iter();
        all.extend(bastion.map(|object| format!("bastion {:?}", object.metadata.name)));
        all.sort();
        all
    }

    /// A CIDR, but for a floating IP, which is any.
    fn plain(&self, cidr: &str) -> String {
        let mut ips = self.holds.floating_ips.iter();
        let is_floating = ips.any(|ip| cidr == format!("{}/32", ip.address));
        let cidr = if is_floating { "a floating IP" } else { cidr };
        cidr.to_string()
    }

    /// # Errors
    /// What a real cloud would refuse with.
    pub fn apply(&mut self, action: &Action) -> Result<(), String> {
        match action.clone() {
            Action::CreateNetwork(new) => self.create_network(new),
            Action::CreateSubnet(new) => self.create_subnet(new)?,
            Action::UpdateNameservers {
                subnet,
                nameservers,
            } => {
                find(&mut self.holds.subnets, |s| s.id == subnet)?.dns_nameservers = nameservers;
            }
            Action::CreateRouter(new) => self.create_router(new),
            Action::SetGateway {
                router,
                network,
                addresses,
            } => {
                let router = find(&mut self.holds.routers, |r| r.id == router)?;
                router.gateway_network_id = Some(network);
                router.gateway_ips = addresses;
            }
            Action::AddRouterInterface { router, subnet } => {
                self.add_interface(&router, &subnet)?
            }
            Action::RemoveRouterInterface { router, subnet } => {
                self.remove_interface(&router, &subnet)?
            }
            Action::CreateSecurityGroup { name, description } => {
                self.create_group(name, description)
            }
            Action::CreateRules { group, rules } => self.create_rules(&group, rules)?,
            Action::DeleteRule { group, rule } => {
                find(&mut self.holds.security_groups, |g| g.id == group)?
                    .rules
                    .retain(|have| have.id != rule);
            }
            Action::SetTags { resource, id, tags } => self.set_tags(resource, &id, tags)?,
            Action::CreateFloatingIp(new) => self.create_floating_ip(new)?,
            Action::AssociateFloatingIp { floating_ip, port } => {
                self.associate(&floating_ip, &port)?
            }
            Action::DisassociateFloatingIp { floating_ip } => {
                find(&mut self.holds.floating_ips, |ip| ip.id == floating_ip)?.port_id = None;
            }
            Action::DeleteFloatingIp { floating_ip } => {
                self.holds.floating_ips.retain(|ip| ip.id != floating_ip);
            }
            Action::DeletePort { port } => self.holds.ports.retain(|have| have.id != port),
            Action::DeleteRouter { router } => self.delete_router(&router)?,
            Action::DeleteNetwork { network } => self.delete_network(&network)?,
            Action::DeleteSecurityGroup { group } => self.delete_group(&group)?,
            Action::CreateLoadBalancer(new) => self.create_load_balancer(new)?,
            Action::Balance {
                load_balancer,
                change,
            } => self.balance(&load_balancer, change)?,
            Action::CreateServerObject(object) => self.create_bastion(*object)?,
            Action::DeleteServerObject { name } => self.delete_bastion(&name),
            Action::LabelServerObject { watch_filter, .. } => self.label_bastion(watch_filter),
            Action::UpdateServerObject { identity_ref, .. } => self.update_bastion(identity_ref),
            Action::ForBastion(action) => self.apply(&action)?,
        }
        Ok(())
    }

    fn create_network(&mut self, new: NewNetwork) {
        let id = self.id("network");
        self.holds.networks.push(Network {
            id,
            name: new.name,
            description: new.description,
            project_id: PROJECT.into(),
            ..Network::default()
        });
    }

    fn create_group(&mut self, name: String, description: String) {
        let id = self.id("group");
        let rules = [EtherType::IPv4, EtherType::IPv6]
            .map(|ether_type| self.open_egress(ether_type))
            .to_vec();
        let (project_id, tags) = (PROJECT.into(), Vec::new());
        self.holds.security_groups.push(SecurityGroup {
            id,
            name,
            description,
            tags,
            project_id,
            rules,
        });
    }

    fn create_rules(&mut self, group: &str, rules: Vec<WantedRule>) -> Result<(), String> {
        for wanted in rules {
            let id = self.id("rule");
            let rule = stored(wanted.rule)?;
            let group = find(&mut self.holds.security_groups, |g| g.id == group)?;
            if group.rules.iter().any(|have| have.rule == rule) {
                return Err(format!("rule exists: {rule:?}"));
            }
            group.rules.push(ExistingRule { id, rule });
        }
        Ok(())
    }

    fn create_floating_ip(&mut self, new: NewFloatingIp) -> Result<(), String> {
        let taken = |port: &String| {
            let mut ips = self.holds.floating_ips.iter();
            ips.any(|ip| ip.port_id.as_ref() == Some(port))
        };
        if new.port.as_ref().is_some_and(taken) {
            return Err(format!("{:?} has a floating IP already", new.port));
        }
        let id = self.id("ip");
        let address = new.address.unwrap_or_else(|| {
            format!("198.18.{}.{}", self.created / 256 % 256, self.created % 256)
        });
        self.holds.floating_ips.push(FloatingIp {
            id: id.clone(),
            address,
            description: new.description,
            network_id: new.network,
            ..FloatingIp::default()
        });
        match new.port {
            Some(port) => self.associate(&id, &port),
            None => Ok(()),
        }
    }

    fn delete_group(&mut self, group: &str) -> Result<(), String> {
        if self
            .holds
            .ports
            .iter()
            .any(|port| port.security_groups.iter().any(|used| used == group))
        {
            return Err(format!("group {group} in use"));
        }
        self.holds.security_groups.retain(|have| have.id != group);
        Ok(())
    }

    fn open_egress(&mut self, ether_type: EtherType) -> ExistingRule {
        let rule = Rule {
            direction: Direction::Egress,
            ether_type,
            protocol: None,
            port_min: None,
            port_max: None,
            remote_group_id: None,
            remote_ip_prefix: None,
        };
        ExistingRule {
            id: self.id("rule"),
            rule,
        }
    }

    fn create_subnet(&mut self, new: NewSubnet) -> Result<(), String> {
        find(&mut self.holds.networks, |n| n.id == new.network)?;
        if self
            .holds
            .subnets
            .iter()
            .any(|s| s.network_id == new.network && s.cidr == new.cidr)
        {
            return Err(format!("{} overlaps", new.cidr));
        }
        let id = self.id("subnet");
        self.holds.subnets.push(Subnet {
            id,
            name: new.name,
            description: new.description,
            tags: Vec::new(),
            project_id: PROJECT.into(),
            network_id: new.network,
            cidr: new.cidr,
            gateway_ip: None,
            dns_nameservers: new.nameservers,
            ipv6_address_mode: new.ipv6_mode.map(|mode| mode.as_str().into()),
            ipv6_ra_mode: new.ipv6_mode.map(|mode| mode.as_str().into()),
        });
        Ok(())
    }

    fn create_router(&mut self, new: NewRouter) {
        let address = FixedIp {
            subnet_id: "external".into(),
            ip_address: "203.0.113.254".into(),
        };
        let id = self.id("router");
        self.holds.routers.push(Router {
            id,
            name: new.name,
            description: new.description,
            tags: Vec::new(),
            project_id: PROJECT.into(),
            gateway_ips: new.gateway.iter().map(|_| address.clone()).collect(),
            gateway_network_id: new.gateway,
        });
    }

    fn add_interface(&mut self, router: &str, subnet: &str) -> Result<(), String> {
        find(&mut self.holds.routers, |r| r.id == router)?;
        let network_id = find(&mut self.holds.subnets, |s| s.id == subnet)?
            .network_id
            .clone();
        if self.is_connected(subnet) {
            return Err(format!("{subnet} is connected already"));
        }
        let id = self.id("port");
        self.holds.ports.push(Port {
            id,
            network_id,
            device_id: router.into(),
            device_owner: "network:router_interface".into(),
            fixed_ips: vec![FixedIp {
                subnet_id: subnet.into(),
                ip_address: String::new(),
            }],
            ..Port::default()
        });
        Ok(())
    }

    fn is_connected(&self, subnet: &str) -> bool {
        let routes = |port: &&Port| port.device_owner == "network:router_interface";
        self.holds
            .ports
            .iter()
            .filter(routes)
            .flat_map(|port| &port.fixed_ips)
            .any(|ip| ip.subnet_id == subnet)
    }

    fn remove_interface(&mut self, router: &str, subnet: &str) -> Result<(), String> {
        let leads_here = |port: &Port| port.fixed_ips.iter().any(|ip| ip.subnet_id == subnet);
        let reached = |ip: &FloatingIp| {
            self.holds
                .ports
                .iter()
                .any(|p| Some(&p.id) == ip.port_id.as_ref() && leads_here(p))
        };
        if self.holds.floating_ips.iter().any(reached) {
            return Err(format!("floating IPs need the interface in {subnet}"));
        }
        self.holds
            .ports
            .retain(|port| !(port.device_id == router && leads_here(port)));
        Ok(())
    }

    fn set_tags(&mut self, resource: Resource, id: &str, tags: Vec<String>) -> Result<(), String> {
        let holds = &mut self.holds;
        *match resource {
            Resource::Network => &mut find(&mut holds.networks, |r| r.id == id)?.tags,
            Resource::Subnet => &mut find(&mut holds.subnets, |r| r.id == id)?.tags,
            Resource::Router => &mut find(&mut holds.routers, |r| r.id == id)?.tags,
            Resource::SecurityGroup => &mut find(&mut holds.security_groups, |r| r.id == id)?.tags,
            Resource::FloatingIp => &mut find(&mut holds.floating_ips, |r| r.id == id)?.tags,
            other => return Err(format!("{other:?} has no tags here")),
        } = tags;
        Ok(())
    }

    fn associate(&mut self, floating_ip: &str, port: &str) -> Result<(), String> {
        let subnets: Vec<String> = find(&mut self.holds.ports, |p| p.id == port)?
            .fixed_ips
            .iter()
            .map(|ip| ip.subnet_id.clone())
            .collect();
        if !subnets.iter().any(|subnet| self.is_connected(subnet)) {
            return Err(format!("no external network is reachable from {port}"));
        }
        let mut others = self.holds.floating_ips.iter();
        if let Some(other) = others.find(|ip| ip.port_id.as_deref() == Some(port)) {
            return Err(format!("{} leads to {port} already", other.address));
        }
        find(&mut self.holds.floating_ips, |ip| ip.id == floating_ip)?.port_id = Some(port.into());
        Ok(())
    }

    fn delete_router(&mut self, router: &str) -> Result<(), String> {
        if self.holds.ports.iter().any(|port| port.device_id == router) {
            return Err(format!("{router} has interfaces"));
        }
        self.holds.routers.retain(|have| have.id != router);
        Ok(())
    }

    fn delete_network(&mut self, network: &str) -> Result<(), String> {
        let blocks =
            |port: &&Port| port.network_id == network && port.device_owner != "network:dhcp";
        if let Some(port) = self.holds.ports.iter().find(blocks) {
            return Err(format!("{network} is used by {port:?}"));
        }
        self.holds.ports.retain(|port| port.network_id != network);
        self.holds
            .subnets
            .retain(|subnet| subnet.network_id != network);
        self.holds.networks.retain(|have| have.id != network);
        Ok(())
    }
}

/// A rule as Neutron keeps it.
fn stored(rule: Rule) -> Result<Rule, String> {
    let protocol = rule.protocol.as_deref().map(str::to_lowercase);
    let protocol = match (rule.ether_type, protocol.as_deref()) {
        (EtherType::IPv6, Some("icmp" | "icmpv6")) => Some("ipv6-icmp".to_string()),
        _ => protocol,
    };
    let of_icmp = protocol.as_ref().is_some_and(|one| one.contains("icmp"));
    let ports = match (rule.port_min, rule.port_max) {
        (Some(1), Some(65535)) => (None, None),
        (Some(0), _) | (_, Some(0)) if !of_icmp => return Err("invalid port 0".into()),
        ports => ports,
    };
    Ok(Rule {
        protocol,
        port_min: ports.0,
        port_max: ports.1,
        ..rule
    })
}

fn named<T>(all: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    all.iter().map(name).collect()
}

pub(super) fn find<T>(all: &mut [T], is_it: impl Fn(&T) -> bool) -> Result<&mut T, String> {
    all.iter_mut()
        .find(|one| is_it(one))
        .ok_or_else(|| format!("no such {}", std::any::type_name::<T>()))
}
