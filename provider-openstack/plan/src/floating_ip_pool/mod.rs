//! One pool of floating IPs: its addresses, and the claims on them.
//!
//! A floating IP that a pool makes carries the pool's namespace and name in its description, which
//! the call that makes it sets: an answer that is lost loses no address, and a pool of the same
//! name in another namespace of the project never takes it. CAPO's carry the bare name, there and
//! in the tag that both set; see `owned`.

mod action;
mod network;
mod owned;
#[cfg(test)]
mod tests;

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1alpha1::{
    OpenStackFloatingIPPool, OpenStackFloatingIPPoolSpec, OpenStackFloatingIPPoolStatus,
    ReclaimPolicy,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::conditions::{self, New};
use crate::step::{Decision, Step, Waiting};
use crate::world::{FloatingIp, Network};

pub use action::{Action, NewFloatingIp, refused};

const READY: &str = ConditionType::OpenstackFloatingIPPoolReady.as_str();

/// The pool that is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Want {
    pub namespace: String,
    pub name: String,
    pub generation: Option<i64>,
    /// The object is being deleted.
    pub deleting: bool,
    pub spec: OpenStackFloatingIPPoolSpec,
    /// What was published last; it may be lost, and then nothing breaks.
    pub status: OpenStackFloatingIPPoolStatus,
}

impl From<&OpenStackFloatingIPPool> for Want {
    fn from(object: &OpenStackFloatingIPPool) -> Self {
        let meta = &object.metadata;
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some(),
            spec: object.spec.clone(),
            status: object.status.clone().unwrap_or_default(),
        }
    }
}

impl Want {
    /// Whether [`Seen::networks`] is needed: the network is found once, and then kept.
    pub fn needs_networks(&self) -> bool {
        !self.deleting && self.status.floating_ip_network.is_none()
    }

    /// Whether these are enough to know which one new addresses are from.
    pub fn finds_network(&self, networks: &[Network]) -> bool {
        network::find(self, networks).is_ok()
    }

    /// Description of the floating IPs that the pool makes.
    pub fn description(&self) -> String {
        owned::description(self)
    }

    fn is_preallocated(&self, address: &str) -> bool {
        let mut all = self.spec.pre_allocated_floating_ips.iter();
        all.any(|one| one == address)
    }
}

/// What exists now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The claims on this pool.
    pub claims: Vec<Claim>,
    /// The addresses that this pool has given.
    pub addresses: Vec<Address>,
    /// The floating IPs of the project.
    pub floating_ips: Vec<FloatingIp>,
    /// Empty when [not needed](Want::needs_networks).
    pub networks: Vec<Network>,
    /// No other namespace has a pool of this name.
    pub alone: bool,
    /// Whether Neutron can tag floating IPs (`standard-attr-tag`).
    pub tagging: bool,
}

/// An IPAddressClaim.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claim {
    pub name: String,
    pub uid: String,
    pub created: Option<Time>,
    pub deleting: bool,
    /// Its status names an IPAddress.
    pub answered: bool,
    /// Its Cluster is paused, perhaps because it is being moved here and its IPAddress comes next.
    pub paused: bool,
}

/// An IPAddress.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// As its claim is called.
    pub name: String,
    pub address: String,
    pub deleting: bool,
    /// It carries our finalizer.
    pub held: bool,
}

