//! The clock of a simulated cloud.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock that runs at a chosen speed, and that a test can put forward. Clients read it from the header `Date`.
#[derive(Debug)]
pub struct Clock(Mutex<State>);

#[derive(Debug)]
struct State {
    /// What the clock showed at `since`.
    shown: Timestamp,
    since: Instant,
    speed: f64,
}

impl Clock {
    /// Begins now. Speed 1 is real time, 10 is ten times as fast, 0 stands still.
    pub(crate) fn new(speed: f64) -> Self {
        Self(Mutex::new(State {
            shown: Timestamp::now(),
            since: Instant::now(),
            speed: speed.max(0.0),
        }))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.state().now()
    }

    /// Puts the clock forward.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        let shown = add(state.now(), by);
        state.restart(shown);
    }

    /// Changes the speed from now on.
    pub fn set_speed(&self, speed: f64) {
        let mut state = self.state();
        let shown = state.now();
        state.restart(shown);
        state.speed = speed.max(0.0);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Timestamp {
        add(self.shown, self.since.elapsed().mul_f64(self.speed))
    }

    fn restart(&mut self, shown: Timestamp) {
        self.shown = shown;
        self.since = Instant::now();
    }
}

fn add(time: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_clock_moves_only_by_hand() {
        let clock = Clock::new(0.0);
        let before = clock.now();
        assert_eq!(clock.now(), before);
        clock.advance(Duration::from_secs(60));
        assert_eq!(
            clock.now().duration_since(before),
            SignedDuration::from_secs(60)
        );
    }
}
