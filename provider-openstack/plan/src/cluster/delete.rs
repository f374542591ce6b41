//! Taking a cluster's infrastructure away.
//!
//! Machines first, then what hangs on the network, then the network. Everything is found by name or
//! description, so that a lost status leaks nothing; whatever else is in the cloud is not touched.

use crds::openstack::conditions::{ConditionType, Reason};
use jiff::Timestamp;

use super::action::Action;
use super::balance::Balance;
use super::bastion::{correction, delete_object, is_going, is_ours, ports};
use super::exposure;
use super::own;
use super::seen::Seen;
use super::want::Gone;
use super::{Decision, Published};
use crate::conditions::{self, New, listed};
use crate::names::Role;
use crate::step::{Awaited, Resource, Step, Waiting};
use crate::world::{FloatingIp, LoadBalancer, Network, Port, SecurityGroup, State};

/// Owners of ports that Neutron takes away with the network.
const NEUTRONS_OWN: [&str; 4] = [
    "network:dhcp",
    "network:distributed",
    "network:floatingip_agent_gateway",
    "network:router_centralized_snat",
];

/// Decides what to delete next. `Done` means that nothing is left and the finalizer may go.
pub fn delete(gone: &Gone, seen: &Seen, now: Timestamp) -> Decision {
    let step = next(gone, seen);
    let message = match &step {
        Step::Do(actions) => actions.first().map(ToString::to_string).unwrap_or_default(),
        Step::Wait(waiting) => waiting.message.clone(),
        Step::Blocked(problem) => problem.to_string(),
        Step::Done => "everything is gone".to_string(),
    };
    let mut status = seen.status.clone();
    let ready = New::not(
        ConditionType::Ready.as_str(),
        Reason::Deleting.as_str(),
        message,
    );
    conditions::set(&mut status.conditions, ready, gone.identity.generation, now);
    Decision {
        step,
        status: Published {
            status,
            endpoint: None,
            warnings: Vec::new(),
        },
    }
}

fn next(gone: &Gone, seen: &Seen) -> Step<Action> {
    if seen.machines > 0 {
        let message = format!("{} machines of the cluster still exist", seen.machines);
        return Step::Wait(Waiting::for_event("WaitingForMachines", message));
    }
    let stages = [bastion, entrances, attachments, rest];
    stages
        .iter()
        .map(|stage| stage(gone, seen))
        .find(|step| *step != Step::Done)
        .unwrap_or(Step::Done)
}

/// The bastion: its floating IP, so that it leaks in no case, then its server.
fn bastion(gone: &Gone, seen: &Seen) -> Step<Action> {
    let object = seen.bastion.as_ref();
    let Some(object) = object.filter(|object| is_ours(&gone.identity, object)) else {
        return Step::Done;
    };
    if let Some(action) = correction(&gone.identity, object) {
        return Step::Do(vec![action]);
    }
    let is_created = |ip: &FloatingIp| is_created(gone, seen, ip);
    let actions = exposure::end(seen, &ports(object, seen), is_created);
    Step::of(actions, || {
        if !is_going(object) {
            return Step::Do(vec![delete_object(object)]);
        }
        let name = object.metadata.name.as_deref().unwrap_or_default();
        let message = format!("waiting for the end of OpenStackServer {name}");
        Step::Wait(Waiting::for_event("WaitingForBastion", message))
    })
}

/// The load balancer, and the floating IPs, which must not lead into the network any more when
/// its router is disconnected.
fn entrances(gone: &Gone, seen: &Seen) -> Step<Action> {
    let name = gone.identity.names.load_balancer();
    let balancers = own::load_balancers(&gone.identity, seen);
    let balancers = unshared(seen, balancers, |balancer| &balancer.id);
    let mut actions = floating_ips(gone, seen, &balancers);
    let (busy, idle): (Vec<&LoadBalancer>, _) = balancers
        .iter()
        .partition(|balancer| matches!(balancer.state, State::Pending | State::Deleting));
    let delete = |balancer: &LoadBalancer| Action::Balance {
        load_balancer: balancer.id.clone(),
        change: Balance::Delete,
    };
    actions.extend(idle.into_iter().map(delete));
    Step::of(actions, || {
        let on = busy
            .iter()
            .map(|balancer| Awaited::new(Resource::LoadBalancer, &balancer.id));
        let waiting = Waiting::for_cloud(
            "LoadBalancerDeleting",
            format!("Octavia works on load balancer {name}"),
            on,
        );
        if busy.is_empty() {
            Step::Done
        } else {
            Step::Wait(waiting)
        }
    })
}

fn floating_ips(gone: &Gone, seen: &Seen, balancers: &[&LoadBalancer]) -> Vec<Action> {
    let leads_to_us = |port: &Option<String>| {
        port.as_ref().is_some_and(|port| {
            balancers
                .iter()
                .any(|balancer| balancer.vip_port_id == *port)
        })
    };
    let action = |ip: &FloatingIp| {
        let floating_ip = ip.id.clone();
        match is_created(gone, seen, ip) {
            true => Some(Action::DeleteFloatingIp { floating_ip }),
            false => {
                leads_to_us(&ip.port_id).then_some(Action::DisassociateFloatingIp { floating_ip })
            }
        }
    };
    seen.floating_ips.iter().filter_map(action).collect()
}

