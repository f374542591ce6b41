//! The next release of a stack is taken in by itself, and a cluster moves to it.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, ensure};

use super::{
    conditions::{Object, text},
    demo,
    kubernetes::{ADDON, DEPLOYMENT, MACHINE, NODE},
    stack,
    tenant::{Cluster, Tenant},
    wait,
};
use crate::lab::Lab;

/// Flavor of the workers before and after.
const FLAVORS: [&str; 2] = ["SCS-2V-4-20s", "SCS-4V-8-50"];
/// What the check workload answers after.
const ANSWER: &str = "works after an upgrade";
const DEADLINE: Duration = Duration::from_secs(600);

/// A new worker flavor and a changed add-on: the workers are rolled, the control plane stays, the add-on changes.
pub fn run(lab: &Lab) -> Result<()> {
    let (tenant, mut cluster) = demo::create(lab)?;
    let (old_control_planes, old_workers) = machines(&tenant, &cluster)?;
    let next = stack::copy(lab, "next", stack::LAB)?;
    next.replace(
        "cluster-class/values.yaml",
        &format!("worker: {}", FLAVORS[0]),
        &format!("worker: {}", FLAVORS[1]),
    )?;
    next.replace("cluster-addon/check/overwrite.yaml", "works", ANSWER)?;
    let class = demo::subscribe(&tenant, &next)?;
    ensure!(
        class != cluster.class,
        "{class} is no new release: nothing to upgrade to"
    );
    lab.say(format_args!(
        "the cluster moves from {} to {class}",
        cluster.class
    ));
    cluster.class = class;
    tenant.apply(&cluster)?;
    let what = "the move to the new class";
    let moved = wait::until_cluster(&tenant, &cluster.name, what, DEADLINE, || {
        let objects = tenant.objects(&cluster.name)?;
        let mut missing = unmoved(&tenant, &cluster, &objects)?;
        missing.extend(tenant.missing(&cluster, &objects));
        Ok(missing)
    })?;
    lab.say(format_args!("moved after {:.1} s", moved.as_secs_f64()));
    let (control_planes, workers) = machines(&tenant, &cluster)?;
    ensure!(
        control_planes == old_control_planes,
        "the control plane was rolled, though nothing of it changed"
    );
    ensure!(
        workers.is_disjoint(&old_workers),
        "workers stayed, though their flavor changed: {workers:?}"
    );
    Ok(())
}

/// What does not come from the new class yet.
fn unmoved(tenant: &Tenant<'_>, cluster: &Cluster, objects: &[Object]) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    for object in objects {
        let recorded = &object.value["spec"]["clusterStack"];
        if object.kind == ADDON && *recorded != cluster.class {
            missing.push(format!("ClusterAddon: its add-ons are those of {recorded}"));
        }
    }
    let workload = tenant.workload(&cluster.name)?;
    let check = workload
        .get(DEPLOYMENT, "kube-system", "check")?
        .unwrap_or_default();
    let answer = &check["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
    if !text(answer).ends_with(ANSWER) {
        missing.push(format!("add-on check: it answers {answer}"));
    }
    let label = "node.kubernetes.io/instance-type";
    let nodes = workload.list(NODE, "")?;
    let flavor = |n: &&serde_json::Value| n["metadata"]["labels"][label] == FLAVORS[1];
    let new = nodes.iter().filter(flavor).count();
    if new != cluster.workers {
        missing.push(format!("{new} Nodes have flavor {}", FLAVORS[1]));
    }
    Ok(missing)
}

/// Names of the control plane's Machines, and of the others.
fn machines(
    tenant: &Tenant<'_>,
    cluster: &Cluster,
) -> Result<(BTreeSet<String>, BTreeSet<String>)> {
    let objects = tenant.objects(&cluster.name)?;
    let machines = objects.iter().filter(|o| o.kind == MACHINE);
    let (control_planes, workers): (Vec<_>, Vec<_>) = machines.partition(|m| {
        let labels = &m.value["metadata"]["labels"];
        !labels["cluster.x-k8s.io/control-plane"].is_null()
    });
    let names = |list: Vec<_>| {
        list.into_iter()
            .map(|m: &Object| m.name().to_owned())
            .collect()
    };
    Ok((names(control_planes), names(workers)))
}
