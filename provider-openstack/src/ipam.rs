//! Objects of Cluster API's IPAM contract that we make.

use std::fmt::Debug;

use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource, ResourceExt};
use runtime::apply::FIELD_MANAGER;
use serde::Serialize;
use serde_json::json;

/// Creates an object in its namespace. One of the same name that is there already is left as it is:
/// the next plan looks at it.
///
/// # Errors
/// When the API server refuses.
pub async fn create<K>(client: &Client, object: &K) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize + Debug,
{
    let of = ApiResource::erase::<K>(&());
    // Read views carry neither version nor kind.
    let mut json = serde_json::to_value(object).map_err(kube::Error::SerdeError)?;
    json["apiVersion"] = json!(of.api_version);
    json["kind"] = json!(of.kind);
    let new: DynamicObject = serde_json::from_value(json).map_err(kube::Error::SerdeError)?;
    let namespace = object.namespace().unwrap_or_default();
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), &namespace, &of);
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match api.create(&params, &new).await {
        Err(kube::Error::Api(refused)) if refused.reason == "AlreadyExists" => Ok(()),
        result => result.map(drop),
    }
}
