//! The ports of a server and the trunks on them: which are there, which are missing.

use crds::openstack::v1beta2::{PortStatus, ResolvedPortSpec};

use super::{Action, NewTrunk, Seen, Want, owned};
use crate::tags;
use crate::world::Port;

/// The ports of the server as they are found.
pub struct Ports<'a> {
    /// For each port that is wanted, the one to use.
    slots: Vec<Option<&'a Port>>,
    /// Made twice because an answer was lost.
    surplus: Vec<&'a Port>,
}

impl<'a> Ports<'a> {
    /// Finds them.
    pub fn of(want: &Want, seen: &'a Seen) -> Self {
        let mut ports = Self {
            slots: Vec::new(),
            surplus: Vec::new(),
        };
        for slot in owned::slots(want) {
            let found = owned::ports(want, seen, &slot);
            ports.slots.push(found.first().copied());
            ports.surplus.extend(found.iter().skip(1));
        }
        ports
    }

    /// What is missing, and what is too much.
    pub fn actions(&self, wanted: &[ResolvedPortSpec], seen: &Seen) -> Vec<Action> {
        let pairs = wanted.iter().zip(&self.slots);
        let missing = pairs.flat_map(|(wanted, found)| match found {
            None => vec![Action::CreatePort(Box::new(wanted.clone()))],
            Some(port) => corrections(wanted, port, seen),
        });
        let surplus = self.surplus.iter();
        missing
            .chain(surplus.map(|port| Action::DeletePort(port.id.clone())))
            .collect()
    }

    /// Surplus ports that no server uses: they need not wait for the end of the server.
    pub fn unused(&self) -> Vec<Action> {
        let unused = self.surplus.iter().filter(|port| port.device_id.is_empty());
        unused
            .map(|port| Action::DeletePort(port.id.clone()))
            .collect()
    }

    /// For each port of the spec the one to use, if it is there.
    pub fn slots(&self) -> &[Option<&'a Port>] {
        &self.slots
    }

    /// The ports to use, in the order of the spec.
    pub fn iter(&self) -> impl Iterator<Item = &'a Port> {
        self.slots.iter().flatten().copied()
    }

    /// What the status says of them: always the ids of what is there now.
    pub fn recorded(&self) -> Vec<PortStatus> {
        self.iter()
            .map(|port| PortStatus {
                id: port.id.clone(),
            })
            .collect()
    }
}

/// The tags and the trunk that a port lacks. A trunk must be there before the server: Neutron
/// makes none on a port that is bound.
fn corrections(wanted: &ResolvedPortSpec, port: &Port, seen: &Seen) -> Vec<Action> {
    let lacking = |have: &[String]| tags::missing(&wanted.tags, have).filter(|_| seen.tagging);
    let mut actions = Vec::new();
    if let Some(tags) = lacking(&port.tags) {
        let id = port.id.clone();
        actions.push(Action::TagPort { id, tags });
    }
    if wanted.trunk != Some(true) {
        return actions;
    }
    match seen.trunks.iter().find(|trunk| trunk.port_id == port.id) {
        None => actions.push(Action::CreateTrunk(NewTrunk {
            name: port.name.clone(),
            description: port.description.clone(),
            port_id: port.id.clone(),
            tags: wanted.tags.clone(),
        })),
        Some(trunk) => {
            if let Some(tags) = lacking(&trunk.tags) {
                let id = trunk.id.clone();
                actions.push(Action::TagTrunk { id, tags });
            }
        }
    }
    actions
}
