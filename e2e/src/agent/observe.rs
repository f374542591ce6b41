//! What OpenStack says at this moment, as its administrator sees it.

use std::{collections::BTreeMap, net::Ipv4Addr};

use anyhow::{Context, Result};
use ipnet::Ipv4Net;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::network::balancer::Balancer;
use crate::openstack::client::{Client, Service};

/// Everything that machines and their network are made from.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By id; deleted ones are absent.
    pub servers: BTreeMap<String, Server>,
    /// By id.
    pub subnets: BTreeMap<String, Subnet>,
    pub ports: Vec<Port>,
    pub routers: Vec<Router>,
    pub floating_ips: Vec<FloatingIp>,
    pub load_balancers: Vec<LoadBalancer>,
    /// Rules of security groups, by the group's id.
    pub rules: BTreeMap<String, Vec<Rule>>,
}

/// A Nova server, with its flavor embedded and its user data.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Server {
    pub id: String,
    pub name: String,
    /// `ACTIVE`, `SHUTOFF`, ...
    pub status: String,
    #[serde(default)]
    pub updated: String,
    #[serde(default)]
    pub flavor: Flavor,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default, rename = "OS-EXT-AZ:availability_zone")]
    pub availability_zone: String,
    /// Base64.
    #[serde(default, rename = "OS-EXT-SRV-ATTR:user_data")]
    pub user_data: Option<String>,
    /// The image's id; absent when booted from a volume.
    #[serde(default, deserialize_with = "image_id")]
    pub image: Option<String>,
    /// Name of that image.
    #[serde(skip)]
    pub image_name: Option<String>,
    /// The last reboot or rebuild that Nova was asked for, as `<action> <time>`; None if there was none.
    #[serde(skip)]
    pub restarted: Option<String>,
}

/// The flavor as embedded in a server.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Flavor {
    #[serde(default, rename = "original_name")]
    pub name: String,
    #[serde(default)]
    pub extra_specs: BTreeMap<String, String>,
}

/// A Neutron port.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Port {
    pub id: String,
    pub network_id: String,
    #[serde(default)]
    pub device_id: String,
    #[serde(default)]
    pub device_owner: String,
    #[serde(default)]
    pub mac_address: String,
    #[serde(default)]
    pub fixed_ips: Vec<FixedIp>,
    #[serde(default)]
    pub created_at: String,
    /// Ids.
    #[serde(default)]
    pub security_groups: Vec<String>,
    #[serde(default = "yes")]
    pub port_security_enabled: bool,
    #[serde(default)]
    pub allowed_address_pairs: Vec<AddressPair>,
}

fn yes() -> bool {
    true
}

/// Addresses that a port may have besides its own.
#[derive(Clone, Debug, Deserialize)]
pub struct AddressPair {
    /// An address or a range.
    pub ip_address: String,
}

/// A rule of a security group.
#[derive(Clone, Debug, Deserialize)]
pub struct Rule {
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    #[serde(default)]
    pub protocol: Option<String>,
    #[serde(default)]
    pub port_range_min: Option<u16>,
    #[serde(default)]
    pub port_range_max: Option<u16>,
    #[serde(default)]
    pub remote_ip_prefix: Option<String>,
    #[serde(default)]
    pub remote_group_id: Option<String>,
}

/// An address of a port.
#[derive(Clone, Debug, Deserialize)]
pub struct FixedIp {
    pub subnet_id: String,
    pub ip_address: String,
}

/// A Neutron subnet.
#[derive(Clone, Debug, Deserialize)]
pub struct Subnet {
    pub id: String,
    pub cidr: String,
    pub gateway_ip: Option<String>,
    #[serde(default)]
    pub dns_nameservers: Vec<String>,
}

/// A Neutron router; its interfaces are ports.
#[derive(Clone, Debug, Deserialize)]
pub struct Router {
    pub id: String,
    pub external_gateway_info: Option<Gateway>,
}

/// A router's leg in the external network.
#[derive(Clone, Debug, Deserialize)]
pub struct Gateway {
    #[serde(default)]
    pub external_fixed_ips: Vec<FixedIp>,
}

