//! The loop around a `reconcile`.
//!
//! It watches a kind and what belongs to it, keeps a store of each without `managedFields` (three
//! quarters of an object's memory), calls `reconcile` for one object never twice at a time, and
//! lets each object that fails wait for itself. An object that cannot be decoded is reported and
//! left alone until it changes; the others go on.
//!
//! Objects that depend on the same thing, such as one cloud, share a [lane](Loop::lanes): when it
//! answers slowly only they wait. Objects whose last reconcile failed share a smaller lane beside
//! it, so that thousands of them do not stand in the way of those that work.

mod watches;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use kube::core::{DeserializeGuard, NamespaceResourceScope};
use kube::runtime::controller::{Action, Config, Controller, Error as LoopError};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{PredicateConfig, WatchStreamExt, watcher};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use self::watches::{gates, meaningful, owners, watch};
use crate::Shutdown;
use crate::backoff::{self, Backoff};
use crate::events::Events;
use crate::health::Health;
use crate::lanes::{Lanes, Turn};
use crate::metrics::{Controller as ControllerLabel, Metrics, Outcome};

/// How long an object waits when the first list of something that it depends on is not in yet.
const LISTING: Duration = Duration::from_millis(100);
/// How long an object waits that has changed while it was reconciled.
const AFTER_CONFLICT: Duration = Duration::from_secs(1);
/// Objects whose last reconcile failed get this part of [`Kit::concurrency`], beside the others.
const FAILING_SHARE: usize = 4;

/// What all controllers of a process share.
#[derive(Clone)]
pub struct Kit {
    /// The management cluster.
    pub client: Client,
    /// Only objects of this namespace; all when absent.
    pub namespace: Option<String>,
    /// Only objects whose label `cluster.x-k8s.io/watch-filter` has this value; all when absent.
    pub watch_filter: Option<String>,
    /// Reconciles at a time, for each [lane](Loop::lanes) of each controller; 0 is no limit. They
    /// never sleep, so a few dozen are plenty.
    pub concurrency: u16,
    /// The request to stop.
    pub shutdown: Shutdown,
    /// Where each watch says that its first list is in.
    pub health: Health,
    /// Where reconciles are counted.
    pub metrics: Metrics,
}

/// What every kind under control is: namespaced, decodable, cheap enough to clone.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + fmt::Debug
    + Send
    + Sync
{
}
impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + fmt::Debug
        + Send
        + Sync
{
}

/// Namespace and name of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Key {
    /// The key of `namespace/name`.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The key of an object.
    pub fn of<K: Resource>(object: &K) -> Self {
        Self::new(object.namespace().unwrap_or_default(), object.name_any())
    }

    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split_once('/')
            .map(|(namespace, name)| Self::new(namespace, name))
    }

    fn to_ref<K: Object>(&self) -> ObjectRef<DeserializeGuard<K>> {
        ObjectRef::new(&self.name).within(&self.namespace)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// When to look at an object again, if nothing wakes it before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// Not until it, or something that it watches, changes.
    OnChange,
    /// After this time.
    After(Duration),
}

/// An error of a reconcile.
pub trait Retry: std::error::Error + Send + Sync + 'static {
    /// How long not to try again, where somebody asks for it. The backoff of the object (1 s to 5 min)
    /// counts where it is longer: who asks for no time at all is not called without end.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    /// The longest wait before the next try, jitter included; what passes soon need not wait for five
    /// minutes because it has lasted a while.
    fn longest_wait(&self) -> Duration {
        Duration::MAX
    }

    /// Whether this happens in normal work, such as a write that lost a race: it is no failure of
    /// the object, and no warning. Tried again after [`Retry::retry_after`], or 1 s.
    fn is_normal(&self) -> bool {
        false
    }
}

/// Whether the API server refused a write because the object has changed since it was read.
#[must_use]
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(refused) if refused.code == 409 && !refused.is_already_exists())
}

/// The objects of a kind, as last seen by a watch.
pub struct Cached<K: Object + 'static> {
    store: Store<DeserializeGuard<K>>,
}

impl<K: Object + 'static> Clone for Cached<K> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
        }
    }
}

impl<K: Object + 'static> Cached<K> {
    /// The object, if it is there and can be decoded.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<K> {
        self.store
            .get(&key.to_ref())
            .and_then(|object| object.0.as_ref().ok().cloned())
    }

    /// All objects that `wanted` accepts. It looks at every object of the kind.
    #[must_use]
    pub fn list(&self, wanted: impl Fn(&K) -> bool) -> Vec<K> {
        let decoded = |object: Arc<DeserializeGuard<K>>| {
            object.0.as_ref().ok().filter(|k| wanted(k)).cloned()
        };
        self.store.state().into_iter().filter_map(decoded).collect()
    }

    /// A store that holds `objects` for ever, for tests of what reads it.
    #[must_use]
    pub fn fixed(objects: impl IntoIterator<Item = K>) -> Self {
        let (store, mut writer) = reflector::store();
        writer.apply_watcher_event(&watcher::Event::Init);
        for object in objects {
            writer.apply_watcher_event(&watcher::Event::InitApply(DeserializeGuard(Ok(object))));
        }
        writer.apply_watcher_event(&watcher::Event::InitDone);
        Self { store }
    }
}

