//! What is to be done, from what OpenStack says and what exists. Pure: it reads no clock, file or network.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;

use super::{
    firewall::{self, Firewall},
    network::balancer::Balancer,
    observe::{Port, Router, Seen, Server},
    world::{Kind, Machine, World},
};

/// Ranges of pod addresses that Kubernetes gave to a node, by server id.
pub type PodRanges = BTreeMap<String, Vec<Ipv4Net>>;

/// One thing to do. Those on routers come first and in order; those on machines are independent.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Make a router's namespace, or bring it in line.
    Router(RouterWanted),
    /// By id.
    RemoveRouter(String),
    /// Power on, from a new disk or the one that was kept.
    Boot(Box<Boot>),
    /// Power off; the disk stays.
    PowerOff(String),
    /// Power off, and remove everything.
    Remove(String),
    /// Link one more port.
    Attach(String, Link),
    /// Unlink a port (machine, port).
    Detach(String, String),
    /// Let through what a running machine's security groups say, and nothing else.
    Filter(String, Firewall),
}

/// A machine to power on.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    pub id: String,
    pub name: String,
    pub kind: Kind,
    /// As Nova keeps it: base64.
    pub user_data: String,
    pub availability_zone: String,
    pub metadata: BTreeMap<String, String>,
    /// Name of its image.
    pub image_name: Option<String>,
    pub restarted: Option<String>,
    pub links: Vec<Link>,
}

/// A port of a machine, with what its link needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    pub port: String,
    /// Id of the router that the port's network is attached to.
    pub router: String,
    pub network: String,
    pub mac: String,
    pub addresses: Vec<Ipv4Net>,
    pub gateway: Option<Ipv4Addr>,
    pub nameservers: Vec<String>,
}

/// A router's namespace as it should be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouterWanted {
    pub id: String,
    /// Address in the external network and the gateway there.
    pub external: Option<(Ipv4Net, Option<Ipv4Addr>)>,
    /// Networks attached to it, by id, with its own addresses there.
    pub networks: BTreeMap<String, Vec<Ipv4Net>>,
    /// Floating address to fixed address.
    pub floating: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// Listeners, each with the network that holds its VIP.
    pub balancers: Vec<(String, Balancer)>,
    /// Ranges of pod addresses, each by the address of its node.
    pub routes: BTreeMap<Ipv4Net, Ipv4Addr>,
}

/// Compares `seen` with `world`. What is busy is left alone; a state of Nova between two others (`BUILD`, `REBOOT`,
/// `ERROR`, ...) changes nothing.
pub fn plan(seen: &Seen, pod_ranges: &PodRanges, world: &World) -> Vec<Action> {
    let wanted = routers(seen, pod_ranges);
    let mut actions: Vec<_> = wanted
        .values()
        .filter(|w| {
            world
                .routers
                .get(&w.id)
                .is_none_or(|done| done.as_ref() != Some(w))
        })
        .cloned()
        .map(Action::Router)
        .collect();
    for server in seen
        .servers
        .values()
        .filter(|s| !world.busy.contains(&s.id))
    {
        let known = world.machines.get(&server.id);
        let todo = machine(seen, &wanted, server, known);
        // New links change which rules stand where, so the rules come after them.
        if todo.is_empty() && known.is_some_and(Machine::running) {
            let firewall = firewall::of(seen, pod_ranges, &server.id);
            if world.firewalls.get(&server.id) != Some(&firewall) {
                actions.push(Action::Filter(server.id.clone(), firewall));
            }
        }
        actions.extend(todo);
    }
    let gone = |id: &&String| !seen.servers.contains_key(*id) && !world.busy.contains(*id);
    actions.extend(
        world
            .machines
            .keys()
            .filter(gone)
            .cloned()
            .map(Action::Remove),
    );
    actions.extend(
        world
            .routers
            .keys()
            .filter(|id| !wanted.contains_key(*id))
            .cloned()
            .map(Action::RemoveRouter),
    );
    actions
}

/// What one server needs.
fn machine(
    seen: &Seen,
    routers: &BTreeMap<String, RouterWanted>,
    server: &Server,
    machine: Option<&Machine>,
) -> Vec<Action> {
    let id = || server.id.clone();
    let running = machine.is_some_and(Machine::running);
    match server.status.as_str() {
        "ACTIVE" => {}
        "SHUTOFF" | "SUSPENDED" | "PAUSED" | "SHELVED" | "SHELVED_OFFLOADED" => {
            return if running {
                vec![Action::PowerOff(id())]
            } else {
                vec![]
            };
        }
        _ => return vec![],
    }
    let links = links(seen, routers, server);
    match machine {
        // A rebuild is a new disk; both it and a reboot boot again in the next round.
        Some(m) if m.restarted != server.restarted && rebuilt(server) => vec![Action::Remove(id())],
        Some(m) if m.restarted != server.restarted && running => vec![Action::PowerOff(id())],
        Some(m) if running => relink(m, links),
        // A machine whose network is not there yet would boot into nothing, and never try again.
        _ if links.is_empty() && !seen.ports_of(&server.id).is_empty() => vec![],
        _ => vec![Action::Boot(Box::new(Boot {
            id: id(),
            name: server.name.clone(),
            kind: if server.played() {
                Kind::Played
            } else {
                Kind::Real
            },
            user_data: server.user_data.clone().unwrap_or_default(),
            availability_zone: server.availability_zone.clone(),
            metadata: server.metadata.clone(),
            image_name: server.image_name.clone(),
            restarted: server.restarted.clone(),
            links,
        }))],
    }
}

