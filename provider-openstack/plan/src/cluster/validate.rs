//! From an `OpenStackCluster` to what it wants.

use crds::capi::names::WATCH_FILTER_LABEL;
use crds::openstack::v1beta2::{
    APIServer, APIServerLoadBalancerMonitor, AllocationPool, EtherType as ApiEtherType,
    ManagedLoadBalancer, ManagedSecurityGroupName, OpenStackCluster, OpenStackClusterSpec,
    RuleDirection, SecurityGroupRuleSpec, SubnetSpec,
};

use super::bastion::Bastion;
use super::want::{
    Api, Brought, External, ExternalAddress, Gone, Groups, Identity, LoadBalancer, Managed,
    ManagedSubnet, Named, Network, Probe, Router, UserRule, Want, Zones,
};
use crate::names::{ClusterNames, Role};
use crate::rules;
use crate::step::Problem;
use crate::world::{Direction, EtherType, Rule};

/// Port of the API server unless something else is said.
const DEFAULT_PORT: u16 = 6443;

/// The `Cluster` that owns the infrastructure; resources in the cloud are named after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub namespace: String,
    pub name: String,
}

impl Identity {
    fn of(cluster: &OpenStackCluster, owner: &Owner) -> Self {
        let name = cluster.metadata.name.clone().unwrap_or_default();
        Self {
            object: format!("OpenStackCluster {name}"),
            namespace: owner.namespace.clone(),
            name,
            names: ClusterNames::new(&owner.namespace, &owner.name),
            generation: cluster.metadata.generation,
            watch_filter: (cluster.metadata.labels.as_ref())
                .and_then(|labels| labels.get(WATCH_FILTER_LABEL))
                .cloned(),
            credentials: cluster.spec.identity_ref.clone(),
        }
    }
}

impl Want {
    /// What `cluster` wants.
    ///
    /// # Errors
    /// When the spec contradicts itself, or holds what cannot be parsed.
    pub fn of(cluster: &OpenStackCluster, owner: &Owner) -> Result<Self, Problem> {
        let identity = Identity::of(cluster, owner);
        let spec = &cluster.spec;
        let network = network(&identity, spec)?;
        let groups = spec.managed_security_groups.as_ref().map(|groups| {
            let rules = |own: &[SecurityGroupRuleSpec]| {
                own.iter()
                    .chain(&groups.cluster_nodes_security_group_rules)
                    .flat_map(user_rules)
                    .collect()
            };
            Groups {
                allow_all_in_cluster: groups.allow_all_in_cluster_traffic.unwrap_or(false),
                control_plane_rules: rules(&groups.control_plane_nodes_security_group_rules),
                worker_rules: rules(&groups.worker_nodes_security_group_rules),
            }
        });
        let zones = match (
            spec.control_plane_availability_zones.as_slice(),
            spec.control_plane_omit_availability_zone,
        ) {
            ([], Some(true)) => Zones::None,
            ([], _) => Zones::All,
            (named, _) => Zones::Only(named.to_vec()),
        };
        let api = api(&identity, spec)?;
        Ok(Self {
            identity,
            tags: spec.tags.clone(),
            external: external(spec),
            network,
            groups,
            api,
            zones,
            bastion: Bastion::of(cluster, owner),
            keep_floating_ips: given_floating_ips(spec),
        })
    }
}

impl Gone {
    /// What is to be deleted of `cluster`, valid or not.
    pub fn of(cluster: &OpenStackCluster, owner: &Owner) -> Self {
        let spec = &cluster.spec;
        let api = spec.api_server.as_ref();
        let balancer = api.and_then(|api| api.managed_load_balancer.as_ref());
        let had_balancer = cluster
            .status
            .as_ref()
            .is_some_and(|status| status.api_server_managed_load_balancer.is_some());
        let name = cluster.metadata.name.clone().unwrap_or_default();
        Self {
            identity: Identity::of(cluster, owner),
            port_prefixes: vec![format!("{}-{name}", owner.namespace), name],
            managed_network: !spec.managed_subnets.is_empty(),
            managed_router: !spec.managed_subnets.is_empty() && spec.router.is_none(),
            groups: match (
                &cluster.metadata.deletion_timestamp,
                Bastion::of(cluster, owner),
            ) {
                (Some(_), _) => Role::ALL.to_vec(),
                (None, None) => vec![Role::Bastion],
                (None, Some(_)) => Vec::new(),
            },
            load_balancer: had_balancer || balancer.is_some_and(is_enabled),
            keep_floating_ips: given_floating_ips(spec),
        }
    }
}

/// Those that the user gave, also for a bastion that is switched off.
fn given_floating_ips(spec: &OpenStackClusterSpec) -> Vec<String> {
    let api = spec.api_server.as_ref();
    let api = api.and_then(|api| given(&api.floating_ip));
    let bastion = spec.bastion.as_ref();
    let bastion = bastion.and_then(|bastion| bastion.floating_ip.clone());
    api.into_iter().chain(bastion).collect()
}

