//! The fields of a status.

use serde_json::{Value, json};

use super::fields::{How, ports_newer, ports_older, shift};
use super::{Misfit, Object, condition, failure_domain};

const LOAD_BALANCER: (&str, &str) = ("apiServerLoadBalancer", "apiServerManagedLoadBalancer");
/// Gone from the new version.
pub(super) const GONE: &[&str] = &["ready", "failureReason", "failureMessage"];

pub(super) fn newer(status: &mut Object, at: &str) -> Result<(), Misfit> {
    for field in GONE {
        status.remove(*field);
    }
    if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
        *conditions = condition::newer(conditions);
    }
    if let Some(Value::Object(domains)) = status.get("failureDomains") {
        let list = failure_domain::newer(domains);
        status.insert("failureDomains".into(), list.into());
    }
    let (old, new) = LOAD_BALANCER;
    shift(status, old, new, How::Same, at)?;
    on_resolved(status, at, |resolved, at| {
        ports_newer(resolved, at)?;
        for port in ports(resolved) {
            if port.get("description") == Some(&json!("")) {
                port.remove("description");
            }
        }
        Ok(())
    })
}

/// Leaves out `ready`: not every kind has it.
pub(super) fn older(status: &mut Object, at: &str) -> Result<(), Misfit> {
    if let Some(Value::Array(conditions)) = status.get_mut("conditions") {
        *conditions = condition::older(conditions);
    }
    if let Some(Value::Array(domains)) = status.get("failureDomains") {
        let map = failure_domain::older(domains);
        status.insert("failureDomains".into(), map.into());
    }
    let (old, new) = LOAD_BALANCER;
    shift(status, new, old, How::Same, at)?;
    on_resolved(status, at, |resolved, at| {
        ports_older(resolved, at)?;
        for port in ports(resolved) {
            port.entry("description").or_insert_with(|| "".into());
        }
        Ok(())
    })
}

/// Status of a machine: `resolved`; of a cluster: that of the bastion.
fn on_resolved(
    status: &mut Object,
    at: &str,
    convert: impl Fn(&mut Object, &str) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    if let Some(Value::Object(resolved)) = status.get_mut("resolved") {
        convert(resolved, &format!("{at}/resolved"))?;
    }
    if let Some(Value::Object(bastion)) = status.get_mut("bastion")
        && let Some(Value::Object(resolved)) = bastion.get_mut("resolved")
    {
        convert(resolved, &format!("{at}/bastion/resolved"))?;
    }
    Ok(())
}

fn ports(resolved: &mut Object) -> impl Iterator<Item = &mut Object> {
    let ports = resolved.get_mut("ports").and_then(Value::as_array_mut);
    ports.into_iter().flatten().filter_map(Value::as_object_mut)
}
