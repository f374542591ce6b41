//! The router between the cluster's subnets and the external network.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::action::{Action, NewRouter};
use super::network::set_tags;
use super::own;
use super::part::Part;
use super::resolve::{Net, Resolved, subnet_in};
use super::seen::Seen;
use super::want::{self, ExternalAddress, Managed, Want};
use crate::step::{Problem, Resource};
use crate::world::{FixedIp, Network, Router};

/// The value is `None` when the cluster has no router: without an external network it needs none.
pub(super) fn plan<'a>(
    want: &Want,
    managed: &Managed,
    resolved: &Resolved<'a>,
    net: Option<&Net<'a>>,
    seen: &'a Seen,
) -> Result<Part<Option<&'a Router>>, Problem> {
    let Some(external) = resolved.external else {
        return Ok(Part::ready(None));
    };
    let (router, mut actions) = match (&managed.router, resolved.router) {
        (_, Some(router)) => (router, Vec::new()),
        (want::Router::Managed(addresses), None) => {
            let own = own::router(&want.identity, seen)?;
            let Some(router) = own.kept else {
                return Ok(Part::lacks(vec![create(want, external, addresses)]));
            };
            let mut actions = update(want, seen, router, external, addresses)?;
            let delete = |surplus: &Router| Action::DeleteRouter {
                router: surplus.id.clone(),
            };
            actions.extend(own.surplus.into_iter().map(delete));
            (router, actions)
        }
        // A router that was brought is resolved before anything is planned.
        (want::Router::Brought(_), None) => return Ok(Part::waits_for_part()),
    };
    let Some(net) = net else {
        return Ok(Part {
            value: None,
            actions,
            waiting: None,
        });
    };
    actions.extend(add_interfaces(router, net, seen));
    Ok(Part::usable(Some(router), actions))
}

fn create(want: &Want, external: &Network, addresses: &[ExternalAddress]) -> Action {
    let names = &want.identity.names;
    Action::CreateRouter(NewRouter {
        name: names.router(),
        description: names.description(),
        // Some clouds let a project choose gateway addresses only in an update, so that comes apart.
        gateway: addresses.is_empty().then(|| external.id.clone()),
    })
}

fn update(
    want: &Want,
    seen: &Seen,
    router: &Router,
    external: &Network,
    addresses: &[ExternalAddress],
) -> Result<Vec<Action>, Problem> {
    let mut actions: Vec<Action> =
        set_tags(want, seen, Resource::Router, &router.id, &router.tags).collect();
    let wanted = gateway_addresses(want, seen, external, addresses)?;
    let has = |wanted: &FixedIp| {
        router.gateway_ips.iter().any(|have| {
            have.subnet_id == wanted.subnet_id
                && (wanted.ip_address.is_empty()
                    || is_same_address(&have.ip_address, &wanted.ip_address))
        })
    };
    let settled = match &router.gateway_network_id {
        // As in CAPO, a gateway that is there stays, whichever network is found today: another one would
        // change the address that the machines come from.
        Some(_) if wanted.is_empty() => true,
        Some(network) => *network == external.id && wanted.iter().all(has),
        None => false,
    };
    if !settled {
        let (router, network) = (router.id.clone(), external.id.clone());
        actions.push(Action::SetGateway {
            router,
            network,
            addresses: wanted,
        });
    }
    Ok(actions)
}

/// However they are written.
fn is_same_address(one: &str, other: &str) -> bool {
    let parse = |address: &str| address.parse::<IpAddr>().ok();
    one == other || parse(one).is_some_and(|one| parse(other) == Some(one))
}

/// An address with an empty `ip_address` is any of its subnet.
fn gateway_addresses(
    want: &Want,
    seen: &Seen,
    external: &Network,
    addresses: &[ExternalAddress],
) -> Result<Vec<FixedIp>, Problem> {
    let address = |wanted: &ExternalAddress| {
        let subnet_id = match &wanted.subnet.by {
            // Subnets of an external network are hidden from most projects: trust the id.
            want::By::Id(id) => id.clone(),
            want::By::Filter(_) => subnet_in(
                &want.identity.object,
                &wanted.subnet,
                external,
                &seen.subnets,
            )?
            .id
            .clone(),
        };
        Ok(FixedIp {
            subnet_id,
            ip_address: wanted.address.clone().unwrap_or_default(),
        })
    };
    addresses.iter().map(address).collect()
}

fn add_interfaces<'a>(router: &'a Router, net: &Net<'a>, seen: &'a Seen) -> Vec<Action> {
    let ports = seen.ports.iter().filter(|port| port.device_id == router.id);
    let connected: BTreeSet<&str> = ports
        .flat_map(|port| &port.fixed_ips)
        .map(|ip| ip.subnet_id.as_str())
        .collect();
    net.subnets
        .iter()
        .filter(|subnet| !connected.contains(subnet.id.as_str()))
        .map(|subnet| Action::AddRouterInterface {
            router: router.id.clone(),
            subnet: subnet.id.clone(),
        })
        .collect()
}