fn problem(
    identity: &Identity,
    field: &str,
    value: impl ToString,
    way_out: impl Into<String>,
) -> Problem {
    Problem {
        reason: "InvalidSpec".into(),
        object: identity.object.clone(),
        field: field.into(),
        value: value.to_string(),
        way_out: way_out.into(),
    }
}

fn external(spec: &OpenStackClusterSpec) -> External {
    if spec.enable_external_network == Some(false) {
        return External::Disabled;
    }
    let named = spec
        .external_network
        .as_ref()
        .and_then(|param| Named::network("spec.externalNetwork", param));
    named.map_or(External::TheOnlyOne, External::Named)
}

fn network(identity: &Identity, spec: &OpenStackClusterSpec) -> Result<Network, Problem> {
    let router = spec
        .router
        .as_ref()
        .and_then(|param| Named::router("spec.router", param));
    match spec.managed_subnets.as_slice() {
        [] => {
            let network = spec
                .network
                .as_ref()
                .and_then(|param| Named::network("spec.network", param));
            let subnets = spec.subnets.iter().enumerate();
            let subnets: Vec<_> = subnets
                .filter_map(|(n, param)| Named::subnet(&format!("spec.subnets[{n}]"), param))
                .collect();
            if network.is_none() && subnets.is_empty() {
                let way_out = "is empty, and so are spec.network and spec.subnets: ask for a managed network with \
                               one entry here, or name an existing network";
                return Err(problem(identity, "spec.managedSubnets", "", way_out));
            }
            Ok(Network::Brought(Brought {
                network,
                subnets,
                router,
            }))
        }
        subnets => managed(identity, spec, subnets, router).map(Network::Managed),
    }
}

fn managed(
    identity: &Identity,
    spec: &OpenStackClusterSpec,
    subnets: &[SubnetSpec],
    router: Option<Named<crds::openstack::v1beta2::RouterFilter>>,
) -> Result<Managed, Problem> {
    let subnet = |(n, subnet)| managed_subnet(identity, n, subnet);
    let subnets: Vec<_> = (subnets.iter().enumerate().map(subnet)).collect::<Result<_, _>>()?;
    let in_ipv4 = subnets.iter().filter(|s| s.cidr.addr().is_ipv4()).count();
    if in_ipv4 > 1 || subnets.len() - in_ipv4 > 1 {
        let cidrs: Vec<String> = subnets.iter().map(|s| s.cidr.to_string()).collect();
        let way_out = "a network can have one managed subnet of each IP version: leave one IPv4 and one IPv6 entry at most";
        let field = "spec.managedSubnets";
        return Err(problem(identity, field, cidrs.join(", "), way_out));
    }
    let router = match router {
        Some(named) => Router::Brought(named),
        None => Router::Managed(router_addresses(identity, spec)?),
    };
    let network = spec.managed_network.as_ref();
    Ok(Managed {
        subnets,
        mtu: network.and_then(|network| network.mtu),
        port_security: network.and_then(|network| network.enable_port_security),
        router,
    })
}

fn managed_subnet(
    identity: &Identity,
    n: usize,
    subnet: &SubnetSpec,
) -> Result<ManagedSubnet, Problem> {
    let cidr: ipnet::IpNet = subnet.cidr.parse().map_err(|_| {
        let way_out = "is no CIDR; write an address and a prefix length, such as 10.6.0.0/24";
        let field = format!("spec.managedSubnets[{n}].cidr");
        problem(identity, &field, &subnet.cidr, way_out)
    })?;
    let pool = |pool: &AllocationPool| (pool.start.clone(), pool.end.clone());
    Ok(ManagedSubnet {
        cidr: cidr.trunc(),
        dns_nameservers: subnet.dns_nameservers.clone(),
        allocation_pools: subnet.allocation_pools.iter().map(pool).collect(),
        ipv6_mode: (cidr.addr().is_ipv6()).then(|| subnet.ipv6_mode.unwrap_or_default()),
    })
}

fn router_addresses(
    identity: &Identity,
    spec: &OpenStackClusterSpec,
) -> Result<Vec<ExternalAddress>, Problem> {
    let wanted = spec
        .managed_router
        .iter()
        .flat_map(|router| &router.external_ips)
        .enumerate();
    let address = |(n, wanted): (usize, &crds::openstack::v1beta2::ExternalRouterIPParam)| {
        let field = format!("spec.managedRouter.externalIPs[{n}].subnet");
        let subnet = Named::subnet(&field, &wanted.subnet)
            .ok_or_else(|| problem(identity, &field, "", "needs an id or a filter"))?;
        Ok(ExternalAddress {
            subnet,
            address: wanted.fixed_ip.clone(),
        })
    };
    wanted.map(address).collect()
}

