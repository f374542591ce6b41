//! What happens by itself, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Resource;

/// Something that happens by itself. The text is the id of the resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    ServerBuilt(String),
    ServerGone(String),
    VolumeReady(String),
    VolumeGone(String),
    /// A pending load balancer and its children get to where they were going.
    BalancerSettled(String),
}

/// Events by time; those of one moment in the order in which they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    events: BTreeMap<(Timestamp, u64), Event>,
    next: u64,
}

impl Schedule {
    pub fn push(&mut self, at: Timestamp, event: Event) {
        self.events.insert((at, self.next), event);
        self.next += 1;
    }

    pub fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, Event)> {
        let first = self.events.first_entry()?;
        let at = first.key().0;
        (at <= now).then(|| (at, first.remove()))
    }
}

/// How long asynchronous operations take, on the clock of the simulator.
#[derive(Clone, Debug)]
pub struct Delays {
    /// BUILD to ACTIVE. Default: 300 ms.
    pub server_build: Duration,
    /// DELETE to gone. Default: 100 ms.
    pub server_delete: Duration,
    /// `creating` to `available`. Default: 100 ms.
    pub volume_create: Duration,
    /// `deleting` to gone. Default: 50 ms.
    pub volume_delete: Duration,
    /// A PENDING state of a load balancer. Default: 100 ms.
    pub balancer: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            server_build: Duration::from_millis(300),
            server_delete: Duration::from_millis(100),
            volume_create: Duration::from_millis(100),
            volume_delete: Duration::from_millis(50),
            balancer: Duration::from_millis(100),
        }
    }
}

/// That the creation of something ends in ERROR.
#[derive(Clone, Debug)]
pub struct Doom {
    /// Servers, volumes or load balancers.
    pub resource: Resource,
    /// How its name begins; empty for any.
    pub prefix: String,
    /// How many of them fail.
    pub times: u32,
    /// What the fault of a server says.
    pub message: String,
}
