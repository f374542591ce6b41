//! Finalizers. Two rules that outlive any controller: a finalizer is persisted before the first
//! call that creates something, and it goes only after the last thing is gone. Each write carries
//! the `resourceVersion` that was read, so that nobody else's finalizer is ever lost.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::json;

/// Puts `finalizer` on; returns whether that took a write (the caller then ends this pass, and
/// comes back with the new object).
///
/// # Errors
/// When the API server refuses, 409 included: the object changed meanwhile.
pub async fn ensure<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<bool, kube::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    if object.finalizers().iter().any(|have| have == finalizer) {
        return Ok(false);
    }
    let mut finalizers = object.finalizers().to_vec();
    finalizers.push(finalizer.to_owned());
    write(api, object, finalizers).await?;
    Ok(true)
}

/// Takes `finalizer` off. An object that is already gone is a success.
///
/// # Errors
/// When the API server refuses, 409 included: the object changed meanwhile.
pub async fn remove<K>(api: &Api<K>, object: &K, finalizer: &str) -> Result<(), kube::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    if !object.finalizers().iter().any(|have| have == finalizer) {
        return Ok(());
    }
    let rest = object
        .finalizers()
        .iter()
        .filter(|have| *have != finalizer)
        .cloned()
        .collect();
    match write(api, object, rest).await {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        result => result,
    }
}

async fn write<K>(api: &Api<K>, object: &K, finalizers: Vec<String>) -> Result<(), kube::Error>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let patch = json!({"metadata": {
        "resourceVersion": object.resource_version(),
        "finalizers": finalizers,
    }});
    api.patch_metadata(
        &object.name_any(),
        &PatchParams::default(),
        &Patch::Merge(patch),
    )
    .await
    .map(drop)
}
