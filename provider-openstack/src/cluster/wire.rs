//! What a plan wants to create, in the words of the cloud's API.

use cloud::Kind;
use cloud::loadbalancer::{
    AdditionalVip, ListenerCreate, LoadBalancerCreate, MonitorCreate, PoolCreate,
};
use cloud::network::{
    AllocationPool, FixedIp, FloatingIpCreate, Gateway, NetworkCreate, RouterCreate,
    SecurityGroupRuleCreate, SubnetCreate,
};
use crds::openstack::v1beta2::IPv6Mode;
use plan::cluster::{
    Balancing, NewFloatingIp, NewListener, NewLoadBalancer, NewNetwork, NewPool, NewRouter,
    NewSubnet, Probe,
};
use plan::rules::WantedRule;
use plan::step::Resource;
use plan::world::{self, Direction, EtherType};
use serde_json::{Value, json};

/// The only protocol of the Kubernetes API.
const TCP: &str = "TCP";

pub(super) fn network(new: &NewNetwork) -> NetworkCreate {
    NetworkCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        admin_state_up: true,
        mtu: new.mtu.map(i64::from),
        port_security_enabled: new.port_security,
    }
}

pub(super) fn subnet(new: &NewSubnet) -> SubnetCreate {
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
        ipv6_address_mode: new.ipv6_mode.map(IPv6Mode::as_str),
        ipv6_ra_mode: new.ipv6_mode.map(IPv6Mode::as_str),
    }
}

pub(super) fn router(new: &NewRouter) -> RouterCreate {
    RouterCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        external_gateway_info: new.gateway.as_ref().map(|network| gateway(network, &[])),
    }
}

pub(super) fn gateway(network: &str, addresses: &[world::FixedIp]) -> Gateway {
    let address = |address: &world::FixedIp| FixedIp {
        subnet_id: address.subnet_id.clone(),
        ip_address: address.ip_address.clone(),
    };
    Gateway {
        network_id: network.to_owned(),
        external_fixed_ips: addresses.iter().map(address).collect(),
        enable_snat: None,
    }
}

pub(super) fn rule(group: &str, wanted: &WantedRule) -> SecurityGroupRuleCreate {
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

pub(super) fn floating_ip(new: &NewFloatingIp) -> FloatingIpCreate {
    FloatingIpCreate {
        floating_network_id: new.network.clone(),
        description: new.description.clone(),
        floating_ip_address: new.address.clone(),
        port_id: new.port.clone(),
    }
}

pub(super) fn load_balancer(new: &NewLoadBalancer) -> LoadBalancerCreate {
    LoadBalancerCreate {
        name: new.name.clone(),
        description: new.description.clone(),
        vip_network_id: new.vip_network.clone(),
        vip_subnet_id: new.vip_subnet.clone(),
        vip_address: new.vip_address.clone(),
        additional_vips: new
            .additional_vip_subnets
            .iter()
            .map(|subnet| additional_vip(subnet))
            .collect(),
        provider: new.provider.clone(),
        flavor_id: new.flavor.clone(),
        availability_zone: new.availability_zone.clone(),
        tags: new.tags.clone(),
    }
}

fn additional_vip(subnet: &str) -> AdditionalVip {
    AdditionalVip {
        subnet_id: subnet.to_owned(),
        ip_address: None,
    }
}

pub(super) fn listener(load_balancer: &str, new: &NewListener) -> ListenerCreate {
    ListenerCreate {
        name: new.name.clone(),
        loadbalancer_id: load_balancer.to_owned(),
        protocol: TCP.into(),
        protocol_port: i32::from(new.port),
        allowed_cidrs: new.allowed_cidrs.clone(),
        tags: new.tags.clone(),
        ..ListenerCreate::default()
    }
}

pub(super) fn pool(new: &NewPool) -> PoolCreate {
    let algorithm = match new.method {
        Balancing::RoundRobin => "ROUND_ROBIN",
        Balancing::SourceIpPort => "SOURCE_IP_PORT",
    };
    PoolCreate {
        name: new.name.clone(),
        listener_id: new.listener.clone(),
        protocol: TCP.into(),
        lb_algorithm: algorithm.into(),
        tags: new.tags.clone(),
        ..PoolCreate::default()
    }
}

pub(super) fn monitor(pool: &str, name: &str, probe: Probe) -> MonitorCreate {
    MonitorCreate {
        name: name.to_owned(),
        pool_id: pool.to_owned(),
        kind: TCP.into(),
        delay: probe.delay,
        timeout: probe.timeout,
        max_retries: probe.max_retries,
        max_retries_down: probe.max_retries_down,
        tags: Vec::new(),
    }
}

pub(super) fn probe(probe: Probe) -> Value {
    json!({
        "delay": probe.delay,
        "timeout": probe.timeout,
        "max_retries": probe.max_retries,
        "max_retries_down": probe.max_retries_down,
    })
}

/// What Neutron can tag; tags of the others come with their creation.
pub(super) fn taggable(resource: Resource) -> Option<Kind> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_arrives_at_neutron_field_by_field() {
        let text = |text: &str| text.to_owned();
        let made = serde_json::to_value(network(&NewNetwork {
            name: text("n"),
            description: text("d"),
            mtu: Some(1400),
            port_security: Some(false),
        }));
        let sent = json!({
            "name": "n", "description": "d", "admin_state_up": true, "mtu": 1400, "port_security_enabled": false,
        });
        assert_eq!(made.expect("JSON"), sent);
        let made = serde_json::to_value(subnet(&NewSubnet {
            name: text("n"),
            description: text("d"),
            network: text("net"),
            cidr: "fd00::/64".parse().expect("a CIDR"),
            nameservers: vec![text("2001:db8::53")],
            allocation_pools: vec![(text("fd00::20"), text("fd00::99"))],
            ipv6_mode: Some(IPv6Mode::default()),
        }));
        let sent = json!({
            "name": "n", "description": "d", "network_id": "net", "ip_version": 6, "cidr": "fd00::/64",
            "dns_nameservers": ["2001:db8::53"],
            "allocation_pools": [{"start": "fd00::20", "end": "fd00::99"}],
            "ipv6_address_mode": "slaac", "ipv6_ra_mode": "slaac",
        });
        assert_eq!(made.expect("JSON"), sent);
        let address = world::FixedIp {
            subnet_id: text("external"),
            ip_address: text("203.0.113.7"),
        };
        let sent = json!({
            "network_id": "public",
            "external_fixed_ips": [{"subnet_id": "external", "ip_address": "203.0.113.7"}],
        });
        let made = serde_json::to_value(gateway("public", &[address]));
        assert_eq!(made.expect("JSON"), sent);
    }
}
