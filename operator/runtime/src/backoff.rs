//! How long an object that failed waits before it is tried again: 1 s, doubled with each failure
//! in a row, at most 5 min, with a jitter of a fifth so that a thousand objects that failed
//! together do not come back together. One success forgets all failures.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use rand::Rng;

/// The first wait.
pub const FIRST: Duration = Duration::from_secs(1);
/// The longest wait, jitter aside.
pub const LONGEST: Duration = Duration::from_secs(300);

/// Failures in a row, for each object.
#[derive(Debug)]
pub struct Backoff<K> {
    failures: Mutex<HashMap<K, u32>>,
}

impl<K> Default for Backoff<K> {
    fn default() -> Self {
        Self {
            failures: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash> Backoff<K> {
    /// One more failure of `key`; returns how long to wait now.
    pub fn failed(&self, key: K) -> Duration {
        let mut failures = self.lock();
        let count = failures.entry(key).or_insert(0);
        *count = count.saturating_add(1);
        jittered(wait_after(*count))
    }

    /// `key` succeeded, or is gone.
    pub fn forget(&self, key: &K) {
        self.lock().remove(key);
    }

    /// Whether the last try of `key` failed.
    pub fn is_failing(&self, key: &K) -> bool {
        self.lock().contains_key(key)
    }

    /// How many objects are failing now.
    pub fn failing(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, u32>> {
        // A counter cannot be left half-written by a panic, so a poisoned lock is still good.
        self.failures
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The wait after `failures` failures in a row, without jitter.
#[must_use]
pub fn wait_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    (FIRST * 2u32.pow(doublings)).min(LONGEST)
}

/// `wait`, or what was `asked` for where that is longer. Then up to a minute more, at most a fifth, so
/// that those who are asked for the same time do not come back together.
#[must_use]
pub fn at_least(wait: Duration, asked: Option<Duration>) -> Duration {
    let asked = asked.unwrap_or_default();
    let spread = asked
        .min(LONGEST)
        .mul_f64(rand::rng().random_range(0.0..0.2));
    wait.max(asked.saturating_add(spread))
}

/// `wait`, up to a fifth shorter or longer.
#[must_use]
pub fn jittered(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(0.8..1.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_five_minutes() {
        let waits: Vec<u64> = [1, 2, 3, 9, 10, 400]
            .map(|n| wait_after(n).as_secs())
            .into();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300]);
    }

    #[test]
    fn a_success_forgets_the_failures_of_that_object_only() {
        let backoff = Backoff::default();
        for _ in 0..8 {
            backoff.failed("a");
        }
        backoff.failed("b");
        backoff.forget(&"a");
        assert_eq!(backoff.failing(), 1);
        assert!(backoff.failed("a") < Duration::from_millis(1201));
    }
}
