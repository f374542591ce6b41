//! Doing what a plan says: each action is one call.

use cloud::loadbalancer::{ListenerCreate, LoadBalancerCreate, MonitorCreate, PoolCreate};
use cloud::network::{
    AllocationPool, FixedIp, FloatingIpCreate, Gateway, NetworkCreate, RouterCreate,
    SecurityGroupRuleCreate, SubnetCreate,
};
use cloud::{Cloud, ErrorKind, Kind, View};
use crds::openstack::v1beta2::OpenStackCluster;
use futures::future::join_all;
use plan::cluster::{Action, Balancing, NewLoadBalancer, NewSubnet, Probe};
use plan::rules::WantedRule;
use plan::step::Resource;
use plan::world::{Direction, EtherType};
use serde_json::json;

use super::{Controller, locked};
use crate::Error;
use crate::told::Told;

/// The first action that failed, and why.
pub(super) struct Failed {
    pub action: Action,
    pub error: Error,
}

impl Controller {
    /// Does all actions side by side, also when some fail.
    pub(super) async fn execute(
        &self,
        object: &OpenStackCluster,
        view: &View,
        actions: &[Action],
    ) -> Result<(), Failed> {
        let results = join_all(
            actions
                .iter()
                .map(|action| self.one(object, view.cloud(), action)),
        )
        .await;
        results.into_iter().collect()
    }

    async fn one(
        &self,
        object: &OpenStackCluster,
        cloud: &Cloud,
        action: &Action,
    ) -> Result<(), Failed> {
        let told = Told {
            verb: action.name(),
            action: action.to_string(),
        };
        match call(cloud, action).await {
            Ok(()) => {
                told.on(&self.context, object, None).await;
                Ok(())
            }
            Err(source) if source.kind == ErrorKind::Unsupported && self.can_do_without(action) => {
                let note = format!("could not {action}: {source}");
                self.context
                    .events
                    .warning(object, "SkippedCreateMonitor", note)
                    .await;
                Ok(())
            }
            Err(source) => {
                let error = Error::Execute {
                    action: action.to_string(),
                    source,
                };
                told.on(&self.context, object, Some(&error)).await;
                Err(Failed {
                    action: action.clone(),
                    error,
                })
            }
        }
    }

    /// Some providers of load balancers have no health monitors; that is remembered.
    fn can_do_without(&self, action: &Action) -> bool {
        let Action::CreateMonitor { load_balancer, .. } = action else {
            return false;
        };
        locked(&self.without_monitor).insert(load_balancer.clone());
        true
    }
}

async fn call(cloud: &Cloud, action: &Action) -> cloud::Result<()> {
    let network = cloud.network();
    match action {
        Action::CreateNetwork {
            name,
            description,
            mtu,
            port_security,
        } => {
            let new = NetworkCreate {
                name: name.clone(),
                description: description.clone(),
                admin_state_up: true,
                mtu: mtu.map(i64::from),
                port_security_enabled: *port_security,
            };
            network.create_network(&new).await.map(drop)
        }
        Action::CreateSubnet(new) => network.create_subnet(&subnet(new)).await.map(drop),
        Action::UpdateNameservers {
            subnet,
            nameservers,
        } => network
            .set_dns_nameservers(subnet, nameservers)
            .await
            .map(drop),
        Action::CreateRouter {
            name,
            description,
            gateway,
        } => {
            let gateway = gateway.as_ref().map(|id| Gateway {
                network_id: id.clone(),
                ..Gateway::default()
            });
            let (name, description) = (name.clone(), description.clone());
            network
                .create_router(&RouterCreate {
                    name,
                    description,
                    external_gateway_info: gateway,
                })
                .await
                .map(drop)
        }
        Action::SetGateway {
            router,
            network: external,
            addresses,
        } => {
            let address = |address: &plan::world::FixedIp| FixedIp {
                subnet_id: address.subnet_id.clone(),
                ip_address: address.ip_address.clone(),
            };
            let external_fixed_ips = addresses.iter().map(address).collect();
            let gateway = Gateway {
                network_id: external.clone(),
                external_fixed_ips,
                enable_snat: None,
            };
            network.set_gateway(router, &gateway).await.map(drop)
        }
        Action::AddRouterInterface { router, subnet } => {
            network.add_router_interface(router, subnet).await
        }
        Action::RemoveRouterInterface { router, subnet } => {
            network.remove_router_interface(router, subnet).await
        }
        Action::CreateSecurityGroup { name, description } => network
            .create_security_group(name, description)
            .await
            .map(drop),
        Action::CreateRules { group, rules } => {
            let rules: Vec<SecurityGroupRuleCreate> =
                rules.iter().map(|wanted| rule(group, wanted)).collect();
            network.create_rules(&rules).await.map(drop)
        }
        Action::DeleteRule { rule, .. } => network.delete_rule(rule).await,
        Action::SetTags { resource, id, tags } => match taggable(*resource) {
            Some(kind) => network.set_tags(kind, id, tags).await,
            None => Ok(()),
        },
        Action::CreateFloatingIp {
            network: external,
            description,
            address,
        } => {
            let new = FloatingIpCreate {
                floating_network_id: external.clone(),
                description: description.clone(),
                floating_ip_address: address.clone(),
                port_id: None,
            };
            network.create_floating_ip(&new).await.map(drop)
        }
        Action::AssociateFloatingIp { floating_ip, port } => network
            .associate_floating_ip(floating_ip, Some(port))
            .await
            .map(drop),
        Action::DisassociateFloatingIp { floating_ip } => network
            .associate_floating_ip(floating_ip, None)
            .await
            .map(drop),
        Action::DeleteFloatingIp { floating_ip } => network.delete_floating_ip(floating_ip).await,
        Action::DeletePort { port } => network.delete_port(port).await,
        Action::DeleteRouter { router } => network.delete_router(router).await,
        Action::DeleteNetwork { network: id } => network.delete_network(id).await,
        Action::DeleteSecurityGroup { group } => network.delete_security_group(group).await,
        Action::CreateLoadBalancer(_)
        | Action::CreateListener { .. }
        | Action::UpdateAllowedCidrs { .. }
        | Action::CreatePool { .. }
        | Action::CreateMonitor { .. }
        | Action::UpdateMonitor { .. }
        | Action::DeleteLoadBalancer { .. } => balance(cloud, action).await,
    }
}

