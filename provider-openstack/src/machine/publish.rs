//! What Cluster API reads of a machine.

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1beta2::OpenStackMachine;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use plan::conditions::{self, New};
use plan::machine::Status;
use runtime::Requeue;
use serde_json::json;

use super::execute::Refused;
use crate::{Error, pause};

/// Publishes what a plan says, or the action that was refused. The provider id goes first: Cluster
/// API reads it as soon as the status says `provisioned`.
pub async fn status(
    api: &Api<OpenStackMachine>,
    object: &OpenStackMachine,
    published: Status,
    refused: Option<&Refused>,
) -> Result<(), Error> {
    if object.spec.provider_id != published.provider_id {
        let patch = Patch::Merge(json!({"spec": {"providerID": published.provider_id}}));
        api.patch(&object.name_any(), &PatchParams::default(), &patch)
            .await?;
    }
    let mut status = published.status;
    let (now, generation) = (Timestamp::now(), object.metadata.generation);
    let not_paused = pause::condition(false);
    conditions::set(&mut status.conditions, not_paused, generation, now);
    if let Some(refused) = refused {
        plan::machine::refused(
            &mut status,
            &refused.action,
            &refused.error.to_string(),
            generation,
            now,
        );
    }
    runtime::apply::status(api, object, object.status.as_ref(), &status).await?;
    Ok(())
}

/// Publishes why the cloud could not be observed, and gives the error back. What was known before
/// stays: not to see a server says nothing about it.
pub async fn unobserved(
    api: &Api<OpenStackMachine>,
    object: &OpenStackMachine,
    error: Error,
) -> Result<Requeue, Error> {
    let (type_, reason, message) = match error.authentication() {
        Some(message) => (
            ConditionType::OpenStackAuthenticationSucceeded,
            error.authentication_reason(),
            message,
        ),
        None => (
            ConditionType::APIServerIngressReady,
            Reason::OpenStackError,
            error.to_string(),
        ),
    };
    let mut status = object.status.clone().unwrap_or_default();
    let said = New::not(type_.as_str(), reason.as_str(), message);
    conditions::set(
        &mut status.conditions,
        said,
        object.metadata.generation,
        Timestamp::now(),
    );
    runtime::apply::status(api, object, object.status.as_ref(), &status).await?;
    Err(error)
}