/// A floating IP; without target while nothing is associated.
#[derive(Clone, Debug, Deserialize)]
pub struct FloatingIp {
    pub floating_ip_address: String,
    pub fixed_ip_address: Option<String>,
    pub router_id: Option<String>,
    pub port_id: Option<String>,
}

/// An Octavia load balancer with what it serves.
#[derive(Clone, Debug)]
pub struct LoadBalancer {
    pub vip_network_id: String,
    pub balancers: Vec<Balancer>,
}

impl Server {
    /// Is it to be played rather than booted? Said by the flavor's name (`played` between dashes, for instance
    /// `SCS-2V-4-20s-played`), its extra spec or the server's metadata (`lab:boot=played`).
    pub fn played(&self) -> bool {
        let says = |m: &BTreeMap<String, String>| m.get("lab:boot").map(|v| v == "played");
        says(&self.metadata)
            .or_else(|| says(&self.flavor.extra_specs))
            .unwrap_or_else(|| self.flavor.name.split('-').any(|w| w == "played"))
    }
}

impl Port {
    /// Its IPv4 addresses. The lab's network carries no IPv6.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, Ipv4Addr)> {
        self.fixed_ips
            .iter()
            .filter_map(|f| Some((f.subnet_id.as_str(), f.ip_address.parse().ok()?)))
    }
}

impl Subnet {
    /// `address` with the prefix length of this subnet; None for IPv6.
    pub fn with_prefix(&self, address: Ipv4Addr) -> Option<Ipv4Net> {
        let cidr: Ipv4Net = self.cidr.parse().ok()?;
        Ipv4Net::new(address, cidr.prefix_len()).ok()
    }

    /// Its gateway; None for IPv6 and where there is none.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        self.gateway_ip.as_deref()?.parse().ok()
    }
}

impl Seen {
    /// Ports of a server in the order of their creation: the first is its first NIC.
    pub fn ports_of(&self, server: &str) -> Vec<&Port> {
        let mut ports: Vec<_> = self
            .ports
            .iter()
            .filter(|p| p.device_id == server)
            .collect();
        ports.sort_by(|a, b| (&a.created_at, &a.id).cmp(&(&b.created_at, &b.id)));
        ports
    }
}

/// Keeps what need not be asked for again.
pub struct Observer {
    client: Client,
    servers: BTreeMap<String, Server>,
    since: Option<jiff::Timestamp>,
    /// By id.
    image_names: BTreeMap<String, String>,
    /// As told by the list of load balancers the last time when their insides were read.
    load_balancers: (Value, Vec<LoadBalancer>),
}

/// Nova's clock has a resolution of a second, and its answer may be older than the request's end.
const OVERLAP: jiff::SignedDuration = jiff::SignedDuration::from_secs(5);

