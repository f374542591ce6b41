//! A whole world: its parts, what users want of it, and how much may still go wrong.

mod ends;

use std::collections::HashMap;
use std::rc::Rc;

use plan::world::Port;

use super::infrastructure::{self, Infrastructure};
use super::machine::{self, Machine};
use super::part::{Next, Trouble, digest};

/// How much there is, and how much goes wrong.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub control_plane: bool,
    /// At most 2.
    pub workers: u8,
    /// How many troubles there are at most on one path.
    pub troubles: u8,
    /// Whether users delete the cluster, which may happen any time.
    pub deletion: bool,
    /// The provider sees only those ports that it remembers to have made. It may not.
    pub blind: bool,
}

/// Which infrastructure and which machines, by number: the control plane first, and workers in order
/// of their numbers, because it does not matter which is which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    infrastructure: u32,
    machines: [u32; 3],
    /// How many workers are wanted.
    replicas: u8,
    cluster_going: bool,
    /// How many troubles there were.
    spent: u8,
    /// Which of those there were that happen once.
    once: u8,
}

/// There is no place for this machine.
const NOWHERE: u32 = u32::MAX;

/// What a state can become.
#[derive(Clone)]
pub struct Successor {
    pub label: Rc<str>,
    pub to: State,
    /// It happens by itself, sooner or later: neither users nor misfortune are needed.
    pub fair: bool,
}

/// A step of a part.
struct Edge {
    label: Rc<str>,
    infrastructure: u32,
    machine: u32,
    trouble: Option<Trouble>,
}

/// Numbers the different values of a part.
struct Numbered<T> {
    all: Vec<Rc<T>>,
    numbers: HashMap<u128, u32>,
}

impl<T> Numbered<T> {
    fn new() -> Self {
        Self {
            all: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    fn number(&mut self, value: T, digest: u128) -> u32 {
        let next = u32::try_from(self.all.len()).expect("fewer");
        *self.numbers.entry(digest).or_insert_with(|| {
            self.all.push(Rc::new(value));
            next
        })
    }

    fn get(&self, number: u32) -> Rc<T> {
        Rc::clone(&self.all[number as usize])
    }
}

/// An infrastructure, how many machines there are, their ports, and whether anything may go wrong.
type SurroundedInfrastructure = (u32, usize, [u32; 3], bool);

pub struct World {
    bounds: Bounds,
    infrastructures: Numbered<Infrastructure>,
    machines: Numbered<Machine>,
    /// The ports of each machine, by number.
    ports: Numbered<Vec<Port>>,
    ports_of: HashMap<u32, u32>,
    /// What was found out about parts, which is much the same in many worlds.
    of_infrastructure: HashMap<SurroundedInfrastructure, Rc<[Edge]>>,
    of_machine: HashMap<(u32, u32, bool, bool), Rc<[Edge]>>,
    without_provider: HashMap<(bool, u32), u32>,
}

impl World {
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            infrastructures: Numbered::new(),
            machines: Numbered::new(),
            ports: Numbered::new(),
            ports_of: HashMap::new(),
            of_infrastructure: HashMap::new(),
            of_machine: HashMap::new(),
            without_provider: HashMap::new(),
        }
    }

    /// Somebody has created a Cluster, and nothing has happened yet.
    pub fn first(&mut self) -> State {
        let mut machines = [NOWHERE; 3];
        for (slot, number) in machines.iter_mut().enumerate() {
            let control_plane = slot == 0;
            if if control_plane {
                self.bounds.control_plane
            } else {
                slot <= usize::from(self.bounds.workers)
            } {
                *number = self.machine(Machine::none(control_plane).create());
            }
        }
        State {
            infrastructure: self.infrastructure(Infrastructure::new()),
            machines,
            replicas: self.bounds.workers,
            cluster_going: false,
            spent: 0,
            once: 0,
        }
    }

    fn infrastructure(&mut self, value: Infrastructure) -> u32 {
        let digest = value.digest();
        self.infrastructures.number(value, digest)
    }

    fn machine(&mut self, value: Machine) -> u32 {
        let (ports, of_ports) = (value.ports.clone(), digest(&value.ports));
        let all = digest(&value);
        let number = self.machines.number(value, all);
        let ports = self.ports.number(ports, of_ports);
        self.ports_of.insert(number, ports);
        number
    }

