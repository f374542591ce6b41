//! Server-side apply with our own field manager. A status is applied at most once for each
//! reconcile, and not at all when it says what the object says already.

use std::fmt::Debug;

use kube::api::{Api, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The field manager of everything that we apply.
pub const FIELD_MANAGER: &str = "capstan";

/// Applies `status` to the status subresource of `object`, if it differs from `current`; returns
/// whether that took a write.
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
    K: Resource<DynamicType = ()> + DeserializeOwned + Clone + Debug,
    S: Serialize + PartialEq,
{
    if current == Some(status) {
        return Ok(false);
    }
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"name": object.name_any()},
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    match api
        .patch_status(&object.name_any(), &params, &Patch::Apply(patch))
        .await
    {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
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
