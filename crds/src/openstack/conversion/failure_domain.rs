//! Failure domains: a map by name in `v1beta1`, a list sorted by name in `v1beta2`.

use serde_json::{Value, json};

use super::Object;

pub(super) fn newer(domains: &Object) -> Vec<Value> {
    let mut list: Vec<(&String, Value)> = domains
        .iter()
        .map(|(name, domain)| {
            let mut domain = domain.clone();
            if let Some(fields) = domain.as_object_mut() {
                fields.insert("name".into(), json!(name));
            }
            (name, domain)
        })
        .collect();
    list.sort_by_key(|(name, _)| *name);
    list.into_iter().map(|(_, domain)| domain).collect()
}

/// A domain without a name is in a part of an object only, and then of no use.
pub(super) fn older(domains: &[Value]) -> Object {
    let named = domains.iter().filter_map(|domain| {
        let mut fields = domain.as_object()?.clone();
        match fields.remove("name")? {
            Value::String(name) => Some((name, Value::Object(fields))),
            _ => None,
        }
    });
    named.collect()
}
