//! The cloud's resources as plans see them.

use cloud::loadbalancer::{self, ProvisioningStatus};
use cloud::network::{self, NetworkStatus};
use plan::world::{
    AddressPair, Direction, EtherType, ExistingRule, FixedIp, FloatingIp, Listener, LoadBalancer,
    Member, Monitor, Network, Pool, Port, Router, Rule, SecurityGroup, State, Subnet,
};

/// A network.
#[must_use]
pub fn network(row: &network::Network) -> Network {
    Network {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        project_id: row.project_id.clone(),
        external: row.external,
    }
}

/// A subnet; `None` when its CIDR cannot be read, which Neutron never lets happen.
#[must_use]
pub fn subnet(row: &network::Subnet) -> Option<Subnet> {
    Some(Subnet {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        project_id: row.project_id.clone(),
        network_id: row.network_id.clone(),
        cidr: row.cidr.parse().ok()?,
        gateway_ip: row.gateway_ip.clone(),
        dns_nameservers: row.dns_nameservers.clone(),
        ipv6_address_mode: row.ipv6_address_mode.clone(),
        ipv6_ra_mode: row.ipv6_ra_mode.clone(),
    })
}

/// A router.
#[must_use]
pub fn router(row: &network::Router) -> Router {
    let gateway = row
        .external_gateway_info
        .as_ref()
        .filter(|gateway| !gateway.network_id.is_empty());
    Router {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        project_id: row.project_id.clone(),
        gateway_network_id: gateway.map(|gateway| gateway.network_id.clone()),
        gateway_ips: gateway
            .into_iter()
            .flat_map(|gateway| &gateway.external_fixed_ips)
            .map(fixed_ip)
            .collect(),
    }
}

fn fixed_ip(row: &network::FixedIp) -> FixedIp {
    FixedIp {
        subnet_id: row.subnet_id.clone(),
        ip_address: row.ip_address.clone(),
    }
}

/// A port.
#[must_use]
pub fn port(row: &network::Port) -> Port {
    let pair = |pair: &network::AddressPair| AddressPair {
        ip_address: pair.ip_address.clone(),
        mac_address: pair.mac_address.clone(),
    };
    Port {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        network_id: row.network_id.clone(),
        device_id: row.device_id.clone(),
        device_owner: row.device_owner.clone(),
        fixed_ips: row.fixed_ips.iter().map(fixed_ip).collect(),
        security_groups: row.security_groups.clone(),
        allowed_address_pairs: row.allowed_address_pairs.iter().map(pair).collect(),
        state: network_state(&row.status),
    }
}

fn network_state(status: &NetworkStatus) -> State {
    match status {
        NetworkStatus::Active => State::Active,
        NetworkStatus::Build => State::Pending,
        NetworkStatus::Error => State::Error,
        _ => State::Other,
    }
}

/// A security group with its rules.
#[must_use]
pub fn security_group(row: &network::SecurityGroup) -> SecurityGroup {
    SecurityGroup {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        project_id: row.project_id.clone(),
        rules: row.rules.iter().map(rule).collect(),
    }
}

fn rule(row: &network::SecurityGroupRule) -> ExistingRule {
    let rule = Rule {
        direction: if row.direction == "egress" {
            Direction::Egress
        } else {
            Direction::Ingress
        },
        ether_type: if row.ethertype == "IPv6" {
            EtherType::IPv6
        } else {
            EtherType::IPv4
        },
        protocol: row.protocol.clone(),
        port_min: row.port_range_min,
        port_max: row.port_range_max,
        remote_group_id: row.remote_group_id.clone(),
        remote_ip_prefix: row.remote_ip_prefix.clone(),
    };
    ExistingRule {
        id: row.id.clone(),
        rule,
    }
}

/// A floating IP.
#[must_use]
pub fn floating_ip(row: &network::FloatingIp) -> FloatingIp {
    FloatingIp {
        id: row.id.clone(),
        address: row.floating_ip_address.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        network_id: row.floating_network_id.clone(),
        port_id: Some(row.port_id.clone()).filter(|port| !port.is_empty()),
    }
}

/// A load balancer.
#[must_use]
pub fn load_balancer(row: &loadbalancer::LoadBalancer) -> LoadBalancer {
    LoadBalancer {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        tags: row.tags.clone(),
        provider: row.provider.clone(),
        vip_address: row.vip_address.clone(),
        vip_port_id: row.vip_port_id.clone(),
        vip_network_id: row.vip_network_id.clone(),
        vip_subnet_id: row.vip_subnet_id.clone(),
        additional_vips: (row.additional_vips.iter())
            .filter_map(|vip| vip.ip_address.clone())
            .collect(),
        state: provisioning(&row.provisioning_status),
    }
}

fn provisioning(status: &ProvisioningStatus) -> State {
    match status {
        ProvisioningStatus::Active => State::Active,
        ProvisioningStatus::PendingCreate | ProvisioningStatus::PendingUpdate => State::Pending,
        ProvisioningStatus::PendingDelete | ProvisioningStatus::Deleted => State::Deleting,
        ProvisioningStatus::Error => State::Error,
        _ => State::Other,
    }
}

/// A listener.
#[must_use]
pub fn listener(row: &loadbalancer::Listener) -> Listener {
    Listener {
        id: row.id.clone(),
        name: row.name.clone(),
        load_balancer_id: first(&row.loadbalancers),
        port: u16::try_from(row.protocol_port).unwrap_or_default(),
        allowed_cidrs: row.allowed_cidrs.clone(),
        state: provisioning(&row.provisioning_status),
    }
}

fn first(references: &[cloud::Ref]) -> String {
    references
        .first()
        .map(|reference| reference.id.clone())
        .unwrap_or_default()
}

/// A pool, without its members.
#[must_use]
pub fn pool(row: &loadbalancer::Pool) -> Pool {
    Pool {
        id: row.id.clone(),
        name: row.name.clone(),
        load_balancer_id: first(&row.loadbalancers),
        listener_ids: row
            .listeners
            .iter()
            .map(|listener| listener.id.clone())
            .collect(),
        monitor_id: row.healthmonitor_id.clone(),
        state: provisioning(&row.provisioning_status),
    }
}

/// The members of a pool.
pub fn members(pool: &loadbalancer::Pool) -> impl Iterator<Item = Member> {
    pool.members.iter().map(|row| Member {
        id: row.id.clone(),
        name: row.name.clone(),
        pool_id: pool.id.clone(),
        address: row.address.clone(),
        port: u16::try_from(row.protocol_port).unwrap_or_default(),
        subnet_id: row.subnet_id.clone(),
        state: provisioning(&row.provisioning_status),
    })
}

/// A health monitor.
#[must_use]
pub fn monitor(row: &loadbalancer::Monitor) -> Monitor {
    Monitor {
        id: row.id.clone(),
        name: row.name.clone(),
        pool_id: first(&row.pools),
        delay: row.delay,
        timeout: row.timeout,
        max_retries: row.max_retries,
        max_retries_down: row.max_retries_down,
        state: provisioning(&row.provisioning_status),
    }
}
