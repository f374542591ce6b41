//! Objects of a release, applied to a cluster and taken away again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chart::inventory::{self, Object};
use crds::stacks::v1alpha1::{Resource, ResourceStatus};
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Api, Client};
use runtime::apply::FIELD_MANAGER;
use serde_json::Value;

/// A cluster, with what is known of its kinds. A kind is looked up once.
pub struct Cluster {
    /// Its API.
    pub client: Client,
    /// The namespace of objects that name none.
    namespace: String,
    kinds: Mutex<HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>>,
}

impl Cluster {
    /// A cluster whose objects go to `namespace` unless they say otherwise.
    pub fn new(client: Client, namespace: impl Into<String>) -> Self {
        Self {
            client,
            namespace: namespace.into(),
            kinds: Mutex::default(),
        }
    }

    /// Applies objects in order. Each gets an entry; a failure does not keep the others back,
    /// because what failed may need what comes later (a namespace, a definition).
    pub async fn apply(&self, objects: &[Value]) -> Vec<Resource> {
        let mut resources = Vec::with_capacity(objects.len());
        for object in objects {
            resources.push(self.apply_one(object).await);
        }
        resources
    }

    async fn apply_one(&self, object: &Value) -> Resource {
        let mut resource = entry(object);
        let applied = async {
            let (api, namespaced) = self.api(&resource).await?;
            if !namespaced {
                resource.namespace.clear();
            } else if resource.namespace.is_empty() {
                resource.namespace = self.namespace.clone();
            }
            let params = PatchParams::apply(FIELD_MANAGER).force();
            api.patch(&resource.name, &params, &Patch::Apply(object))
                .await
        };
        match applied.await {
            Ok(_) => resource.status = ResourceStatus::Synced.as_str().to_owned(),
            Err(error) => {
                resource.status = ResourceStatus::NotSynced.as_str().to_owned();
                resource.error = error.to_string();
            }
        }
        resource
    }

    /// Deletes objects, last first; what is gone is gone. Returns those that are still there, with
    /// the reason when the API refused.
    pub async fn delete(&self, resources: &[Resource]) -> Vec<Resource> {
        let mut left = Vec::new();
        for resource in resources.iter().rev() {
            match self.delete_one(resource).await {
                Ok(()) => {}
                Err(error) => left.push(Resource {
                    status: ResourceStatus::NotSynced.as_str().to_owned(),
                    error: error.to_string(),
                    ..resource.clone()
                }),
            }
        }
        left.reverse();
        left
    }

    async fn delete_one(&self, resource: &Resource) -> Result<(), kube::Error> {
        let gone = |result: Result<(), kube::Error>| match result {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other,
        };
        let api = match self.api(resource).await {
            Ok((api, _)) => api,
            Err(error) => return gone(Err(error)),
        };
        gone(
            api.delete(&resource.name, &DeleteParams::background())
                .await
                .map(drop),
        )
    }

    /// An object, for conditions; `None` when it, or its kind, does not exist.
    pub async fn get(&self, resource: &Resource) -> Result<Option<Value>, kube::Error> {
        let found = async {
            let (api, _) = self.api(resource).await?;
            api.get_opt(&resource.name).await
        };
        match found.await {
            Ok(object) => Ok(object.and_then(|object| serde_json::to_value(object).ok())),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn api(&self, resource: &Resource) -> Result<(Api<DynamicObject>, bool), kube::Error> {
        let gvk = GroupVersionKind::gvk(&resource.group, &resource.version, &resource.kind);
        let known = self
            .kinds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&gvk)
            .cloned();
        let (kind, capabilities) = match known {
            Some(known) => known,
            None => {
                let found = pinned_kind(&self.client, &gvk).await?;
                self.kinds
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(gvk, found.clone());
                found
            }
        };
        if capabilities.scope == Scope::Cluster {
            return Ok((Api::all_with(self.client.clone(), &kind), false));
        }
        let namespace = if resource.namespace.is_empty() {
            &self.namespace
        } else {
            &resource.namespace
        };
        Ok((
            Api::namespaced_with(self.client.clone(), namespace, &kind),
            true,
        ))
    }
}

/// The entry of an object that was not applied yet.
pub fn entry(object: &Value) -> Resource {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let api_version = text("/apiVersion");
    let (group, version) = inventory::split(&api_version);
    Resource {
        group: group.to_owned(),
        version: version.to_owned(),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        ..Resource::default()
    }
}

/// What names the object of an entry.
pub fn object(resource: &Resource) -> Object {
    Object {
        group: resource.group.clone(),
        kind: resource.kind.clone(),
        namespace: resource.namespace.clone(),
        name: resource.name.clone(),
    }
}

/// What `before` has and `now` lacks, and may go.
pub fn gone(before: &[Resource], now: &[Resource]) -> Vec<Resource> {
    let names = |list: &[Resource]| list.iter().map(object).collect::<Vec<_>>();
    let gone = inventory::gone(&names(before), &names(now));
    before
        .iter()
        .filter(|resource| gone.contains(&object(resource)))
        .cloned()
        .collect()
}

/// What failed, in one sentence; `None` when nothing did.
pub fn failures(resources: &[Resource]) -> Option<String> {
    let failed: Vec<&Resource> = resources
        .iter()
        .filter(|resource| !resource.error.is_empty())
        .collect();
    let first = failed.first()?;
    let more = if failed.len() > 1 {
        format!(" (and {} more)", failed.len() - 1)
    } else {
        String::new()
    };
    Some(format!(
        "{} {}/{}: {}{more}",
        first.kind, first.namespace, first.name, first.error
    ))
}
