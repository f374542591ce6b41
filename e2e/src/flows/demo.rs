//! From a published cluster stack to Ready nodes, with a table at the end.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;

use super::{
    audit,
    conditions::{Object, holds, text},
    kubernetes::{
        ADDON, CLUSTER, CLUSTER_STACK, CONTROL_PLANE, Kind, MACHINE, MACHINE_DEPLOYMENT, NODE,
        RELEASE,
    },
    stack::{self, Published, Stack},
    tenant::{Cluster, Machines, Tenant},
    wait,
};
use crate::{lab::Lab, pki};

/// Namespace and name of the cluster.
pub const NAME: &str = "demo";
const CLASS_DEADLINE: Duration = Duration::from_secs(300);
const DEADLINE: Duration = Duration::from_secs(600);
/// What the table shows, in this order.
const SHOWN: [Kind; 8] = [
    CLUSTER_STACK,
    RELEASE,
    ADDON,
    CLUSTER,
    CONTROL_PLANE,
    MACHINE_DEPLOYMENT,
    MACHINE,
    NODE,
];

/// The check add-on, by its Service and through the API server: from the control plane to a Pod on a worker.
const CHECK: &str = "/api/v1/namespaces/kube-system/services/check:80/proxy/";

/// What is said when it is first seen.
type Milestone = (&'static str, fn(&[Object]) -> bool);
const MILESTONES: [Milestone; 5] = [
    (
        "network, router, security groups and load balancer",
        |all| cluster_says(all, "InfrastructureReady"),
    ),
    ("the first control plane answers", |all| {
        cluster_says(all, "ControlPlaneInitialized")
    }),
    ("the control plane is available", |all| {
        cluster_says(all, "ControlPlaneAvailable")
    }),
    ("the workers are available", |all| {
        cluster_says(all, "WorkersAvailable")
    }),
    ("the add-ons are in", |all| {
        all.iter().any(|o| o.kind == ADDON && o.is_well())
    }),
];

/// `cargo lab demo`; run again it finds what is there already.
///
/// # Errors
/// Something is not there in time; what is wrong was said before.
pub fn run(lab: &Lab) -> Result<()> {
    let (tenant, cluster) = create(lab)?;
    let kubeconfig = lab.part_dir(NAME).join("kubeconfig");
    let text = tenant.kubeconfig(NAME)?;
    pki::write_private(&kubeconfig, &text.context("the kubeconfig is gone")?)?;
    let answer = tenant.workload(NAME)?.read(CHECK)?;
    ensure!(
        answer.starts_with("demo works"),
        "the check add-on says {answer:?}"
    );
    table(&tenant, &cluster)?;
    finish(lab, &kubeconfig);
    Ok(())
}

/// The demo's cluster: the one that is there, or a new one.
///
/// # Errors
/// Something is not there in time.
pub fn create(lab: &Lab) -> Result<(Tenant<'_>, Cluster)> {
    let tenant = Tenant::open(lab, NAME)?;
    let cluster = match tenant.cluster(NAME)? {
        Some(there) => there,
        None => {
            audit::keep(lab, NAME)?;
            let class = subscribe(&tenant, &stack::own(lab))?;
            let new = Cluster::new(NAME, class, Machines::Real, 2);
            tenant.apply(&new)?;
            new
        }
    };
    follow(&tenant, &cluster)?;
    Ok((tenant, cluster))
}

/// Publishes a stack, subscribes to it, and waits for its newest class, whose name it returns.
pub fn subscribe(tenant: &Tenant<'_>, stack: &Stack) -> Result<String> {
    let Published { release } = stack.publish(tenant.lab)?;
    tenant.credentials()?;
    tenant.subscribe(&stack.name)?;
    let took = wait::until("the ClusterClass", CLASS_DEADLINE, || {
        tenant.class_missing(&stack.name, &release)
    })?;
    tenant.lab.say(format_args!(
        "cluster stack {release} is published, and its class there {:.1} s later",
        took.as_secs_f64()
    ));
    Ok(release)
}

/// Waits for a cluster, and says what it reaches, with the seconds since now.
pub fn follow(tenant: &Tenant<'_>, cluster: &Cluster) -> Result<()> {
    let begun = Instant::now();
    let mut ahead = MILESTONES.to_vec();
    let say = |what: &str| {
        tenant.lab.say(format_args!(
            "{:>7.1} s  {what}",
            begun.elapsed().as_secs_f64()
        ));
    };
    // Of a cluster that is there already only what changes is news.
    let objects = tenant.objects(&cluster.name)?;
    ahead.retain(|(_, reached)| !reached(&objects));
    wait::until_cluster(tenant, &cluster.name, "all is Ready", DEADLINE, || {
        let objects = tenant.objects(&cluster.name)?;
        ahead.retain(|(what, reached)| {
            let reached = reached(&objects);
            if reached {
                say(what);
            }
            !reached
        });
        Ok(tenant.missing(cluster, &objects))
    })?;
    say("all is Ready");
    Ok(())
}

fn cluster_says(objects: &[Object], condition: &str) -> bool {
    objects
        .iter()
        .any(|o| o.kind == CLUSTER && holds(&o.value, condition))
}

fn table(tenant: &Tenant<'_>, cluster: &Cluster) -> Result<()> {
    let mut objects = tenant.objects(&cluster.name)?;
    objects.extend(tenant.nodes(&cluster.name)?);
    println!(
        "\n{:<20} {:<34} {:<6} {:<10} AGE",
        "KIND", "NAME", "READY", "AVAILABLE"
    );
    let now = Timestamp::now();
    for kind in SHOWN {
        for object in objects.iter().filter(|o| o.kind == kind) {
            let said = |type_| object.condition(type_).map_or("-", |c| text(&c["status"]));
            println!(
                "{:<20} {:<34} {:<6} {:<10} {}",
                kind.name,
                object.name(),
                said("Ready"),
                said("Available"),
                age(object, now)
            );
        }
    }
    Ok(())
}

/// As kubectl writes it: `95s`, `12m`, `3h`.
fn age(object: &Object, now: Timestamp) -> String {
    let created = text(&object.value["metadata"]["creationTimestamp"]).parse::<Timestamp>();
    let Ok(created) = created else {
        return "?".to_owned();
    };
    match now.duration_since(created).as_secs() {
        seconds @ ..120 => format!("{seconds}s"),
        seconds @ ..7200 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3600),
    }
}

fn finish(lab: &Lab, kubeconfig: &Path) {
    let (name, path) = (&lab.name, kubeconfig.display());
    println!(
        "\nkubeconfig of the tenant's cluster: {path}
try:  cargo lab --name {name} shell -- kubectl --kubeconfig {path} get pods -A"
    );
}
