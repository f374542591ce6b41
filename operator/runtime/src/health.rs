//! `/healthz`: the process lives. `/readyz`: it serves; if it does not, the answer says what is
//! awaited, for example `waiting for: watch OpenStackMachine`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What must have happened before the process is ready. Cheap to clone; all clones are one.
#[derive(Clone, Default)]
pub struct Health {
    gates: Arc<Mutex<BTreeMap<String, bool>>>,
}

/// One thing that is awaited; [`Gate::open`] says that it has happened.
#[derive(Clone)]
pub struct Gate {
    health: Health,
    name: String,
}

impl Health {
    /// From now on readiness waits for `name`.
    #[must_use]
    pub fn gate(&self, name: impl Into<String>) -> Gate {
        let name = name.into();
        self.set(&name, false);
        Gate {
            health: self.clone(),
            name,
        }
    }

    /// What is still awaited; empty when ready.
    #[must_use]
    pub fn awaited(&self) -> Vec<String> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates
            .iter()
            .filter(|(_, open)| !**open)
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn set(&self, name: &str, open: bool) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.insert(name.to_owned(), open);
    }
}

impl Gate {
    /// It has happened.
    pub fn open(&self) {
        self.health.set(&self.name, true);
    }

    /// It is no longer so.
    pub fn close(&self) {
        self.health.set(&self.name, false);
    }
}

#[cfg(test)]
mod tests {
    use super::Health;

    #[test]
    fn readiness_names_what_is_awaited() {
        let health = Health::default();
        let (lease, watch) = (health.gate("lease"), health.gate("watch Cluster"));
        lease.open();
        assert_eq!(health.awaited(), ["watch Cluster"]);
        watch.open();
        assert!(health.awaited().is_empty());
        lease.close();
        assert_eq!(health.awaited(), ["lease"]);
    }
}
