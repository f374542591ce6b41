//! What goes wrong, and when.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::seeded;

/// What is done to a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Not carried out; answered with this status, headers and body.
    Fail {
        /// HTTP status.
        status: u16,
        /// For example `("Retry-After", "2")`.
        headers: Vec<(String, String)>,
        /// Any text.
        body: String,
    },
    /// Carried out after this time (not of the simulator's clock).
    Delay(Duration),
    /// Not carried out, and the connection is closed without an answer.
    DropBefore,
    /// Carried out, and the connection is closed without an answer.
    DropAfter,
    /// Carried out twice; answered with the second answer.
    Duplicate,
    /// Carried out; the connection is closed in the middle of the answer.
    HalfAnswer,
    /// Carried out; answered with status 200 and a page instead of JSON.
    NotJson,
    /// Not carried out, and never answered: [`Faults::held`] tells.
    HoldBefore,
    /// Carried out, and never answered: [`Faults::held`] tells.
    HoldAfter,
}

impl Effect {
    /// A failure with the body `{"message": …}`.
    #[must_use]
    pub fn fail(status: u16, message: &str) -> Self {
        Self::Fail {
            status,
            headers: Vec::new(),
            body: serde_json::json!({"message": message}).to_string(),
        }
    }

    /// 429 with `Retry-After`.
    #[must_use]
    pub fn too_many_requests(seconds: u64) -> Self {
        Self::Fail {
            status: 429,
            headers: vec![("Retry-After".to_owned(), seconds.to_string())],
            body: String::new(),
        }
    }

    /// For the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fail { .. } => "fail",
            Self::Delay(_) => "delay",
            Self::DropBefore => "drop before",
            Self::DropAfter => "drop after",
            Self::Duplicate => "duplicate",
            Self::HalfAnswer => "half an answer",
            Self::NotJson => "not JSON",
            Self::HoldBefore => "hold before",
            Self::HoldAfter => "hold after",
        }
    }
}

/// An effect on some of the calls that match.
///
/// The pattern is that of an operation as the log has it, for example `network POST /ports`,
/// `compute DELETE /servers/{id}`; a `*` stands for any text: `* POST *`, `load-balancer *`.
#[derive(Clone, Debug)]
pub struct Fault {
    pattern: String,
    first: u64,
    times: u64,
    effect: Effect,
    seen: u64,
}

impl Fault {
    /// On the first call that matches.
    #[must_use]
    pub fn new(pattern: &str, effect: Effect) -> Self {
        Self {
            pattern: pattern.to_owned(),
            first: 1,
            times: 1,
            effect,
            seen: 0,
        }
    }

    /// On the k-th call that matches, the first being 1, counted from when the fault is added.
    #[must_use]
    pub fn nth(mut self, k: u64) -> Self {
        self.first = k;
        self
    }

    /// On so many calls in a row.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// On all of them from there on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }
}

/// Effects that befall calls by chance. The same seed does the same to the k-th call of an operation.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// What chance is made of.
    pub seed: u64,
    /// How many of a thousand calls are hit.
    pub per_mille: u64,
    /// Which operations, as in [`Fault::new`].
    pub pattern: String,
    /// One of these.
    pub effects: Vec<Effect>,
}

/// The faults of a simulator.
#[derive(Debug)]
pub struct Faults {
    plan: Mutex<Plan>,
    held: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Plan {
    faults: Vec<Fault>,
    chaos: Option<Chaos>,
    calls: HashMap<String, u64>,
}

impl Faults {
    pub(crate) fn new() -> Self {
        Self {
            plan: Mutex::default(),
            held: watch::Sender::new(0),
        }
    }

    /// Adds a fault. Of several that match a call the first one added wins; all of them count it.
    pub fn add(&self, fault: Fault) {
        self.plan().faults.push(fault);
    }

    /// Adds faults by chance; `None` ends them.
    pub fn set_chaos(&self, chaos: Option<Chaos>) {
        let mut plan = self.plan();
        plan.chaos = chaos;
        plan.calls.clear();
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        *self.plan() = Plan::default();
    }

    /// How many calls are or were held.
    pub fn held(&self) -> u64 {
        *self.held.borrow()
    }

    /// Returns when so many calls have been held in all.
    pub async fn wait_held(&self, count: u64) {
        // It fails only when the sender is gone, which we are.
        let _ = self.held.subscribe().wait_for(|held| *held >= count).await;
    }

    pub(crate) fn hold(&self) {
        self.held.send_modify(|held| *held += 1);
    }

    /// What befalls a call.
    pub(crate) fn decide(&self, operation: &str) -> Option<Effect> {
        self.plan().decide(operation)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn decide(&mut self, operation: &str) -> Option<Effect> {
        let mut effect = None;
        for fault in &mut self.faults {
            if !matches(&fault.pattern, operation) {
                continue;
            }
            fault.seen += 1;
            let since = fault.seen.checked_sub(fault.first);
            if since.is_some_and(|since| since < fault.times) && effect.is_none() {
                effect = Some(fault.effect.clone());
            }
        }
        effect.or_else(|| self.by_chance(operation))
    }

    fn by_chance(&mut self, operation: &str) -> Option<Effect> {
        let chaos = self.chaos.as_ref()?;
        if !matches(&chaos.pattern, operation) || chaos.effects.is_empty() {
            return None;
        }
        let calls = self.calls.entry(operation.to_owned()).or_default();
        *calls += 1;
        let number = seeded::mix(chaos.seed ^ seeded::hash(operation) ^ seeded::mix(*calls));
        let hit = number % 1000 < chaos.per_mille;
        let choice = (number >> 32) as usize % chaos.effects.len();
        hit.then(|| chaos.effects[choice].clone())
    }
}

/// Whether a text fits a pattern in which `*` stands for any text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.into_iter().any(|at| matches(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            ("network POST /ports", "network POST /ports", true),
            ("network POST /ports", "network POST /ports/{id}", false),
            ("* POST *", "network POST /ports", true),
            ("*ports", "network POST /ports", true),
            ("compute *", "network POST /ports", false),
            ("*", "", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} on {text}");
        }
    }

    #[test]
    fn the_kth_matching_call_is_hit() {
        let faults = Faults::new();
        faults.add(Fault::new("* POST *", Effect::DropAfter).nth(2).times(2));
        let hits: Vec<bool> = ["a POST x", "a GET x", "b POST x", "a POST y", "a POST z"]
            .iter()
            .map(|operation| faults.decide(operation).is_some())
            .collect();
        assert_eq!(hits, [false, false, true, true, false]);
    }

    #[test]
    fn chance_repeats_itself() {
        let run = |seed| {
            let faults = Faults::new();
            faults.set_chaos(Some(Chaos {
                seed,
                per_mille: 300,
                pattern: "*".to_owned(),
                effects: vec![Effect::DropBefore, Effect::DropAfter],
            }));
            (0..200)
                .map(|_| faults.decide("network GET /ports"))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).iter().flatten().count();
        assert!((30..=90).contains(&hits), "{hits} of 200");
    }
}
