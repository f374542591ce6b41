//! Which addresses of each subnet are taken.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::world::table::{list, text};

/// Taken addresses by subnet.
#[derive(Debug, Default)]
pub(crate) struct Addresses(HashMap<String, Taken>);

#[derive(Debug, Default)]
struct Taken {
    addresses: HashSet<IpAddr>,
    /// The pool and offset that is tried first.
    next: u128,
}

impl Addresses {
    /// Takes an address; false when somebody has it.
    pub fn take(&mut self, subnet_id: &str, address: IpAddr) -> bool {
        let taken = self.0.entry(subnet_id.to_owned()).or_default();
        taken.addresses.insert(address)
    }

    /// Takes a free address of the pools; `None` when there is none.
    pub fn take_any(&mut self, subnet: &Value) -> Option<IpAddr> {
        let taken = self.0.entry(text(subnet, "id").to_owned()).or_default();
        let pools: Vec<(IpAddr, IpAddr)> = list(subnet, "allocation_pools")
            .filter_map(|pool| {
                Some((
                    text(pool, "start").parse().ok()?,
                    text(pool, "end").parse().ok()?,
                ))
            })
            .collect();
        let size: u128 = pools
            .iter()
            .map(|&(start, end)| number(end) - number(start) + 1)
            .sum();
        for step in 0..size {
            let offset = (taken.next + step) % size;
            let address = at(&pools, offset)?;
            if taken.addresses.insert(address) {
                taken.next = offset + 1;
                return Some(address);
            }
        }
        None
    }

    /// Gives an address back.
    pub fn release(&mut self, subnet_id: &str, address: &str) {
        if let (Some(taken), Ok(address)) = (self.0.get_mut(subnet_id), address.parse::<IpAddr>()) {
            taken.addresses.remove(&address);
        }
    }

    pub fn forget(&mut self, subnet_id: &str) {
        self.0.remove(subnet_id);
    }
}

fn at(pools: &[(IpAddr, IpAddr)], mut offset: u128) -> Option<IpAddr> {
    for &(start, end) in pools {
        let size = number(end) - number(start) + 1;
        if offset < size {
            return Some(address(start, number(start) + offset));
        }
        offset -= size;
    }
    None
}

/// An address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// A number as an address of the family of `like`.
fn address(like: IpAddr, number: u128) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(number).unwrap_or_default().into()),
        IpAddr::V6(_) => IpAddr::V6(number.into()),
    }
}

/// Gateway and pool that Neutron chooses for a CIDR: the first address, and all others of hosts.
pub(crate) fn defaults(cidr: IpNet) -> (IpAddr, IpAddr, IpAddr) {
    let network = number(cidr.network());
    let last = number(cidr.broadcast());
    let like = cidr.addr();
    let end = if cidr.addr().is_ipv4() {
        last.saturating_sub(1)
    } else {
        last
    };
    (
        address(like, network + 1),
        address(like, network + 2),
        address(like, end),
    )
}
