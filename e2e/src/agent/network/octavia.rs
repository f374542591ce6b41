//! What Octavia says: load balancers with their listeners and members.

use std::net::SocketAddrV4;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::balancer::Balancer;
use crate::{
    agent::observe::{LoadBalancer, list},
    openstack::client::{Client, Service},
};

#[derive(Deserialize)]
struct Listed {
    id: String,
    vip_address: String,
    #[serde(default)]
    vip_network_id: Option<String>,
    #[serde(default = "yes")]
    admin_state_up: bool,
}

#[derive(Deserialize)]
struct Listener {
    #[serde(default)]
    loadbalancers: Vec<Reference>,
    default_pool_id: Option<String>,
    protocol: String,
    protocol_port: u16,
    /// None and empty are the same.
    allowed_cidrs: Option<Vec<String>>,
    #[serde(default = "yes")]
    admin_state_up: bool,
}

#[derive(Deserialize)]
struct Reference {
    id: String,
}

#[derive(Deserialize)]
struct Member {
    address: String,
    protocol_port: u16,
    #[serde(default = "yes")]
    admin_state_up: bool,
}

fn yes() -> bool {
    true
}

/// What lies behind `told`, Octavia's list of load balancers. What is administratively down is left out, and protocols
/// other than TCP's.
pub fn read(client: &Client, told: &Value) -> Result<Vec<LoadBalancer>> {
    let all: Vec<Listed> =
        serde_json::from_value(told["loadbalancers"].clone()).context("load balancers")?;
    if all.is_empty() {
        return Ok(vec![]);
    }
    let listeners: Vec<Listener> = list(client, Service::LoadBalancer, "/listeners", "listeners")?;
    let mut found = vec![];
    for lb in all.into_iter().filter(|lb| lb.admin_state_up) {
        let mut balancers = vec![];
        for listener in listeners.iter().filter(|l| l.belongs_to(&lb.id)) {
            balancers.push(Balancer {
                vip: lb
                    .vip_address
                    .parse()
                    .with_context(|| format!("load balancer {}: vip_address", lb.id))?,
                port: listener.protocol_port,
                allowed: listener.allowed(),
                members: members(client, listener.default_pool_id.as_deref())?,
            });
        }
        found.push(LoadBalancer {
            vip_network_id: lb.vip_network_id.unwrap_or_default(),
            balancers,
        });
    }
    Ok(found)
}

impl Listener {
    fn belongs_to(&self, lb: &str) -> bool {
        let tcp = !matches!(self.protocol.as_str(), "UDP" | "SCTP");
        tcp && self.admin_state_up && self.loadbalancers.iter().any(|r| r.id == lb)
    }

    /// Of IPv6 there is none here, so that a list with nothing else lets nobody in.
    fn allowed(&self) -> Option<Vec<ipnet::Ipv4Net>> {
        let cidrs = self.allowed_cidrs.as_ref().filter(|c| !c.is_empty())?;
        Some(cidrs.iter().filter_map(|c| c.parse().ok()).collect())
    }
}

fn members(client: &Client, pool: Option<&str>) -> Result<Vec<SocketAddrV4>> {
    let Some(pool) = pool else { return Ok(vec![]) };
    let path = format!("/pools/{pool}/members");
    let members: Vec<Member> = list(client, Service::LoadBalancer, &path, "members")?;
    let up = members.into_iter().filter(|m| m.admin_state_up);
    Ok(up
        .filter_map(|m| Some(SocketAddrV4::new(m.address.parse().ok()?, m.protocol_port)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_other_families_lets_nobody_in() {
        let listener = |cidrs: Value| -> Listener {
            serde_json::from_value(serde_json::json!({
                "default_pool_id": null, "protocol": "TCP", "protocol_port": 6443, "allowed_cidrs": cidrs,
            }))
            .unwrap()
        };
        assert_eq!(listener(Value::Null).allowed(), None);
        assert_eq!(listener(serde_json::json!([])).allowed(), None);
        assert_eq!(
            listener(serde_json::json!(["2001:db8::/32"])).allowed(),
            Some(vec![])
        );
    }
}
