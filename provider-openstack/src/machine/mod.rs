//! The controller of `OpenStackMachine`: the object behind a `Machine` of Cluster API.

mod execute;
mod observe;
mod owner;
mod publish;

use std::sync::Arc;

use crds::capi;
use crds::openstack::names::MACHINE_FINALIZER;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackMachine};
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use plan::machine::{Action, plan};
use plan::step::Step;
use runtime::controller::Cached;
use runtime::{Key, Kit, Loop, Requeue, finalizer};

use crate::brake::Brake;
use crate::pause::Pauses;
use crate::problems::Problems;
use crate::wake::{Waiter, Wakes};
use crate::{Context, Error, identity};

/// What the controller works with.
struct Machines {
    context: Arc<Context>,
    machines: Cached<capi::Machine>,
    clusters: Cached<capi::Cluster>,
    infrastructures: Cached<OpenStackCluster>,
    servers: Cached<OpenStackServer>,
    /// What the cloud could solve.
    problems: Problems,
    brake: Brake<Action>,
}

/// Runs the controller until the process is asked to stop.
pub async fn run(kit: &Kit, context: Arc<Context>, woken: impl Wakes) {
    let controller = Loop::<OpenStackMachine>::new(kit, "openstackmachine").wakes(woken);
    let controller = controller.on_gone(Waiter::Machine.forget(&context));
    let controller = identity::depends(controller, &context, |machine| {
        machine.spec.identity_ref.as_ref()
    });
    let objects = controller.objects();
    let (controller, machines) = controller.watches(owner::object_of);
    let (controller, servers) = controller.owns::<OpenStackServer>();
    let (all, pauses) = (objects.clone(), Pauses::default());
    let shared = owner::Shared::default();
    let (controller, clusters) =
        controller.watches(move |cluster: &capi::Cluster| pauses.members(cluster, &all));
    let (controller, infrastructures) =
        controller.watches(move |cluster: &OpenStackCluster| shared.concerned(cluster, &objects));
    let machines = Machines {
        context,
        machines,
        clusters,
        infrastructures,
        servers,
        problems: Problems::default(),
        brake: Brake::default(),
    };
    controller.run(Arc::new(machines), reconcile).await;
}

async fn reconcile(
    object: Arc<OpenStackMachine>,
    machines: Arc<Machines>,
) -> Result<Requeue, Error> {
    let (context, key) = (&machines.context, Key::of(&*object));
    let api = Api::namespaced(context.client.clone(), &key.namespace);
    let deleting = object.metadata.deletion_timestamp.is_some();
    if deleting
        && !object
            .finalizers()
            .iter()
            .any(|have| have == MACHINE_FINALIZER)
    {
        return Ok(Requeue::OnChange);
    }
    let Some(want) = machines.want(&object, &key).await? else {
        return Ok(Requeue::OnChange);
    };
    if !deleting && finalizer::ensure(&api, &*object, MACHINE_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }
    let seen = match machines.observe(&want, &key).await {
        Ok(seen) => seen,
        Err(error) => return publish::unobserved(&api, &object, error).await,
    };
    let decision = plan(&want, &seen.plan, Timestamp::now());
    let held = machines.brake.hold(&key, &decision.step);
    let done = match &decision.step {
        Step::Do(actions) if held.is_none() => machines.execute(&object, &seen, actions).await,
        _ => Ok(()),
    };
    let goes = deleting
        && done.is_ok()
        && held.is_none()
        && matches!(decision.step, Step::Do(_) | Step::Done);
    if !goes {
        // Nobody reads the last words of an object that goes, and they would make the version stale
        // that the finalizer is removed from.
        let refused = done.as_ref().err().map(Box::as_ref);
        publish::status(&api, &object, decision.status, refused).await?;
    }
    done.map_err(|refused| refused.error)?;
    if deleting && decision.step == Step::Done {
        finalizer::remove(&api, &*object, MACHINE_FINALIZER).await?;
        context.clouds.forget(&Waiter::Machine.key(&key));
        machines.problems.forget(&key);
        machines.brake.forget(&key);
        return Ok(Requeue::OnChange);
    }
    let requeue = observe::requeue(&seen, &machines.problems, &key, &want, &decision.step);
    Ok(machines.brake.requeue(&key, &decision.step, held, requeue))
}
