//! Bad input: each kind of it gets a condition that names the cause.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::json;

use super::{
    audit,
    conditions::{Object, text},
    corrupt, demo,
    kubernetes::{
        ADDON, CLUSTER, CLUSTER_CLASS, CLUSTER_STACK, Kind, OPENSTACK_CLUSTER, OPENSTACK_SERVER,
        RELEASE, SECRET,
    },
    stack,
    tenant::{Cluster, IDENTITY, Machines, Tenant},
    wait,
};
use crate::{lab::Lab, openstack, parts::capstan};

const NAME: &str = "bad";
const DEADLINE: Duration = Duration::from_secs(600);
/// Secrets that let nobody in.
const WRONG_PASSWORD: &str = "wrong-password";
const NO_AUTHORITY: &str = "no-authority";
/// Nobody listens there.
const NOWHERE: &str = "127.0.0.1:1";

/// What must be said of it.
struct Said {
    kind: Kind,
    condition: &'static str,
    reason: &'static str,
    /// Words of the message.
    words: &'static [&'static str],
}

/// A cluster that cannot be made as it is asked for.
struct BadCluster {
    name: &'static str,
    variable: &'static str,
    value: serde_json::Value,
    said: Said,
}

/// A stack whose release cannot be used.
struct BadStack {
    name: &'static str,
    /// Releases that it asks for; the newest if it names none.
    versions: &'static [&'static str],
    prepare: fn(&Lab, &'static str) -> Result<()>,
    said: Said,
}

/// All of it, and a cloud that is clean afterwards.
pub fn run(lab: &Lab) -> Result<()> {
    let before = audit::take(lab)?;
    let tenant = Tenant::open(lab, NAME)?;
    stacks(&tenant)?;
    unreachable_registry(&tenant)?;
    thread::scope(|scope| {
        let broken = scope.spawn(|| broken_add_on(&tenant));
        clusters(&tenant)?;
        let broken = broken.join();
        broken.map_err(|_| anyhow!("the flow of the add-on panicked"))?
    })?;
    tenant.api.delete(CLUSTER_STACK, NAME, stack::LAB)?;
    audit::clean_since(lab, &before)
}

fn bad_stacks() -> Vec<BadStack> {
    let said = |reason, words| Said {
        kind: RELEASE,
        condition: "ClusterStackReleaseDownloaded",
        reason,
        words,
    };
    vec![
        BadStack {
            name: "absent",
            versions: &["v99"],
            prepare: |_, _| Ok(()),
            said: said(
                "ReleaseAssetsNotDownloadedYet",
                &["openstack-absent-1-36-v99", capstan::REPOSITORY],
            ),
        },
        BadStack {
            name: "digest",
            versions: &[],
            prepare: corrupt::digest,
            said: said("IssueWithReleaseAssets", &["digest", "corrupt"]),
        },
        BadStack {
            name: "traversal",
            versions: &[],
            prepare: corrupt::traversal,
            said: said("IssueWithReleaseAssets", &["../evil", "out of the archive"]),
        },
        BadStack {
            name: "truncated",
            versions: &[],
            prepare: corrupt::truncated,
            said: said(
                "IssueWithReleaseAssets",
                &["cluster-class-v1.tgz", "not a whole"],
            ),
        },
    ]
}

/// Each has its release, which says what is wrong; none has a class.
fn stacks(tenant: &Tenant<'_>) -> Result<()> {
    let all = bad_stacks();
    for bad in &all {
        (bad.prepare)(tenant.lab, bad.name).with_context(|| bad.name)?;
        tenant.stack(bad.name, bad.versions)?;
    }
    for bad in &all {
        let release = stack::release(bad.name, bad.versions.first().unwrap_or(&"v1"));
        let found = || {
            Ok(tenant
                .api
                .get(RELEASE, &tenant.namespace, &release)?
                .into_iter()
                .collect())
        };
        expect(tenant.lab, bad.name, &bad.said, found)?;
        let class = tenant.api.get(CLUSTER_CLASS, &tenant.namespace, &release)?;
        ensure!(
            class.is_none(),
            "{}: there is a ClusterClass all the same",
            bad.name
        );
    }
    for bad in &all {
        tenant
            .api
            .delete(CLUSTER_STACK, &tenant.namespace, bad.name)?;
    }
    Ok(())
}

/// The operator looks for releases where nobody answers; classes that are there stay.
fn unreachable_registry(tenant: &Tenant<'_>) -> Result<()> {
    let lab = tenant.lab;
    let release = demo::subscribe(tenant, &stack::own(lab))?;
    lab.stop(capstan::NAME, capstan::PROCESS)?;
    capstan::restart_with(lab, NOWHERE)?;
    let said = Said {
        kind: CLUSTER_STACK,
        condition: "ReleasesSynced",
        reason: "FailedToSync",
        words: &[NOWHERE, "cannot be reached"],
    };
    let found = || {
        Ok(tenant
            .api
            .get(CLUSTER_STACK, &tenant.namespace, stack::LAB)?
            .into_iter()
            .collect())
    };
    let result = expect(lab, "registry", &said, found);
    let class = tenant.api.get(CLUSTER_CLASS, &tenant.namespace, &release);
    lab.stop(capstan::NAME, capstan::PROCESS)?;
    capstan::restart(lab)?;
    result?;
    ensure!(
        class?.is_some(),
        "ClusterClass {release} went with the registry"
    );
    wait::until("the registry again", DEADLINE, || {
        tenant.class_missing(stack::LAB, &release)
    })
    .map(drop)
}

