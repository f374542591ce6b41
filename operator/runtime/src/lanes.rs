//! Turns: objects that depend on the same thing, such as one cloud, share a lane, and a lane lets
//! only so many of them reconcile at a time. One that finds its lane full is put off and called when
//! it is its turn, so that a cloud that answers slowly keeps nobody waiting but its own objects.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use crate::Key;

/// All lanes of a controller.
#[derive(Debug)]
pub struct Lanes {
    state: Mutex<State>,
    calls: UnboundedSender<Key>,
}

/// The right to reconcile; dropping it lets the next one in.
#[derive(Debug)]
pub struct Turn {
    lanes: Arc<Lanes>,
    lane: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let called = self.lanes.state().leave(&self.lane);
        self.lanes.call(called);
    }
}

impl Lanes {
    /// No lanes yet. The receiver gives the objects whose turn it is.
    #[must_use]
    pub fn new() -> (Arc<Self>, UnboundedReceiver<Key>) {
        let (calls, called) = unbounded();
        let state = Mutex::default();
        (Arc::new(Self { state, calls }), called)
    }

    /// Lets `key` in if fewer than `limit` (0: no limit) are in `lane`. If not, it is called later,
    /// first come, first served; it keeps its place however often it asks meanwhile.
    pub fn enter(self: &Arc<Self>, lane: &str, limit: usize, key: &Key) -> Option<Turn> {
        let (entered, called) = self.state().enter(lane, limit, key);
        self.call(called);
        entered.then(|| Turn {
            lanes: self.clone(),
            lane: lane.to_owned(),
        })
    }

    /// The object will not come any more, so nobody waits for it.
    pub fn gone(&self, key: &Key) {
        let called = self.state().gone(key);
        self.call(called);
    }

    /// How many objects wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().places.len()
    }

    fn call(&self, keys: Vec<Key>) {
        for key in keys {
            // Nobody listens any more when the process ends.
            let _ = self.calls.unbounded_send(key);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method leaves the state half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is where. Each method returns the objects whose turn it has become.
#[derive(Debug, Default)]
struct State {
    lanes: HashMap<String, Lane>,
    /// The lane of each object that waits or was called.
    places: HashMap<Key, String>,
}

/// While somebody waits, all turns are taken or promised.
#[derive(Debug, Default)]
struct Lane {
    limit: usize,
    running: usize,
    /// Called, and not there yet: their turns are kept for them.
    called: HashSet<Key>,
    waiting: VecDeque<Key>,
}

impl Lane {
    fn is_free(&self) -> bool {
        self.limit == 0 || self.running + self.called.len() < self.limit
    }

    fn call(&mut self) -> Vec<Key> {
        let mut calls = Vec::new();
        while self.is_free()
            && let Some(key) = self.waiting.pop_front()
        {
            self.called.insert(key.clone());
            calls.push(key);
        }
        calls
    }
}

impl State {
    fn enter(&mut self, name: &str, limit: usize, key: &Key) -> (bool, Vec<Key>) {
        let moved = self.places.get(key).is_some_and(|place| place != name);
        let called = if moved { self.gone(key) } else { Vec::new() };
        let lane = self.lanes.entry(name.to_owned()).or_default();
        lane.limit = limit;
        let waits = self.places.contains_key(key);
        let entered = lane.called.remove(key) || (!waits && lane.is_free());
        if entered {
            lane.running += 1;
            self.places.remove(key);
        } else if !waits {
            lane.waiting.push_back(key.clone());
            self.places.insert(key.clone(), name.to_owned());
        }
        (entered, called)
    }

    fn leave(&mut self, name: &str) -> Vec<Key> {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.running = lane.running.saturating_sub(1);
        }
        self.next(name)
    }

    fn gone(&mut self, key: &Key) -> Vec<Key> {
        let Some(name) = self.places.remove(key) else {
            return Vec::new();
        };
        if let Some(lane) = self.lanes.get_mut(&name)
            && !lane.called.remove(key)
        {
            lane.waiting.retain(|waiting| waiting != key);
        }
        self.next(&name)
    }

    fn next(&mut self, name: &str) -> Vec<Key> {
        let Some(lane) = self.lanes.get_mut(name) else {
            return Vec::new();
        };
        let calls = lane.call();
        if lane.running == 0 && lane.called.is_empty() && lane.waiting.is_empty() {
            self.lanes.remove(name);
        }
        calls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new("default", name)
    }

    fn next(called: &mut UnboundedReceiver<Key>) -> Option<Key> {
        called.try_recv().ok()
    }

    #[test]
    fn who_finds_the_lane_full_is_called_in_the_order_of_arrival() {
        let (lanes, mut called) = Lanes::new();
        let first = lanes.enter("cloud", 1, &key("a")).expect("free");
        for name in ["b", "c", "b"] {
            assert!(lanes.enter("cloud", 1, &key(name)).is_none());
        }
        assert_eq!((lanes.waiting(), next(&mut called)), (2, None));
        drop(first);
        assert_eq!(next(&mut called), Some(key("b")));
        assert!(
            lanes.enter("cloud", 1, &key("late")).is_none(),
            "the turn is kept for the one that was called"
        );
        let second = lanes.enter("cloud", 1, &key("b")).expect("called");
        drop(second);
        assert_eq!(next(&mut called), Some(key("c")));
        drop(lanes.enter("cloud", 1, &key("c")).expect("called"));
        assert_eq!(next(&mut called), Some(key("late")));
        drop(lanes.enter("cloud", 1, &key("late")).expect("called"));
        assert_eq!(lanes.waiting(), 0);
        assert!(lanes.state().lanes.is_empty(), "nothing is kept");
    }

    #[test]
    fn a_full_lane_concerns_no_other() {
        let (lanes, _called) = Lanes::new();
        let _slow = lanes.enter("slow", 1, &key("a")).expect("free");
        assert!(lanes.enter("slow", 1, &key("b")).is_none());
        assert!(lanes.enter("fast", 1, &key("c")).is_some());
        assert!(lanes.enter("slow", 0, &key("d")).is_some(), "no limit");
    }

    #[test]
    fn the_turn_of_one_that_vanished_or_moved_goes_to_the_next() {
        let (lanes, mut called) = Lanes::new();
        let first = lanes.enter("cloud", 1, &key("a")).expect("free");
        for name in ["vanishes", "moves", "stays"] {
            assert!(lanes.enter("cloud", 1, &key(name)).is_none());
        }
        drop(first);
        assert_eq!(next(&mut called), Some(key("vanishes")));
        lanes.gone(&key("vanishes"));
        assert_eq!(next(&mut called), Some(key("moves")));
        assert!(lanes.enter("other", 1, &key("moves")).is_some());
        assert_eq!(next(&mut called), Some(key("stays")));
        lanes.gone(&key("stays"));
        assert!(lanes.enter("cloud", 1, &key("new")).is_some());
    }
}
