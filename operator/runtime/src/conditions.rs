//! `metav1.Condition`s. `lastTransitionTime` moves only when `status` does, as the API
//! conventions demand, so that an unchanged object is not written.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// What a condition says now; [`set`] puts it into a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Type, such as `Ready`.
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: Status,
    /// One CamelCase word, never empty.
    pub reason: String,
    /// For people; may be empty.
    pub message: String,
}

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can tell.
    Unknown,
}

impl Status {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// Puts `said` into `conditions`, which stay sorted by type.
pub fn set(conditions: &mut Vec<Condition>, said: Said, generation: Option<i64>, now: &Time) {
    let new = Condition {
        type_: said.type_,
        status: said.status.as_str().to_owned(),
        reason: said.reason,
        message: said.message,
        observed_generation: generation,
        last_transition_time: now.clone(),
    };
    match conditions.iter_mut().find(|old| old.type_ == new.type_) {
        Some(old) if old.status == new.status => {
            *old = Condition {
                last_transition_time: old.last_transition_time.clone(),
                ..new
            };
        }
        Some(old) => *old = new,
        None => conditions.push(new),
    }
    conditions.sort_by(|a, b| a.type_.cmp(&b.type_));
}

/// Whether the condition of this type is `True`.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions
        .iter()
        .any(|condition| condition.type_ == type_ && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::jiff::Timestamp;

    fn said(status: Status, reason: &str) -> Said {
        Said {
            type_: "Ready".into(),
            status,
            reason: reason.into(),
            message: String::new(),
        }
    }

    #[test]
    fn the_time_moves_only_with_the_status() {
        let at = |second| Time(Timestamp::from_second(second).expect("in range"));
        let mut conditions = Vec::new();
        set(&mut conditions, said(Status::False, "A"), Some(1), &at(1));
        set(&mut conditions, said(Status::False, "B"), Some(2), &at(2));
        assert_eq!(
            (
                conditions[0].reason.as_str(),
                &conditions[0].last_transition_time
            ),
            ("B", &at(1))
        );
        set(
            &mut conditions,
            said(Status::True, "Ready"),
            Some(2),
            &at(3),
        );
        assert_eq!(
            (conditions.len(), &conditions[0].last_transition_time),
            (1, &at(3))
        );
        assert!(is_true(&conditions, "Ready"));
    }
}
