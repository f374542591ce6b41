//! API traffic to a control plane node: members of the load balancer, or the floating IP.

use std::net::IpAddr;

use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServer;

use super::report::{Outcome, Said, Saying};
use super::{Action, Ingress, NewMember, Seen, SeenIngress, Want};
use crate::names;
use crate::step::{Awaited, Problem, Resource, Step, Waiting};
use crate::world::{FixedIp, LoadBalancer, Member, Pool, Port, State};

/// The next step of a machine whose server is active.
pub fn step(want: &Want, seen: &Seen, server: &OpenStackServer) -> Outcome {
    let nothing = SeenIngress::default();
    let around = seen.ingress.as_ref().unwrap_or(&nothing);
    match &want.cluster.ingress {
        Ingress::None => (Step::Done, Said::instance(Saying::ready())),
        Ingress::LoadBalancer {
            id,
            ports,
            other_network,
        } => members(want, around, server, id, ports, *other_network),
        Ingress::FloatingIp { address } => floating_ip(want, around, server, address),
    }
}

fn members(
    want: &Want,
    seen: &SeenIngress,
    server: &OpenStackServer,
    id: &str,
    ports: &[(u16, u16)],
    other_network: bool,
) -> Outcome {
    let reason = Reason::LoadBalancerMemberError;
    let waits = |message: String| {
        let said = Said::ingress(Saying::not(Reason::Progressing, message.clone()));
        let on = [Awaited::new(Resource::LoadBalancer, id)];
        let waiting = Waiting::for_cloud(Reason::Progressing, message, on);
        (Step::Wait(waiting), said)
    };
    let Some(balancer) = seen
        .load_balancers
        .iter()
        .find(|balancer| balancer.id == id)
    else {
        return waits(format!("load balancer {id} of the cluster does not exist"));
    };
    // OVN passes packets on as they are; other load balancers make a connection of their own.
    let ipv6 = balancer
        .vip_address
        .parse()
        .is_ok_and(|vip: IpAddr| vip.is_ipv6());
    let same = |address: &IpAddr| address.is_ipv6() == ipv6;
    let other = |_: &IpAddr| balancer.provider != "ovn";
    let found = node_address(want, seen, server, same);
    let Some((_, address)) = found.or_else(|| node_address(want, seen, server, other)) else {
        return no_address(want, reason, if ipv6 { "IPv6" } else { "IPv4" });
    };
    let (mut wrong, mut pending) = (Vec::new(), None);
    for (port, server_port) in ports {
        let Some(pool) = pool(want, seen, balancer, *port) else {
            return waits(format!(
                "load balancer {} has no pool for port {port} yet",
                balancer.name
            ));
        };
        let wanted = NewMember {
            load_balancer: balancer.id.clone(),
            pool: pool.id.clone(),
            name: want.cluster.names.load_balancer_member(*port, &want.name),
            address: address.ip_address.clone(),
            port: *server_port,
            subnet: other_network.then(|| address.subnet_id.clone()),
            tags: want.cluster.tags.clone(),
        };
        let found = find_member(seen, &wanted);
        pending = pending.or(found.filter(|member| member.state == State::Pending));
        wrong.extend(corrections(seen, &pool.name, found, wanted));
    }
    let next = one_at_a_time(balancer, wrong, |message| {
        Said::ingress(Saying::not(Reason::Progressing, message))
    });
    match (next, pending) {
        (Some(next), _) => next,
        (None, Some(member)) => waits(format!("Octavia works on member {}", member.name)),
        (None, None) => (Step::Done, Said::ingress(Saying::ready())),
    }
}

/// The member that serves, or soon will: not one that goes, or that Octavia gave up on.
fn find_member<'a>(seen: &'a SeenIngress, wanted: &NewMember) -> Option<&'a Member> {
    let mut members = seen.members.iter();
    members.find(|member| {
        member.pool_id == wanted.pool
            && member.name == wanted.name
            && (&member.address, member.port) == (&wanted.address, wanted.port)
            && !matches!(member.state, State::Error | State::Deleting)
    })
}

/// The load balancer refuses changes while it works on one, so they go one by one. `None` when
/// nothing is to be done.
pub fn one_at_a_time(
    balancer: &LoadBalancer,
    actions: Vec<Action>,
    say: impl Fn(String) -> Said,
) -> Option<Outcome> {
    let first = actions.into_iter().next()?;
    if balancer.state == State::Active {
        let said = say(first.to_string());
        return Some((Step::Do(vec![first]), said));
    }
    let message = match balancer.state {
        State::Error => format!(
            "load balancer {} is in ERROR: let an operator fail it over; next: {first}",
            balancer.name
        ),
        _ => format!("load balancer {} is busy; next: {first}", balancer.name),
    };
    let on = [Awaited::new(Resource::LoadBalancer, &balancer.id)];
    let waiting = Waiting::for_cloud(Reason::Progressing, message.clone(), on);
    Some((Step::Wait(waiting), say(message)))
}

fn pool<'a>(
    want: &Want,
    seen: &'a SeenIngress,
    balancer: &LoadBalancer,
    port: u16,
) -> Option<&'a Pool> {
    let name = want.cluster.names.load_balancer_port(port);
    let pools = seen.pools.iter();
    pools
        .filter(|pool| pool.load_balancer_id == balancer.id)
        .find(|pool| pool.name == name)
}

