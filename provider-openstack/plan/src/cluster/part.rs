//! One part of a cluster's infrastructure: what there is of it, and what it needs next.

use super::action::Action;
use crate::step::Waiting;

/// The state of a part.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part<T> {
    /// What other parts may build on.
    pub value: Option<T>,
    pub actions: Vec<Action>,
    pub waiting: Option<Waiting>,
}

impl<T> Part<T> {
    pub fn ready(value: T) -> Self {
        Self {
            value: Some(value),
            actions: Vec::new(),
            waiting: None,
        }
    }

    /// Usable, although something is still to be done to it.
    pub fn usable(value: T, actions: Vec<Action>) -> Self {
        Self {
            value: Some(value),
            actions,
            waiting: None,
        }
    }

    pub fn lacks(actions: Vec<Action>) -> Self {
        Self {
            value: None,
            actions,
            waiting: None,
        }
    }

    pub fn waits(waiting: Waiting) -> Self {
        Self {
            value: None,
            actions: Vec::new(),
            waiting: Some(waiting),
        }
    }

    /// It waits for another part of the cluster.
    pub fn waits_for_part() -> Self {
        Self::lacks(Vec::new())
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Part<U> {
        Part {
            value: self.value.map(f),
            actions: self.actions,
            waiting: self.waiting,
        }
    }

    /// Both parts as one, with a value when both have one.
    pub fn join<U, V>(mut self, other: Part<U>, f: impl FnOnce(T, U) -> V) -> Part<V> {
        self.actions.extend(other.actions);
        let value = self.value.zip(other.value).map(|(one, two)| f(one, two));
        Part {
            value,
            actions: self.actions,
            waiting: self.waiting.or(other.waiting),
        }
    }

    pub fn is_settled(&self) -> bool {
        self.value.is_some() && self.actions.is_empty() && self.waiting.is_none()
    }

    /// What is being done or awaited, for the message of a condition.
    pub fn message(&self, otherwise: &str) -> String {
        match (&self.waiting, self.actions.as_slice()) {
            (Some(waiting), []) => waiting.message.clone(),
            (_, []) => otherwise.to_string(),
            (_, [one]) => one.to_string(),
            (_, [first, rest @ ..]) => format!("{first}, and {} more", rest.len()),
        }
    }
}