fn rebuilt(server: &Server) -> bool {
    server
        .restarted
        .as_ref()
        .is_some_and(|r| r.starts_with("rebuild"))
}

/// Links of a running machine that are missing or too many. A played machine has none to change: its addresses
/// are given to its processes when they start.
fn relink(machine: &Machine, wanted: Vec<Link>) -> Vec<Action> {
    let ports: BTreeSet<_> = wanted
        .iter()
        .map(|l| (l.port.clone(), l.router.clone()))
        .collect();
    let stale = machine
        .links
        .iter()
        .filter(|(p, r)| !ports.contains(&((*p).clone(), (*r).clone())));
    let mut actions: Vec<_> = stale
        .map(|(p, _)| Action::Detach(machine.id.clone(), p.clone()))
        .collect();
    let missing = wanted
        .into_iter()
        .filter(|l| machine.links.get(&l.port) != Some(&l.router));
    actions.extend(missing.map(|l| Action::Attach(machine.id.clone(), l)));
    actions
}

/// Links of a server's ports; a port in a network without router has none.
fn links(seen: &Seen, routers: &BTreeMap<String, RouterWanted>, server: &Server) -> Vec<Link> {
    let of = |port: &Port| {
        let router = routers
            .values()
            .find(|r| r.networks.contains_key(&port.network_id))?;
        let subnet = port
            .addresses()
            .find_map(|(subnet, _)| seen.subnets.get(subnet));
        Some(Link {
            port: port.id.clone(),
            router: router.id.clone(),
            network: port.network_id.clone(),
            mac: port.mac_address.clone(),
            addresses: addresses(seen, port),
            gateway: subnet.and_then(|s| s.gateway()),
            nameservers: subnet
                .map(|s| s.dns_nameservers.clone())
                .unwrap_or_default(),
        })
    };
    seen.ports_of(&server.id)
        .into_iter()
        .filter_map(of)
        .collect()
}

fn addresses(seen: &Seen, port: &Port) -> Vec<Ipv4Net> {
    port.addresses()
        .filter_map(|(subnet, address)| seen.subnets.get(subnet)?.with_prefix(address))
        .collect()
}

/// All routers as they should be, by id. A network with two routers belongs to the one with the smaller id.
fn routers(seen: &Seen, pod_ranges: &PodRanges) -> BTreeMap<String, RouterWanted> {
    let mut wanted = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut in_order: Vec<_> = seen.routers.iter().collect();
    in_order.sort_by(|a, b| a.id.cmp(&b.id));
    for router in in_order {
        let mut networks: BTreeMap<String, Vec<Ipv4Net>> = BTreeMap::new();
        let interface =
            |p: &&Port| p.device_id == router.id && p.device_owner.contains("router_interface");
        for port in seen
            .ports
            .iter()
            .filter(interface)
            .filter(|p| !taken.contains(&p.network_id))
        {
            networks
                .entry(port.network_id.clone())
                .or_default()
                .extend(addresses(seen, port));
        }
        taken.extend(networks.keys().cloned());
        let floating = seen
            .floating_ips
            .iter()
            .filter(|f| f.router_id.as_deref() == Some(&router.id));
        wanted.insert(
            router.id.clone(),
            RouterWanted {
                id: router.id.clone(),
                external: external(seen, router),
                floating: floating
                    .filter_map(|f| {
                        Some((
                            f.floating_ip_address.parse().ok()?,
                            f.fixed_ip_address.as_ref()?.parse().ok()?,
                        ))
                    })
                    .collect(),
                balancers: balancers(seen, &networks),
                routes: routes(seen, &networks, pod_ranges),
                networks,
            },
        );
    }
    wanted
}

fn external(seen: &Seen, router: &Router) -> Option<(Ipv4Net, Option<Ipv4Addr>)> {
    let gateway = router.external_gateway_info.as_ref()?;
    gateway.external_fixed_ips.iter().find_map(|ip| {
        let subnet = seen.subnets.get(&ip.subnet_id)?;
        Some((
            subnet.with_prefix(ip.ip_address.parse().ok()?)?,
            subnet.gateway(),
        ))
    })
}

fn balancers(seen: &Seen, networks: &BTreeMap<String, Vec<Ipv4Net>>) -> Vec<(String, Balancer)> {
    let here = seen
        .load_balancers
        .iter()
        .filter(|lb| networks.contains_key(&lb.vip_network_id));
    here.flat_map(|lb| {
        lb.balancers
            .iter()
            .map(|b| (lb.vip_network_id.clone(), b.clone()))
    })
    .collect()
}

fn routes(
    seen: &Seen,
    networks: &BTreeMap<String, Vec<Ipv4Net>>,
    pod_ranges: &PodRanges,
) -> BTreeMap<Ipv4Net, Ipv4Addr> {
    let mut routes = BTreeMap::new();
    for (server, ranges) in pod_ranges
        .iter()
        .filter(|(id, _)| seen.servers.contains_key(*id))
    {
        let port = seen
            .ports_of(server)
            .into_iter()
            .find(|p| networks.contains_key(&p.network_id));
        if let Some((_, node)) = port.and_then(|p| p.addresses().next()) {
            routes.extend(ranges.iter().map(|range| (*range, node)));
        }
    }
    routes
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
