//! Doing what was planned: routers in order, machines side by side.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::Scope,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    firewall::Firewall,
    log, machine,
    network::{balancer::Balancers, filter, link, router},
    plan::{Action, Boot, Link, RouterWanted},
    played, real,
    world::{self, Kind, Machine, World},
};
use crate::lab::Lab;

/// Keeps what is known only while the agent runs.
pub struct Executor<'scope, 'env> {
    lab: &'env Lab,
    scope: &'scope Scope<'scope, 'env>,
    balancers: Balancers,
    routers: BTreeMap<String, RouterWanted>,
    /// What was let through to running machines, by server id.
    firewalls: Arc<Mutex<BTreeMap<String, Firewall>>>,
    /// By the id of a machine or router.
    work: Arc<Mutex<BTreeMap<String, Work>>>,
}

/// What is being done to something, or failed to be.
#[derive(Clone, Debug)]
enum Work {
    Busy,
    Failed {
        failures: u32,
        again: Instant,
        why: String,
    },
}

/// Between two tries, doubled with each: from the first to the second value.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

impl<'scope, 'env> Executor<'scope, 'env> {
    /// Threads for machines are started in `scope`.
    pub fn new(lab: &'env Lab, scope: &'scope Scope<'scope, 'env>) -> Self {
        Self {
            lab,
            scope,
            balancers: Balancers::default(),
            routers: BTreeMap::new(),
            firewalls: Arc::default(),
            work: Arc::default(),
        }
    }

    /// What exists now.
    pub fn world(&self) -> World {
        let now = Instant::now();
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let busy = work.iter().filter(|(_, w)| match w {
            Work::Busy => true,
            Work::Failed { again, .. } => *again > now,
        });
        World {
            machines: world::machines(&self.lab.part_dir("agent/machines")),
            routers: router::existing(self.lab)
                .into_iter()
                .map(|id| (id.clone(), self.routers.get(&id).cloned()))
                .collect(),
            firewalls: self.firewalls().clone(),
            busy: busy.map(|(id, _)| id.clone()).collect(),
        }
    }

    /// What failed last and is tried again.
    pub fn failures(&self) -> BTreeMap<String, String> {
        let work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = work.iter().filter_map(|(id, w)| match w {
            Work::Failed { why, .. } => Some((id.clone(), why.clone())),
            Work::Busy => None,
        });
        failed.collect()
    }

    /// Does it, or starts to. What fails is logged, and planned again after a while.
    pub fn execute(&mut self, action: Action) {
        let lab = self.lab;
        match action {
            Action::Router(wanted) => {
                let id = wanted.id.clone();
                let done = self.router(wanted);
                self.note(&id, "router", done);
            }
            Action::RemoveRouter(id) => {
                self.routers.remove(&id);
                self.balancers.remove(&router::namespace(lab, &id));
                let done = router::remove(lab, &id);
                self.note(&id, "router", done);
            }
            Action::Filter(id, firewall) => self.filter(id, firewall),
            Action::Boot(boot) => self.machine(boot.id.clone(), move || power_on(lab, &boot)),
            Action::PowerOff(id) => self.machine(id.clone(), move || power_off(lab, &id)),
            Action::Remove(id) => self.machine(id.clone(), move || remove(lab, &id)),
            Action::Attach(id, link) => self.machine(id.clone(), move || attach(lab, &id, &link)),
            Action::Detach(id, port) => self.machine(id.clone(), move || detach(lab, &id, &port)),
        }
    }

    fn firewalls(&self) -> MutexGuard<'_, BTreeMap<String, Firewall>> {
        self.firewalls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn filter(&self, id: String, firewall: Firewall) {
        let (lab, done) = (self.lab, self.firewalls.clone());
        self.machine(id.clone(), move || {
            let machine = Machine::read(&machine::folder(lab, &id))?;
            filter::apply(&machine.netns, &firewall)?;
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(id, firewall);
            Ok(format!("{}: security groups applied", machine.name))
        });
    }

    fn router(&mut self, wanted: RouterWanted) -> Result<()> {
        router::ensure(self.lab, &wanted)?;
        let balancers = wanted.balancers.iter().map(|(_, b)| b.clone()).collect();
        self.balancers
            .set(&router::namespace(self.lab, &wanted.id), balancers)?;
        self.routers.insert(wanted.id.clone(), wanted);
        Ok(())
    }

