//! What differs between what a spec may become and what it shall become.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Violation, shown};
use crate::openstack::v1beta2::PortOpts;

/// Every field of `new` that is not as in `allowed`: the old spec in which all that may change has
/// been given its new value. `way_out` tells for a field what would be right.
pub(super) fn refused<T: Serialize>(
    field: &str,
    allowed: &T,
    new: &T,
    way_out: impl Fn(&str) -> &'static str,
) -> Vec<Violation> {
    let mut changes = Vec::new();
    match (serde_json::to_value(allowed), serde_json::to_value(new)) {
        (Ok(allowed), Ok(new)) => {
            differences(field.into(), Some(&allowed), Some(&new), &mut changes);
        }
        (Err(error), _) | (_, Err(error)) => changes.push(Change {
            field: field.into(),
            from: None,
            to: Some(Value::String(error.to_string())),
        }),
    }
    let violation = |change: Change| Violation {
        problem: match (&change.from, &change.to) {
            (Some(from), Some(_)) => format!("cannot be changed from {}", shown(from)),
            (Some(from), None) => format!("cannot be removed, it is {}", shown(from)),
            (None, _) => "cannot be set later".into(),
        },
        way_out: way_out(&change.field).into(),
        field: change.field,
        value: change.to,
    };
    changes.into_iter().map(violation).collect()
}

/// Lets the address pairs of ports be as they are in `new`: the one thing about a port that
/// Neutron can change under a running server, and that CAPO lets users change.
pub(super) fn allow_address_pairs(allowed: &mut [PortOpts], new: &[PortOpts]) {
    if allowed.len() == new.len() {
        for (port, new) in allowed.iter_mut().zip(new) {
            port.allowed_address_pairs
                .clone_from(&new.allowed_address_pairs);
        }
    }
}

struct Change {
    field: String,
    from: Option<Value>,
    to: Option<Value>,
}

fn differences(field: String, from: Option<&Value>, to: Option<&Value>, all: &mut Vec<Change>) {
    match (from, to) {
        _ if from == to => {}
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            for key in keys(from, to) {
                differences(format!("{field}.{key}"), from.get(key), to.get(key), all);
            }
        }
        (Some(Value::Array(from)), Some(Value::Array(to))) if from.len() == to.len() => {
            for (index, (from, to)) in from.iter().zip(to).enumerate() {
                differences(format!("{field}[{index}]"), Some(from), Some(to), all);
            }
        }
        _ => all.push(Change {
            field,
            from: from.cloned(),
            to: to.cloned(),
        }),
    }
}

fn keys<'a>(one: &'a Map<String, Value>, two: &'a Map<String, Value>) -> Vec<&'a String> {
    let only_two = two.keys().filter(|key| !one.contains_key(*key));
    one.keys().chain(only_two).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_the_smallest_field_that_differs() {
        let old = json!({ "a": { "b": 1, "c": [{ "d": 1 }, { "d": 2 }] }, "gone": true });
        let new = json!({ "a": { "b": 1, "c": [{ "d": 1 }, { "d": 3 }] }, "new": "x" });
        let found = refused("spec", &old, &new, |_| "leave it");
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "spec.a.c[1].d: Invalid value: 3: cannot be changed from 2; leave it",
                "spec.gone: Required value: cannot be removed, it is true; leave it",
                "spec.new: Invalid value: \"x\": cannot be set later; leave it",
            ]
        );
    }

    #[test]
    fn a_list_of_another_length_differs_as_a_whole() {
        let found = refused("spec", &json!([1, 2]), &json!([1]), |_| "leave it");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].field, "spec");
    }
}
