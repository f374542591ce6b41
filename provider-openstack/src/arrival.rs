//! When an object came to this management cluster.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use runtime::Key;
use tokio::time::Instant;

/// When the object was created, on the clock of this process. Until then controllers of another
/// management cluster may have worked for it, so that an older list may miss what they made.
pub fn of(meta: &ObjectMeta) -> Instant {
    at(meta.creation_timestamp.as_ref())
}

/// When the end of the object began. Until then its workload may have made things of its own, such
/// as the subports of a trunk.
pub fn of_end(meta: &ObjectMeta) -> Instant {
    at(meta.deletion_timestamp.as_ref())
}

/// Such moments, each as it was first read: the clocks of API servers differ from ours, and are set.
#[derive(Debug, Default)]
pub struct Moments(Mutex<HashMap<Key, (Option<Time>, Instant)>>);

impl Moments {
    /// When this was for the object: its creation or the beginning of its end.
    pub fn of(&self, key: &Key, time: Option<&Time>) -> Instant {
        let mut all = self.all();
        match all.get(key) {
            Some((known, at)) if known.as_ref() == time => *at,
            _ => {
                let at = at(time);
                all.insert(key.clone(), (time.cloned(), at));
                at
            }
        }
    }

    /// The object is gone.
    pub fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    /// A panic elsewhere does not make what is remembered worse.
    fn all(&self) -> MutexGuard<'_, HashMap<Key, (Option<Time>, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn at(time: Option<&Time>) -> Instant {
    let age = time.map(|time| Timestamp::now().duration_since(time.0));
    // A clock that is ahead of ours says that it comes from the future.
    let age = age.and_then(|age| age.try_into().ok()).unwrap_or_default();
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn an_object_arrives_when_it_is_created() {
        let now = Instant::now();
        let created = |age: i64| ObjectMeta {
            creation_timestamp: Some(Time(Timestamp::now() - SignedDuration::from_secs(age))),
            ..ObjectMeta::default()
        };
        let age = now.saturating_duration_since(of(&created(60)));
        assert!(age > Duration::from_secs(55) && age < Duration::from_secs(65));
        assert!(of(&created(-60)) >= now);
    }

    /// With lists at every reconcile until the clocks agree it would be expensive.
    #[test]
    fn an_object_of_a_clock_that_is_ahead_arrives_once() {
        let (moments, key) = (Moments::default(), Key::new("team", "demo"));
        let ahead = |seconds| Some(Time(Timestamp::now() + SignedDuration::from_secs(seconds)));
        let (created, deleted) = (ahead(60), ahead(90));
        let arrived = moments.of(&key, created.as_ref());
        std::thread::yield_now();
        assert_eq!(moments.of(&key, created.as_ref()), arrived);
        assert!(moments.of(&key, deleted.as_ref()) > arrived);
        moments.forget(&key);
        assert!(moments.of(&key, created.as_ref()) > arrived);
    }
}
