//! The controller of `OpenStackServer`: ports, volumes and a server in the cloud.

mod execute;
mod observe;
mod publish;
mod rows;

use std::sync::Arc;

use crds::capi;
use crds::openstack::names::SERVER_FINALIZER;
use crds::openstack::v1alpha1::OpenStackServer;
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use plan::server::{Want, plan};
use plan::step::Step;
use runtime::controller::Cached;
use runtime::{Key, Kit, Loop, Requeue, finalizer};

use crate::pause::Unpaused;
use crate::wake::{Waiter, Wakes};
use crate::{Context, Error};

/// What the controller works with.
struct Servers {
    context: Arc<Context>,
    clusters: Cached<capi::Cluster>,
}

/// Runs the controller until the process is asked to stop.
pub async fn run(kit: &Kit, context: Arc<Context>, woken: impl Wakes) {
    let controller = Loop::<OpenStackServer>::new(kit, "openstackserver").wakes(woken);
    let (servers, unpaused) = (controller.objects(), Unpaused::default());
    let (controller, clusters) =
        controller.watches(move |cluster: &capi::Cluster| unpaused.members(cluster, &servers));
    controller
        .run(Arc::new(Servers { context, clusters }), reconcile)
        .await;
}

async fn reconcile(server: Arc<OpenStackServer>, servers: Arc<Servers>) -> Result<Requeue, Error> {
    let (context, key) = (&servers.context, Key::of(&*server));
    let api = Api::namespaced(context.client.clone(), &key.namespace);
    let want = Want::from(&*server);
    if servers.is_paused(&server) {
        return Ok(Requeue::OnChange);
    }
    if want.deleting
        && !server
            .finalizers()
            .iter()
            .any(|have| have == SERVER_FINALIZER)
    {
        return Ok(Requeue::OnChange);
    }
    if !want.deleting && finalizer::ensure(&api, &*server, SERVER_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }
    let seen = match observe::observe(context, &want).await {
        Ok(seen) => seen,
        Err(error) => return publish::unobserved(&api, &server, error).await,
    };
    let decision = plan(&want, &seen.plan, Timestamp::now());
    let done = match &decision.step {
        Step::Do(actions) => execute::all(context, &server, &seen.view, actions).await,
        _ => Ok(()),
    };
    let goes = want.deleting && done.is_ok() && matches!(decision.step, Step::Do(_) | Step::Done);
    if !goes {
        // Nobody reads the last words of an object that goes, and they would make the version stale
        // that the finalizer is removed from.
        let refused = done.as_ref().err().map(Box::as_ref);
        publish::status(&api, &server, decision.status, refused).await?;
    }
    done.map_err(|refused| refused.error)?;
    if want.deleting && decision.step == Step::Done {
        finalizer::remove(&api, &*server, SERVER_FINALIZER).await?;
        context.clouds.forget(&Waiter::Server.key(&key));
        return Ok(Requeue::OnChange);
    }
    Ok(observe::requeue(
        &seen,
        &Waiter::Server.key(&key),
        &want,
        &decision.step,
    ))
}

impl Servers {
    fn is_paused(&self, server: &OpenStackServer) -> bool {
        let namespace = server.namespace().unwrap_or_default();
        let cluster = capi::cluster_name(&server.metadata);
        let cluster = cluster.and_then(|name| self.clusters.get(&Key::new(namespace, name)));
        capi::is_paused(cluster.as_ref(), &server.metadata)
    }
}