/// What makes the pool hold the wanted member, which may have been `found`, and no other of its name.
/// A member's address cannot be changed, so a wrong one goes first; and so does one that a machine
/// before left at this address.
fn corrections(
    seen: &SeenIngress,
    pool_name: &str,
    found: Option<&Member>,
    wanted: NewMember,
) -> Vec<Action> {
    let right = |member: &&Member| member.address == wanted.address && member.port == wanted.port;
    let ours = |member: &&Member| member.name == wanted.name;
    let left = |member: &&Member| right(member) && member.name.starts_with(pool_name);
    let of_pool = (seen.members.iter()).filter(|member| member.pool_id == wanted.pool);
    let named = of_pool.filter(|member| ours(member) || left(member));
    let is_found = |member: &Member| found.is_some_and(|found| found.id == member.id);
    let mut actions: Vec<Action> = named
        .filter(|member| !is_found(member) && member.state != State::Deleting)
        .map(|member| delete_member(&wanted.load_balancer, member))
        .collect();
    if found.is_none() {
        actions.push(Action::CreateMember(wanted));
    }
    actions
}

/// The end of a member.
pub fn delete_member(load_balancer: &str, member: &Member) -> Action {
    Action::DeleteMember {
        load_balancer: load_balancer.to_string(),
        pool: member.pool_id.clone(),
        member: member.id.clone(),
    }
}

fn floating_ip(
    want: &Want,
    seen: &SeenIngress,
    server: &OpenStackServer,
    address: &str,
) -> Outcome {
    let reason = Reason::FloatingIPError;
    let Some(floating_ip) = seen.floating_ips.iter().find(|ip| ip.address == address) else {
        let problem = Problem {
            reason: reason.into(),
            object: format!("OpenStackCluster of OpenStackMachine {}/{}", want.namespace, want.name),
            field: "spec.controlPlaneEndpoint.host".to_string(),
            value: address.to_string(),
            way_out: "the project has no such floating IP; allocate it, or enable the managed load balancer"
                .to_string(),
        };
        let said = Said::ingress(Saying::not(reason, problem.to_string()));
        return (Step::Blocked(problem), said);
    };
    let leads_to = floating_ip.port_id.as_deref();
    // Here, or on another control plane node: it leads to an API server.
    let done = (Step::Done, Said::ingress(Saying::ready()));
    if leads_to.is_some_and(|port| !is_left(want, seen, port)) {
        return done;
    }
    let Some((port, _)) = node_address(want, seen, server, IpAddr::is_ipv4) else {
        return no_address(want, reason, "IPv4");
    };
    if leads_to == Some(port.id.as_str()) {
        return done;
    }
    let action = Action::AssociateFloatingIp {
        floating_ip: floating_ip.id.clone(),
        port: port.id.clone(),
    };
    let said = Said::ingress(Saying::not(Reason::Progressing, action.to_string()));
    (Step::Do(vec![action]), said)
}

/// Whether a port of a machine of the cluster lost its server, as when somebody deletes that in Nova: it
/// leads to no API server. A port of the user may be without a device and lead to one all the same.
fn is_left(want: &Want, seen: &SeenIngress, port: &str) -> bool {
    let cluster = &want.cluster;
    let ours = [
        names::description(&cluster.name),
        cluster.names.description(),
    ];
    let mut ports = seen.ports.iter();
    let found = ports.find(|have| have.id == port);
    found.is_some_and(|port| port.device_id.is_empty() && ours.contains(&port.description))
}

/// The first address of the server in the cluster's network that fits, with its port.
fn node_address<'a>(
    want: &Want,
    seen: &'a SeenIngress,
    server: &OpenStackServer,
    fits: impl Fn(&IpAddr) -> bool,
) -> Option<(&'a Port, &'a FixedIp)> {
    let network = want.cluster.network.as_ref()?;
    let fits = |ip: &&FixedIp| ip.ip_address.parse().is_ok_and(|address| fits(&address));
    own_ports(seen, server)
        .filter(|port| port.network_id == network.id)
        .find_map(|port| port.fixed_ips.iter().find(fits).map(|ip| (port, ip)))
}

/// The server's ports, in the order of its network interfaces.
pub fn own_ports<'a>(
    seen: &'a SeenIngress,
    server: &OpenStackServer,
) -> impl Iterator<Item = &'a Port> {
    let recorded = server.status.iter().flat_map(|status| &status.resources);
    let ids: Vec<String> = recorded
        .flat_map(|r| &r.ports)
        .map(|port| port.id.clone())
        .collect();
    ids.into_iter()
        .filter_map(|id| seen.ports.iter().find(|port| port.id == id))
}

fn no_address(want: &Want, reason: Reason, family: &str) -> Outcome {
    let network = want
        .cluster
        .network
        .as_ref()
        .map(|network| network.name.as_str());
    let problem = Problem {
        reason: reason.into(),
        object: format!("OpenStackMachine {}/{}", want.namespace, want.name),
        field: "spec.ports".to_string(),
        value: String::new(),
        way_out: format!(
            "no port has an {family} address in the cluster's network {}; API traffic needs one",
            network.unwrap_or_default()
        ),
    };
    let said = Said::ingress(Saying::not(reason, problem.to_string()));
    (Step::Blocked(problem), said)
}
