//! Objects as last seen by a watch, or else asked for.

use kube::{Api, Client};
use runtime::Key;
use runtime::controller::{Cached, Object};

/// The object as last seen; one that was not seen is asked for, because the watch may only not
/// have got that far. Without a name there is none.
///
/// # Errors
/// What the API server answers.
pub async fn find<K: Object + 'static>(
    client: &Client,
    cached: &Cached<K>,
    key: &Key,
) -> Result<Option<K>, kube::Error> {
    if key.name.is_empty() {
        return Ok(None);
    }
    if let Some(found) = cached.get(key) {
        return Ok(Some(found));
    }
    let api: Api<K> = Api::namespaced(client.clone(), &key.namespace);
    api.get_opt(&key.name).await
}
