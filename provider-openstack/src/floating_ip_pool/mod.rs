//! The controller of `OpenStackFloatingIPPool`: floating IPs for the claims of servers.

mod execute;
mod observe;
mod publish;

use std::sync::Arc;

use crds::capi::{self, IPAddress, IPAddressClaim, IPPoolRef};
use crds::openstack::names::{FLOATING_IP_POOL_FINALIZER, GROUP};
use crds::openstack::v1alpha1::OpenStackFloatingIPPool;
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use plan::floating_ip_pool::{Want, plan};
use plan::step::Step;
use runtime::controller::Cached;
use runtime::{Key, Kit, Loop, Requeue, finalizer};

use crate::pause::Pauses;
use crate::wake::{Waiter, Wakes};
use crate::{Context, Error, identity};

/// What the controller works with.
struct Pools {
    context: Arc<Context>,
    pools: Cached<OpenStackFloatingIPPool>,
    clusters: Cached<capi::Cluster>,
}

/// Runs the controller until the process is asked to stop.
pub async fn run(kit: &Kit, context: Arc<Context>, woken: impl Wakes) {
    let controller =
        Loop::<OpenStackFloatingIPPool>::new(kit, "openstackfloatingippool").wakes(woken);
    let controller = identity::depends(controller, &context, |pool| Some(&pool.spec.identity_ref));
    let pools = controller.objects();
    let of_claim = |claim: &IPAddressClaim| pool_of(claim, &claim.spec.pool_ref);
    let of_address = |address: &IPAddress| pool_of(address, &address.spec.pool_ref);
    let (controller, _) = controller.watches(of_claim);
    let (controller, _) = controller.watches(of_address);
    let (neighbours, pauses) = (pools.clone(), Pauses::default());
    let (controller, clusters) =
        controller.watches(move |cluster: &capi::Cluster| pauses.neighbours(cluster, &neighbours));
    let pools = Pools {
        context,
        pools,
        clusters,
    };
    controller.run(Arc::new(pools), reconcile).await;
}

/// The pool that a claim or an address refers to, if it is one of ours.
fn pool_of<K: ResourceExt>(object: &K, pool: &IPPoolRef) -> Option<Key> {
    is_ours(pool).then(|| Key::new(object.namespace().unwrap_or_default(), &pool.name))
}

fn is_ours(pool: &IPPoolRef) -> bool {
    pool.kind == "OpenStackFloatingIPPool" && pool.api_group == GROUP
}

async fn reconcile(
    pool: Arc<OpenStackFloatingIPPool>,
    pools: Arc<Pools>,
) -> Result<Requeue, Error> {
    let (context, key) = (&pools.context, Key::of(&*pool));
    let api = Api::namespaced(context.client.clone(), &key.namespace);
    let want = Want::from(&*pool);
    let finalizers = pool.finalizers();
    let held = finalizers
        .iter()
        .any(|one| one == FLOATING_IP_POOL_FINALIZER);
    let waiter = Waiter::FloatingIpPool.key(&key);
    if capi::is_paused(None, &pool.metadata) || want.deleting && !held {
        context.clouds.forget(&waiter);
        return Ok(Requeue::OnChange);
    }
    if !want.deleting && finalizer::ensure(&api, &*pool, FLOATING_IP_POOL_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }
    let seen = match pools.observe(&pool, &want).await {
        Ok(seen) => seen,
        Err(error) => return publish::unobserved(&api, &pool, error).await,
    };
    let decision = plan(&want, &seen.plan, Timestamp::now());
    let done = match &decision.step {
        Step::Do(actions) => execute::all(context, &pool, &seen.view, actions).await,
        _ => Ok(()),
    };
    let goes = want.deleting && done.is_ok() && decision.step == Step::Done;
    if !goes {
        let refused = done.as_ref().err().map(Box::as_ref);
        publish::status(&api, &pool, decision.status, refused).await?;
    }
    done.map_err(|refused| refused.error)?;
    if goes {
        finalizer::remove(&api, &*pool, FLOATING_IP_POOL_FINALIZER).await?;
        context.clouds.forget(&waiter);
        return Ok(Requeue::OnChange);
    }
    Ok(observe::requeue(&seen, &waiter, &decision.step))
}
