//! The watches of a controller: what they ask for, what they pass on, and whom a change concerns.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::{Stream, StreamExt, future};
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};

use super::{Key, Kit, Object};
use crate::health::{Gate, Health};

pub(super) fn watch<K: Object + 'static>(
    kit: &Kit,
    filter: Option<&str>,
    gates: [Gate; 2],
    writer: reflector::store::Writer<DeserializeGuard<K>>,
) -> impl Stream<Item = Result<watcher::Event<DeserializeGuard<K>>, watcher::Error>> + Send + 'static
{
    let api: Api<DeserializeGuard<K>> = match &kit.namespace {
        Some(namespace) => Api::namespaced(kit.client.clone(), namespace),
        None => Api::all(kit.client.clone()),
    };
    let mut config = watcher::Config::default();
    if let Some(value) = filter {
        config = config.labels(&format!("cluster.x-k8s.io/watch-filter={value}"));
    }
    // Not `Store::wait_until_ready`: of several tasks that wait there only one is woken.
    let open = move |event: &Result<watcher::Event<DeserializeGuard<K>>, watcher::Error>| {
        if matches!(event, Ok(watcher::Event::InitDone)) {
            gates.iter().for_each(Gate::open);
        }
    };
    // A watch that fails is tried again by itself: to the controller an error would be a reason to
    // hold back all that it watches.
    let keep = move |event: Result<_, watcher::Error>| {
        if let Err(error) = &event {
            tracing::warn!(kind = %K::kind(&()), %error, "watch failed, trying again");
        }
        future::ready(event.is_ok().then_some(event))
    };
    watcher(api, config)
        .default_backoff()
        .modify(|object| object.meta_mut().managed_fields = None)
        .reflect(writer)
        .inspect(open)
        .filter_map(keep)
}

/// What opens when the first list of `K` is in: for the readiness of the process, and for this
/// controller to begin.
pub(super) fn gates<K: Object>(kit: &Kit, controller: &str, listed: &Health) -> [Gate; 2] {
    let name = format!("{controller}: watch {}", K::kind(&()));
    [kit.health.gate(&name), listed.gate(name)]
}

/// Two states of an object with the same value are the same to a controller: only the status
/// differs, and that is its own doing.
pub(super) fn meaningful<K: Object>(object: &DeserializeGuard<K>) -> Option<u64> {
    let meta = object.meta();
    let mut hasher = DefaultHasher::new();
    (
        &meta.uid,
        meta.generation,
        &meta.finalizers,
        &meta.labels,
        &meta.annotations,
    )
        .hash(&mut hasher);
    meta.deletion_timestamp
        .as_ref()
        .map(|time| time.0)
        .hash(&mut hasher);
    for owner in meta.owner_references.iter().flatten() {
        (&owner.uid, owner.controller).hash(&mut hasher);
    }
    Some(hasher.finish())
}

pub(super) fn owners<K: Object, O: Object>(object: &O) -> Vec<Key> {
    let namespace = object.namespace().unwrap_or_default();
    let (kind, group) = (K::kind(&()), K::group(&()));
    let ours =
        |api_version: &str| api_version.split_once('/').map_or("", |(group, _)| group) == group;
    let owners = object
        .owner_references()
        .iter()
        .filter(|owner| owner.kind == kind && ours(&owner.api_version));
    owners
        .map(|owner| Key::new(&namespace, &owner.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::json;

    use super::*;

    /// A message that changes each time would otherwise keep its own controller busy for ever.
    #[test]
    fn a_status_is_no_reason_to_look_again() {
        let state = |generation: i64, message: &str, labels: serde_json::Value| {
            let object: DeserializeGuard<Pod> = serde_json::from_value(json!({
                "metadata": {"name": "a", "generation": generation, "labels": labels},
                "status": {"message": message},
            }))
            .expect("an object");
            meaningful(&object)
        };
        let before = state(1, "request 1", json!({}));
        assert_eq!(state(1, "request 2", json!({})), before);
        assert_ne!(state(2, "request 1", json!({})), before);
        assert_ne!(state(1, "request 1", json!({"a": "b"})), before);
    }
}
