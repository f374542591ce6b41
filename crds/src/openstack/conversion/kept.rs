//! What one version has and the other cannot express.
//!
//! | only in `v1beta1` | restored while |
//! |---|---|
//! | a machine's `flavor` besides its `flavorID` | the flavor's ID is the same |
//! | a condition's `severity`, or its type under the new name | type, status, reason, message and time are the same |
//! | `status.ready` other than the condition `Ready`, `failureReason`, `failureMessage` | the status of the condition `Ready` is the same |
//!
//! | only in `v1beta2` | restored while |
//! |---|---|
//! | a condition's `observedGeneration` | all else of the condition is the same |
//! | the order of failure domains | the domains are the same |
//! | an empty `apiServer` | nothing of it is set |
//! | `metadata` of a template of clusters | always: `v1beta1` can say nothing about it |

use serde_json::{Map, Value, json};

use super::{
    CONVERSION_DATA_ANNOTATION, Kind, Version, condition, failure_domain, fields::NEW_PARENTS,
    status::GONE,
};

/// Takes the annotation off, and returns what it says if it is about the same kind in the given
/// version. What cannot be read counts as nothing: it was not for us.
pub(super) fn take(object: &mut Value, kind: Kind, version: Version) -> Value {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return Value::Null;
    };
    let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    else {
        return Value::Null;
    };
    let Some(text) = annotations.remove(CONVERSION_DATA_ANNOTATION) else {
        return Value::Null;
    };
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    let kept: Option<Value> = text.as_str().and_then(|t| serde_json::from_str(t).ok());
    kept.filter(|kept| kept["kind"] == kind.as_str() && kept["apiVersion"] == version.api_version())
        .unwrap_or_default()
}

/// Annotates the object with what the given version has besides; not if that is nothing.
pub(super) fn put(object: &mut Value, kind: Kind, version: Version, only: Map<String, Value>) {
    if only.is_empty() {
        return;
    }
    let mut kept = Value::Object(only);
    kept["kind"] = kind.as_str().into();
    kept["apiVersion"] = version.api_version().into();
    let annotations = place(object, "/metadata/annotations");
    if !annotations.is_object() {
        *annotations = json!({});
    }
    annotations[CONVERSION_DATA_ANNOTATION] = kept.to_string().into();
}

/// What of a `v1beta1` object `v1beta2` cannot express.
pub(super) fn only_older(kind: Kind, old: &Value) -> Map<String, Value> {
    let mut only = Value::Object(Map::new());
    if let Some(path) = kind.machine_spec()
        && let Some(machine) = old.pointer(path)
        && let (Some(name), Some(id)) = (machine.get("flavor"), machine.get("flavorID"))
    {
        insert(&mut only, path, json!({ "flavor": name, "flavorID": id }));
    }
    let status = &old["status"];
    let conditions = list(&status["conditions"]);
    let newer = condition::newer(conditions);
    let is_ready = json!(condition::ready(conditions) == Some("True"));
    let more_than_ready = kind.has_ready()
        && (status.get("ready").is_some_and(|ready| *ready != is_ready)
            || GONE[1..].iter().any(|field| status.get(field).is_some()));
    if more_than_ready || condition::older(&newer) != conditions {
        insert(&mut only, "/status/conditions", conditions.into());
    }
    if more_than_ready {
        for field in GONE {
            if let Some(value) = status.get(field) {
                insert(&mut only, &format!("/status/{field}"), value.clone());
            }
        }
    }
    object(only)
}

/// What of a `v1beta2` object `v1beta1` cannot express.
pub(super) fn only_newer(kind: Kind, new: &Value) -> Map<String, Value> {
    let mut only = Value::Object(Map::new());
    if let Some(path) = kind.cluster_spec() {
        let empty = |parent: &&&str| new.pointer(&format!("{path}/{parent}")) == Some(&json!({}));
        for parent in NEW_PARENTS.iter().filter(empty) {
            insert(&mut only, &format!("{path}/{parent}"), json!({}));
        }
    }
    if let Some(path) = kind.cluster_template() {
        let path = format!("{path}/metadata");
        if let Some(metadata) = new.pointer(&path) {
            insert(&mut only, &path, metadata.clone());
        }
    }
    let conditions = list(&new["status"]["conditions"]);
    if condition::newer(&condition::older(conditions)) != conditions {
        insert(&mut only, "/status/conditions", conditions.into());
    }
    let domains = list(&new["status"]["failureDomains"]);
    if failure_domain::newer(&failure_domain::older(domains)) != domains {
        insert(&mut only, "/status/failureDomains", domains.into());
    }
    object(only)
}

