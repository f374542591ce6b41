//! The controller of `OpenStackFloatingIPPool`: floating IPs for the claims of servers.

mod execute;
mod observe;
mod publish;

use std::sync::Arc;

use crds::capi::names::WATCH_FILTER_LABEL;
use crds::capi::{self, IPAddress, IPAddressClaim, IPPoolRef};
use crds::openstack::names::{FLOATING_IP_POOL_FINALIZER, GROUP};
use crds::openstack::v1alpha1::OpenStackFloatingIPPool;
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use plan::floating_ip_pool::{Action, Want, plan};
use plan::step::Step;
use runtime::controller::Cached;
use runtime::{Key, Kit, Loop, Requeue, finalizer};

use crate::brake::Brake;
use crate::pause::Pauses;
use crate::problems::Problems;
use crate::wake::{Waiter, Wakes};
use crate::{Context, Error, identity};

/// What the controller works with.
struct Pools {
    context: Arc<Context>,
    pools: Cached<OpenStackFloatingIPPool>,
    clusters: Cached<capi::Cluster>,
    /// As in [`Kit::watch_filter`].
    watch_filter: Option<String>,
    /// What the cloud could solve.
    problems: Problems,
    brake: Brake<Action>,
}

/// Runs the controller until the process is asked to stop.
pub async fn run(kit: &Kit, context: Arc<Context>, woken: impl Wakes) {
    let unfiltered = Kit {
        watch_filter: None,
        ..kit.clone()
    };
    let controller =
        Loop::<OpenStackFloatingIPPool>::new(&unfiltered, "openstackfloatingippool").wakes(woken);
    let controller = controller.on_gone(Waiter::FloatingIpPool.forget(&context));
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
        watch_filter: kit.watch_filter.clone(),
        problems: Problems::default(),
        brake: Brake::default(),
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

/// CAPO's watch filter does not hold for pools, so that nobody has labelled them. But who runs several
/// providers can give a pool to one of them.
fn is_ours_to_handle(pool: &OpenStackFloatingIPPool, watch_filter: Option<&str>) -> bool {
    let label = pool.labels().get(WATCH_FILTER_LABEL);
    watch_filter.is_none() || label.is_none_or(|label| Some(label.as_str()) == watch_filter)
}

async fn reconcile(
    pool: Arc<OpenStackFloatingIPPool>,
    pools: Arc<Pools>,
) -> Result<Requeue, Error> {
    if !is_ours_to_handle(&pool, pools.watch_filter.as_deref()) {
        return Ok(Requeue::OnChange);
    }
    let (context, key) = (&pools.context, Key::of(&*pool));
    let api = Api::namespaced(context.client.clone(), &key.namespace);
    let want = Want::from(&*pool);
    let finalizers = pool.finalizers();
    let held = finalizers
        .iter()
        .any(|one| one == FLOATING_IP_POOL_FINALIZER);
    let waiter = Waiter::FloatingIpPool.key(&key);
    let is_paused = capi::is_paused(None, &pool.metadata);
    if is_paused || want.deleting && !held {
        // First: an object that has moved away may be gone before it can say so.
        context.clouds.forget(&waiter);
        if is_paused {
            publish::paused(&api, &pool).await?;
        }
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
    let held = pools.brake.hold(&key, &decision.step);
    let done = match &decision.step {
        Step::Do(actions) if held.is_none() => {
            execute::all(context, &pool, &seen.view, actions).await
        }
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
        pools.problems.forget(&key);
        pools.brake.forget(&key);
        return Ok(Requeue::OnChange);
    }
    let requeue = observe::requeue(&seen, &pools.problems, &key, &want, &decision.step);
    Ok(pools.brake.requeue(&key, &decision.step, held, requeue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_without_the_label_of_a_watch_filter_is_handled_by_every_provider() {
        let pool = |label: Option<&str>| {
            let labels = label.map(|label| serde_json::json!({WATCH_FILTER_LABEL: label}));
            serde_json::from_value::<OpenStackFloatingIPPool>(serde_json::json!({
                "metadata": {"name": "public", "labels": labels},
                "spec": {
                    "identityRef": {"name": "cloud", "cloudName": "tenant"},
                    "reclaimPolicy": "Delete",
                },
            }))
            .expect("decodes")
        };
        let handled = |label, filter| is_ours_to_handle(&pool(label), filter);
        assert!(handled(None, None) && handled(None, Some("a")));
        assert!(handled(Some("a"), None) && handled(Some("a"), Some("a")));
        assert!(!handled(Some("a"), Some("b")));
    }
}
