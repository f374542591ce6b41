//! ClusterAddon: the add-ons of a release are applied to a cluster, stage by stage.

pub mod create;
mod execute;
mod observe;
mod publish;
mod workload;

use std::sync::Arc;
use std::time::Duration;

use crds::capi::Cluster;
use crds::stacks::names::{ADDON_FINALIZER, addon_name};
use crds::stacks::v1alpha1::ClusterAddon;
use kube::{Api, ResourceExt};
use release::addon::{self, Step};
use runtime::controller::{Cached, Key};
use runtime::{Kit, Loop, Requeue, finalizer};

use crate::{Context, Error};
use execute::Stop;
use observe::Observed;
pub use workload::Workloads;

/// How often something that no watch tells is looked at: the workload cluster's API, a condition.
const LOOK: Duration = Duration::from_secs(3);

struct Controller {
    shared: Arc<Context>,
    clusters: Cached<Cluster>,
}

/// Runs the controller.
pub async fn run(kit: &Kit, shared: Arc<Context>) {
    let of = |cluster: &Cluster| {
        [Key::new(
            cluster.namespace().unwrap_or_default(),
            addon_name(&cluster.name_any()),
        )]
    };
    let (controller, clusters) =
        Loop::<ClusterAddon>::new(kit, "clusteraddon").watches::<Cluster, _>(of);
    controller
        .run(Arc::new(Controller { shared, clusters }), reconcile)
        .await;
}

async fn reconcile(object: Arc<ClusterAddon>, this: Arc<Controller>) -> Result<Requeue, Error> {
    let api: Api<ClusterAddon> = Api::namespaced(
        this.shared.client.clone(),
        &object.namespace().unwrap_or_default(),
    );
    let cluster = observe::cluster(&this, &object);
    let leaving = cluster
        .as_ref()
        .is_none_or(|cluster| cluster.metadata.deletion_timestamp.is_some());
    if object.metadata.deletion_timestamp.is_some() || leaving {
        // The add-ons go with the cluster.
        this.shared.workloads.forget(&Key::of(&*object));
        finalizer::remove(&api, &*object, ADDON_FINALIZER).await?;
        return Ok(Requeue::OnChange);
    }
    if crds::capi::is_paused(cluster.as_ref(), &object.metadata) {
        return Ok(Requeue::OnChange);
    }
    if finalizer::ensure(&api, &*object, ADDON_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }
    let Some(cluster) = cluster else {
        return Ok(Requeue::OnChange);
    };
    let (mut seen, stop) = match observe::observe(&this, &object, &cluster).await {
        Ok(mut seen) => {
            let stop = work(&this, &mut seen).await;
            (Some(seen), stop)
        }
        Err(stop) => (None, stop),
    };
    publish::publish(&this, &api, &object, seen.as_mut(), &stop).await?;
    match stop {
        Stop::Done | Stop::AwaitHook => Ok(Requeue::OnChange),
        Stop::Wait { .. } => Ok(Requeue::After(LOOK)),
        Stop::Failed(failed) => Err(Error::Reported(failed.message)),
    }
}

/// Goes on until something has to be waited for. Each step is planned anew from what the last one
/// did, so that a restart goes on in the middle.
async fn work(this: &Controller, seen: &mut Observed) -> Stop {
    loop {
        let done = match addon::plan(&seen.want, &seen.now) {
            Step::Done => return Stop::Done,
            Step::AwaitHook => return Stop::AwaitHook,
            Step::Begin(run) => {
                seen.begin(run);
                Ok(())
            }
            Step::Stage(at) => execute::stage(this, seen, at).await,
            Step::Prune => execute::prune(this, seen).await.map(|()| seen.record()),
            Step::Record => {
                seen.record();
                Ok(())
            }
        };
        if let Err(stop) = done {
            return stop;
        }
    }
}
