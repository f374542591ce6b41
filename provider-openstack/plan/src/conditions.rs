//! Conditions whose transition time changes only when their status does.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Sets one condition, at `now`, for the object's `generation`.
///
/// The transition time is kept while the status stays the same. A condition that is already there
/// with the same content is left untouched, so that an unchanged status stays equal.
pub fn set(conditions: &mut Vec<Condition>, new: New<'_>, generation: Option<i64>, now: Timestamp) {
    let found = conditions.iter_mut().find(|c| c.type_ == new.type_);
    let since = match &found {
        Some(old) if old.status == new.status.word() => old.last_transition_time.clone(),
        _ => Time(now),
    };
    let condition = Condition {
        type_: new.type_.to_string(),
        status: new.status.word().to_string(),
        reason: new.reason.to_string(),
        message: new.message,
        last_transition_time: since,
        observed_generation: generation,
    };
    match found {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

/// The content of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct New<'a> {
    pub type_: &'a str,
    pub status: Status,
    pub reason: &'a str,
    pub message: String,
}

impl<'a> New<'a> {
    /// True, with the reason that CAPO gives to every condition that holds: `Ready`.
    pub fn ready(type_: &'a str) -> Self {
        Self {
            type_,
            status: Status::True,
            reason: "Ready",
            message: String::new(),
        }
    }

    pub fn not(type_: &'a str, reason: &'a str, message: impl Into<String>) -> Self {
        Self {
            type_,
            status: Status::False,
            reason,
            message: message.into(),
        }
    }

    pub fn unknown(type_: &'a str, reason: &'a str, message: impl Into<String>) -> Self {
        Self {
            type_,
            status: Status::Unknown,
            reason,
            message: message.into(),
        }
    }
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    True,
    False,
    Unknown,
}

impl Status {
    /// The word used on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Status::True => "True",
            Status::False => "False",
            Status::Unknown => "Unknown",
        }
    }
}

/// Whether the condition is there and holds.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions
        .iter()
        .any(|c| c.type_ == type_ && c.status == Status::True.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_changes_only_with_the_status() {
        let at = |second| Timestamp::from_second(second).unwrap_or_default();
        let mut conditions = Vec::new();
        set(
            &mut conditions,
            New::not("Ready", "Creating", "network"),
            Some(1),
            at(1),
        );
        set(
            &mut conditions,
            New::not("Ready", "Creating", "router"),
            Some(2),
            at(2),
        );
        assert_eq!(conditions[0].last_transition_time, Time(at(1)));
        assert_eq!(conditions[0].observed_generation, Some(2));
        assert_eq!(conditions[0].message, "router");
        set(&mut conditions, New::ready("Ready"), Some(1), at(3));
        assert_eq!(conditions[0].last_transition_time, Time(at(3)));
        assert!(is_true(&conditions, "Ready"));
        assert_eq!(conditions.len(), 1);
    }
}
