//! Allowed address pairs: the only part of a template that may change, and that its machines get
//! afterwards.

use crds::openstack::v1beta2::AddressPair;

use super::{Action, Machine, Want};

/// What makes the machines that are there have the template's pairs.
pub fn actions(want: &Want, machines: &[Machine]) -> Vec<Action> {
    let behind = machines
        .iter()
        .filter(|machine| is_behind(want, machine) && !machine.port_ids.is_empty());
    behind
        .map(|machine| {
            let ports = machine.port_ids.iter().zip(&want.spec.ports);
            // Neutron refuses pairs on a port without port security.
            let secure = ports.filter(|(_, port)| port.enable_port_security != Some(false));
            Action::PushAddressPairs {
                machine: machine.name.clone(),
                ports: secure
                    .map(|(id, port)| (id.clone(), port.allowed_address_pairs.clone()))
                    .collect(),
                record: record(want),
            }
        })
        .collect()
}

/// Whether the machine has other pairs than the template. Until something is pushed it has those of
/// its own spec. A template that never changed (its generation is still the first) has nothing to
/// push: where they differ, somebody wrote other pairs into the machine.
pub fn is_behind(want: &Want, machine: &Machine) -> bool {
    if machine.pushed.is_none() && want.generation == Some(1) {
        return false;
    }
    let pushed = machine.pushed.as_deref();
    let pushed = pushed.and_then(|json| serde_json::from_str::<Vec<Option<Pairs>>>(json).ok());
    let has = match pushed {
        Some(pushed) => pushed.into_iter().map(Option::unwrap_or_default).collect(),
        None => machine.made_with.clone(),
    };
    has != wanted(want)
}

type Pairs = Vec<AddressPair>;

fn wanted(want: &Want) -> Vec<Pairs> {
    let ports = want.spec.ports.iter();
    ports
        .map(|port| port.allowed_address_pairs.clone())
        .collect()
}

/// As CAPO writes it: a list for each port, `null` when it is empty.
fn record(want: &Want) -> String {
    let lists = wanted(want).into_iter();
    let lists: Vec<Option<Pairs>> = lists.map(|p| Some(p).filter(|p| !p.is_empty())).collect();
    // Lists of the API types always serialize.
    serde_json::to_string(&lists).unwrap_or_default()
}
