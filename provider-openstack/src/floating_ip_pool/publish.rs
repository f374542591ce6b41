//! What the object says about its pool.

use crds::openstack::conditions::ConditionType;
use crds::openstack::v1alpha1::{OpenStackFloatingIPPool, OpenStackFloatingIPPoolStatus};
use jiff::Timestamp;
use kube::Api;
use plan::conditions::{self, New};
use plan::floating_ip_pool::Action;
use runtime::Requeue;

use crate::side_by_side::Refused;
use crate::{Error, condition, pause};

/// Publishes the status of a plan, or of the action that was refused.
pub async fn status(
    api: &Api<OpenStackFloatingIPPool>,
    pool: &OpenStackFloatingIPPool,
    mut status: OpenStackFloatingIPPoolStatus,
    refused: Option<&Refused<Action>>,
) -> Result<(), Error> {
    let (now, generation) = (Timestamp::now(), pool.metadata.generation);
    let known = New::ready(ConditionType::OpenStackAuthenticationSucceeded.as_str());
    for said in [pause::condition(false), known] {
        conditions::set(&mut status.conditions, said, generation, now);
    }
    if let Some(refused) = refused {
        let message = refused.error.to_string();
        plan::floating_ip_pool::refused(&mut status, &refused.action, &message, generation, now);
    }
    runtime::apply::status(api, pool, pool.status.as_ref(), &status).await?;
    Ok(())
}

/// Reconciling is switched off.
pub async fn paused(
    api: &Api<OpenStackFloatingIPPool>,
    pool: &OpenStackFloatingIPPool,
) -> Result<(), kube::Error> {
    let (status, said) = (pool.status.as_ref(), [pause::condition(true)]);
    condition::publish(api, pool, status, |status| &mut status.conditions, said).await
}

/// Publishes why the cloud could not be observed, and gives the error back.
pub async fn unobserved(
    api: &Api<OpenStackFloatingIPPool>,
    pool: &OpenStackFloatingIPPool,
    error: Error,
) -> Result<Requeue, Error> {
    condition::unobserved(
        api,
        pool,
        pool.status.as_ref(),
        |status| &mut status.conditions,
        &[ConditionType::OpenstackFloatingIPPoolReady],
        error,
    )
    .await
}
