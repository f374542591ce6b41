//! When which kind is refreshed. No I/O; the clock is tokio's, so that tests can move it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use rand::Rng;
use tokio::time::Instant;

use super::interest::Interest;
use super::tables::{Stamp, Tables};
use super::{FAST, SERVERS, SLOW};
use crate::{Error, Kind};

/// After a failure a kind is left alone for a moment, which doubles up to this.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// How soon an expected load balancer is looked at again after something was new.
const QUICK: Duration = Duration::from_millis(500);
/// A list that takes long is not repeated more often than this many times its duration.
const BREATHER: u32 = 4;
/// But a busy cloud does not blind those who wait for longer than this: the duration of a list
/// holds the time that it waited for its turn.
const LONGEST_BREATHER: Duration = Duration::from_secs(8);

/// All that a view knows.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub tables: Tables,
    pub interest: Interest,
    /// Whether the background task runs.
    pub running: bool,
    kinds: HashMap<Kind, Freshness>,
    /// Servers of which Nova itself has said that they are gone, as long as somebody follows them.
    gone_servers: HashSet<String>,
}

/// How fresh a kind is.
#[derive(Debug, Default)]
pub(crate) struct Freshness {
    last: Option<Fetched>,
    /// A call has made the table doubtful at this moment.
    doubted: Option<Stamp>,
    failure: Option<Failure>,
    /// Lists in a row that brought nothing new.
    quiet: u32,
    /// Servers: from where the next list of changes begins, and when all are listed again.
    changes: Option<(Timestamp, Instant)>,
}

#[derive(Debug)]
struct Fetched {
    at: Instant,
    began: Stamp,
    took: Duration,
    /// Spreads the views of a process: 1.0 to 1.2.
    jitter: f64,
}

#[derive(Debug)]
struct Failure {
    in_a_row: u32,
    until: Instant,
    error: Error,
}

impl State {
    /// Replaces what `key` expects.
    pub fn expect(&mut self, key: &str, kinds: &[Kind]) {
        for &kind in kinds {
            self.kinds.entry(kind).or_default();
        }
        self.interest.expect(key, kinds);
    }

    /// The next reader of this kind looks.
    pub fn doubt(&mut self, kind: Kind) {
        let at = self.tables.begin_list();
        if let Some(freshness) = self.kinds.get_mut(&kind) {
            freshness.doubted = Some(at);
            freshness.quiet = 0;
        }
    }

    /// Whether the table lacks this server, and Nova has not said that it is gone: that a list lacks it
    /// says nothing.
    pub fn lacks_server(&self, id: &str) -> bool {
        self.tables.servers.get(id).is_none() && !self.gone_servers.contains(id)
    }

    /// Nova says that this server is gone.
    pub fn server_gone(&mut self, id: &str) {
        self.gone_servers.insert(id.to_owned());
    }

    fn interval(&self, kind: Kind, fetched: &Fetched) -> Duration {
        if self.interest.is_expected(kind) {
            let breather = (fetched.took * BREATHER).min(LONGEST_BREATHER);
            self.fast(kind).max(breather)
        } else if kind == Kind::Servers {
            SERVERS.mul_f64(fetched.jitter - 0.12)
        } else {
            SLOW.mul_f64(fetched.jitter)
        }
    }

    /// The steps of a load balancer take a fraction of a second each and follow one another, so a new
    /// one is looked for sooner at first.
    fn fast(&self, kind: Kind) -> Duration {
        match self.kinds.get(&kind) {
            Some(freshness) if kind == Kind::LoadBalancers => {
                QUICK.saturating_mul(1 << freshness.quiet.min(8)).min(FAST)
            }
            _ => FAST,
        }
    }

    /// Whether a snapshot can be given without a call. The background task has half an interval of
    /// grace, so that it and the snapshots do not both refresh.
    pub fn is_fresh(&self, kind: Kind, now: Instant) -> bool {
        let Some(freshness) = self.kinds.get(&kind) else {
            return false;
        };
        let Some(fetched) = &freshness.last else {
            return false;
        };
        let refused = |failure: &Failure| !failure.error.is_transient();
        let doubtful = freshness.doubted.is_some_and(|at| at > fetched.began)
            || freshness.failure.as_ref().is_some_and(refused);
        !doubtful && now < fetched.at + self.interval(kind, fetched).mul_f64(1.5)
    }

