//! The part of the small cloud that Octavia plays: it takes its time, and refuses changes meanwhile.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use plan::cluster::{Balance, NewLoadBalancer, Probe};
use plan::world::{FixedIp, Listener, LoadBalancer, Monitor, Pool, Port, State};

use super::cloud::{Cloud, find};

impl Cloud {
    /// Octavia gets on with its work.
    pub fn tick(&mut self) {
        self.tick_bastion();
        let gone: HashSet<String> = self
            .holds
            .load_balancers
            .iter()
            .filter(|lb| lb.state == State::Deleting)
            .flat_map(|lb| [lb.id.clone(), lb.vip_port_id.clone()])
            .collect();
        let holds = &mut self.holds;
        holds.load_balancers.retain(|lb| !gone.contains(&lb.id));
        holds
            .listeners
            .retain(|listener| !gone.contains(&listener.load_balancer_id));
        holds.monitors.retain(|monitor| {
            !holds
                .pools
                .iter()
                .any(|pool| pool.id == monitor.pool_id && gone.contains(&pool.load_balancer_id))
        });
        holds
            .pools
            .retain(|pool| !gone.contains(&pool.load_balancer_id));
        holds.ports.retain(|port| !gone.contains(&port.id));
        for ip in &mut holds.floating_ips {
            ip.port_id = ip.port_id.take().filter(|port| !gone.contains(port));
        }
        for lb in &mut holds.load_balancers {
            lb.state = State::Active;
        }
    }

    pub(super) fn balance(&mut self, load_balancer: &str, change: Balance) -> Result<(), String> {
        let balancer = find(&mut self.holds.load_balancers, |lb| lb.id == load_balancer)?;
        if balancer.state != State::Active {
            return Err(format!("{load_balancer} is immutable"));
        }
        self.refuse_second(load_balancer, &change)?;
        let balancer = find(&mut self.holds.load_balancers, |lb| lb.id == load_balancer)?;
        balancer.state = if change == Balance::Delete {
            State::Deleting
        } else {
            State::Pending
        };
        let id = self.id("octavia");
        let holds = &mut self.holds;
        match change {
            Balance::Delete => {}
            Balance::CreateListener(new) => holds.listeners.push(Listener {
                id,
                name: new.name,
                load_balancer_id: load_balancer.into(),
                port: new.port,
                allowed_cidrs: stored(new.allowed_cidrs.unwrap_or_default()),
                state: State::Active,
            }),
            Balance::UpdateAllowedCidrs {
                listener,
                allowed_cidrs,
            } => {
                find(&mut holds.listeners, |l| l.id == listener)?.allowed_cidrs =
                    stored(allowed_cidrs);
            }
            Balance::CreatePool(new) => holds.pools.push(Pool {
                id,
                name: new.name,
                load_balancer_id: load_balancer.into(),
                listener_ids: vec![new.listener],
                ..Pool::default()
            }),
            Balance::CreateMonitor { pool, name, probe } => {
                let new = Monitor {
                    id,
                    name,
                    pool_id: pool,
                    ..Monitor::default()
                };
                holds.monitors.push(probed(new, probe));
            }
            Balance::DeleteMonitor { monitor } => {
                holds.monitors.retain(|have| have.id != monitor);
            }
            Balance::UpdateMonitor { monitor, probe } => {
                let monitor = find(&mut holds.monitors, |m| m.id == monitor)?;
                *monitor = probed(monitor.clone(), probe);
            }
        }
        Ok(())
    }

    /// A port has one listener, a listener one pool, a pool one monitor.
    fn refuse_second(&self, load_balancer: &str, change: &Balance) -> Result<(), String> {
        let holds = &self.holds;
        let taken = match change {
            Balance::CreateListener(new) => (holds.listeners.iter())
                .any(|have| have.load_balancer_id == load_balancer && have.port == new.port),
            Balance::CreatePool(new) => {
                (holds.pools.iter()).any(|have| have.listener_ids.contains(&new.listener))
            }
            Balance::CreateMonitor { pool, .. } => {
                holds.monitors.iter().any(|have| have.pool_id == *pool)
            }
            _ => false,
        };
        match taken {
            true => Err(format!("{change:?} is there already")),
            false => Ok(()),
        }
    }

    /// The address of a subnet that Octavia chooses.
    fn free_address(&mut self, subnet: &str) -> Result<String, String> {
        let offset = 10 + self.vip_offset;
        let subnet = find(&mut self.holds.subnets, |s| s.id == subnet)?;
        Ok(match subnet.cidr.network() {
            IpAddr::V4(first) => Ipv4Addr::from(u32::from(first) + u32::from(offset)).to_string(),
            IpAddr::V6(first) => Ipv6Addr::from(u128::from(first) + u128::from(offset)).to_string(),
        })
    }

    pub(super) fn create_load_balancer(&mut self, new: NewLoadBalancer) -> Result<(), String> {
        let (id, port) = (self.id("balancer"), self.id("port"));
        // Octavia prefers IPv4 when it is left to choose.
        let network = new.vip_network.clone();
        let mut usable = self
            .holds
            .subnets
            .iter()
            .filter(|s| s.network_id == network);
        let chosen = usable.next().map(|subnet| subnet.id.clone());
        let subnet_id = new
            .vip_subnet
            .clone()
            .or(chosen)
            .ok_or("a subnet is needed")?;
        let vip = self.free_address(&subnet_id)?;
        let vip = new.vip_address.unwrap_or(vip);
        let additional = new.additional_vip_subnets.iter();
        let additional_vips = additional
            .map(|id| self.free_address(id))
            .collect::<Result<_, _>>()?;
        self.holds.ports.push(Port {
            id: port.clone(),
            name: "octavia-lb".into(),
            network_id: new.vip_network.clone(),
            device_owner: "Octavia".into(),
            fixed_ips: vec![FixedIp {
                subnet_id: subnet_id.clone(),
                ip_address: vip.clone(),
            }],
            ..Port::default()
        });
        self.holds.load_balancers.push(LoadBalancer {
            id,
            name: new.name,
            description: new.description,
            tags: new.tags,
            provider: new.provider.unwrap_or_else(|| "amphora".into()),
            vip_address: vip,
            additional_vips,
            vip_port_id: port,
            vip_network_id: new.vip_network,
            vip_subnet_id: subnet_id,
            state: State::Pending,
        });
        Ok(())
    }
}

/// Octavia keeps networks, also where it is given hosts.
fn stored(cidrs: Vec<String>) -> Vec<String> {
    let net = |cidr: String| match cidr.parse::<ipnet::IpNet>() {
        Ok(net) => net.trunc().to_string(),
        Err(_) => cidr,
    };
    cidrs.into_iter().map(net).collect()
}

fn probed(monitor: Monitor, probe: Probe) -> Monitor {
    let Probe {
        delay,
        timeout,
        max_retries,
        max_retries_down,
    } = probe;
    Monitor {
        delay,
        timeout,
        max_retries,
        max_retries_down,
        ..monitor
    }
}