    fn note(&self, id: &str, what: &str, done: Result<()>) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        match done {
            Ok(()) => {
                work.remove(id);
            }
            Err(e) => {
                log(format_args!("{what} {id}: {e:#}"));
                // Routers are made again in every round: it is cheap, and machines wait for them.
                work.insert(
                    id.to_owned(),
                    Work::Failed {
                        failures: 0,
                        again: Instant::now(),
                        why: format!("{e:#}"),
                    },
                );
            }
        }
    }

    /// One thing at a time for each machine. A second one of the same plan is left to the next.
    fn machine(&self, id: String, work: impl FnOnce() -> Result<String> + Send + 'scope) {
        let mut all = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let failures = match all.get(&id) {
            Some(Work::Busy) => return,
            Some(Work::Failed { failures, .. }) => *failures,
            None => 0,
        };
        all.insert(id.clone(), Work::Busy);
        drop(all);
        // Whatever is done may make links anew, whose rules are then missing.
        self.firewalls().remove(&id);
        let all = self.work.clone();
        self.scope.spawn(move || {
            let begun = Instant::now();
            let done = work();
            let took = begun.elapsed().as_secs_f64();
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            match done {
                Ok(done) => {
                    log(format_args!("{done} ({took:.1} s)"));
                    all.remove(&id);
                }
                Err(e) => {
                    log(format_args!("machine {id}: {e:#}"));
                    let wait = BACKOFF
                        .0
                        .saturating_mul(2u32.saturating_pow(failures))
                        .min(BACKOFF.1);
                    let again = Instant::now() + wait;
                    all.insert(
                        id,
                        Work::Failed {
                            failures: failures + 1,
                            again,
                            why: format!("{e:#}"),
                        },
                    );
                }
            }
        });
    }
}

fn power_on(lab: &Lab, boot: &Boot) -> Result<String> {
    match boot.kind {
        Kind::Real => real::boot(lab, boot).with_context(|| format!("power on {}", boot.name))?,
        Kind::Played => played::boot(lab, boot).with_context(|| format!("play {}", boot.name))?,
    }
    Ok(format!("{}: powered on", boot.name))
}

fn power_off(lab: &Lab, id: &str) -> Result<String> {
    let dir = machine::folder(lab, id);
    let mut machine = Machine::read(&dir)?;
    clear(lab, &machine)?;
    machine.on = false;
    machine.processes.clear();
    machine.links.clear();
    machine.write(&dir)?;
    Ok(format!("{}: powered off", machine.name))
}

fn remove(lab: &Lab, id: &str) -> Result<String> {
    let dir = machine::folder(lab, id);
    let machine = Machine::read(&dir)?;
    clear(lab, &machine)?;
    fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
    Ok(format!("{}: removed", machine.name))
}

fn clear(lab: &Lab, machine: &Machine) -> Result<()> {
    match machine.kind {
        Kind::Real => real::clear(lab, machine),
        Kind::Played => played::clear(lab, machine),
    }
}

fn attach(lab: &Lab, id: &str, wanted: &Link) -> Result<String> {
    let dir = machine::folder(lab, id);
    let mut machine = Machine::read(&dir)?;
    let number = machine.links.len();
    machine
        .links
        .insert(wanted.port.clone(), wanted.router.clone());
    machine.write(&dir)?;
    link::attach(lab, &machine.netns, number, wanted)?;
    Ok(format!("{}: port {} linked", machine.name, wanted.port))
}

fn detach(lab: &Lab, id: &str, port: &str) -> Result<String> {
    let dir = machine::folder(lab, id);
    let mut machine = Machine::read(&dir)?;
    if let Some(router) = machine.links.remove(port) {
        link::detach(lab, &router, port);
    }
    machine.write(&dir)?;
    Ok(format!("{}: port {port} unlinked", machine.name))
}

/// Powers everything off and removes what lies outside the lab's folder. Disks stay: machines boot from them when
/// their servers are still ACTIVE at the next `up`.
pub fn remove_everything(lab: &Lab) -> Result<()> {
    let mut first = Ok(());
    let mut keep = |done: Result<String>| {
        if let (Err(e), Ok(())) = (done, &first) {
            first = Err(e);
        }
    };
    for id in world::machines(&lab.part_dir("agent/machines")).into_keys() {
        keep(power_off(lab, &id));
    }
    for id in router::existing(lab) {
        keep(router::remove(lab, &id).map(|()| String::new()));
    }
    keep(real::cgroups::remove(&lab.netns()).map(|()| String::new()));
    first
}
