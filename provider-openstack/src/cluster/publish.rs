//! Writing what came of it: the endpoint, the status, and events.

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackClusterStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use plan::cluster::{Action, Published};
use plan::conditions::{self, New};
use plan::step::Problem;
use serde_json::json;

use crate::side_by_side::Refused;
use crate::{Context, Error, pause};

/// A status in the making.
struct Draft<'o> {
    object: &'o OpenStackCluster,
    status: OpenStackClusterStatus,
}

impl<'o> Draft<'o> {
    fn new(object: &'o OpenStackCluster) -> Self {
        Self {
            object,
            status: object.status.clone().unwrap_or_default(),
        }
    }

    fn set(&mut self, condition: New<'_>) {
        let generation = self.object.metadata.generation;
        conditions::set(
            &mut self.status.conditions,
            condition,
            generation,
            Timestamp::now(),
        );
    }

    /// The times of conditions stay those of the object, whatever was to be published otherwise.
    fn fail(&mut self, type_: ConditionType, reason: Reason, message: &str) {
        let known = self
            .object
            .status
            .iter()
            .flat_map(|status| &status.conditions);
        for old in known {
            let is_it = |new: &&mut Condition| new.type_ == old.type_;
            if let Some(new) = self.status.conditions.iter_mut().find(is_it)
                && [type_, ConditionType::Ready]
                    .map(ConditionType::as_str)
                    .contains(&old.type_.as_str())
            {
                *new = old.clone();
            }
        }
        self.set(New::not(type_.as_str(), reason.as_str(), message));
        self.set(New::not(
            ConditionType::Ready.as_str(),
            Reason::OpenStackError.as_str(),
            message,
        ));
    }

    fn authenticated(&mut self) {
        self.set(New::ready(
            ConditionType::OpenStackAuthenticationSucceeded.as_str(),
        ));
        self.not_paused();
    }

    fn not_paused(&mut self) {
        self.set(pause::condition(false));
    }

    /// One apply, and none when nothing changed.
    async fn apply(self, context: &Context) -> Result<(), Error> {
        let api = api(context, self.object);
        runtime::apply::status(&api, self.object, self.object.status.as_ref(), &self.status)
            .await?;
        Ok(())
    }
}

fn api(context: &Context, object: &OpenStackCluster) -> Api<OpenStackCluster> {
    Api::namespaced(
        context.client.clone(),
        &object.namespace().unwrap_or_default(),
    )
}

/// What a plan says, and what became of its actions.
pub(super) async fn decision(
    context: &Context,
    object: &OpenStackCluster,
    published: Published,
    refused: Option<&Refused<Action>>,
) -> Result<(), Error> {
    for (reason, text) in &published.warnings {
        context.events.warning(object, reason, text).await;
    }
    if let Some((host, port)) = &published.endpoint {
        // Before the status that tells Cluster API to read it.
        let patch =
            Patch::Merge(json!({"spec": {"controlPlaneEndpoint": {"host": host, "port": port}}}));
        api(context, object)
            .patch(&object.name_any(), &PatchParams::default(), &patch)
            .await?;
    }
    let mut draft = Draft {
        object,
        status: published.status,
    };
    draft.authenticated();
    if let Some(refused) = refused
        && let Some((type_, reason)) = refused.action.condition()
    {
        draft.fail(type_, reason, &refused.error.to_string());
    }
    draft.apply(context).await
}

/// A spec that cannot be fulfilled as it stands.
pub(super) async fn invalid(
    context: &Context,
    object: &OpenStackCluster,
    problem: &Problem,
) -> Result<(), Error> {
    let mut draft = Draft::new(object);
    draft.not_paused();
    draft.fail(
        ConditionType::NetworkReady,
        Reason::OpenStackError,
        &problem.to_string(),
    );
    draft.apply(context).await
}

/// An error before there was anything to plan with. What the management cluster refuses is not
/// written there, but logged.
pub(super) async fn error(
    context: &Context,
    object: &OpenStackCluster,
    error: &Error,
) -> Result<(), Error> {
    if !matches!(error, Error::Identity(_) | Error::Observe(_)) {
        // Published together with the plan, or nothing that the object's user could change.
        return Ok(());
    }
    let mut draft = Draft::new(object);
    let said = error.conditions(&draft.status.conditions, &[ConditionType::Ready]);
    match error.authentication() {
        Some(_) => draft.not_paused(),
        None => draft.authenticated(),
    }
    said.into_iter().for_each(|said| draft.set(said));
    draft.apply(context).await
}

/// Reconciling is switched off.
pub(super) async fn paused(context: &Context, object: &OpenStackCluster) -> Result<(), Error> {
    let mut draft = Draft::new(object);
    draft.set(pause::condition(true));
    draft.apply(context).await
}