/// A controller in the making: name the kind, what wakes it, and [`run`](Self::run) it.
pub struct Loop<K: Object + 'static> {
    name: &'static str,
    kit: Kit,
    controller: Controller<DeserializeGuard<K>>,
    objects: Cached<K>,
    /// A gate for each watch of this controller.
    listed: Health,
    lane: Lane<K>,
    gone: Gone,
}

/// Hears of objects that are gone.
type Gone = Box<dyn Fn(&Key) + Send>;
/// The name of an object's lane.
type Lane<K> = Box<dyn Fn(&K) -> String + Send + Sync>;

impl<K: Object + 'static> Loop<K> {
    /// Watches `K`. Its own status writes do not wake it.
    #[must_use]
    pub fn new(kit: &Kit, name: &'static str) -> Self {
        let (store, writer) = reflector::store();
        let objects = Cached {
            store: store.clone(),
        };
        let listed = Health::default();
        let gates = gates::<K>(kit, name, &listed);
        let trigger = watch::<K>(kit, kit.watch_filter.as_deref(), gates, writer)
            .applied_objects()
            .predicate_filter(meaningful::<K>, PredicateConfig::default());
        // The lanes limit it.
        let config = Config::default().concurrency(0);
        let controller = Controller::for_stream(trigger, store)
            .with_config(config)
            .graceful_shutdown_on(crate::stopped(kit.shutdown.clone()));
        Self {
            name,
            kit: kit.clone(),
            controller,
            objects,
            listed,
            lane: Box::new(|_| String::new()),
            gone: Box::new(|_| {}),
        }
    }

    /// Objects with the same `lane` share [`Kit::concurrency`] and do not hold up others. Without
    /// this all objects share one.
    #[must_use]
    pub fn lanes(self, lane: impl Fn(&K) -> String + Send + Sync + 'static) -> Self {
        let lane = Box::new(lane);
        Self { lane, ..self }
    }

    /// Calls `gone` for an object that was to be reconciled and is there no more: also when somebody
    /// else has taken its finalizers away.
    #[must_use]
    pub fn on_gone(self, gone: impl Fn(&Key) + Send + 'static) -> Self {
        let gone = Box::new(gone);
        Self { gone, ..self }
    }

    /// The objects under control.
    #[must_use]
    pub fn objects(&self) -> Cached<K> {
        self.objects.clone()
    }

    /// Watches another kind; `wakes` says which objects a change of it concerns. Deletions count
    /// as changes.
    #[must_use]
    pub fn watches<O, I>(self, wakes: impl Fn(&O) -> I + Send + Sync + 'static) -> (Self, Cached<O>)
    where
        O: Object + 'static,
        I: IntoIterator<Item = Key>,
    {
        let (store, writer) = reflector::store();
        let others = Cached { store };
        let gates = gates::<O>(&self.kit, self.name, &self.listed);
        let trigger = watch::<O>(&self.kit, None, gates, writer).touched_objects();
        let to_refs = move |other: DeserializeGuard<O>| -> Vec<ObjectRef<DeserializeGuard<K>>> {
            other
                .0
                .map(|other| wakes(&other).into_iter().map(|key| key.to_ref()).collect())
                .unwrap_or_default()
        };
        let controller = self.controller.watches_stream(trigger, to_refs);
        (Self { controller, ..self }, others)
    }

    /// Watches a kind that objects of `K` own.
    #[must_use]
    pub fn owns<O: Object + 'static>(self) -> (Self, Cached<O>) {
        self.watches::<O, _>(owners::<K, O>)
    }

    /// Wakes the objects whose keys come out of `keys`.
    #[must_use]
    pub fn wakes(self, keys: impl Stream<Item = Key> + Send + 'static) -> Self {
        let controller = self.controller.reconcile_on(keys.map(|key| key.to_ref()));
        Self { controller, ..self }
    }

    /// Reconciles until the process is asked to stop; reconciles that run then are finished.
    pub async fn run<C, F, Fut, E>(self, context: Arc<C>, reconcile: F)
    where
        C: Send + Sync + 'static,
        F: Fn(Arc<K>, Arc<C>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Requeue, E>> + Send + 'static,
        E: Retry,
    {
        let name = self.name;
        let (lanes, called) = Lanes::new();
        let work = Arc::new(Work {
            name,
            events: Events::new(self.kit.client.clone(), name),
            metrics: self.kit.metrics.clone(),
            backoff: Backoff::default(),
            listed: self.listed,
            lanes: lanes.clone(),
            lane: self.lane,
            concurrency: usize::from(self.kit.concurrency),
            reconcile,
            context,
        });
        let (backoff, metrics) = (work.clone(), self.kit.metrics.clone());
        let gone = self.gone;
        let report = move |result| {
            // A reconcile's own error was reported with its object.
            match result {
                Err(LoopError::ObjectNotFound(object)) => {
                    let key = Key::new(object.namespace.unwrap_or_default(), object.name);
                    lanes.gone(&key);
                    backoff.backoff.forget(&key);
                    gone(&key);
                }
                Err(error @ (LoopError::QueueError(_) | LoopError::RunnerError(_))) => {
                    tracing::warn!(controller = name, %error, "watch failed, trying again");
                }
                _ => {}
            }
            metrics
                .controllers
                .queues(name, lanes.waiting(), backoff.backoff.failing());
            std::future::ready(())
        };
        self.controller
            .reconcile_on(called.map(|key| key.to_ref()))
            .run(one, failed, work)
            .for_each(report)
            .await;
    }
}

