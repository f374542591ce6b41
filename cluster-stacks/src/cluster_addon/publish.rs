//! The status of a ClusterAddon, and what is recorded in its spec.

use crds::stacks::conditions::{ConditionType, Reason, Severity};
use crds::stacks::names::{STAGE_ANNOTATION, STAGE_CREATED, STAGE_UPGRADED};
use crds::stacks::v1alpha1::{ClusterAddon, ClusterAddonStatus, StageRun, StageStatus};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use release::addon::{Phase, Progress, Run};
use release::stages::Hook;
use serde_json::json;

use super::Controller;
use super::execute::Stop;
use super::observe::Observed;
use crate::Error;
use crate::conditions::Conditions;

/// What holds on the way to applied add-ons, in this order. A pass that stopped at one of them
/// says nothing of those that come after.
const WAY: [ConditionType; 7] = [
    ConditionType::ClusterStackReleaseDownloaded,
    ConditionType::ClusterReady,
    ConditionType::HookServerReady,
    ConditionType::HelmChartFound,
    ConditionType::HelmChartTemplated,
    ConditionType::EvaluatedCEL,
    ConditionType::HelmChartApplied,
];

/// Writes the status, then records an applied release in the spec: a crash in between only makes
/// the next pass record it once more.
pub async fn publish(
    this: &Controller,
    api: &Api<ClusterAddon>,
    addon: &ClusterAddon,
    seen: Option<&mut Observed>,
    stop: &Stop,
) -> Result<(), Error> {
    let before = addon.status.clone().unwrap_or_default();
    let done = matches!(stop, Stop::Done);
    let mut status = ClusterAddonStatus {
        ready: done,
        conditions: conditions(addon, stop),
        ..before
    };
    if let Some(seen) = &seen {
        let (run, stages) = stages(seen.now.run.as_ref(), message(stop));
        status.resources = seen.resources.clone();
        (status.run, status.stages) = if done {
            (None, Vec::new())
        } else {
            (run, stages)
        };
        status.kubernetes_version = seen
            .now
            .applied
            .as_ref()
            .map(|applied| applied.kubernetes.clone());
    }
    report(
        this,
        addon,
        stop,
        seen.as_ref().is_some_and(|seen| seen.recorded),
    )
    .await;
    runtime::apply::status(api, addon, addon.status.as_ref(), &status).await?;
    if let Some(seen) = seen.filter(|seen| seen.recorded) {
        record(api, addon, seen).await?;
    }
    Ok(())
}

fn message(stop: &Stop) -> &str {
    match stop {
        Stop::Wait { message, .. } => message,
        Stop::Failed(failed) => &failed.message,
        Stop::Done | Stop::AwaitHook => "",
    }
}

fn conditions(addon: &ClusterAddon, stop: &Stop) -> Vec<crds::stacks::conditions::Condition> {
    let before = addon
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice());
    let mut conditions = Conditions::new(before.unwrap_or_default(), Timestamp::now());
    let (type_, severity, reason, message) = match stop {
        Stop::Done => {
            WAY.into_iter().for_each(|type_| conditions.holds(type_));
            return conditions.finish();
        }
        Stop::AwaitHook => (
            ConditionType::HookServerReady,
            Severity::Info,
            Reason::HookServerUnresponsive,
            "Kubernetes changes: Cluster API calls BeforeClusterUpgrade first".to_owned(),
        ),
        Stop::Wait {
            type_,
            reason,
            message,
        } => (*type_, Severity::Info, *reason, message.clone()),
        Stop::Failed(failed) => (
            failed.type_,
            Severity::Error,
            failed.reason,
            failed.message.clone(),
        ),
    };
    WAY.into_iter()
        .take_while(|held| *held != type_)
        .for_each(|held| conditions.holds(held));
    conditions.fails(type_, severity, reason, message);
    conditions.finish()
}

fn stages(run: Option<&Run>, message: &str) -> (Option<StageRun>, Vec<StageStatus>) {
    let Some(run) = run else {
        return (None, Vec::new());
    };
    let current = run
        .stages
        .iter()
        .position(|progress| progress.phase != Phase::Done);
    let status = |(at, Progress { stage, phase }): (usize, &Progress)| StageStatus {
        name: stage.name.clone(),
        action: stage.action.as_str().to_owned(),
        phase: phase.as_str().to_owned(),
        message: if Some(at) == current {
            message.to_owned()
        } else {
            String::new()
        },
    };
    let of = StageRun {
        cluster_stack: run.release.class(),
        hook: run.hook.as_str().to_owned(),
    };
    (
        Some(of),
        run.stages.iter().enumerate().map(status).collect(),
    )
}

async fn report(this: &Controller, addon: &ClusterAddon, stop: &Stop, recorded: bool) {
    let events = &this.shared.events;
    match stop {
        Stop::Failed(failed) => {
            events
                .warning(addon, failed.reason.as_str(), &failed.message)
                .await
        }
        Stop::Done if recorded => {
            events
                .normal(addon, "AddonsApplied", "the add-ons of the release are in")
                .await
        }
        _ => {}
    }
}

async fn record(
    api: &Api<ClusterAddon>,
    addon: &ClusterAddon,
    seen: &Observed,
) -> Result<(), Error> {
    let stage = match seen.now.run.as_ref().map(|run| run.hook) {
        Some(Hook::AfterControlPlaneInitialized) => STAGE_CREATED,
        _ => STAGE_UPGRADED,
    };
    let patch = json!({
        "metadata": {"annotations": {STAGE_ANNOTATION: stage}},
        "spec": {
            "clusterStack": seen.want.release.class(),
            "version": seen.want.addon.dashed(),
            "hook": null,
        },
    });
    api.patch(
        &addon.name_any(),
        &PatchParams::default(),
        &Patch::Merge(patch),
    )
    .await?;
    Ok(())
}
