//! The managed network and its subnet.

use super::action::{Action, NewNetwork, NewSubnet};
use super::own;
use super::part::Part;
use super::resolve::Net;
use super::seen::Seen;
use super::want::{Managed, Want};
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
    // CAPO looks a subnet up by its addresses, not by its name.
    let subnet = seen
        .subnets
        .iter()
        .find(|subnet| subnet.network_id == network.id && subnet.cidr == managed.cidr);
    let Some(subnet) = subnet else {
        actions.push(Action::CreateSubnet(NewSubnet {
            name: names.subnet(),
            description: names.description(),
            network: network.id.clone(),
            cidr: managed.cidr,
            nameservers: managed.dns_nameservers.clone(),
            allocation_pools: managed.allocation_pools.clone(),
        }));
        return Ok(Part::lacks(actions));
    };
    actions.extend(set_tags(
        want,
        seen,
        Resource::Subnet,
        &subnet.id,
        &subnet.tags,
    ));
    actions.extend(update_nameservers(managed, subnet));
    Ok(Part::usable(
        Net {
            network,
            subnets: vec![subnet],
        },
        actions,
    ))
}

fn update_nameservers(managed: &Managed, subnet: &Subnet) -> Option<Action> {
    (subnet.dns_nameservers != managed.dns_nameservers).then(|| Action::UpdateNameservers {
        subnet: subnet.id.clone(),
        nameservers: managed.dns_nameservers.clone(),
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
