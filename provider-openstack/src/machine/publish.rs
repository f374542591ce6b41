//! What Cluster API reads of a machine.

use crds::openstack::conditions::ConditionType;
use crds::openstack::v1beta2::OpenStackMachine;
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use plan::conditions;
use plan::machine::{Action, Status};
use runtime::Requeue;
use serde_json::json;

use crate::side_by_side::Refused;
use crate::{Error, condition, pause};

/// Publishes what a plan says, or the action that was refused. The provider id goes first: Cluster
/// API reads it as soon as the status says `provisioned`.
pub async fn status(
    api: &Api<OpenStackMachine>,
    object: &OpenStackMachine,
    published: Status,
    refused: Option<&Refused<Action>>,
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

/// Publishes why the cloud could not be observed, and gives the error back. What is said of the
/// server stays: its own object knows more of it.
pub async fn unobserved(
    api: &Api<OpenStackMachine>,
    object: &OpenStackMachine,
    error: Error,
) -> Result<Requeue, Error> {
    condition::unobserved(
        api,
        object,
        object.status.as_ref(),
        |status| &mut status.conditions,
        &[ConditionType::APIServerIngressReady, ConditionType::Ready],
        error,
    )
    .await
}
