//! What was applied, and what of it has to go.
//!
//! An object is its group, kind, namespace and name. Not its version: a chart that moves from
//! `v1beta1` to `v1` names the same object, and deleting "the old one" would delete the new.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Object {
    /// API group; empty for the core group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for objects that have none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Object {
    /// Names the object in this JSON.
    ///
    /// # Errors
    /// The field that is missing.
    pub fn of(object: &Value) -> Result<Self, &'static str> {
        let text = |pointer: &str| {
            object
                .pointer(pointer)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        let (group, _) = split(text("/apiVersion").ok_or("apiVersion")?);
        Ok(Self {
            group: group.to_owned(),
            kind: text("/kind").ok_or("kind")?.to_owned(),
            namespace: text("/metadata/namespace").unwrap_or_default().to_owned(),
            name: text("/metadata/name").ok_or("metadata.name")?.to_owned(),
        })
    }

    /// The same in a namespace.
    #[must_use]
    pub fn within(self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            ..self
        }
    }
}

/// Group and version of an `apiVersion`.
#[must_use]
pub fn split(api_version: &str) -> (&str, &str) {
    api_version.split_once('/').unwrap_or(("", api_version))
}

/// What the last release had and this one lacks. Never among them: namespaces and
/// CustomResourceDefinitions, which would take along what users keep in them.
#[must_use]
pub fn gone(before: &[Object], now: &[Object]) -> Vec<Object> {
    let now: BTreeSet<&Object> = now.iter().collect();
    before
        .iter()
        .filter(|object| !now.contains(object) && !is_kept(object))
        .cloned()
        .collect()
}

/// Whether the object holds what belongs to others.
#[must_use]
pub fn is_kept(object: &Object) -> bool {
    matches!(
        (object.group.as_str(), object.kind.as_str()),
        ("", "Namespace") | ("apiextensions.k8s.io", "CustomResourceDefinition")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Object {
        let metadata = json!({"name": name, "namespace": namespace});
        Object::of(&json!({"apiVersion": api_version, "kind": kind, "metadata": metadata}))
            .expect("object")
    }

    #[test]
    fn a_new_version_of_a_kind_is_the_same_object() {
        let before = [object("policy/v1beta1", "PodDisruptionBudget", "a", "x")];
        let now = [object("policy/v1", "PodDisruptionBudget", "a", "x")];
        assert!(gone(&before, &now).is_empty());
    }

    #[test]
    fn kind_and_namespace_tell_objects_apart() {
        let before = [
            object("v1", "Secret", "a", "x"),
            object("v1", "ConfigMap", "a", "x"),
            object("v1", "ConfigMap", "b", "x"),
            object("v1", "Namespace", "", "kube-system"),
        ];
        let now = [object("v1", "ConfigMap", "a", "x")];
        assert_eq!(gone(&before, &now), [before[0].clone(), before[2].clone()]);
    }
}