type Outcome = (Step<Action>, New<'static>);

/// Decides the next step of a pool, and its status.
pub fn plan(
    want: &Want,
    seen: &Seen,
    now: Timestamp,
) -> Decision<Action, OpenStackFloatingIPPoolStatus> {
    let mut status = want.status.clone();
    let stock = owned::Stock::of(want, seen);
    status.claimed_ips = stock.claimed.iter().map(ToString::to_string).collect();
    status.available_ips = stock.available.iter().map(ToString::to_string).collect();
    status.failed_ips = stock.failed.iter().map(ToString::to_string).collect();
    let (step, said) = step(want, seen, &stock, &mut status);
    conditions::set(&mut status.conditions, said, want.generation, now);
    Decision { step, status }
}

fn step(
    want: &Want,
    seen: &Seen,
    stock: &owned::Stock,
    status: &mut OpenStackFloatingIPPoolStatus,
) -> Outcome {
    let ended = ended(want, seen);
    if !ended.is_empty() {
        return doing(ended, "taking addresses back that are claimed no more");
    }
    if want.deleting {
        return delete(want, seen);
    }
    if status.floating_ip_network.is_none() {
        match network::find(want, &seen.networks) {
            Ok(network) => status.floating_ip_network = Some(network),
            Err(problem) => {
                let said = New::not(
                    READY,
                    Reason::UnableToFindNetwork.as_str(),
                    problem.to_string(),
                );
                return (Step::Blocked(problem), said);
            }
        }
    }
    let network = status.floating_ip_network.as_ref();
    let network_id = network
        .map(|network| network.id.clone())
        .unwrap_or_default();
    let mut answers = Answers::new(want, stock, network_id);
    let mut claims: Vec<&Claim> = seen.claims.iter().collect();
    claims.sort_by_key(|claim| (&claim.created, &claim.name));
    for claim in claims {
        answers.answer(seen, claim);
    }
    answers.actions.extend(owned::untagged(want, seen));
    if !answers.actions.is_empty() {
        return doing(answers.actions, "answering claims");
    }
    if answers.refused > 0 {
        let message = format!(
            "{} claims wait: spec.maxIPs = {} addresses are claimed; raise it, or delete a claim",
            answers.refused,
            want.spec.max_ips.unwrap_or_default()
        );
        let said = New::not(READY, Reason::MaxIPsReached.as_str(), message.clone());
        let waiting = Waiting::for_event(Reason::MaxIPsReached, message);
        return (Step::Wait(waiting), said);
    }
    (Step::Done, New::ready(READY))
}

/// Addresses whose claim is gone: the floating IP goes too, or back into the pool.
fn ended(want: &Want, seen: &Seen) -> Vec<Action> {
    let ended = seen
        .addresses
        .iter()
        .filter(|address| address.deleting && address.held);
    ended
        .map(|address| {
            let mut existing = seen.floating_ips.iter();
            let found = existing.find(|ip| ip.address == address.address);
            let goes = want.spec.reclaim_policy == ReclaimPolicy::Delete;
            match found.filter(|ip| goes && owned::is_ours(want, seen, ip)) {
                Some(ip) => owned::delete(ip),
                None => Action::ReleaseAddress(address.name.clone()),
            }
        })
        .collect()
}

/// Towards nothing, once nobody has an address any more.
fn delete(want: &Want, seen: &Seen) -> Outcome {
    if !seen.addresses.is_empty() {
        let names: Vec<&str> = seen.addresses.iter().map(|one| one.name.as_str()).collect();
        let message = format!(
            "waiting for the end of IPAddress {}: the servers that claim them go first",
            names.join(", ")
        );
        let said = New::not(READY, Reason::Deleting.as_str(), message.clone());
        return (
            Step::Wait(Waiting::for_event(Reason::Deleting, message)),
            said,
        );
    }
    let ours = seen.floating_ips.iter();
    let actions: Vec<Action> = ours
        .filter(|ip| owned::is_ours(want, seen, ip))
        .map(owned::delete)
        .collect();
    let said = New::not(READY, Reason::Deleting.as_str(), "giving floating IPs back");
    (Step::of(actions, || Step::Done), said)
}

fn doing(actions: Vec<Action>, message: &str) -> Outcome {
    let said = New::not(READY, Reason::Progressing.as_str(), message);
    (Step::Do(actions), said)
}

/// Answers in the making: no address is given twice.
struct Answers<'a> {
    want: &'a Want,
    free: std::slice::Iter<'a, &'a str>,
    /// How many are claimed, with those that are given now.
    claimed: usize,
    network_id: String,
    actions: Vec<Action>,
    refused: usize,
}

impl<'a> Answers<'a> {
    fn new(want: &'a Want, stock: &'a owned::Stock<'a>, network_id: String) -> Self {
        Self {
            want,
            free: stock.available.iter(),
            claimed: stock.claimed.len(),
            network_id,
            actions: Vec::new(),
            refused: 0,
        }
    }

    fn answer(&mut self, seen: &Seen, claim: &Claim) {
        if claim.deleting || claim.answered || claim.paused {
            return;
        }
        if let Some(given) = seen.addresses.iter().find(|one| one.name == claim.name) {
            // One that goes has to be gone first.
            if !given.deleting {
                self.actions.push(Action::Answer(claim.name.clone()));
            }
            return;
        }
        if let Some(free) = self.free.next() {
            self.claimed += 1;
            let address = action::address(self.want, claim, free);
            self.actions.push(Action::CreateAddress(Box::new(address)));
            return;
        }
        let most = self.want.spec.max_ips;
        let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(0));
        if self.claimed >= most {
            self.refused += 1;
            return;
        }
        self.claimed += 1;
        self.actions.push(Action::CreateFloatingIp(NewFloatingIp {
            network_id: self.network_id.clone(),
            description: owned::description(self.want),
            tags: vec![owned::tag(self.want)],
        }));
    }
}