/// The calls to Octavia.
async fn balance(cloud: &Cloud, action: &Action) -> cloud::Result<()> {
    let octavia = cloud.load_balancer();
    match action {
        Action::CreateLoadBalancer(new) => octavia
            .create_load_balancer(&load_balancer(new))
            .await
            .map(drop),
        Action::CreateListener {
            load_balancer,
            name,
            port,
            allowed_cidrs,
            tags,
        } => {
            let new = ListenerCreate {
                name: name.clone(),
                loadbalancer_id: load_balancer.clone(),
                protocol: "TCP".into(),
                protocol_port: i32::from(*port),
                allowed_cidrs: allowed_cidrs.clone(),
                tags: tags.clone(),
                ..ListenerCreate::default()
            };
            octavia.create_listener(&new).await.map(drop)
        }
        Action::UpdateAllowedCidrs {
            listener,
            allowed_cidrs,
            ..
        } => octavia
            .set_allowed_cidrs(listener, allowed_cidrs)
            .await
            .map(drop),
        Action::CreatePool {
            listener,
            name,
            method,
            tags,
            ..
        } => {
            let algorithm = match method {
                Balancing::RoundRobin => "ROUND_ROBIN",
                Balancing::SourceIpPort => "SOURCE_IP_PORT",
            };
            let new = PoolCreate {
                name: name.clone(),
                listener_id: listener.clone(),
                protocol: "TCP".into(),
                lb_algorithm: algorithm.into(),
                tags: tags.clone(),
                ..PoolCreate::default()
            };
            octavia.create_pool(&new).await.map(drop)
        }
        Action::CreateMonitor {
            pool, name, probe, ..
        } => {
            let Probe {
                delay,
                timeout,
                max_retries,
                max_retries_down,
            } = *probe;
            let (name, pool_id, kind) = (name.clone(), pool.clone(), "TCP".into());
            let new = MonitorCreate {
                name,
                pool_id,
                kind,
                delay,
                timeout,
                max_retries,
                max_retries_down,
                tags: Vec::new(),
            };
            octavia.create_monitor(&new).await.map(drop)
        }
        Action::UpdateMonitor { monitor, probe, .. } => {
            let fields = json!({
                "delay": probe.delay,
                "timeout": probe.timeout,
                "max_retries": probe.max_retries,
                "max_retries_down": probe.max_retries_down,
            });
            octavia.update_monitor(monitor, &fields).await.map(drop)
        }
        Action::DeleteLoadBalancer { load_balancer } => {
            octavia.delete_load_balancer(load_balancer).await
        }
        _ => Ok(()),
    }
}

fn subnet(new: &NewSubnet) -> SubnetCreate {
    let pool = |(start, end): &(String, String)| AllocationPool {
        start: start.clone(),
        end: end.clone(),
    };
    SubnetCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        network_id: new.network.clone(),
        ip_version: if new.cidr.addr().is_ipv4() { 4 } else { 6 },
        cidr: new.cidr.to_string(),
        dns_nameservers: new.nameservers.clone(),
        allocation_pools: new.allocation_pools.iter().map(pool).collect(),
        enable_dhcp: None,
    }
}

fn rule(group: &str, wanted: &WantedRule) -> SecurityGroupRuleCreate {
    let rule = &wanted.rule;
    SecurityGroupRuleCreate {
        security_group_id: group.to_owned(),
        direction: match rule.direction {
            Direction::Ingress => "ingress".into(),
            Direction::Egress => "egress".into(),
        },
        ethertype: match rule.ether_type {
            EtherType::IPv4 => "IPv4".into(),
            EtherType::IPv6 => "IPv6".into(),
        },
        protocol: rule.protocol.clone(),
        port_range_min: rule.port_min,
        port_range_max: rule.port_max,
        remote_group_id: rule.remote_group_id.clone(),
        remote_ip_prefix: rule.remote_ip_prefix.clone(),
        description: wanted.description.clone(),
    }
}

fn load_balancer(new: &NewLoadBalancer) -> LoadBalancerCreate {
    LoadBalancerCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        vip_network_id: new.vip_network.clone(),
        vip_subnet_id: new.vip_subnet.clone(),
        vip_address: new.vip_address.clone(),
        provider: new.provider.clone(),
        flavor_id: new.flavor.clone(),
        availability_zone: new.availability_zone.clone(),
        tags: new.tags.clone(),
    }
}

/// Tags of the others come with their creation.
fn taggable(resource: Resource) -> Option<Kind> {
    match resource {
        Resource::Network => Some(Kind::Networks),
        Resource::Subnet => Some(Kind::Subnets),
        Resource::Router => Some(Kind::Routers),
        Resource::SecurityGroup => Some(Kind::SecurityGroups),
        Resource::FloatingIp => Some(Kind::FloatingIps),
        Resource::Port => Some(Kind::Ports),
        Resource::Trunk | Resource::LoadBalancer | Resource::Server | Resource::Volume => None,
    }
}