    /// Everything that can happen next.
    pub fn successors(&mut self, state: State) -> Vec<Successor> {
        let mut next = Vec::new();
        for edge in self.steps_of_infrastructure(state).iter() {
            let to = State {
                infrastructure: edge.infrastructure,
                ..state
            };
            next.extend(self.after(edge, to));
        }
        for slot in slots(state) {
            for edge in self.steps_of_machine(state, slot).iter() {
                let mut to = State {
                    infrastructure: edge.infrastructure,
                    ..state
                };
                to.machines[slot] = edge.machine;
                next.extend(self.after(edge, to));
            }
        }
        self.cluster_api(state, &mut next);
        self.users(state, &mut next);
        next.extend(self.stop(state));
        for successor in &mut next {
            successor.to.machines[1..].sort_unstable();
        }
        next.retain(|successor| successor.to != state);
        next
    }

    fn after(&self, edge: &Edge, to: State) -> Option<Successor> {
        let (label, fair) = (Rc::clone(&edge.label), edge.trouble.is_none());
        let to = match edge.trouble {
            Some(trouble) => self.troubled(to, trouble)?,
            None => to,
        };
        Some(Successor { label, to, fair })
    }

    /// Counts a trouble; `None` when there were enough.
    fn troubled(&self, mut state: State, trouble: Trouble) -> Option<State> {
        if state.spent == self.bounds.troubles || state.once & trouble.once() != 0 {
            return None;
        }
        state.spent += 1;
        state.once |= trouble.once();
        if state.spent == self.bounds.troubles {
            // It no longer matters which they were.
            state.once = u8::MAX;
        }
        Some(state)
    }

    fn steps_of_infrastructure(&mut self, state: State) -> Rc<[Edge]> {
        let mut ports_of = [NOWHERE; 3];
        let (mut ports, mut machines) = (Vec::new(), 0);
        for slot in slots(state) {
            let number = state.machines[slot];
            ports_of[slot] = self.ports_of[&number];
            machines += usize::from(self.machines.get(number).object.is_some());
            // Workers share their name, and so their ids.
            let named = |port: &Port| Port {
                id: format!("{}@{slot}", port.id),
                ..port.clone()
            };
            ports.extend(self.ports.get(ports_of[slot]).iter().map(named));
        }
        let troubles = state.spent < self.bounds.troubles;
        let key = (state.infrastructure, machines, ports_of, troubles);
        if let Some(known) = self.of_infrastructure.get(&key) {
            return Rc::clone(known);
        }
        let around = infrastructure::Around {
            machines,
            ports: &ports,
            troubles,
        };
        let next = self.infrastructures.get(state.infrastructure).next(around);
        let edge = |one: Next<Infrastructure>| Edge {
            label: one.label.into(),
            infrastructure: self.infrastructure(one.to),
            machine: NOWHERE,
            trouble: one.trouble,
        };
        let edges: Rc<[Edge]> = next.into_iter().map(edge).collect();
        self.of_infrastructure.insert(key, Rc::clone(&edges));
        edges
    }

    fn steps_of_machine(&mut self, state: State, slot: usize) -> Rc<[Edge]> {
        let troubles = state.spent < self.bounds.troubles;
        let key = (
            state.infrastructure,
            state.machines[slot],
            state.cluster_going,
            troubles,
        );
        if let Some(known) = self.of_machine.get(&key) {
            return Rc::clone(known);
        }
        let infrastructure = self.infrastructures.get(state.infrastructure);
        let around = machine::Around {
            infrastructure: &infrastructure,
            cluster_going: state.cluster_going,
            troubles,
            blind: self.bounds.blind,
        };
        let next = self.machines.get(state.machines[slot]).next(around);
        let edge = |one: Next<machine::Pair>| Edge {
            label: one.label.into(),
            infrastructure: one
                .to
                .0
                .map_or(state.infrastructure, |changed| self.infrastructure(changed)),
            machine: self.machine(one.to.1),
            trouble: one.trouble,
        };
        let edges: Rc<[Edge]> = next.into_iter().map(edge).collect();
        self.of_machine.insert(key, Rc::clone(&edges));
        edges
    }

    /// The state with another machine in this place.
    fn with(
        &mut self,
        state: State,
        slot: usize,
        change: impl FnOnce(Machine) -> Machine,
    ) -> State {
        let machine = Machine::clone(&self.machines.get(state.machines[slot]));
        let mut to = state;
        to.machines[slot] = self.machine(change(machine));
        to
    }

