//! Conditions whose transition time changes only when their status does.

use std::fmt;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What the API server takes of a message, in characters.
const LONGEST: usize = 32768;
/// How many entries of a list a message names.
const NAMED: usize = 10;

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
        message: cut(new.message),
        last_transition_time: since,
        observed_generation: generation,
    };
    match found {
        Some(old) => *old = condition,
        None => conditions.push(condition),
    }
}

/// What is too long would be refused, and everything else in the status with it.
fn cut(mut message: String) -> String {
    let at = |n| message.char_indices().nth(n).map(|(at, _)| at);
    if let (Some(end), Some(_)) = (at(LONGEST - 1), at(LONGEST)) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// A list for a message, which names the first of many.
pub(crate) fn listed<T: fmt::Display>(all: &[T]) -> String {
    let named: Vec<String> = all.iter().take(NAMED).map(T::to_string).collect();
    match all.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
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

/// What a condition of `type_` says, given what it `known` said, while nobody can look: what did
/// hold may hold still, but nobody knows; what did not, does not.
pub fn unseen<'a>(
    known: &[Condition],
    type_: &'a str,
    reason: &'a str,
    message: impl Into<String>,
) -> New<'a> {
    let held = known
        .iter()
        .any(|c| c.type_ == type_ && c.status != Status::False.word());
    match held {
        true => New::unknown(type_, reason, message),
        false => New::not(type_, reason, message),
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
    fn what_nobody_sees_neither_holds_nor_stops_to() {
        let mut known = Vec::new();
        let unseen = |known: &[Condition]| unseen(known, "Ready", "Refused", "log in").status;
        assert_eq!(unseen(&known), Status::False, "it never was");
        for (before, after) in [
            (New::ready("Ready"), Status::Unknown),
            (New::unknown("Ready", "Refused", ""), Status::Unknown),
            (New::not("Ready", "Creating", ""), Status::False),
        ] {
            set(&mut known, before, None, Timestamp::UNIX_EPOCH);
            assert_eq!(unseen(&known), after);
        }
    }

    #[test]
    fn a_message_is_as_long_as_the_api_server_takes() {
        let said = |message: &str| {
            let mut conditions = Vec::new();
            let new = New::not("Ready", "Creating", message);
            set(&mut conditions, new, None, Timestamp::UNIX_EPOCH);
            conditions.remove(0).message
        };
        for letter in ["x", "ü"] {
            let longest = letter.repeat(32768);
            assert_eq!(said(&longest), longest);
            let longer = said(&letter.repeat(32769));
            assert_eq!(longer.chars().count(), 32768);
            assert!(longer.ends_with('…'));
        }
    }

    #[test]
    fn a_list_names_the_first_of_many() {
        let all: Vec<usize> = (1..=12).collect();
        assert_eq!(listed(&all[..2]), "1, 2");
        assert_eq!(listed(&all[..10]), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10");
        assert_eq!(listed(&all), "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more");
    }

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
