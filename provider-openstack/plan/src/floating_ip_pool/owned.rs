//! Which floating IPs belong to a pool, and which of them are free.
//!
//! | floating IP | belongs to the pool when |
//! |---|---|
//! | ours | its description names namespace and name of the pool |
//! | CAPO's | its description or its tag names the pool, and the status or an IPAddress of the pool names it, or no other namespace has a pool of this name |
//! | preallocated | the spec names it; it is given to claims, and never deleted |

use super::{Action, Seen, Want};
use crate::world::FloatingIp;

/// The addresses of a pool.
#[derive(Debug, Default)]
pub struct Stock<'a> {
    pub claimed: Vec<&'a str>,
    /// Exist, lead nowhere, and are claimed by nobody; preallocated ones first.
    pub available: Vec<&'a str>,
    /// Preallocated ones that do not exist.
    pub failed: Vec<&'a str>,
}

impl<'a> Stock<'a> {
    pub fn of(want: &'a Want, seen: &'a Seen) -> Self {
        let given = |address: &str| seen.addresses.iter().any(|one| one.address == address);
        let free = |ip: &&FloatingIp| ip.port_id.is_none() && !given(&ip.address);
        let mut stock = Self::default();
        let current = seen.addresses.iter().filter(|one| !one.deleting);
        stock.claimed = current.map(|one| one.address.as_str()).collect();
        for address in &want.spec.pre_allocated_floating_ips {
            let mut existing = seen.floating_ips.iter();
            match existing.find(|ip| ip.address == *address) {
                Some(ip) if free(&ip) => stock.available.push(address),
                Some(_) => {}
                None => stock.failed.push(address),
            }
        }
        let ours = seen
            .floating_ips
            .iter()
            .filter(|ip| is_ours(want, seen, ip));
        let mut ours: Vec<&str> = ours.filter(free).map(|ip| ip.address.as_str()).collect();
        ours.sort_unstable();
        stock.available.extend(ours);
        stock.claimed.sort_unstable();
        stock
    }
}

/// What the pool has made, or CAPO for it.
pub fn is_ours(want: &Want, seen: &Seen, ip: &FloatingIp) -> bool {
    if want.is_preallocated(&ip.address) {
        return false;
    }
    if ip.description == description(want) {
        return true;
    }
    let status = &want.status;
    let mut recorded = status.claimed_ips.iter().chain(&status.available_ips);
    let mut given = seen.addresses.iter();
    is_capos(want, ip)
        && (seen.alone
            || recorded.any(|address| *address == ip.address)
            || given.any(|one| one.address == ip.address))
}

fn is_capos(want: &Want, ip: &FloatingIp) -> bool {
    // One that a pool of ours in another namespace has made has the tag too.
    let made = "Created by cluster-api-provider-openstack OpenStackFloatingIPPool ";
    match ip.description.strip_prefix(made) {
        Some(name) => name == want.name,
        None => ip.tags.contains(&tag(want)),
    }
}

/// Description of the floating IPs that the pool makes.
pub fn description(want: &Want) -> String {
    format!(
        "Created by cluster-api-provider-openstack OpenStackFloatingIPPool {}/{}",
        want.namespace, want.name
    )
}

/// The tag of the pool's floating IPs, by which CAPO finds them.
pub fn tag(want: &Want) -> String {
    format!("cluster-api-provider-openstack-fip-pool-{}", want.name)
}

/// A crash may have come between a floating IP and its tag.
pub fn untagged(want: &Want, seen: &Seen) -> Vec<Action> {
    let tag = tag(want);
    let lacking = |ip: &&FloatingIp| {
        seen.tagging && ip.description == description(want) && !ip.tags.contains(&tag)
    };
    let ours = seen.floating_ips.iter().filter(lacking);
    ours.map(|ip| Action::TagFloatingIp {
        id: ip.id.clone(),
        tags: vec![tag.clone()],
    })
    .collect()
}

/// Gives a floating IP back to the cloud.
pub fn delete(ip: &FloatingIp) -> Action {
    Action::DeleteFloatingIp {
        id: ip.id.clone(),
        address: ip.address.clone(),
    }
}
