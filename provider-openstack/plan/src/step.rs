//! The shape of a decision.

use std::fmt;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<A> {
    /// Perform these actions. They are independent of each other, so they run side by side.
    /// Afterwards the object is observed and planned again.
    Do(Vec<A>),
    /// Nothing can be done until something else happens.
    Wait(Waiting),
    /// The world is as wanted.
    Done,
    /// Nothing can be done until somebody changes the object or the cloud.
    Blocked(Problem),
}

impl<A> Step<A> {
    /// `Do(actions)`, or `otherwise` when there are none.
    pub fn of(actions: Vec<A>, otherwise: impl FnOnce() -> Step<A>) -> Step<A> {
        if actions.is_empty() {
            otherwise()
        } else {
            Step::Do(actions)
        }
    }

    /// What stands in the way, if the step is blocked.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Step::Blocked(problem) => Some(problem),
            Step::Do(_) | Step::Wait(_) | Step::Done => None,
        }
    }
}

/// A step together with the status that describes the object at this moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<A, S> {
    pub step: Step<A>,
    pub status: S,
}

/// What an object waits for. The controller registers interest in every entry of `on`, so that the
/// object is looked at again as soon as one of them changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// CamelCase, usable as a condition reason.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
    /// Cloud resources that are awaited. Empty when a Kubernetes object is awaited: a watch on it
    /// wakes the waiting one.
    pub on: Vec<Awaited>,
}

impl Waiting {
    /// Waits for a Kubernetes object or another event that the controllers watch anyway.
    pub fn for_event(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
            on: Vec::new(),
        }
    }

    /// Waits for a change of cloud resources.
    pub fn for_cloud(
        reason: impl Into<String>,
        message: impl Into<String>,
        on: impl IntoIterator<Item = Awaited>,
    ) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
            on: on.into_iter().collect(),
        }
    }
}

/// A cloud resource whose change is awaited.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Awaited {
    pub resource: Resource,
    pub id: String,
}

impl Awaited {
    pub fn new(resource: Resource, id: impl Into<String>) -> Self {
        Self {
            resource,
            id: id.into(),
        }
    }
}

/// The resource types of OpenStack that this provider handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    Network,
    Subnet,
    Router,
    Port,
    Trunk,
    SecurityGroup,
    FloatingIp,
    LoadBalancer,
    Server,
    Volume,
}

/// Why an object cannot go on: which field of which object holds what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// CamelCase, usable as a condition reason.
    pub reason: String,
    /// Kind and name of the object that must change, for example `OpenStackCluster demo`.
    pub object: String,
    /// Path of the field, for example `spec.externalNetwork`.
    pub field: String,
    /// The value found there, as the user would recognise it; empty when the field is unset.
    pub value: String,
    /// What is wrong, and the way out: what would be right.
    pub way_out: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.field)?;
        if !self.value.is_empty() {
            write!(f, " = {}", self.value)?;
        }
        write!(f, ": {}", self.way_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_names_object_field_value_and_way_out() {
        let problem = Problem {
            reason: "NotFound".into(),
            object: "OpenStackCluster demo".into(),
            field: "spec.externalNetwork".into(),
            value: "{\"id\":\"x\"}".into(),
            way_out: "no such network; name an external network of this cloud".into(),
        };
        assert_eq!(
            problem.to_string(),
            "OpenStackCluster demo: spec.externalNetwork = {\"id\":\"x\"}: no such network; name an external network of this cloud"
        );
    }

    #[test]
    fn no_actions_means_the_alternative() {
        assert_eq!(Step::<u8>::of(vec![], || Step::Done), Step::Done);
        assert_eq!(Step::of(vec![1], || Step::Done), Step::Do(vec![1]));
    }
}
