//! What the object says about its server.

use crds::openstack::conditions::ConditionType;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerStatus};
use jiff::Timestamp;
use kube::Api;
use plan::conditions::{self, New};
use plan::server::Action;
use runtime::Requeue;

use crate::side_by_side::Refused;
use crate::{Error, condition, pause};

/// Publishes the status of a plan, or of the action that was refused.
pub async fn status(
    api: &Api<OpenStackServer>,
    server: &OpenStackServer,
    mut status: OpenStackServerStatus,
    refused: Option<&Refused<Action>>,
) -> Result<(), Error> {
    let (now, generation) = (Timestamp::now(), server.metadata.generation);
    let known = New::ready(ConditionType::OpenStackAuthenticationSucceeded.as_str());
    conditions::set(&mut status.conditions, known, generation, now);
    let not_paused = pause::condition(false);
    conditions::set(&mut status.conditions, not_paused, generation, now);
    if let Some(refused) = refused {
        plan::server::refused(
            &mut status,
            &refused.action,
            &refused.error.to_string(),
            generation,
            now,
        );
    }
    runtime::apply::status(api, server, server.status.as_ref(), &status).await?;
    Ok(())
}

/// Publishes why the cloud could not be observed, and gives the error back. `status.ready` stays: not
/// to see a server says nothing about it.
pub async fn unobserved(
    api: &Api<OpenStackServer>,
    server: &OpenStackServer,
    error: Error,
) -> Result<Requeue, Error> {
    condition::unobserved(
        api,
        server,
        server.status.as_ref(),
        |status| &mut status.conditions,
        &[ConditionType::InstanceReady],
        error,
    )
    .await
}
