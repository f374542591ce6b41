//! Clusters of every shape that a tenant may ask for without a ClusterClass, side by side: each is created, compared
//! with what Nova, Neutron, Cinder and Octavia list, and deleted without a rest.

mod brought;
mod cases;
mod manifest;
mod sky;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use self::{cases::Shape, sky::Sky};
use super::{
    audit,
    conditions::{Object, text},
    kubernetes::{CLUSTER, CONTROL_PLANE, MACHINE, OPENSTACK_CLUSTER, OPENSTACK_MACHINE},
    tenant::{Tenant, lacking},
    wait,
};
use crate::lab::Lab;

/// Of the namespace, and before the name of everything that the flow itself makes in the cloud.
pub const NAMESPACE: &str = "shapes";
/// Kubernetes before and after the upgrade.
const VERSIONS: [&str; 2] = ["v1.36.2", "v1.36.3"];
const DEADLINE: Duration = Duration::from_secs(900);

/// See the module.
pub fn run(lab: &Lab) -> Result<()> {
    brought::remove(lab)?;
    let before = audit::take(lab)?;
    let tenant = Tenant::open(lab, NAMESPACE)?;
    tenant.credentials()?;
    lab.step("what tenants bring along", || brought::make(lab))?;
    let shapes = cases::all();
    for shape in &shapes {
        manifest::apply(&tenant, shape, VERSIONS[0])?;
    }
    for shape in &shapes {
        lab.step(format!("{}: {}", shape.name, shape.about), || {
            arrive(&tenant, shape, VERSIONS[0])?;
            (shape.check)(&Sky::see(&tenant, shape.name)?).context(shape.name)
        })?;
        // What was seen can go while the others come: each control plane takes its share of the machine.
        if !shape.upgrade {
            tenant.api.delete(CLUSTER, NAMESPACE, shape.name)?;
        }
    }
    for shape in shapes.iter().filter(|s| s.upgrade) {
        lab.step(format!("{}: upgrade", shape.name), || {
            upgrade(&tenant, shape)
        })?;
    }
    lab.step("deletion", || {
        for shape in &shapes {
            tenant.delete(shape.name)?;
        }
        manifest::remove(&tenant, &shapes)?;
        brought::there(lab)?;
        brought::remove(lab)
    })?;
    audit::clean_since(lab, &before)
}

/// Waits until all objects of a cluster are well and its machines have this version.
fn arrive(tenant: &Tenant<'_>, shape: &Shape, version: &str) -> Result<()> {
    let what = format!("all is Ready at {version}");
    wait::until_cluster(tenant, shape.name, &what, DEADLINE, || {
        missing(tenant, shape, version)
    })
    .map(drop)
}

fn missing(tenant: &Tenant<'_>, shape: &Shape, version: &str) -> Result<Vec<String>> {
    let objects = tenant.objects(shape.name)?;
    let machines = shape.control_planes + shape.workers;
    let wanted = [
        (CLUSTER, 1),
        (OPENSTACK_CLUSTER, 1),
        (CONTROL_PLANE, 1),
        (MACHINE, machines),
        (OPENSTACK_MACHINE, machines),
    ];
    let mut missing = lacking(&objects, &wanted);
    let old = |o: &&Object| o.kind == MACHINE && o.value["spec"]["version"] != version;
    missing.extend(
        objects
            .iter()
            .filter(old)
            .map(|o| format!("Machine {} is not {version}", o.name())),
    );
    Ok(missing)
}

/// Rolls all machines to the next version; the endpoint stays, and whoever asks again is answered.
fn upgrade(tenant: &Tenant<'_>, shape: &Shape) -> Result<()> {
    let endpoint = || -> Result<String> {
        let cluster = tenant
            .api
            .get(OPENSTACK_CLUSTER, NAMESPACE, shape.name)?
            .context("the OpenStackCluster is gone")?;
        Ok(cluster["spec"]["controlPlaneEndpoint"].to_string())
    };
    let before = endpoint()?;
    let servers = Sky::see(tenant, shape.name)?.server_ids();
    manifest::apply(tenant, shape, VERSIONS[1])?;
    let workload = tenant.workload(shape.name)?;
    let (mut answered, mut longest) = (Instant::now(), Duration::ZERO);
    wait::until_cluster(tenant, shape.name, "all is new", DEADLINE, || {
        if workload.read("/version").is_ok() {
            longest = longest.max(answered.elapsed());
            answered = Instant::now();
        }
        missing(tenant, shape, VERSIONS[1])
    })?;
    tenant.lab.say(format_args!(
        "the API was silent for at most {:.1} s",
        longest.as_secs_f64()
    ));
    let after = endpoint()?;
    ensure!(before == after, "the endpoint was {before}, and is {after}");
    let sky = Sky::see(tenant, shape.name)?;
    let kept: Vec<_> = sky.server_ids().intersection(&servers).cloned().collect();
    ensure!(kept.is_empty(), "servers that were not replaced: {kept:?}");
    (shape.check)(&sky)
}

/// The spec of an object with `extra` put over it, field by field; null takes a field away.
fn merged(mut base: serde_json::Value, extra: &serde_json::Value) -> serde_json::Value {
    let (Some(fields), Some(extra)) = (base.as_object_mut(), extra.as_object()) else {
        return extra.clone();
    };
    for (name, value) in extra {
        if value.is_null() {
            fields.remove(name);
        } else {
            let old = fields.remove(name).unwrap_or(json!({}));
            fields.insert(name.clone(), merged(old, value));
        }
    }
    base
}

/// Does a list hold an item whose field says so?
fn has(items: &[serde_json::Value], field: &str, value: &str) -> bool {
    items.iter().any(|item| text(&item[field]) == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_put_over_fields() {
        let base = json!({"a": {"b": 1, "c": 2}, "d": [1], "e": 3});
        let extra = json!({"a": {"c": 4}, "d": [2], "e": null});
        assert_eq!(
            merged(base, &extra),
            json!({"a": {"b": 1, "c": 4}, "d": [2]})
        );
    }
}
