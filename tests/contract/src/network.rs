//! Networks, routers, security groups, ports, floating IPs.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use cloud::network::{
    FloatingIpCreate, Gateway, NetworkCreate, Port, PortCreate, RouterCreate,
    SecurityGroupRuleCreate, SubnetCreate,
};
use cloud::{ErrorKind, Kind};

use crate::Contract;

/// What has been made.
pub struct Net {
    pub network: String,
    pub subnet: String,
    router: String,
    group: String,
    pub port: Port,
}

impl Contract {
    pub async fn network(&mut self) -> Result<Net> {
        let view = self.view.clone();
        let neutron = view.cloud().network();
        let name = self.name.clone();
        let create = NetworkCreate {
            name: name.clone(),
            admin_state_up: true,
            ..Default::default()
        };
        let network = neutron.create_network(&create).await?;
        let tags = ["contract".to_owned(), name.clone()];
        neutron.set_tags(Kind::Networks, &network.id, &tags).await?;
        ensure!(neutron.networks(&[("tags", &name)]).await?.len() == 1);
        let subnet = neutron
            .create_subnet(&SubnetCreate {
                name: name.clone(),
                network_id: network.id.clone(),
                ip_version: 4,
                cidr: "10.8.0.0/24".to_owned(),
                ..Default::default()
            })
            .await?;
        let servers = ["10.0.0.1".to_owned()];
        let changed = neutron.set_dns_nameservers(&subnet.id, &servers).await?;
        ensure!(changed.dns_nameservers == servers, "{changed:?}");
        let external = self.external_network().await?;
        let router = self.router(&external, &subnet.id).await?;
        let seen = view.snapshot(&[Kind::Ports, Kind::Networks]).await?;
        ensure!(
            seen.ports.of(&router).count() >= 1,
            "the router has no port"
        );
        ensure!(
            seen.networks
                .named(&name)
                .all(|network| network.tags.len() == 2)
        );
        self.step("network, subnet, router, tags");
        let group = self.security_group().await?;
        let port = self.port(&network.id, &group).await?;
        self.floating_ip(&external, &port).await?;
        let (network, subnet) = (network.id, subnet.id);
        Ok(Net {
            network,
            subnet,
            router,
            group,
            port,
        })
    }

    /// A router with a gateway and an interface; its id.
    async fn router(&self, external: &str, subnet: &str) -> Result<String> {
        let neutron = self.view.cloud().network();
        let gateway = Gateway {
            network_id: external.to_owned(),
            ..Default::default()
        };
        let router = neutron
            .create_router(&RouterCreate {
                name: self.name.clone(),
                ..Default::default()
            })
            .await?;
        let routed = neutron.set_gateway(&router.id, &gateway).await?;
        let led = routed.external_gateway_info.as_ref();
        ensure!(
            led.is_some_and(|led| !led.external_fixed_ips.is_empty()),
            "{routed:?}"
        );
        neutron.add_router_interface(&router.id, subnet).await?;
        Ok(router.id)
    }

    async fn external_network(&self) -> Result<String> {
        let seen = self.view.snapshot(&[Kind::Networks]).await?;
        let external = seen.networks.iter().find(|network| network.external);
        Ok(external
            .context("the cloud has no external network")?
            .id
            .clone())
    }

