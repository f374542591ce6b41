//! ClusterStackRelease: a release becomes a ClusterClass and its templates.

mod observe;
mod publish;

use std::sync::Arc;
use std::time::Duration;

use crds::capi::Cluster;
use crds::stacks::names::RELEASE_FINALIZER;
use crds::stacks::v1alpha1::{ClusterStackRelease, Resource};
use kube::{Api, ResourceExt};
use release::ReleaseName;
use runtime::backoff::jittered;
use runtime::controller::{Cached, Key};
use runtime::{Kit, Loop, Requeue, finalizer};

use crate::cluster_stack::class;
use crate::{Context, Error, apply};
use observe::Problem;

/// How often what was applied is applied again, so that a change by hand does not last.
const REPAIR: Duration = Duration::from_secs(600);

struct Controller {
    shared: Arc<Context>,
    releases: Cached<ClusterStackRelease>,
    clusters: Cached<Cluster>,
}

/// Runs the controller.
pub async fn run(kit: &Kit, shared: Arc<Context>) {
    let controller = Loop::<ClusterStackRelease>::new(kit, "clusterstackrelease");
    let releases = controller.objects();
    let known = releases.clone();
    // Only a release that waits to go minds which class a Cluster uses.
    let (controller, clusters) = controller.watches::<Cluster, _>(move |_| {
        let leaving = known.list(|release| release.metadata.deletion_timestamp.is_some());
        leaving.iter().map(Key::of).collect::<Vec<_>>()
    });
    controller
        .run(
            Arc::new(Controller {
                shared,
                releases,
                clusters,
            }),
            reconcile,
        )
        .await;
}

async fn reconcile(
    release: Arc<ClusterStackRelease>,
    this: Arc<Controller>,
) -> Result<Requeue, Error> {
    if crds::capi::is_paused(None, &release.metadata) {
        return Ok(Requeue::OnChange);
    }
    if release.metadata.deletion_timestamp.is_some() {
        return delete(&this, &release).await;
    }
    let api: Api<ClusterStackRelease> = api(&this, &release);
    if finalizer::ensure(&api, &*release, RELEASE_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }
    let found = match observe::release(&this, &release).await {
        Ok(found) => found,
        Err(problem) => return refuse(&this, &release, problem).await,
    };
    let cluster = apply::Cluster::new(
        this.shared.client.clone(),
        release.namespace().unwrap_or_default(),
    );
    let applied = cluster.apply(&found.objects).await;
    let failed = apply::failures(&applied);
    let gone = apply::gone(&before(&release), &applied);
    let left = if failed.is_none() {
        cluster.delete(&gone).await
    } else {
        gone
    };
    publish::applied(
        &this,
        &release,
        &found.kubernetes,
        [applied, left].concat(),
        failed.as_deref(),
    )
    .await?;
    match failed {
        Some(failed) => Err(Error::Reported(failed)),
        None => Ok(Requeue::After(jittered(REPAIR))),
    }
}

/// Says what is wrong; tries again by itself only where that can help.
async fn refuse(
    this: &Controller,
    release: &ClusterStackRelease,
    problem: Problem,
) -> Result<Requeue, Error> {
    publish::problem(this, release, &problem).await?;
    Err(Error::Reported(problem.to_string()))
}

/// Takes away what was applied, once no Cluster uses the class.
async fn delete(this: &Controller, release: &ClusterStackRelease) -> Result<Requeue, Error> {
    let namespace = release.namespace().unwrap_or_default();
    let name = release.name_any().parse::<ReleaseName>().ok();
    if let Some(user) = name
        .as_ref()
        .and_then(|name| class::user(&this.clusters, &namespace, name))
    {
        publish::in_use(this, release, &user).await?;
        return Ok(Requeue::OnChange);
    }
    let cluster = apply::Cluster::new(this.shared.client.clone(), &namespace);
    let left = cluster.delete(&before(release)).await;
    if let Some(failed) = apply::failures(&left) {
        publish::not_deleted(this, release, left, &failed).await?;
        return Err(Error::Reported(failed));
    }
    if let Some(name) = name.filter(|_| !needed_elsewhere(this, release))
        && let Err(error) = this.shared.assets.forget(&name)
    {
        tracing::warn!(%error, "release stays in the local store");
    }
    finalizer::remove(&api(this, release), release, RELEASE_FINALIZER).await?;
    Ok(Requeue::OnChange)
}

fn before(release: &ClusterStackRelease) -> Vec<Resource> {
    release
        .status
        .as_ref()
        .map(|status| status.resources.clone())
        .unwrap_or_default()
}

fn needed_elsewhere(this: &Controller, release: &ClusterStackRelease) -> bool {
    let (name, uid) = (release.name_any(), release.uid());
    !this
        .releases
        .list(|other| other.name_any() == name && other.uid() != uid)
        .is_empty()
}

fn api(this: &Controller, release: &ClusterStackRelease) -> Api<ClusterStackRelease> {
    Api::namespaced(
        this.shared.client.clone(),
        &release.namespace().unwrap_or_default(),
    )
}