    /// What the owners of machines and of the cluster do, sooner or later.
    fn cluster_api(&mut self, state: State, next: &mut Vec<Successor>) {
        let mut does = |label: &str, to| {
            next.push(Successor {
                label: label.into(),
                to,
                fair: true,
            })
        };
        let machines: Vec<(usize, Rc<Machine>)> = slots(state)
            .map(|slot| (slot, self.machines.get(state.machines[slot])))
            .collect();
        if state.cluster_going {
            let infrastructure = self.infrastructures.get(state.infrastructure);
            if !infrastructure.is_going()
                && machines.iter().all(|(_, machine)| machine.object.is_none())
            {
                let infrastructure =
                    self.infrastructure(Infrastructure::clone(&infrastructure).delete());
                does(
                    "Cluster API: delete the infrastructure",
                    State {
                        infrastructure,
                        ..state
                    },
                );
            }
            return;
        }
        let workers = machines
            .iter()
            .filter(|(slot, machine)| *slot > 0 && machine.is_live())
            .count();
        let wanted = usize::from(state.replicas);
        for (slot, machine) in &machines {
            let in_control_plane = *slot == 0;
            if machine.is_none() && (in_control_plane || workers < wanted) {
                does(
                    "Cluster API: create a machine",
                    self.with(state, *slot, Machine::create),
                );
            } else if machine.is_live()
                && (machine.is_failed() || !in_control_plane && workers > wanted)
            {
                does(
                    "Cluster API: delete a machine",
                    self.with(state, *slot, Machine::delete),
                );
            }
        }
    }

    fn users(&mut self, state: State, next: &mut Vec<Successor>) {
        let mut do_it = |label: &str, to| {
            next.push(Successor {
                label: label.into(),
                to,
                fair: false,
            })
        };
        if state.cluster_going {
            return;
        }
        if self.bounds.deletion {
            self.delete(state, &mut do_it);
        }
        for slot in slots(state) {
            let live = self.machines.get(state.machines[slot]).is_live();
            if let Some(to) = self
                .troubled(state, Trouble::MachineDeleted)
                .filter(|_| live)
            {
                do_it(
                    "user: delete a machine",
                    self.with(to, slot, Machine::delete),
                );
            }
        }
        if let Some(to) = self.troubled(state, Trouble::Edited) {
            let infrastructure =
                Infrastructure::clone(&self.infrastructures.get(to.infrastructure));
            if let Some(edited) = infrastructure.edit() {
                let infrastructure = self.infrastructure(edited);
                do_it(
                    "user: change who may reach the API",
                    State {
                        infrastructure,
                        ..to
                    },
                );
            }
        }
        if state.replicas < self.bounds.workers {
            let replicas = self.bounds.workers;
            do_it("user: scale back", State { replicas, ..state });
        } else if let Some(to) = self.troubled(state, Trouble::Scaled)
            && state.replicas == 2
        {
            do_it("user: scale", State { replicas: 1, ..to });
        }
    }

    /// Machines before the infrastructure, as Cluster API does it, or all at once.
    fn delete(&mut self, state: State, do_it: &mut impl FnMut(&str, State)) {
        let mut to = State {
            cluster_going: true,
            ..state
        };
        for slot in slots(state) {
            to = self.with(to, slot, Machine::delete);
        }
        do_it("user: delete the cluster", to);
        let infrastructure = Infrastructure::clone(&self.infrastructures.get(state.infrastructure));
        to.infrastructure = self.infrastructure(infrastructure.delete());
        do_it("user: delete everything", to);
    }

    /// The provider stops, everywhere at once.
    fn stop(&mut self, state: State) -> Option<Successor> {
        let mut to = self.troubled(state, Trouble::Stop)?;
        to.infrastructure = match self.without_provider.get(&(false, state.infrastructure)) {
            Some(known) => *known,
            None => {
                let stopped =
                    Infrastructure::clone(&self.infrastructures.get(state.infrastructure)).stop();
                stopped.map_or(state.infrastructure, |stopped| self.infrastructure(stopped))
            }
        };
        self.without_provider
            .insert((false, state.infrastructure), to.infrastructure);
        for slot in slots(state) {
            let number = state.machines[slot];
            to.machines[slot] = match self.without_provider.get(&(true, number)) {
                Some(known) => *known,
                None => {
                    let stopped = Machine::clone(&self.machines.get(number)).stop();
                    stopped.map_or(number, |stopped| self.machine(stopped))
                }
            };
            self.without_provider
                .insert((true, number), to.machines[slot]);
        }
        let same = to.infrastructure == state.infrastructure && to.machines == state.machines;
        (!same).then(|| Successor {
            label: "Stop".into(),
            to,
            fair: false,
        })
    }

    /// How many different values the parts have.
    pub fn parts(&self) -> (usize, usize) {
        (self.infrastructures.all.len(), self.machines.all.len())
    }
}

fn slots(state: State) -> impl Iterator<Item = usize> {
    (0..3).filter(move |slot| state.machines[*slot] != NOWHERE)
}
