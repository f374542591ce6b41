//! Server-side apply with our own field manager. A status is applied at most once for each
//! reconcile, and not at all when it says what the object says already.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The field manager of everything that we apply.
pub const FIELD_MANAGER: &str = "capstan";

/// Applies `status` to the status subresource of `object`, if it differs from `current`; returns
/// whether that took a write. What somebody else wrote there before us, such as the controller that
/// we took over from, does not go by leaving it out: it is taken away by a second write.
///
/// # Errors
/// When the API server refuses. An object that is gone is no error: its status matters to nobody.
pub async fn status<K, S>(
    api: &Api<K>,
    object: &K,
    current: Option<&S>,
    status: &S,
) -> Result<bool, kube::Error>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
    S: Serialize + PartialEq,
{
    if current == Some(status) {
        return Ok(false);
    }
    match write_status(api, &object.name_any(), &json!(status)).await {
        Ok(()) => Ok(true),
        Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}

async fn write_status<K>(api: &Api<K>, name: &str, status: &Value) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Serialize + DeserializeOwned + Clone + Debug,
{
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": name},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let written = api
        .patch_status(name, &params, &Patch::Apply(patch))
        .await?;
    let Some(rest) = difference(&json!(written)["status"], status) else {
        return Ok(());
    };
    let (params, patch) = (PatchParams::default(), json!({ "status": rest }));
    api.patch_status(name, &params, &Patch::Merge(patch))
        .await
        .map(drop)
}

/// The merge patch that makes `have` into `want`; `None` when they are the same.
fn difference(have: &Value, want: &Value) -> Option<Value> {
    let (Value::Object(old), Value::Object(new)) = (have, want) else {
        return (have != want).then(|| want.clone());
    };
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    let mut patch: Map<String, Value> = gone.map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in new {
        let changed = match old.get(key) {
            Some(old) => difference(old, value),
            None => Some(value.clone()),
        };
        patch.extend(changed.map(|changed| (key.clone(), changed)));
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// Applies the fields in `object` (an object's JSON, `apiVersion` and `kind` included) and takes
/// them over from whoever set them.
///
/// # Errors
/// When the API server refuses.
pub async fn object<K>(api: &Api<K>, name: &str, object: &Value) -> Result<K, kube::Error>
where
    K: Resource + DeserializeOwned + Clone + Debug,
{
    api.patch(
        name,
        &PatchParams::apply(FIELD_MANAGER).force(),
        &Patch::Apply(object),
    )
    .await
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use axum::http::HeaderMap;
    use axum::http::header::CONTENT_TYPE;
    use axum::{Json, Router, routing};
    use k8s_openapi::api::core::v1::{Pod, PodStatus};
    use kube::Client;

    use super::*;

    #[test]
    fn a_difference_is_a_merge_patch() {
        let have = json!({"same": 1, "gone": {"a": 1}, "list": [1, 2], "deep": {"x": 1, "y": 2}});
        let want = json!({"same": 1, "list": [2], "deep": {"x": 1, "y": 3}, "new": true});
        let patch = json!({"gone": null, "list": [2], "deep": {"y": 3}, "new": true});
        assert_eq!(difference(&have, &want), Some(patch));
        assert_eq!(difference(&want, &want), None);
    }

    type Patches = Arc<Mutex<Vec<(String, Value)>>>;

    /// A Pod whose status keeps what `left` holds, whatever is applied.
    fn api(left: Value, patches: &Patches) -> Api<Pod> {
        let patches = patches.clone();
        let answer = move |headers: HeaderMap, body: String| {
            let patch: Value = serde_json::from_str(&body).expect("JSON");
            let kind = headers[CONTENT_TYPE].to_str().expect("text").to_owned();
            let mut status = left.as_object().expect("a map").clone();
            status.extend(patch["status"].as_object().expect("a map").clone());
            patches.lock().expect("lock").push((kind, patch));
            std::future::ready(Json(json!({"metadata": {"name": "a"}, "status": status})))
        };
        let path = "/api/v1/namespaces/default/pods/a/status";
        let routes = Router::new().route(path, routing::patch(answer));
        Api::namespaced(Client::new(routes, "default"), "default")
    }

    #[tokio::test]
    async fn what_another_wrote_before_us_is_taken_away() {
        let mut pod = Pod::default();
        pod.metadata.name = Some("a".to_owned());
        let want = PodStatus {
            phase: Some("Running".to_owned()),
            ..PodStatus::default()
        };
        let patches = Patches::default();
        let foreign = api(json!({"hostIP": "192.0.2.1"}), &patches);
        assert!(status(&foreign, &pod, None, &want).await.expect("written"));
        let rest = json!({"status": {"hostIP": null}});
        let merge = "application/merge-patch+json".to_owned();
        assert_eq!(patches.lock().expect("lock")[1..], [(merge, rest)]);

        let patches = Patches::default();
        let own = api(json!({}), &patches);
        assert!(status(&own, &pod, None, &want).await.expect("written"));
        assert!(!status(&own, &pod, Some(&want), &want).await.expect("same"));
        assert_eq!(patches.lock().expect("lock").len(), 1, "one apply suffices");
    }
}
