//! Who does the same once more waits, ever longer.
//!
//! A service may accept a deletion and then fail at it, or not know what it lists all the same. Nothing
//! that it says then tells that the next try will do no better, and each try costs calls and events.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use plan::step::Step;
use runtime::backoff::{LONGEST, wait_after};
use runtime::{Key, Requeue};
use tokio::time::Instant;

/// What was done last for each object of a kind.
#[derive(Debug)]
pub struct Brake<A>(Mutex<HashMap<Key, Last<A>>>);

#[derive(Debug)]
struct Last<A> {
    actions: Vec<A>,
    at: Instant,
    /// How often in a row.
    times: u32,
}

impl<A> Default for Brake<A> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<A: Clone + PartialEq> Brake<A> {
    /// How long not to do this yet, as it was done just now, with whatever wait in between; `None` for
    /// all that is new.
    pub fn hold(&self, key: &Key, step: &Step<A>) -> Option<Duration> {
        let Step::Do(actions) = step else {
            return None;
        };
        let all = self.all();
        let last = all.get(key).filter(|last| last.actions == *actions)?;
        let left = wait_after(last.times).checked_sub(last.at.elapsed())?;
        (!left.is_zero()).then_some(left)
    }

    /// When to come back: `otherwise`, unless the step was `held`. If it was not, it has succeeded.
    pub fn requeue(
        &self,
        key: &Key,
        step: &Step<A>,
        held: Option<Duration>,
        otherwise: Requeue,
    ) -> Requeue {
        match (step, held) {
            (_, Some(left)) => return Requeue::After(left),
            (Step::Do(actions), None) => self.done(key, actions),
            (Step::Done, None) => self.forget(key),
            (Step::Wait(_) | Step::Blocked(_), None) => {}
        }
        otherwise
    }

    fn done(&self, key: &Key, actions: &[A]) {
        let mut all = self.all();
        let before = all.get(key).filter(|last| {
            // What was quiet for so long begins anew.
            last.actions == actions && last.at.elapsed() < LONGEST * 2
        });
        let times = before.map_or(0, |last| last.times).saturating_add(1);
        let last = Last {
            actions: actions.to_vec(),
            at: Instant::now(),
            times,
        };
        all.insert(key.clone(), last);
    }

    /// The object is gone.
    pub fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    /// A panic elsewhere does not make what is remembered worse.
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Last<A>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use plan::step::Waiting;

    use super::*;

    type Steps = Brake<&'static str>;

    fn waits() -> Step<&'static str> {
        Step::Wait(Waiting::for_event("Deleting", "it goes"))
    }

    /// Does the step, if it may be done; how long to wait otherwise.
    fn reconcile(brake: &Steps, key: &Key, step: &Step<&'static str>) -> Duration {
        let held = brake.hold(key, step);
        match brake.requeue(key, step, held, Requeue::OnChange) {
            Requeue::After(left) => left,
            Requeue::OnChange => Duration::ZERO,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_of_no_avail_is_done_ever_more_rarely() {
        let (brake, key) = (Steps::default(), Key::new("team", "demo"));
        let delete = Step::Do(vec!["delete s"]);
        let (mut times, began) = (0, Instant::now());
        while began.elapsed() < Duration::from_secs(600) {
            match reconcile(&brake, &key, &delete) {
                Duration::ZERO => times += 1,
                left => tokio::time::advance(left).await,
            }
            // The view shows what became of it.
            reconcile(&brake, &key, &waits());
            tokio::time::advance(Duration::from_secs(2)).await;
        }
        assert!((8..=11).contains(&times), "{times} times in ten minutes");
        brake.forget(&key);
        assert!(reconcile(&brake, &key, &delete).is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_on_feels_nothing() {
        let (brake, key) = (Steps::default(), Key::new("team", "demo"));
        for action in ["port", "server", "port", "delete", "port"] {
            assert!(reconcile(&brake, &key, &Step::Do(vec![action])).is_zero());
        }
        let again = Step::Do(vec!["port"]);
        assert!(!reconcile(&brake, &key, &again).is_zero());
        assert!(reconcile(&brake, &Key::new("team", "other"), &again).is_zero());
        reconcile(&brake, &key, &Step::Done);
        assert!(reconcile(&brake, &key, &again).is_zero(), "it was done");
    }
}
