//! `OpenStackCluster`: network, router, security groups and API endpoint of a cluster.
//!
//! What to do is decided in [`plan::cluster`]; this module brings it what there is, does what it says
//! and writes what came of it.

mod beside;
mod execute;
mod management;
mod observe;
mod owner;
mod publish;
mod stage;
mod wire;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crds::capi::Cluster;
use crds::openstack::names::CLUSTER_FINALIZER;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackMachine};
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use plan::cluster::{Action, Gone, Owner, Want, is_of_cloud};
use plan::step::Step;
use runtime::backoff::jittered;
use runtime::controller::Cached;
use runtime::{Key, Kit, Loop, Requeue, finalizer};

use crate::arrival::Moments;
use crate::problems::Problems;
use crate::wake::{Waiter, Wakes};
use crate::{Context, Error, identity};

pub use management::{Management, Source};

use execute::Feature;
use stage::Stages;

/// A converged cluster is compared with the cloud this often, beside being woken by changes.
const RESYNC: Duration = Duration::from_secs(600);
/// A cluster that waits is looked at again after this, in case nothing wakes it.
const FALLBACK: Duration = Duration::from_secs(30);
/// What another object must change, or the cloud does not keep, is looked at again after this.
const BLOCKED: Duration = Duration::from_secs(60);

/// What the controller works with.
struct Controller {
    context: Arc<Context>,
    clusters: Cached<Cluster>,
    machines: Cached<OpenStackMachine>,
    /// Among them the bastions.
    servers: Cached<OpenStackServer>,
    /// All infrastructures.
    objects: Cached<OpenStackCluster>,
    /// What was done last for an object. To do the same once more means that the cloud does not keep
    /// what it is told.
    last: Mutex<HashMap<Key, Vec<Action>>>,
    /// What providers of load balancers refused. Asked once more after a restart.
    refused: Mutex<HashSet<Feature>>,
    /// What the cloud could solve.
    problems: Problems,
    /// How far clusters that go have come.
    stages: Stages,
    /// When clusters came, and their ends began.
    moments: Moments,
}

/// Runs the controller until the process is asked to stop; `woken` are objects whose part of the
/// cloud has changed.
pub async fn run(kit: &Kit, context: Arc<Context>, woken: impl Wakes) {
    let controlled = Loop::<OpenStackCluster>::new(kit, "openstackcluster")
        .on_gone(Waiter::Cluster.forget(&context));
    let objects = controlled.objects();
    let (controlled, clusters) = controlled.watches(owner::infrastructure_of);
    let (controlled, servers) = controlled.owns::<OpenStackServer>();
    let of_machine = owner::of_machine(clusters.clone());
    let (controlled, machines) = controlled.watches::<OpenStackMachine, _>(of_machine);
    let controller = Controller {
        context,
        clusters,
        machines,
        servers,
        objects,
        last: Mutex::default(),
        refused: Mutex::default(),
        problems: Problems::default(),
        stages: Stages::default(),
        moments: Moments::default(),
    };
    let controlled = identity::depends(controlled, &controller.context, |cluster| {
        Some(&cluster.spec.identity_ref)
    });
    controlled
        .wakes(woken)
        .run(Arc::new(controller), reconcile)
        .await;
}

async fn reconcile(
    object: Arc<OpenStackCluster>,
    controller: Arc<Controller>,
) -> Result<Requeue, Error> {
    let object = object.as_ref();
    let key = Key::of(object);
    let deleting = object.metadata.deletion_timestamp.is_some();
    let finalized = object
        .finalizers()
        .iter()
        .any(|name| name == CLUSTER_FINALIZER);
    let Some(owner) =
        owner::of(object).filter(|_| owner::is_ours(object) && (finalized || !deleting))
    else {
        controller.forget(&key);
        return Ok(Requeue::OnChange);
    };
    if controller.is_paused(object, &owner).await? {
        controller.forget(&key);
        publish::paused(&controller.context, object).await?;
        return Ok(Requeue::OnChange);
    }
    let api =
        Api::<OpenStackCluster>::namespaced(controller.context.client.clone(), &key.namespace);
    if !deleting && finalizer::ensure(&api, object, CLUSTER_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }

    let result = controller.converge(object, &key, &owner).await;
    let step = match result {
        Ok(step) => step,
        Err(error) => {
            publish::error(&controller.context, object, &error).await?;
            return Err(error);
        }
    };
    if deleting && step == Step::Done {
        finalizer::remove(&api, object, CLUSTER_FINALIZER).await?;
        controller.forget(&key);
        return Ok(Requeue::OnChange);
    }
    Ok(controller.requeue(object, &key, &step))
}

impl Controller {
    /// When to look again, if nothing wakes the object before.
    fn requeue(&self, object: &OpenStackCluster, key: &Key, step: &Step<Action>) -> Requeue {
        let problem = step.problem().filter(|problem| is_of_cloud(problem));
        let generation = object.metadata.generation;
        if let Some(later) = self.problems.tell(key, problem, generation) {
            return later;
        }
        Requeue::After(match step {
            Step::Do(actions) if self.is_again(key, actions) => jittered(BLOCKED),
            Step::Do(_) => Duration::ZERO,
            Step::Wait(_) => jittered(FALLBACK),
            Step::Blocked(_) => jittered(BLOCKED),
            Step::Done => jittered(RESYNC),
        })
    }

    /// Observe, plan, execute, publish.
    async fn converge(
        &self,
        object: &OpenStackCluster,
        key: &Key,
        owner: &Owner,
    ) -> Result<Step<Action>, Error> {
        let deleting = object.metadata.deletion_timestamp.is_some();
        let gone = Gone::of(object, owner);
        let want = if deleting {
            None
        } else {
            Some(Want::of(object, owner))
        };
        let want = match want.transpose() {
            Ok(want) => want,
            Err(problem) => {
                publish::invalid(&self.context, object, &problem).await?;
                return Ok(Step::Blocked(problem));
            }
        };
        let view = self
            .context
            .view(&key.namespace, &object.spec.identity_ref, deleting)
            .await?;
        let observed = self.observe(object, owner, &gone, &view).await?;
        let now = Timestamp::now();
        let decision = match &want {
            Some(want) => plan::cluster::plan(want, &observed.seen, now),
            None => plan::cluster::delete(&gone, &observed.seen, now),
        };
        observe::follow(&view, key, &gone, &observed, &decision.step);
        if deleting && decision.step == Step::Done {
            // Nobody reads the last status, and writing it would make the finalizer's removal stale.
            return Ok(Step::Done);
        }
        let outcome = match &decision.step {
            Step::Do(actions) => self.execute(object, &view, &observed, actions).await,
            _ => Ok(()),
        };
        publish::decision(
            &self.context,
            object,
            decision.status,
            outcome.as_ref().err().map(Box::as_ref),
        )
        .await?;
        outcome
            .map_err(|refused| refused.error)
            .map(|()| decision.step)
    }

    /// Whether these very actions were done last time as well.
    fn is_again(&self, key: &Key, actions: &[Action]) -> bool {
        let actions: Vec<Action> = actions.iter().map(Action::repeated).collect();
        let before = locked(&self.last).insert(key.clone(), actions.clone());
        before.is_some_and(|before| before == actions)
    }

    /// The object is gone, or no longer ours.
    fn forget(&self, key: &Key) {
        self.context.clouds.forget(&Waiter::Cluster.key(key));
        self.problems.forget(key);
        self.stages.forget(key);
        self.moments.forget(key);
        locked(&self.last).remove(key);
    }
}

/// A panic elsewhere does not make what is remembered worse.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
