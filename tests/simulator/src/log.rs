//! What the cloud was asked.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

/// A longer body is not kept.
const LONGEST_BODY: usize = 4096;

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Call {
    /// When it came, on the simulator's clock.
    pub at: Timestamp,
    /// Service, method and path, with `{id}` for ids: `network PUT /ports/{id}/tags`.
    pub operation: String,
    /// The path without prefix and version.
    pub path: String,
    /// The query as it was sent.
    pub query: String,
    /// The body, unless it was long or a login.
    pub body: Value,
    /// Status of the answer; `None` when none was sent.
    pub status: Option<u16>,
    /// The name of the fault that befell it.
    pub fault: Option<&'static str>,
    /// `User-Agent`.
    pub user_agent: String,
    /// The id of what it made.
    pub made: Option<String>,
}

/// The calls of a simulator.
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<Call>>);

impl Log {
    pub(crate) fn push(&self, call: Call) {
        self.calls().push(call);
    }

    /// All calls, in the order in which they were answered.
    pub fn all(&self) -> Vec<Call> {
        self.calls().clone()
    }

    /// How many calls there were.
    pub fn total(&self) -> usize {
        self.calls().len()
    }

    /// How many calls fit a pattern such as `compute *` or `* POST *` (see [`crate::Fault`]).
    pub fn count(&self, pattern: &str) -> usize {
        let calls = self.calls();
        calls
            .iter()
            .filter(|call| crate::faults::matches(pattern, &call.operation))
            .count()
    }

    /// Calls by operation.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls().iter() {
            *counts.entry(call.operation.clone()).or_default() += 1;
        }
        counts
    }

    /// Forgets all calls and returns them.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls())
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body for the log.
pub(crate) fn kept(path: &str, raw: &[u8], body: &Value) -> Value {
    if raw.len() > LONGEST_BODY || path.starts_with("/auth") {
        return Value::Null;
    }
    body.clone()
}

/// The name of an operation: ids become `{id}`.
pub(crate) fn operation(service: &str, method: &str, path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let path: String = segments
        .map(|segment| {
            if is_id(segment) {
                "/{id}".to_owned()
            } else {
                format!("/{segment}")
            }
        })
        .collect();
    let path = if path.is_empty() { "/" } else { &path };
    format!("{service} {method} {path}")
}

/// A UUID, with or without dashes.
fn is_id(segment: &str) -> bool {
    let digits = segment.chars().filter(|c| *c != '-');
    digits.clone().count() == 32 && digits.clone().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_left_out_of_operations() {
        let path = "/ports/0fd2e1b6-0c5b-4a3e-a1f0-aabbccddeeff/tags";
        assert_eq!(
            operation("network", "PUT", path),
            "network PUT /ports/{id}/tags"
        );
        assert_eq!(operation("load-balancer", "GET", ""), "load-balancer GET /");
    }
}
