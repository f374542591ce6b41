//! What the parts of a world have in common.

use std::fmt;
use std::hash::{DefaultHasher, Hasher};

/// A reconcile that has decided and not yet published: the calls that it still has to make, in any
/// order, and what it publishes after the last one.
#[derive(Clone, Debug)]
pub struct Flight<A, P> {
    pub actions: Vec<A>,
    pub publish: P,
}

impl<A: Clone, P: Clone> Flight<A, P> {
    /// Each call as the next one, and the flight that is left after it: none after the last, when it
    /// only has to publish.
    pub fn calls(&self) -> impl Iterator<Item = (A, Option<Self>)> {
        (0..self.actions.len()).map(|index| {
            let mut rest = self.clone();
            let action = rest.actions.remove(index);
            (action, Some(rest).filter(|rest| !rest.actions.is_empty()))
        })
    }
}

/// What goes wrong, or what users do. Whatever is not one of these goes on by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The provider stops and starts again; what it had still to do and to publish is forgotten.
    Stop,
    /// The answer to a call is lost. The call takes effect at once, later or never.
    LostAnswer,
    /// Nova fails to build a server.
    BuildError,
    /// Somebody deletes a server in Nova.
    ServerLost,
    /// Somebody deletes the load balancer in Octavia.
    LoadBalancerLost,
    /// A user deletes a Machine.
    MachineDeleted,
    /// A user wants one worker less. To want it back is no further trouble.
    Scaled,
    /// A user says who may reach the API, or says it no more.
    Edited,
}

impl Trouble {
    /// Which of those that happen once only; 0 for the others.
    pub fn once(self) -> u8 {
        match self {
            Trouble::Stop | Trouble::LostAnswer | Trouble::Scaled | Trouble::Edited => 0,
            Trouble::BuildError => 1,
            Trouble::ServerLost => 2,
            Trouble::LoadBalancerLost => 4,
            Trouble::MachineDeleted => 8,
        }
    }
}

/// One thing that can happen next, and what it leads to.
pub struct Next<T> {
    pub label: String,
    pub to: T,
    /// `None` when it happens by itself, sooner or later.
    pub trouble: Option<Trouble>,
}

impl<T> Next<T> {
    pub fn fair(label: impl Into<String>, to: T) -> Self {
        Self {
            label: label.into(),
            to,
            trouble: None,
        }
    }

    pub fn trouble(trouble: Trouble, label: impl fmt::Debug, to: T) -> Self {
        Self {
            label: format!("{trouble:?}: {label:?}"),
            to,
            trouble: Some(trouble),
        }
    }
}

/// 128 bits of what a value looks like: equal values have equal ones, and of a few million different
/// ones no two (but for a chance of 1 in 10^25).
pub fn digest(value: &impl fmt::Debug) -> u128 {
    // At once, because a hash of each little piece of it would take most of the time of a search.
    let text = format!("{value:?}");
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u8(seed);
        hasher.write(text.as_bytes());
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}