impl Observer {
    /// Asks for everything at its first observation.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            servers: BTreeMap::new(),
            since: None,
            image_names: BTreeMap::new(),
            load_balancers: (Value::Null, vec![]),
        }
    }

    /// One round: servers that changed, the lists of the network, and of load balancers what lies behind them
    /// if one of them changed.
    ///
    /// # Errors
    /// What a service answered; nothing half-read is used.
    pub fn observe(&mut self) -> Result<Seen> {
        self.refresh_servers()?;
        let client = &self.client;
        let subnets: Vec<Subnet> = list(client, Service::Network, "/subnets", "subnets")?;
        #[derive(Deserialize)]
        struct Group {
            id: String,
            security_group_rules: Vec<Rule>,
        }
        let groups: Vec<Group> = list(
            client,
            Service::Network,
            "/security-groups",
            "security_groups",
        )?;
        let seen = Seen {
            servers: self.servers.clone(),
            subnets: subnets.into_iter().map(|s| (s.id.clone(), s)).collect(),
            ports: list(client, Service::Network, "/ports", "ports")?,
            routers: list(client, Service::Network, "/routers", "routers")?,
            floating_ips: list(client, Service::Network, "/floatingips", "floatingips")?,
            load_balancers: vec![],
            rules: groups
                .into_iter()
                .map(|g| (g.id, g.security_group_rules))
                .collect(),
        };
        self.refresh_load_balancers()?;
        Ok(Seen {
            load_balancers: self.load_balancers.1.clone(),
            ..seen
        })
    }

    fn refresh_servers(&mut self) -> Result<()> {
        let asked = jiff::Timestamp::now();
        let path = match self.since {
            Some(since) => {
                format!(
                    "/servers/detail?all_tenants=1&changes-since={}",
                    since.strftime("%Y-%m-%dT%H:%M:%SZ")
                )
            }
            None => "/servers/detail?all_tenants=1".to_owned(),
        };
        let changed: Vec<Server> = list(&self.client, Service::Compute, &path, "servers")?;
        for mut server in changed {
            if server.status == "DELETED" {
                self.servers.remove(&server.id);
                continue;
            }
            let known = self.servers.get(&server.id);
            server.restarted = match known {
                Some(known) if known.updated == server.updated => known.restarted.clone(),
                _ => self.last_restart(&server.id)?,
            };
            server.image_name = server
                .image
                .as_deref()
                .and_then(|image| self.image_name(image));
            self.servers.insert(server.id.clone(), server);
        }
        self.since = Some(asked - OVERLAP);
        Ok(())
    }

    /// A reboot is over faster than anyone looks: only Nova's list of actions still knows of it.
    fn last_restart(&self, server: &str) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct InstanceAction {
            action: String,
            start_time: String,
        }
        let path = format!("/servers/{server}/os-instance-actions");
        let actions: Vec<InstanceAction> =
            list(&self.client, Service::Compute, &path, "instanceActions")?;
        let restarts = actions
            .into_iter()
            .filter(|a| matches!(a.action.as_str(), "reboot" | "rebuild"));
        Ok(restarts
            .max_by(|a, b| a.start_time.cmp(&b.start_time))
            .map(|a| format!("{} {}", a.action, a.start_time)))
    }

    /// None for an image that was deleted meanwhile.
    fn image_name(&mut self, id: &str) -> Option<String> {
        if let Some(known) = self.image_names.get(id) {
            return Some(known.clone());
        }
        let image = self
            .client
            .get(Service::Image, &format!("/images/{id}"))
            .ok()?;
        let name = image["name"].as_str()?.to_owned();
        self.image_names.insert(id.to_owned(), name.clone());
        Some(name)
    }

    fn refresh_load_balancers(&mut self) -> Result<()> {
        let told = self.client.get(Service::LoadBalancer, "/loadbalancers")?;
        let settled = told["loadbalancers"]
            .as_array()
            .is_some_and(|all| all.iter().all(settled));
        if told == self.load_balancers.0 && settled {
            return Ok(());
        }
        let inside = super::network::octavia::read(&self.client, &told)?;
        self.load_balancers = (told, inside);
        Ok(())
    }
}

/// Times of change have a resolution of a second: one that lies further back than two cannot hide another.
fn settled(load_balancer: &Value) -> bool {
    let updated = load_balancer["updated_at"]
        .as_str()
        .and_then(|t| format!("{t}Z").parse::<jiff::Timestamp>().ok());
    let pending = load_balancer["provisioning_status"]
        .as_str()
        .is_some_and(|s| s.starts_with("PENDING"));
    !pending && updated.is_none_or(|t| jiff::Timestamp::now().duration_since(t).as_secs() > 2)
}

/// A list under its key, in the types that are wanted here.
pub fn list<T: DeserializeOwned>(
    client: &Client,
    service: Service,
    path: &str,
    key: &str,
) -> Result<Vec<T>> {
    let items = Value::Array(client.list(service, path, key)?);
    serde_json::from_value(items).with_context(|| format!("{}: {path}: {key}", service.name()))
}

/// Nova says `""` for a server that was booted from a volume.
fn image_id<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(from)?["id"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn played_is_said_by_metadata_before_flavor() {
        let mut server = Server {
            flavor: Flavor {
                name: "SCS-2V-4-20s".into(),
                ..Flavor::default()
            },
            ..Server::default()
        };
        assert!(!server.played());
        server.flavor.name = "SCS-2V-4-played".into();
        assert!(server.played());
        server.metadata.insert("lab:boot".into(), "real".into());
        assert!(!server.played());
    }

    #[test]
    fn a_server_from_a_volume_has_no_image() {
        let server: Server =
            serde_json::from_str(r#"{"id":"1","name":"a","status":"ACTIVE","image":""}"#).unwrap();
        assert_eq!(server.image, None);
    }
}
