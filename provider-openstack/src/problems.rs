//! What stands in the way of objects, and when to look whether it still does.
//!
//! A problem may be solved in the cloud, by somebody who does what the condition says, and nothing
//! tells. So it is looked for: soon at first, then as rarely as everything else, and many objects
//! that have one share the lists.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::step::Problem;
use runtime::backoff::jittered;
use runtime::{Key, Requeue};
use tokio::time::Instant;

/// When a new problem is looked at again.
const SOON: Duration = Duration::from_secs(60);
/// An old one is not left alone for longer.
const AT_LAST: Duration = Duration::from_secs(600);
/// Lists of this age show well enough whether a problem still stands.
const SHARED: Duration = Duration::from_secs(30);

/// The problems of all objects of a kind.
#[derive(Debug, Default)]
pub struct Problems(Mutex<HashMap<Key, Known>>);

#[derive(Debug)]
struct Known {
    problem: Problem,
    generation: Option<i64>,
    since: Instant,
}

impl Problems {
    /// This stands in the way of an object, as it was at `generation`, or nothing does that the cloud
    /// could solve. When to look again: the longer it has stood there, the later.
    pub fn tell(
        &self,
        key: &Key,
        problem: Option<&Problem>,
        generation: Option<i64>,
    ) -> Option<Requeue> {
        let Some(problem) = problem else {
            self.forget(key);
            return None;
        };
        let mut all = self.all();
        let known = all.entry(key.clone()).or_insert_with(|| Known {
            problem: problem.clone(),
            generation,
            since: Instant::now(),
        });
        if known.problem != *problem {
            known.problem = problem.clone();
            known.since = Instant::now();
        }
        known.generation = generation;
        let stood = known.since.elapsed();
        Some(Requeue::After(jittered(stood.clamp(SOON, AT_LAST))))
    }

    /// Lists that began before this do not show whether the object still has its problem; `None`
    /// when it has none. Whoever has changed the object has perhaps just changed the cloud too.
    pub fn since(&self, key: &Key, generation: Option<i64>) -> Option<Instant> {
        let all = self.all();
        let known = all.get(key)?;
        let now = Instant::now();
        if known.generation == generation {
            // What began before the problem was found is what it was found in.
            Some(now.checked_sub(SHARED).unwrap_or(now))
        } else {
            Some(now)
        }
    }

    /// The object is gone, or no longer ours.
    pub fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    /// A panic elsewhere does not make what is known worse.
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(value: &str) -> Problem {
        Problem {
            reason: "NotFound".into(),
            object: "OpenStackCluster demo".into(),
            field: "spec.externalNetwork".into(),
            value: value.into(),
            way_out: "name one that is there".into(),
        }
    }

    fn wait(requeue: Option<Requeue>) -> Duration {
        match requeue {
            Some(Requeue::After(wait)) => wait,
            other => panic!("never looked at again: {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_problem_is_looked_for_ever_more_rarely_but_not_given_up() {
        let (problems, key) = (Problems::default(), Key::new("team", "demo"));
        let (mut looks, began) = (0, Instant::now());
        while began.elapsed() < Duration::from_secs(600) {
            let wait = wait(problems.tell(&key, Some(&problem("public")), Some(1)));
            assert!(wait >= SOON.mul_f64(0.8), "{wait:?}");
            tokio::time::advance(wait).await;
            looks += 1;
        }
        assert!(looks <= 7, "{looks} looks in ten minutes");
        tokio::time::advance(Duration::from_secs(36_000)).await;
        let late = wait(problems.tell(&key, Some(&problem("public")), Some(1)));
        assert!(late <= AT_LAST.mul_f64(1.2), "{late:?}");
        let other = wait(problems.tell(&key, Some(&problem("privat")), Some(2)));
        assert!(
            other <= SOON.mul_f64(1.2),
            "another problem begins anew: {other:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn many_objects_share_lists_and_who_changes_an_object_gets_new_ones() {
        let (problems, key) = (Problems::default(), Key::new("team", "demo"));
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(problems.since(&key, Some(1)), None, "it has no problem");
        problems.tell(&key, Some(&problem("public")), Some(1));
        let now = Instant::now();
        assert_eq!(problems.since(&key, Some(1)), Some(now - SHARED));
        assert_eq!(problems.since(&key, Some(2)), Some(now));
        assert!(problems.tell(&key, None, Some(1)).is_none());
        assert_eq!(problems.since(&key, Some(1)), None);
    }
}
