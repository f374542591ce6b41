//! The object of a server, as machines and bastions make and delete it.

use crds::capi::names::WATCH_FILTER_LABEL;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackIdentityReference, PortOpts};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use runtime::apply::FIELD_MANAGER;
use serde_json::{Value, json};

/// An object of this name that is there already is as good: whose it is shows when it is seen.
pub async fn create(
    servers: &Api<OpenStackServer>,
    new: &OpenStackServer,
) -> Result<(), kube::Error> {
    let params = PostParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PostParams::default()
    };
    match servers.create(&params, new).await {
        Err(kube::Error::Api(refused)) if refused.reason == "AlreadyExists" => Ok(()),
        result => result.map(drop),
    }
}

/// Puts the label of the watch filter on it.
pub async fn label(
    servers: &Api<OpenStackServer>,
    name: &str,
    watch_filter: &str,
) -> Result<(), kube::Error> {
    let patch = Patch::Merge(json!({"metadata": {"labels": {WATCH_FILTER_LABEL: watch_filter}}}));
    servers
        .patch_metadata(name, &PatchParams::default(), &patch)
        .await
        .map(drop)
}

/// Writes what may change into its spec.
pub async fn update(
    servers: &Api<OpenStackServer>,
    name: &str,
    identity_ref: &OpenStackIdentityReference,
    ports: &[PortOpts],
) -> Result<(), kube::Error> {
    let mut identity = serde_json::to_value(identity_ref).unwrap_or_default();
    // Merging takes away only what it names.
    for field in ["type", "region"] {
        if identity.get(field).is_none() {
            identity[field] = Value::Null;
        }
    }
    let patch = Patch::Merge(json!({"spec": {"identityRef": identity, "ports": ports}}));
    let params = PatchParams::default();
    servers.patch(name, &params, &patch).await.map(drop)
}

/// An object that is gone already is as good.
pub async fn delete(servers: &Api<OpenStackServer>, name: &str) -> Result<(), kube::Error> {
    match servers.delete(name, &DeleteParams::default()).await {
        Err(kube::Error::Api(refused)) if refused.code == 404 => Ok(()),
        result => result.map(drop),
    }
}
