//! What the validating webhooks accept and refuse.

mod changes;
mod cluster;
mod fields;
mod machine;

use crds::openstack::validation::Violation;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// An object of `kind` in the default namespace.
fn object<K: DeserializeOwned>(kind: &str, spec: &Value) -> K {
    with_status(kind, spec, &json!(null))
}

fn with_status<K: DeserializeOwned>(kind: &str, spec: &Value, status: &Value) -> K {
    let version = if kind == "OpenStackServer" {
        "v1alpha1"
    } else {
        "v1beta2"
    };
    let mut object = json!({
        "apiVersion": format!("infrastructure.cluster.x-k8s.io/{version}"),
        "kind": kind,
        "metadata": { "name": "demo", "namespace": "default" },
        "spec": spec,
    });
    if !status.is_null() {
        object["status"] = status.clone();
    }
    serde_json::from_value(object).expect("an object of the kind")
}

/// Asserts that `field`, and nothing else, is refused in words that hold all of `words`.
#[track_caller]
fn refused(found: &[Violation], field: &str, words: &[&str]) {
    let fields: Vec<&str> = found.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, [field], "{found:?}");
    let text = found[0].to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    assert!(!found[0].way_out.is_empty(), "no way out: {text}");
}

/// Asserts that nothing is refused.
#[track_caller]
fn accepted(found: &[Violation]) {
    assert!(found.is_empty(), "{found:?}");
}

/// `base` with the fields of `patch` on top; null removes, and lists are replaced.
fn patched(base: &Value, patch: &Value) -> Value {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            let mut result = base.clone();
            for (key, value) in patch {
                if value.is_null() {
                    result.remove(key);
                } else {
                    let merged = patched(base.get(key).unwrap_or(&json!({})), value);
                    result.insert(key.clone(), merged);
                }
            }
            Value::Object(result)
        }
        _ => patch.clone(),
    }
}