/// Puts into `old`, converted from `new`, what was kept of an earlier `v1beta1` object.
pub(super) fn restore_older(kind: Kind, kept: &Value, new: &Value, old: &mut Value) {
    if let Some(path) = kind.machine_spec()
        && let Some(machine) = kept.pointer(path)
        && let (Some(name), Some(id)) = (machine.get("flavor"), machine.get("flavorID"))
        && old.pointer(path).and_then(|now| now.get("flavorID")) == Some(id)
    {
        insert(old, &format!("{path}/flavor"), name.clone());
    }
    let conditions = list(&new["status"]["conditions"]);
    let kept_conditions = list(&kept["status"]["conditions"]);
    let kept_newer = condition::newer(kept_conditions);
    if let Some(now) = old.pointer_mut("/status/conditions") {
        for (now, condition) in now.as_array_mut().into_iter().flatten().zip(conditions) {
            let bare = without_generation(condition);
            if let Some(same) = kept_newer.iter().position(|kept| *kept == bare) {
                *now = kept_conditions[same].clone();
            }
        }
    }
    if !kind.has_ready() || !old["status"].is_object() {
        return;
    }
    let ready = condition::ready(conditions);
    old["status"]["ready"] = (ready == Some("True")).into();
    if kept["status"].is_object() && condition::ready(kept_conditions) == ready {
        for field in GONE {
            if let Some(value) = kept["status"].get(field) {
                old["status"][*field] = value.clone();
            }
        }
    }
}

/// Puts into `new`, converted from `old`, what was kept of an earlier `v1beta2` object.
pub(super) fn restore_newer(kind: Kind, kept: &Value, old: &Value, new: &mut Value) {
    if let Some(path) = kind
        .cluster_spec()
        .filter(|path| old.pointer(path).is_some())
    {
        for parent in NEW_PARENTS {
            let path = format!("{path}/{parent}");
            if kept.pointer(&path) == Some(&json!({})) && new.pointer(&path).is_none() {
                insert(new, &path, json!({}));
            }
        }
    }
    if let Some(path) = kind
        .cluster_template()
        .filter(|path| old.pointer(path).is_some())
    {
        let path = format!("{path}/metadata");
        if let Some(metadata) = kept.pointer(&path) {
            insert(new, &path, metadata.clone());
        }
    }
    let kept_conditions = list(&kept["status"]["conditions"]);
    let kept_older = condition::older(kept_conditions);
    if let Some(now) = new.pointer_mut("/status/conditions") {
        let conditions = list(&old["status"]["conditions"]);
        for (now, condition) in now.as_array_mut().into_iter().flatten().zip(conditions) {
            let bare = without_severity(condition);
            if let Some(same) = kept_older.iter().position(|kept| *kept == bare) {
                *now = kept_conditions[same].clone();
            }
        }
    }
    let kept_domains = &kept["status"]["failureDomains"];
    if let Some(now) = new.pointer_mut("/status/failureDomains")
        && let Some(domains) = old["status"]["failureDomains"].as_object()
        && kept_domains.is_array()
        && failure_domain::older(list(kept_domains)) == *domains
    {
        *now = kept_domains.clone();
    }
}

fn without_generation(condition: &Value) -> Value {
    without(condition, "observedGeneration")
}

fn without_severity(condition: &Value) -> Value {
    without(condition, "severity")
}

fn without(condition: &Value, field: &str) -> Value {
    let mut condition = condition.clone();
    if let Some(fields) = condition.as_object_mut() {
        fields.remove(field);
    }
    condition
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Sets what is at the path.
fn insert(object: &mut Value, path: &str, value: Value) {
    *place(object, path) = value;
}

/// What is at the path. Makes the objects on the way.
fn place<'a>(object: &'a mut Value, path: &str) -> &'a mut Value {
    let mut at = object;
    for part in path.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[part];
    }
    at
}
