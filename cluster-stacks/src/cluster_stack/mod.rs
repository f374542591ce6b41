//! ClusterStack: which releases of a stack there are.

pub mod class;
mod execute;
mod observe;
mod publish;

use std::sync::Arc;

use crds::capi::Cluster;
use crds::stacks::v1alpha1::{ClusterStack, ClusterStackRelease};
use release::subscription;
use runtime::backoff::jittered;
use runtime::controller::{Cached, Key};
use runtime::{Kit, Loop, Requeue};

use crate::{Context, Error};

struct Controller {
    shared: Arc<Context>,
    releases: Cached<ClusterStackRelease>,
    clusters: Cached<Cluster>,
}

/// Runs the controller.
pub async fn run(kit: &Kit, shared: Arc<Context>) {
    let (controller, releases) =
        Loop::<ClusterStack>::new(kit, "clusterstack").owns::<ClusterStackRelease>();
    let stacks = controller.objects();
    // A Cluster that moves to another class may free a release of any stack in the namespace of that class.
    let concerned = move |cluster: &Cluster| observe::stacks_of_class(&stacks, cluster);
    let (controller, clusters) = controller.watches::<Cluster, _>(concerned);
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

async fn reconcile(stack: Arc<ClusterStack>, this: Arc<Controller>) -> Result<Requeue, Error> {
    if stack.metadata.deletion_timestamp.is_some() || crds::capi::is_paused(None, &stack.metadata) {
        return Ok(Requeue::OnChange);
    }
    let want = match observe::want(&stack) {
        Ok(want) => want,
        Err(problem) => {
            publish::invalid(&this, &stack, &problem).await?;
            return Ok(Requeue::OnChange);
        }
    };
    let (seen, silent) = observe::seen(&this, &stack, &want).await;
    let plan = subscription::plan(&want, &seen);
    let failed = execute::execute(&this, &stack, &plan).await;
    publish::publish(
        &this,
        &stack,
        &want,
        &plan,
        silent.as_ref(),
        failed.as_ref(),
    )
    .await?;
    match failed {
        Some(error) => Err(error.into()),
        None if want.auto_subscribe => Ok(Requeue::After(jittered(this.shared.poll))),
        None => Ok(Requeue::OnChange),
    }
}

fn key(stack: &ClusterStack) -> Key {
    Key::of(stack)
}