struct Work<K, C, F> {
    name: &'static str,
    events: Events,
    metrics: Metrics,
    backoff: Backoff<Key>,
    listed: Health,
    lanes: Arc<Lanes>,
    lane: Lane<K>,
    concurrency: usize,
    reconcile: F,
    context: Arc<C>,
}

impl<K, C, F> Work<K, C, F> {
    /// The turn of the object, or nothing when it will be called later.
    fn turn(&self, key: &Key, object: &K) -> Option<Turn> {
        let lane = (self.lane)(object);
        if self.backoff.is_failing(key) {
            let few = self.concurrency.div_ceil(FAILING_SHARE);
            return self.lanes.enter(&format!("{lane} (failing)"), few, key);
        }
        self.lanes.enter(&lane, self.concurrency, key)
    }

    fn count(&self, outcome: &'static str, since: Instant) {
        let controller = self.name;
        let counts = &self.metrics.controllers;
        counts
            .reconciles
            .get_or_create(&Outcome {
                controller,
                outcome,
            })
            .inc();
        counts
            .seconds
            .get_or_create(&ControllerLabel { controller })
            .observe(since.elapsed().as_secs_f64());
    }
}

async fn one<K, C, F, Fut, E>(
    object: Arc<DeserializeGuard<K>>,
    work: Arc<Work<K, C, F>>,
) -> Result<Action, E>
where
    K: Object,
    F: Fn(Arc<K>, Arc<C>) -> Fut,
    Fut: Future<Output = Result<Requeue, E>>,
    E: Retry,
{
    // A store that is not filled yet would say that nobody uses what is in use.
    if !work.listed.awaited().is_empty() {
        return Ok(Action::requeue(LISTING));
    }
    let (key, since) = (Key::of(&*object), Instant::now());
    let object = match &object.0 {
        Ok(object) => object,
        Err(invalid) => {
            work.lanes.gone(&key);
            work.count("undecodable", since);
            let note = format!("cannot be read, and is left alone until it changes: {invalid}");
            work.events.warning(&*object, "Undecodable", note).await;
            return Ok(Action::await_change());
        }
    };
    let Some(_turn) = work.turn(&key, object) else {
        return Ok(Action::await_change());
    };
    let result = (work.reconcile)(Arc::new(object.clone()), work.context.clone()).await;
    work.count(outcome(&result), since);
    let requeue = result?;
    work.backoff.forget(&key);
    Ok(match requeue {
        Requeue::OnChange => Action::await_change(),
        Requeue::After(wait) => Action::requeue(wait),
    })
}

fn outcome<E: Retry>(result: &Result<Requeue, E>) -> &'static str {
    match result {
        Ok(_) => "success",
        Err(error) if error.is_normal() => "conflict",
        Err(_) => "error",
    }
}

fn failed<K, C, F, E>(
    object: Arc<DeserializeGuard<K>>,
    error: &E,
    work: Arc<Work<K, C, F>>,
) -> Action
where
    K: Object,
    E: Retry,
{
    let key = Key::of(&*object);
    if error.is_normal() {
        tracing::debug!(controller = work.name, object = %key, %error, "reconcile again");
        return Action::requeue(error.retry_after().unwrap_or(AFTER_CONFLICT));
    }
    let wait = work.backoff.failed(key.clone());
    let wait = wait.min(error.longest_wait());
    let wait = backoff::at_least(wait, error.retry_after());
    tracing::warn!(controller = work.name, object = %key, %error, retry_in = ?wait, "reconcile failed");
    Action::requeue(wait)
}
