//! The fields of specs: what they were called, and what they are called now.

use serde_json::{Value, json};

use super::{Misfit, Object};

/// Converts a part of an object in place; the text says where the part is.
pub(super) type Convert = fn(&mut Object, &str) -> Result<(), Misfit>;

/// How the value of a field changes.
#[derive(Clone, Copy)]
pub(super) enum How {
    Same,
    /// True becomes false and false true.
    Opposite,
}
use How::{Opposite, Same};

/// Old path, new path, value. Paths are relative and have dots.
type Row = (&'static str, &'static str, How);

const CLUSTER: &[Row] = &[
    ("networkMTU", "managedNetwork.mtu", Same),
    (
        "disablePortSecurity",
        "managedNetwork.enablePortSecurity",
        Opposite,
    ),
    ("externalRouterIPs", "managedRouter.externalIPs", Same),
    ("disableExternalNetwork", "enableExternalNetwork", Opposite),
    (
        "apiServerLoadBalancer",
        "apiServer.managedLoadBalancer",
        Same,
    ),
    (
        "disableAPIServerFloatingIP",
        "apiServer.enableFloatingIP",
        Opposite,
    ),
    ("apiServerFloatingIP", "apiServer.floatingIP", Same),
    ("apiServerFixedIP", "apiServer.fixedIP", Same),
    ("apiServerPort", "apiServer.port", Same),
    (
        "managedSecurityGroups.allNodesSecurityGroupRules",
        "managedSecurityGroups.clusterNodesSecurityGroupRules",
        Same,
    ),
];

/// The objects that only the new version has. All their fields are in [`CLUSTER`].
pub(super) const NEW_PARENTS: &[&str] = &["managedNetwork", "managedRouter", "apiServer"];

const PORT: &[Row] = &[("disablePortSecurity", "enablePortSecurity", Opposite)];

pub(super) fn cluster_newer(spec: &mut Object, at: &str) -> Result<(), Misfit> {
    // the new version has no empty list of addresses
    if spec.get("externalRouterIPs") == Some(&json!([])) {
        spec.remove("externalRouterIPs");
    }
    for (old, new, value) in CLUSTER {
        shift(spec, old, new, *value, at)?;
    }
    Ok(())
}

pub(super) fn cluster_older(spec: &mut Object, at: &str) -> Result<(), Misfit> {
    for (old, new, value) in CLUSTER {
        shift(spec, new, old, *value, at)?;
    }
    for parent in NEW_PARENTS {
        spec.remove(*parent);
    }
    Ok(())
}

/// A template of clusters has metadata in the new version only.
pub(super) fn template_older(template: &mut Object, _: &str) -> Result<(), Misfit> {
    template.remove("metadata");
    Ok(())
}

pub(super) fn machine_newer(spec: &mut Object, at: &str) -> Result<(), Misfit> {
    let (name, id) = (spec.remove("flavor"), spec.remove("flavorID"));
    let flavor = match (id, name) {
        (Some(id), _) => Some(json!({ "id": id })),
        (None, Some(name)) => Some(json!({ "filter": { "name": name } })),
        (None, None) => None,
    };
    if let Some(flavor) = flavor {
        spec.insert("flavor".into(), flavor);
    }
    ports_newer(spec, at)
}

pub(super) fn machine_older(spec: &mut Object, at: &str) -> Result<(), Misfit> {
    let flavor = spec.remove("flavor").unwrap_or_default();
    if let Some(id) = flavor.get("id") {
        spec.insert("flavorID".into(), id.clone());
    }
    if let Some(name) = flavor.pointer("/filter/name") {
        spec.insert("flavor".into(), name.clone());
    }
    ports_older(spec, at)
}

pub(super) fn ports_newer(parent: &mut Object, at: &str) -> Result<(), Misfit> {
    each_port(parent, at, |port, at| {
        PORT.iter()
            .try_for_each(|(old, new, value)| shift(port, old, new, *value, at))
    })
}

pub(super) fn ports_older(parent: &mut Object, at: &str) -> Result<(), Misfit> {
    each_port(parent, at, |port, at| {
        PORT.iter()
            .try_for_each(|(old, new, value)| shift(port, new, old, *value, at))
    })
}

fn each_port(
    parent: &mut Object,
    at: &str,
    convert: impl Fn(&mut Object, &str) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    let Some(Value::Array(ports)) = parent.get_mut("ports") else {
        return Ok(());
    };
    for (index, port) in ports.iter_mut().enumerate() {
        if let Value::Object(port) = port {
            convert(port, &format!("{at}/ports/{index}"))?;
        }
    }
    Ok(())
}

/// Moves the value of a field, if it is there.
pub(super) fn shift(
    parent: &mut Object,
    from: &str,
    to: &str,
    value: How,
    at: &str,
) -> Result<(), Misfit> {
    let Some(found) = take(parent, from) else {
        return Ok(());
    };
    let moved = match (value, found) {
        (Opposite, Value::Bool(flag)) => Value::Bool(!flag),
        (Opposite, value) if !value.is_null() => {
            return Err(Misfit {
                field: dotted(&format!("{at}/{from}")),
                value,
                problem: "must be true or false",
            });
        }
        (_, found) => found,
    };
    set(parent, to, moved);
    Ok(())
}

/// Takes out what is at the path, and its parent if nothing is left there.
fn take(object: &mut Object, path: &str) -> Option<Value> {
    let Some((parent, field)) = path.split_once('.') else {
        return object.remove(path);
    };
    let inner = object.get_mut(parent)?.as_object_mut()?;
    let value = inner.remove(field)?;
    if inner.is_empty() {
        object.remove(parent);
    }
    Some(value)
}

fn set(object: &mut Object, path: &str, value: Value) {
    let Some((parent, field)) = path.split_once('.') else {
        object.insert(path.into(), value);
        return;
    };
    let parent = object.entry(parent).or_insert_with(|| json!({}));
    if let Some(parent) = parent.as_object_mut() {
        parent.insert(field.into(), value);
    }
}

/// The old version has integers of any size, the new one of 32 bits.
pub(super) fn fit_int32(value: &Value, at: &str) -> Result<(), Misfit> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .try_for_each(|(name, value)| fit_int32(value, &format!("{at}/{name}"))),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .try_for_each(|(index, value)| fit_int32(value, &format!("{at}/{index}"))),
        Value::Number(number) => {
            let fits = |n: i64| i32::try_from(n).is_ok();
            match number.as_i64() {
                Some(number) if fits(number) => Ok(()),
                _ => Err(Misfit {
                    field: dotted(at),
                    value: value.clone(),
                    problem: "must be a whole number between -2147483648 and 2147483647",
                }),
            }
        }
        _ => Ok(()),
    }
}

/// `spec/ports/0/trunk` as people write it: `spec.ports[0].trunk`.
fn dotted(path: &str) -> String {
    let mut text = String::new();
    for part in path.split('/') {
        match part.parse::<usize>() {
            Ok(index) => text.push_str(&format!("[{index}]")),
            Err(_) if text.is_empty() => text.push_str(part),
            Err(_) => text.push_str(&format!(".{part}")),
        }
    }
    text
}