/// Created by us for this cluster, not given by the user.
fn is_created(gone: &Gone, seen: &Seen, ip: &FloatingIp) -> bool {
    ip.description == gone.identity.names.description()
        && !gone.keep_floating_ips.contains(&ip.address)
        && seen.holder(&ip.address).is_none()
        && seen.rival().is_none()
}

/// What no other cluster has published as well.
fn unshared<'a, T>(seen: &Seen, all: Vec<&'a T>, id: impl Fn(&T) -> &String) -> Vec<&'a T> {
    let mut all = all;
    all.retain(|one| seen.holder(id(one)).is_none());
    all
}

/// Router interfaces, and ports that machines left behind.
fn attachments(gone: &Gone, seen: &Seen) -> Step<Action> {
    let networks = networks(gone, seen);
    let mut actions = Vec::new();
    for port in seen
        .ports
        .iter()
        .filter(|port| networks.iter().any(|network| network.id == port.network_id))
    {
        if is_router_interface(port) {
            actions.extend(
                port.fixed_ips
                    .iter()
                    .map(|ip| Action::RemoveRouterInterface {
                        router: port.device_id.clone(),
                        subnet: ip.subnet_id.clone(),
                    }),
            );
        } else if gone
            .port_prefixes
            .iter()
            .any(|prefix| port.name.starts_with(prefix))
        {
            actions.push(Action::DeletePort {
                port: port.id.clone(),
            });
        }
    }
    actions.dedup();
    Step::of(actions, || Step::Done)
}

fn is_router_interface(port: &Port) -> bool {
    port.device_owner.starts_with("network:router_interface")
        || port
            .device_owner
            .starts_with("network:ha_router_replicated_interface")
}

/// What is left once nothing is attached any more.
fn rest(gone: &Gone, seen: &Seen) -> Step<Action> {
    let networks = networks(gone, seen);
    let attached: Vec<&Port> = seen
        .ports
        .iter()
        .filter(|port| networks.iter().any(|network| network.id == port.network_id))
        .filter(|port| !NEUTRONS_OWN.contains(&port.device_owner.as_str()))
        .collect();
    if !attached.is_empty() {
        let on = attached
            .iter()
            .map(|port| Awaited::new(Resource::Port, &port.id));
        return Step::Wait(Waiting::for_cloud("NetworkInUse", in_use(&attached), on));
    }
    let routers = match gone.managed_router {
        true => own::routers(&gone.identity, seen),
        false => Vec::new(),
    };
    let routers = unshared(seen, routers, |router| &router.id);
    let groups = Role::ALL.map(|role| own::security_groups(&gone.identity, role, seen));
    let groups = unshared(seen, groups.concat(), |group| &group.id);
    let (used, unused): (Vec<&SecurityGroup>, Vec<_>) = groups
        .into_iter()
        .partition(|group| seen.is_used(&group.id));
    let actions = (routers.iter().map(|router| Action::DeleteRouter {
        router: router.id.clone(),
    }))
    .chain(networks.iter().map(|network| Action::DeleteNetwork {
        network: network.id.clone(),
    }))
    .chain(unused.iter().map(|group| Action::DeleteSecurityGroup {
        group: group.id.clone(),
    }));
    Step::of(actions.collect(), || match used.as_slice() {
        [] => Step::Done,
        used => Step::Wait(groups_in_use(seen, used)),
    })
}

fn groups_in_use(seen: &Seen, groups: &[&SecurityGroup]) -> Waiting {
    let has_one = |port: &&Port| {
        let mut used = port.security_groups.iter();
        used.any(|used| groups.iter().any(|group| group.id == *used))
    };
    let ports: Vec<&Port> = seen.ports.iter().filter(has_one).collect();
    let on = ports
        .iter()
        .map(|port| Awaited::new(Resource::Port, &port.id));
    let message = format!(
        "the security groups are still in use; delete these ports or take the groups from them: {}",
        list(&ports)
    );
    Waiting::for_cloud("SecurityGroupInUse", message, on)
}

fn in_use(ports: &[&Port]) -> String {
    format!(
        "the network is still in use; delete what owns these ports: {}",
        list(ports)
    )
}

fn list(ports: &[&Port]) -> String {
    let list: Vec<String> = ports
        .iter()
        .map(|port| format!("{} {} ({})", port.id, port.name, port.device_owner))
        .collect();
    listed(&list)
}

fn networks<'a>(gone: &Gone, seen: &'a Seen) -> Vec<&'a Network> {
    let networks = match gone.managed_network {
        true => own::networks(&gone.identity, seen),
        false => Vec::new(),
    };
    unshared(seen, networks, |network| &network.id)
}