fn bad_clusters() -> Vec<BadCluster> {
    let server = |words| Said {
        kind: OPENSTACK_SERVER,
        condition: "InstanceReady",
        reason: "DependencyFailed",
        words,
    };
    let login = |words| Said {
        kind: OPENSTACK_CLUSTER,
        condition: "OpenStackAuthenticationSucceeded",
        reason: "OpenStackAuthenticationFailed",
        words,
    };
    let identity = |name: &str| json!({ "name": name, "cloudName": IDENTITY });
    vec![
        BadCluster {
            name: "flavor",
            variable: "controlPlaneFlavor",
            value: json!("SCS-9V-99"),
            said: server(&["flavor", "SCS-9V-99"]),
        },
        BadCluster {
            name: "image",
            variable: "imageName",
            value: json!("no-such-image"),
            said: server(&["image", "no-such-image-v1.36.3"]),
        },
        BadCluster {
            name: "network",
            variable: "externalNetwork",
            value: json!("nowhere"),
            said: Said {
                kind: OPENSTACK_CLUSTER,
                condition: "NetworkReady",
                reason: "OpenStackError",
                words: &["externalNetwork", "nowhere", "public"],
            },
        },
        BadCluster {
            name: "password",
            variable: "identityRef",
            value: identity(WRONG_PASSWORD),
            said: login(&["Secret", WRONG_PASSWORD, "refused"]),
        },
        BadCluster {
            name: "cacert",
            variable: "identityRef",
            value: identity(NO_AUTHORITY),
            said: login(&["Secret", NO_AUTHORITY, "cacert"]),
        },
    ]
}

/// All side by side: each says what is wrong, and goes again.
fn clusters(tenant: &Tenant<'_>) -> Result<()> {
    let lab = tenant.lab;
    let class = demo::subscribe(tenant, &stack::own(lab))?;
    let ca = fs::read_to_string(openstack::ca(lab))?;
    tenant.secret(WRONG_PASSWORD, "guessed", Some(&ca))?;
    tenant.secret(NO_AUTHORITY, openstack::PASSWORD, None)?;
    let all = bad_clusters();
    for bad in &all {
        let mut cluster = Cluster::new(bad.name, class.clone(), Machines::Played, 0);
        cluster.variables = vec![(bad.variable, bad.value.clone())];
        tenant.apply(&cluster)?;
    }
    for bad in &all {
        let found = || {
            let all = tenant.objects(bad.name)?.into_iter();
            Ok(all
                .filter(|o| o.kind == bad.said.kind)
                .map(|o| o.value)
                .collect())
        };
        expect(lab, bad.name, &bad.said, found)?;
    }
    // Nobody can say what is in a cloud that lets nobody in: the credentials come first.
    for name in [WRONG_PASSWORD, NO_AUTHORITY] {
        tenant.secret(name, openstack::PASSWORD, Some(&ca))?;
    }
    for bad in &all {
        tenant.api.delete(CLUSTER, NAME, bad.name)?;
    }
    for bad in &all {
        tenant.delete(bad.name)?;
    }
    for name in [WRONG_PASSWORD, NO_AUTHORITY] {
        tenant.api.delete(SECRET, &tenant.namespace, name)?;
    }
    Ok(())
}

/// A chart that fails: the ClusterAddon says which stage and why, is not ready, and its ClusterStack stays while it
/// is used.
fn broken_add_on(tenant: &Tenant<'_>) -> Result<()> {
    let lab = tenant.lab;
    let broken = stack::copy(lab, "broken", "broken")?;
    let file = "cluster-addon/check/templates/deployment.yaml";
    broken.replace(
        file,
        "kind: Deployment",
        "kind: {{ fail \"nothing works here\" }}",
    )?;
    let class = demo::subscribe(tenant, &broken)?;
    tenant.apply(&Cluster::new(NAME, class, Machines::Played, 1))?;
    let addon = || {
        let all = tenant.objects(NAME)?.into_iter();
        Ok(all.filter(|o| o.kind == ADDON).map(|o| o.value).collect())
    };
    let said = Said {
        kind: ADDON,
        condition: "HelmChartTemplated",
        reason: "TemplateNewClusterStackFailed",
        words: &["stage check", "nothing works here"],
    };
    expect(lab, "add-on", &said, addon)?;
    let objects: Vec<serde_json::Value> = addon()?;
    ensure!(
        objects.iter().all(|o| o["status"]["ready"] != true),
        "the add-on is ready all the same"
    );

    match tenant
        .api
        .delete(CLUSTER_STACK, &tenant.namespace, &broken.name)
    {
        Ok(()) => bail!(
            "ClusterStack {} is deleted, though {NAME} uses its class",
            broken.name
        ),
        Err(e) => {
            let said = format!("{e:#}");
            ensure!(
                said.contains("uses its class") && said.contains(NAME),
                "{said}"
            );
        }
    }
    tenant.delete(NAME)?;
    tenant.api.delete(CLUSTER_STACK, NAME, &broken.name)
}

/// Waits until one of the objects says it.
fn expect(
    lab: &Lab,
    what: &str,
    said: &Said,
    objects: impl Fn() -> Result<Vec<serde_json::Value>>,
) -> Result<()> {
    let mut message = String::new();
    let took = wait::until(&format!("{what}: the condition"), DEADLINE, || {
        let mut heard = vec![format!("{}: no condition {}", said.kind, said.condition)];
        for value in objects()? {
            let object = Object {
                kind: said.kind,
                value,
            };
            let Some(condition) = object.condition(said.condition) else {
                continue;
            };
            message = text(&condition["message"]).to_owned();
            let fits = condition["status"] == "False"
                && condition["reason"] == said.reason
                && said.words.iter().all(|w| message.contains(w));
            if fits {
                return Ok(vec![]);
            }
            heard.push(condition.to_string());
        }
        Ok(heard)
    })?;
    lab.say(format_args!(
        "{what}, after {:.1} s: {message}",
        took.as_secs_f64()
    ));
    Ok(())
}