    /// Whether the last list of this kind began at `since` or later.
    pub fn looked_since(&self, kind: Kind, since: Instant) -> bool {
        let fetched = self.kinds.get(&kind).and_then(|kind| kind.last.as_ref());
        fetched.is_some_and(|fetched| fetched.at >= since)
    }

    /// The error of a moment ago, while the kind is left alone.
    pub fn recent_failure(&self, kind: Kind, now: Instant) -> Option<Error> {
        let failure = self.kinds.get(&kind)?.failure.as_ref()?;
        (now < failure.until).then(|| failure.error.clone())
    }

    fn due_at(&self, kind: Kind, freshness: &Freshness) -> Option<Instant> {
        if let Some(failure) = &freshness.failure {
            return Some(failure.until);
        }
        match &freshness.last {
            Some(fetched) => Some(fetched.at + self.interval(kind, fetched)),
            // Somebody expects it, but nobody has asked for it yet.
            None => self.interest.is_expected(kind).then(Instant::now),
        }
    }

    /// When the next kind is due.
    pub fn next_due(&self) -> Option<Instant> {
        self.kinds
            .iter()
            .filter_map(|(&kind, freshness)| self.due_at(kind, freshness))
            .min()
    }

    /// The kinds that are due.
    pub fn due(&self, now: Instant) -> Vec<Kind> {
        let is_due = |(&kind, freshness): (&Kind, &Freshness)| {
            self.due_at(kind, freshness)
                .is_some_and(|at| at <= now)
                .then_some(kind)
        };
        self.kinds.iter().filter_map(is_due).collect()
    }

    /// From where a list of changed servers may begin; `None` when all must be listed.
    pub fn changes_since(&self, now: Instant) -> Option<Timestamp> {
        let (since, full_list) = self.kinds.get(&Kind::Servers)?.changes?;
        (now < full_list).then_some(since)
    }

    /// How old each table is; none when nobody is interested.
    pub fn ages(&self) -> Vec<(Kind, Duration)> {
        if self.interest.is_empty() {
            return Vec::new();
        }
        let age = |(&kind, freshness): (&Kind, &Freshness)| {
            let fetched = freshness.last.as_ref()?;
            Some((kind, fetched.at.elapsed()))
        };
        self.kinds.iter().filter_map(age).collect()
    }

    /// A list has been applied that began at `began`, `at`; whether it brought something new.
    pub fn fetched(&mut self, kind: Kind, began: Stamp, at: Instant, news: bool) {
        let freshness = self.kinds.entry(kind).or_default();
        freshness.quiet = if news { 0 } else { freshness.quiet + 1 };
        freshness.failure = None;
        let jitter = rand::rng().random_range(1.0..1.2);
        freshness.last = Some(Fetched {
            at,
            began,
            took: at.elapsed(),
            jitter,
        });
    }

    /// A list of servers was answered at `date` on Nova's clock.
    pub fn listed_servers(&mut self, date: Option<Timestamp>, complete: bool, now: Instant) {
        let freshness = self.kinds.entry(Kind::Servers).or_default();
        let full_list = match freshness.changes {
            Some((_, at)) if !complete => at,
            _ => now + SLOW.mul_f64(rand::rng().random_range(1.0..1.2)),
        };
        freshness.changes = date.map(|date| (date, full_list));
        if complete {
            let interest = &self.interest;
            self.gone_servers.retain(|id| interest.is_followed(id));
        }
    }

    /// A list has failed. Whether this is news.
    pub fn failed(&mut self, kind: Kind, error: Error, now: Instant) -> bool {
        let freshness = self.kinds.entry(kind).or_default();
        let in_a_row = freshness
            .failure
            .as_ref()
            .map_or(0, |failure| failure.in_a_row)
            + 1;
        let rest = FAST.saturating_mul(1 << in_a_row.min(6)).min(LONGEST_REST);
        let until = now + rest.max(error.retry_after.unwrap_or_default());
        freshness.failure = Some(Failure {
            in_a_row,
            until,
            error,
        });
        in_a_row == 1
    }
}
