//! Allowed address pairs: all of a server's spec that may change, but for the credentials.

use crds::openstack::v1alpha1::OpenStackServerStatus;
use crds::openstack::v1beta2::{AddressPair, ResolvedPortSpec};

use super::ports::Ports;
use super::{Action, Want};
use crate::world::Port;

/// Gives the ports the pairs that changed in the spec since they were resolved. The status says so
/// only once the ports have them.
pub fn follow(want: &Want, ports: &Ports, status: &mut OpenStackServerStatus) -> Vec<Action> {
    let Some(resolved) = &mut status.resolved else {
        return Vec::new();
    };
    let mut actions = Vec::new();
    let wanted = want.spec.ports.iter().zip(&mut resolved.ports);
    for ((spec, resolved), found) in wanted.zip(ports.slots()) {
        let (pairs, Some(port)) = (&spec.allowed_address_pairs, found) else {
            continue;
        };
        if *pairs == resolved.allowed_address_pairs || !is_secure(resolved) {
            continue;
        }
        if has(port, pairs) {
            resolved.allowed_address_pairs.clone_from(pairs);
        } else {
            actions.push(Action::SetAddressPairs {
                id: port.id.clone(),
                pairs: pairs.clone(),
            });
        }
    }
    actions
}

/// Neutron refuses pairs on a port without port security.
fn is_secure(port: &ResolvedPortSpec) -> bool {
    port.enable_port_security != Some(false)
}

/// Neutron fills in the port's own MAC address where none was given.
fn has(port: &Port, pairs: &[AddressPair]) -> bool {
    let have = &port.allowed_address_pairs;
    let is_there = |wanted: &AddressPair| {
        have.iter().any(|pair| {
            pair.ip_address == wanted.ip_address
                && (wanted.mac_address.is_none() || wanted.mac_address == pair.mac_address)
        })
    };
    have.len() == pairs.len() && pairs.iter().all(is_there)
}
