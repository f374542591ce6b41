//! Conditions: those of Cluster API's `v1beta1` have a severity and may lack a reason and a
//! message; `metav1.Condition` has an observed generation and lacks neither.

use serde_json::Value;

use super::Object;

/// The reason of a condition that has none.
const NO_REASON: &str = "NoReasonReported";
/// A type that was renamed, old and new.
const RENAMED: (&str, &str) = ("APIServerIngressReadyCondition", "APIServerIngressReady");

pub(super) fn newer(conditions: &[Value]) -> Vec<Value> {
    let renames = !has(conditions, RENAMED.1);
    let newer = |condition: &mut Object| {
        condition.remove("severity");
        condition
            .entry("reason")
            .or_insert_with(|| NO_REASON.into());
        condition.entry("message").or_insert_with(|| "".into());
        if renames && is(condition, "type", RENAMED.0) {
            condition.insert("type".into(), RENAMED.1.into());
        }
    };
    converted(conditions, newer)
}

pub(super) fn older(conditions: &[Value]) -> Vec<Value> {
    let renames = !has(conditions, RENAMED.0);
    let older = |condition: &mut Object| {
        condition.remove("observedGeneration");
        if is(condition, "reason", NO_REASON) {
            condition.remove("reason");
        }
        if is(condition, "message", "") {
            condition.remove("message");
        }
        if renames && is(condition, "type", RENAMED.1) {
            condition.insert("type".into(), RENAMED.0.into());
        }
    };
    converted(conditions, older)
}

/// The status of the condition `Ready`.
pub(super) fn ready(conditions: &[Value]) -> Option<&str> {
    let ready = conditions.iter().find(|c| c["type"] == "Ready")?;
    ready["status"].as_str()
}

fn converted(conditions: &[Value], convert: impl Fn(&mut Object)) -> Vec<Value> {
    let mut conditions = conditions.to_vec();
    conditions
        .iter_mut()
        .filter_map(Value::as_object_mut)
        .for_each(convert);
    conditions
}

fn has(conditions: &[Value], type_: &str) -> bool {
    conditions.iter().any(|c| c["type"] == type_)
}

fn is(condition: &Object, field: &str, value: &str) -> bool {
    condition.get(field).is_some_and(|v| v == value)
}
