//! Watches the versions of a kind: who has changed, never what. The API server sends metadata
//! only, and none of it is kept, so that a Secret's content never comes here.

use std::fmt::Debug;
use std::time::Duration;

use futures::{Stream, StreamExt, future, stream};
use kube::api::{ListParams, PartialObjectMeta};
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::Key;
use crate::backoff::jittered;

/// How often a kind is looked for that is not there.
pub const AGAIN: Duration = Duration::from_secs(60);

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

/// As [`of`], for a kind that need not be there: it is looked for every [`AGAIN`] until it is.
pub fn once_served<K>(
    api: Api<PartialObjectMeta<K>>,
) -> impl Stream<Item = Version> + Send + 'static
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let asked = api.clone();
    let served = async move {
        while let Err(error) = asked.list(&ListParams::default().limit(1)).await {
            tracing::debug!(kind = %K::kind(&()), %error, "not served, looking again");
            tokio::time::sleep(jittered(AGAIN)).await;
        }
    };
    stream::once(served).flat_map(move |()| of(api.clone(), ""))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use axum::body::Body;
    use axum::extract::Query;
    use axum::http::StatusCode;
    use axum::response::IntoResponse;
    use axum::{Json, Router};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Client;
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_kind_that_is_not_there_yet_is_looked_for_now_and_then_and_watched_once_it_is() {
        let (there, asked) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let (is_there, asks) = (there.clone(), asked.clone());
        let answer = move |Query(query): Query<BTreeMap<String, String>>| {
            asks.fetch_add(1, Ordering::Relaxed);
            let response = if !is_there.load(Ordering::Relaxed) {
                let status = json!({"kind": "Status", "code": 404, "reason": "NotFound",
                    "message": "the server could not find the requested resource"});
                (StatusCode::NOT_FOUND, Json(status)).into_response()
            } else if query.contains_key("watch") {
                Body::from_stream(stream::pending::<Result<String, std::io::Error>>())
                    .into_response()
            } else {
                let item =
                    json!({"metadata": {"name": "a", "namespace": "n", "resourceVersion": "7"}});
                Json(json!({"metadata": {"resourceVersion": "9"}, "items": [item]})).into_response()
            };
            future::ready(response)
        };
        let client = Client::new(Router::new().fallback(answer), "default");
        let api = Api::<PartialObjectMeta<ConfigMap>>::all(client);
        let mut versions = std::pin::pin!(once_served(api));
        let silence = tokio::time::timeout(Duration::from_secs(600), versions.next()).await;
        assert!(silence.is_err());
        let asked = asked.load(Ordering::Relaxed);
        assert!((8..=14).contains(&asked), "{asked} in ten minutes");
        there.store(true, Ordering::Relaxed);
        let first = versions.next().await;
        let key = Key::new("n", "a");
        let version = Some("7".to_owned());
        assert_eq!(first, Some(Version { key, version }));
    }
}