fn api(identity: &Identity, spec: &OpenStackClusterSpec) -> Result<Api, Problem> {
    let default = APIServer::default();
    let server = spec.api_server.as_ref().unwrap_or(&default);
    // As in Cluster API, an endpoint counts when it has both.
    let endpoint = spec.control_plane_endpoint.as_ref();
    let endpoint = endpoint.and_then(|endpoint| Some((endpoint.host.clone()?, endpoint.port?)));
    let endpoint = endpoint.filter(|(host, port)| !host.is_empty() && *port != 0);
    let endpoint_port = endpoint
        .as_ref()
        .map(|(_, port)| port_number(identity, "spec.controlPlaneEndpoint.port", *port));
    let balancer = server
        .managed_load_balancer
        .as_ref()
        .filter(|balancer| is_enabled(balancer));
    let port = endpoint_port
        .transpose()?
        .or(server.port.filter(|port| *port != 0))
        .unwrap_or(DEFAULT_PORT);
    Ok(Api {
        port,
        server_port: balancer
            .and_then(|balancer| balancer.member_port)
            .unwrap_or(port),
        host: endpoint.map(|(host, _)| host),
        load_balancer: balancer
            .map(|balancer| load_balancer(identity, balancer))
            .transpose()?,
        floating_ip: server.enable_floating_ip.unwrap_or(true)
            && spec.enable_external_network != Some(false),
        floating_address: given(&server.floating_ip),
        fixed_ip: given(&server.fixed_ip),
        primary_subnet: spec
            .primary_subnet
            .as_ref()
            .and_then(|param| Named::subnet("spec.primarySubnet", param)),
    })
}

/// An address that is still empty is awaited, as what runs the control plane elsewhere writes it.
fn given(address: &Option<String>) -> Option<String> {
    address.clone().filter(|address| !address.is_empty())
}

fn is_enabled(balancer: &ManagedLoadBalancer) -> bool {
    balancer.enabled.unwrap_or(true)
}

fn load_balancer(
    identity: &Identity,
    balancer: &ManagedLoadBalancer,
) -> Result<LoadBalancer, Problem> {
    let field = |name: &str| format!("spec.apiServer.managedLoadBalancer.{name}");
    let port = |port: &i32| port_number(identity, &field("additionalPorts"), *port);
    let subnets = balancer.subnets.iter().enumerate();
    Ok(LoadBalancer {
        additional_ports: balancer
            .additional_ports
            .iter()
            .map(port)
            .collect::<Result<_, _>>()?,
        allowed_cidrs: balancer.allowed_cidrs.clone(),
        provider: balancer.provider.clone(),
        flavor: balancer.flavor.clone(),
        availability_zone: balancer.availability_zone.clone(),
        network: balancer
            .network
            .as_ref()
            .and_then(|param| Named::network(&field("network"), param)),
        subnets: subnets
            .filter_map(|(n, param)| Named::subnet(&field(&format!("subnets[{n}]")), param))
            .collect(),
        monitor: probe(balancer.monitor.as_ref()),
    })
}

fn port_number(identity: &Identity, field: &str, port: i32) -> Result<u16, Problem> {
    let valid = u16::try_from(port).ok().filter(|port| *port != 0);
    valid.ok_or_else(|| problem(identity, field, port, "is no port; ports are 1 to 65535"))
}

/// A number that is 0 or absent gets CAPO's default.
fn probe(monitor: Option<&APIServerLoadBalancerMonitor>) -> Probe {
    let default = APIServerLoadBalancerMonitor::default();
    let monitor = monitor.unwrap_or(&default);
    let or =
        |value: Option<i32>, default: i32| value.filter(|value| *value != 0).unwrap_or(default);
    Probe {
        delay: or(monitor.delay, 10),
        timeout: or(monitor.timeout, 5),
        max_retries: or(monitor.max_retries, 5),
        max_retries_down: or(monitor.max_retries_down, 3),
    }
}

/// One rule, or one for each managed group of the other side.
fn user_rules(spec: &SecurityGroupRuleSpec) -> Vec<UserRule> {
    let protocol = spec.protocol.clone().filter(|named| !named.is_empty());
    let ports = (spec.port_range_min, spec.port_range_max);
    let (port_min, port_max) = rules::ports(protocol.as_deref(), ports.0, ports.1);
    let rule = Rule {
        direction: match spec.direction {
            RuleDirection::Ingress => Direction::Ingress,
            RuleDirection::Egress => Direction::Egress,
        },
        ether_type: match spec.ether_type {
            Some(ApiEtherType::IPv6) => EtherType::IPv6,
            Some(ApiEtherType::IPv4) | None => EtherType::IPv4,
        },
        protocol,
        port_min,
        port_max,
        remote_group_id: spec.remote_group_id.clone(),
        remote_ip_prefix: spec.remote_ip_prefix.clone(),
    };
    let with = |remote| UserRule {
        description: spec.description.clone().unwrap_or_default(),
        rule: rule.clone(),
        remote,
    };
    if spec.remote_managed_groups.is_empty() {
        return vec![with(None)];
    }
    let role = |group: &ManagedSecurityGroupName| match group {
        ManagedSecurityGroupName::Bastion => Role::Bastion,
        ManagedSecurityGroupName::ControlPlane => Role::ControlPlane,
        ManagedSecurityGroupName::Worker => Role::Worker,
    };
    spec.remote_managed_groups
        .iter()
        .map(|group| with(Some(role(group))))
        .collect()
}
