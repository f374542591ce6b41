//! The managed network and its subnets.

use std::net::IpAddr;

use super::action::{Action, NewNetwork, NewSubnet};
use super::own;
use super::part::Part;
use super::resolve::Net;
use super::seen::Seen;
use super::want::{Managed, ManagedSubnet, Want};
use crate::step::{Problem, Resource};
use crate::tags;
use crate::world::{Network, Subnet};

pub(super) fn plan<'a>(
    want: &Want,
    managed: &Managed,
    seen: &'a Seen,
) -> Result<Part<Net<'a>>, Problem> {
    let names = &want.identity.names;
    let own = own::network(&want.identity, seen)?;
    let Some(network) = own.kept else {
        return Ok(Part::lacks(vec![Action::CreateNetwork(NewNetwork {
            name: names.network(),
            description: names.description(),
            mtu: managed.mtu,
            port_security: managed.port_security,
        })]));
    };
    let mut actions: Vec<Action> =
        set_tags(want, seen, Resource::Network, &network.id, &network.tags).collect();
    let delete = |surplus: &Network| Action::DeleteNetwork {
        network: surplus.id.clone(),
    };
    actions.extend(own.surplus.into_iter().map(delete));
    let mut subnets = Vec::new();
    for wanted in &managed.subnets {
        // CAPO looks a subnet up by its addresses, not by its name.
        let found = seen
            .subnets
            .iter()
            .find(|subnet| subnet.network_id == network.id && subnet.cidr == wanted.cidr);
        let Some(subnet) = found else {
            actions.push(create_subnet(want, network, wanted));
            continue;
        };
        let (resource, id) = (Resource::Subnet, &subnet.id);
        actions.extend(set_tags(want, seen, resource, id, &subnet.tags));
        actions.extend(update_nameservers(wanted, subnet));
        subnets.push(subnet);
    }
    if subnets.len() < managed.subnets.len() {
        return Ok(Part::lacks(actions));
    }
    Ok(Part::usable(Net { network, subnets }, actions))
}

fn create_subnet(want: &Want, network: &Network, wanted: &ManagedSubnet) -> Action {
    let names = &want.identity.names;
    Action::CreateSubnet(NewSubnet {
        name: names.subnet(),
        description: names.description(),
        network: network.id.clone(),
        cidr: wanted.cidr,
        nameservers: wanted.dns_nameservers.clone(),
        allocation_pools: wanted.allocation_pools.clone(),
        ipv6_mode: wanted.ipv6_mode,
    })
}

fn update_nameservers(wanted: &ManagedSubnet, subnet: &Subnet) -> Option<Action> {
    // An IPv6 address has several spellings.
    let plain = |servers: &[String]| -> Vec<String> {
        let parsed = |server: &String| server.parse().map(|ip: IpAddr| ip.to_string());
        let servers = servers.iter();
        servers
            .map(|server| parsed(server).unwrap_or_else(|_| server.clone()))
            .collect()
    };
    let same = plain(&subnet.dns_nameservers) == plain(&wanted.dns_nameservers);
    (!same).then(|| Action::UpdateNameservers {
        subnet: subnet.id.clone(),
        nameservers: wanted.dns_nameservers.clone(),
    })
}

/// Sets the cluster's tags where some are missing, if this Neutron has tags.
pub(super) fn set_tags(
    want: &Want,
    seen: &Seen,
    resource: Resource,
    id: &str,
    have: &[String],
) -> impl Iterator<Item = Action> + use<> {
    let missing = tags::missing(&want.tags, have).filter(|_| seen.tagging);
    let id = id.to_string();
    missing
        .map(|tags| Action::SetTags { resource, id, tags })
        .into_iter()
}
