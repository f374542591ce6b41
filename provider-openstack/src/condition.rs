//! What is said of an object that no plan was made for: a pause, or why the cloud was not seen.

use crds::openstack::conditions::ConditionType;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, Resource};
use plan::conditions::{self, New};
use runtime::Requeue;
use runtime::controller::Object;
use serde::Serialize;

use crate::{Error, pause};

/// Says these things in the status of `object`; all else that it says stays. `conditions` are those
/// of such a status.
///
/// # Errors
/// When the API server refuses.
pub async fn publish<'a, K, S>(
    api: &Api<K>,
    object: &K,
    current: Option<&S>,
    conditions: fn(&mut S) -> &mut Vec<Condition>,
    said: impl IntoIterator<Item = New<'a>>,
) -> Result<(), kube::Error>
where
    K: Object + Resource<DynamicType = ()> + Serialize,
    S: Clone + Default + PartialEq + Serialize,
{
    let mut status = current.cloned().unwrap_or_default();
    let generation = object.meta().generation;
    for said in said {
        conditions::set(conditions(&mut status), said, generation, Timestamp::now());
    }
    runtime::apply::status(api, object, current, &status).await?;
    Ok(())
}

/// Publishes why the cloud could not be observed, and gives the error back; `about` are the
/// conditions that say how the object is. Who looks at the cloud is not paused.
pub async fn unobserved<K, S>(
    api: &Api<K>,
    object: &K,
    current: Option<&S>,
    conditions: fn(&mut S) -> &mut Vec<Condition>,
    about: &[ConditionType],
    error: Error,
) -> Result<Requeue, Error>
where
    K: Object + Resource<DynamicType = ()> + Serialize,
    S: Clone + Default + PartialEq + Serialize,
{
    let mut known = current.cloned().unwrap_or_default();
    let mut said = error.conditions(conditions(&mut known), about);
    said.push(pause::condition(false));
    publish(api, object, current, conditions, said).await?;
    Err(error)
}
