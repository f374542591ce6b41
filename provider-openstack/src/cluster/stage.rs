//! How far clusters that go have come, and how new the list of ports has to be for that.

use std::collections::HashMap;
use std::sync::Mutex;

use cloud::view::FAST;
use runtime::Key;
use tokio::time::Instant;

use super::locked;

/// A list of ports may be older than the stage has lasted by this part of that.
const PART: u32 = 4;

/// The stage of each cluster that goes.
#[derive(Debug, Default)]
pub(super) struct Stages(Mutex<HashMap<Key, Stage>>);

#[derive(Debug)]
struct Stage {
    /// What is left whose end takes ports along.
    left: Vec<String>,
    began: Instant,
}

impl Stages {
    /// Ports of servers and load balancers go with these, without a call of ours. A list of ports that
    /// began before this does not show that well enough: `left` is what is left now, and each time
    /// when that changes a new list is needed. The longer nothing does, the older it may be.
    pub fn since(&self, key: &Key, left: Vec<String>, now: Instant) -> Instant {
        let mut all = locked(&self.0);
        let stage = all.entry(key.clone()).or_insert_with(|| Stage {
            left: left.clone(),
            began: now,
        });
        if stage.left != left {
            *stage = Stage { left, began: now };
        }
        let age = now.saturating_duration_since(stage.began) / PART;
        let recent = now.checked_sub(age.max(FAST)).unwrap_or(now);
        stage.began.max(recent)
    }

    /// The cluster is gone, or no longer ours.
    pub fn forget(&self, key: &Key) {
        locked(&self.0).remove(key);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// As a cluster does that waits for the end of something.
    #[test]
    fn who_waits_for_long_lists_ports_ever_more_rarely_until_something_goes() {
        let (stages, key) = (Stages::default(), Key::new("team", "demo"));
        let begun = Instant::now();
        let (mut listed, mut lists) = (None, 0);
        let mut look = |seconds: u64, left: &[&str]| {
            let now = begun + Duration::from_secs(seconds);
            let left = left.iter().map(|&id| id.to_owned()).collect();
            let since = stages.since(&key, left, now);
            if listed.is_none_or(|listed| listed < since) {
                (listed, lists) = (Some(now), lists + 1);
            }
            lists
        };
        assert_eq!(look(0, &["lb"]), 1);
        assert_eq!(look(1, &["lb"]), 1, "woken several times");
        let hour = (1..=120).map(|at| look(at * 30, &["lb"])).last();
        assert!(hour.is_some_and(|lists| lists < 20), "{hour:?} in an hour");
        let lists = look(3601, &["lb"]);
        assert_eq!(look(3602, &[]), lists + 1, "the load balancer has gone");
    }
}
