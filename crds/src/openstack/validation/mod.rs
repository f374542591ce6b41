//! Rules that a schema cannot say: what contradicts itself, and what may not change.
//!
//! They are those of CAPO's validating webhooks. Where the provider can carry a change out that
//! CAPO refuses, it is allowed; the modules of the kinds say where. Each refusal names the field,
//! its value, what is wrong and what would be right.
//!
//! A write that changes nothing about a violation is never refused because of it: an object that
//! was stored under other rules can still be labelled, annotated and deleted.

mod change;
mod cluster;
mod cluster_template;
mod machine;
mod machine_template;
mod server;

use std::fmt;

use kube::Resource;
use kube::core::response::{Status, StatusCause, StatusDetails, StatusSummary, reason};
use serde_json::Value;

/// Longest text of a value in a message, in characters.
const VALUE_LENGTH: usize = 200;

/// What is checked about a kind before it is stored.
pub trait Rules: Sized {
    /// Whether the topology controller of Cluster API may change what is immutable in a dry run,
    /// by which it only finds out whether it needs to make another object.
    const FREE_IN_TOPOLOGY_DRY_RUN: bool = false;

    /// What is wrong with a new object.
    fn on_create(&self) -> Vec<Violation>;

    /// What is wrong with a change from `old`.
    fn on_update(&self, old: &Self) -> Vec<Violation>;
}

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// For example `spec.ports[0].securityGroups`.
    pub field: String,
    /// The refused value; `None` if the field is absent.
    pub value: Option<Value>,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub way_out: String,
}

impl Violation {
    /// As the causes of a Kubernetes status have it, without the field.
    fn message(&self) -> String {
        let Self {
            value,
            problem,
            way_out,
            ..
        } = self;
        match value {
            Some(value) => format!("Invalid value: {}: {problem}; {way_out}", shown(value)),
            None => format!("Required value: {problem}; {way_out}"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message())
    }
}

/// The answer to a request that breaks rules, in the words that Kubernetes uses for its own kinds.
pub fn refusal<K: Resource<DynamicType = ()>>(name: &str, violations: &[Violation]) -> Status {
    let (kind, group) = (K::kind(&()), K::group(&()));
    let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
    let all = match all.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let cause = |violation: &Violation| StatusCause {
        reason: match violation.value {
            Some(_) => "FieldValueInvalid".into(),
            None => "FieldValueRequired".into(),
        },
        message: violation.message(),
        field: violation.field.clone(),
    };
    Status {
        status: Some(StatusSummary::Failure),
        code: 422,
        message: format!("{kind}.{group} {name:?} is invalid: {all}"),
        reason: reason::INVALID.into(),
        details: Some(StatusDetails {
            name: name.into(),
            group: group.into(),
            kind: kind.into(),
            uid: String::new(),
            causes: violations.iter().map(cause).collect(),
            retry_after_seconds: 0,
        }),
        metadata: None,
    }
}

/// Those that were not there before.
fn new_ones(mut now: Vec<Violation>, before: &[Violation]) -> Vec<Violation> {
    now.retain(|violation| !before.contains(violation));
    now
}

/// A value as JSON, shortened.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::openstack::v1beta2::OpenStackCluster;

    #[test]
    fn a_refusal_reads_like_one_of_kubernetes() {
        let port = Violation {
            field: "spec.apiServer.port".into(),
            value: Some(json!(443)),
            problem: "cannot be changed from 6443".into(),
            way_out: "leave it".into(),
        };
        let gone = Violation {
            field: "spec.bastion".into(),
            value: None,
            ..port.clone()
        };
        let status = refusal::<OpenStackCluster>("demo", &[port, gone]);
        assert_eq!(
            status.message,
            "OpenStackCluster.infrastructure.cluster.x-k8s.io \"demo\" is invalid: \
             [spec.apiServer.port: Invalid value: 443: cannot be changed from 6443; leave it, \
             spec.bastion: Required value: cannot be changed from 6443; leave it]"
        );
        assert!(status.is_invalid());
        let causes = status.details.expect("details").causes;
        assert_eq!(causes[0].field, "spec.apiServer.port");
        assert_eq!(causes[1].reason, "FieldValueRequired");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = shown(&json!("ä".repeat(500)));
        assert_eq!(text.chars().count(), VALUE_LENGTH + 1);
    }
}
