//! Watches the versions of a kind: who has changed, never what. The API server sends metadata
//! only, and none of it is kept, so that a Secret's content never comes here.

use std::fmt::Debug;

use futures::{Stream, StreamExt, future};
use kube::api::PartialObjectMeta;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::Key;

/// An object as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Namespace (empty for a kind without) and name.
    pub key: Key,
    /// Its `resourceVersion`; absent when it is gone.
    pub version: Option<String>,
}

/// All objects of `api` at first, then those that change. `fields` is a field selector, empty for
/// all. A watch that is refused is tried again for ever, which costs nobody else anything.
pub fn of<K>(
    api: Api<PartialObjectMeta<K>>,
    fields: &str,
) -> impl Stream<Item = Version> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(fields);
    watcher(api, config).default_backoff().filter_map(|event| {
        if let Err(error) = &event {
            tracing::warn!(kind = %K::kind(&()), %error, "watch failed, trying again");
        }
        future::ready(event.ok().and_then(changed))
    })
}

fn changed<K: Resource<DynamicType = ()>>(event: Event<PartialObjectMeta<K>>) -> Option<Version> {
    let (object, gone) = match event {
        Event::Apply(object) | Event::InitApply(object) => (object, false),
        Event::Delete(object) => (object, true),
        Event::Init | Event::InitDone => return None,
    };
    let version = object.resource_version().filter(|_| !gone);
    let key = Key::new(object.namespace().unwrap_or_default(), object.name_any());
    Some(Version { key, version })
}