    async fn security_group(&mut self) -> Result<String> {
        let neutron = self.view.cloud().network();
        let group = neutron
            .create_security_group(&self.name, "contract")
            .await?;
        let rule = |port| SecurityGroupRuleCreate {
            security_group_id: group.id.clone(),
            direction: "ingress".to_owned(),
            ethertype: "IPv4".to_owned(),
            protocol: Some("tcp".to_owned()),
            port_range_min: Some(port),
            port_range_max: Some(port),
            ..Default::default()
        };
        neutron.create_rules(&[rule(6443), rule(22)]).await?;
        let twice = neutron.create_rules(&[rule(80), rule(22)]).await;
        ensure!(
            twice.is_err_and(|error| error.kind == ErrorKind::Conflict),
            "a duplicate rule"
        );
        let made = neutron.create_rules(&[rule(80)]).await?;
        neutron.delete_rule(&made[0].id).await?;
        neutron.delete_rule(&made[0].id).await?;
        let listed = neutron.security_groups(&[("id", &group.id)]).await?;
        let seen = self.view.snapshot(&[Kind::SecurityGroups]).await?;
        let fed = seen
            .security_groups
            .get(&group.id)
            .context("the group is not in the view")?;
        let sorted = |rules: &[cloud::network::SecurityGroupRule]| -> BTreeSet<String> {
            rules.iter().map(|rule| rule.id.clone()).collect()
        };
        ensure!(
            sorted(&fed.rules) == sorted(&listed[0].rules),
            "{fed:?} is not {listed:?}"
        );
        self.step("security group, two rules in one request, a duplicate refused as a whole");
        Ok(group.id)
    }

    async fn port(&mut self, network_id: &str, group: &str) -> Result<Port> {
        let in_bulk = self.view.ports_take_tags().await?;
        let port = PortCreate {
            name: format!("{}-0", self.name),
            network_id: network_id.to_owned(),
            security_groups: Some(vec![group.to_owned()]),
            tags: if in_bulk {
                vec!["contract".to_owned()]
            } else {
                Vec::new()
            },
            ..Default::default()
        };
        let created = self
            .view
            .cloud()
            .network()
            .create_ports(&[port])
            .await?
            .remove(0);
        if in_bulk {
            let listed = self
                .view
                .cloud()
                .network()
                .ports(&[("tags", "contract")])
                .await?;
            ensure!(
                listed.iter().any(|port| port.id == created.id),
                "tags in bulk were ignored"
            );
        }
        let pairs = serde_json::json!({"allowed_address_pairs": [{"ip_address": "10.8.0.99"}]});
        let neutron = self.view.cloud().network();
        let changed = neutron.update_port(&created.id, &pairs).await?;
        ensure!(changed.allowed_address_pairs.len() == 1, "{changed:?}");
        self.step(&format!("port in bulk, with tags: {in_bulk}"));
        Ok(created)
    }

    async fn floating_ip(&mut self, external: &str, port: &Port) -> Result<()> {
        let neutron = self.view.cloud().network();
        let floating_network_id = external.to_owned();
        let create = FloatingIpCreate {
            floating_network_id,
            ..Default::default()
        };
        let ip = neutron.create_floating_ip(&create).await?;
        let led = neutron
            .associate_floating_ip(&ip.id, Some(&port.id))
            .await?;
        ensure!(led.port_id == port.id, "{led:?}");
        let freed = neutron.associate_floating_ip(&ip.id, None).await?;
        ensure!(freed.port_id.is_empty(), "{freed:?}");
        neutron.delete_floating_ip(&ip.id).await?;
        self.step("floating IP: allocate, lead, free, give back");
        Ok(())
    }

    pub async fn remove(&mut self, net: &Net) -> Result<()> {
        let neutron = self.view.cloud().network();
        let busy = neutron.delete_network(&net.network).await;
        ensure!(
            busy.is_err_and(|error| error.kind == ErrorKind::Conflict),
            "a network in use"
        );
        neutron.delete_port(&net.port.id).await?;
        neutron.delete_port(&net.port.id).await?;
        neutron
            .remove_router_interface(&net.router, &net.subnet)
            .await?;
        neutron
            .remove_router_interface(&net.router, &net.subnet)
            .await?;
        neutron.delete_router(&net.router).await?;
        neutron.delete_subnet(&net.subnet).await?;
        neutron.delete_network(&net.network).await?;
        neutron.delete_security_group(&net.group).await?;
        self.step("all deleted, port and router interface twice");
        Ok(())
    }
}
