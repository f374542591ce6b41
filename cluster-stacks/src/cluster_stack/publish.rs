//! The status of a ClusterStack.

use crds::stacks::conditions::{ConditionType, Reason, Severity};
use crds::stacks::v1alpha1::{
    ClusterStack, ClusterStackRelease, ClusterStackReleaseSummary, ClusterStackStatus, ReleasePhase,
};
use jiff::Timestamp;
use kube::{Api, ResourceExt};
use release::ReleaseName;
use release::subscription::{Plan, Want};

use super::{Controller, observe};
use crate::conditions::Conditions;
use crate::{Error, assets};

/// Says what is wrong with the spec.
pub async fn invalid(this: &Controller, stack: &ClusterStack, problem: &str) -> Result<(), Error> {
    let mut conditions = begin(stack);
    let type_ = ConditionType::ClusterStackReleasesSynced;
    conditions.fails(type_, Severity::Error, Reason::FailedToSync, problem);
    let status = stack.status.clone().unwrap_or_default();
    write(
        this,
        stack,
        ClusterStackStatus {
            conditions: conditions.finish(),
            ..status
        },
    )
    .await
}

/// Says what was done.
pub async fn publish(
    this: &Controller,
    stack: &ClusterStack,
    want: &Want,
    plan: &Plan,
    silent: Option<&assets::Error>,
    failed: Option<&kube::Error>,
) -> Result<(), Error> {
    let mut conditions = begin(stack);
    match silent {
        Some(error) => say_silent(&mut conditions, error),
        None => {
            conditions.holds(ConditionType::AssetsClientAPIAvailable);
            conditions.holds(ConditionType::ReleasesSynced);
        }
    }
    let synced = ConditionType::ClusterStackReleasesSynced;
    match failed {
        Some(error) => conditions.fails(
            synced,
            Severity::Error,
            Reason::FailedToCreateOrUpdate,
            error.to_string(),
        ),
        None => conditions.holds(synced),
    }
    let releases = observe::owned(this, stack);
    let summary = summaries(&releases, plan);
    if plan.latest_ready.is_some() {
        conditions.holds(ConditionType::ClusterStackReleaseAvailable);
    } else {
        conditions.fails(
            ConditionType::ClusterStackReleaseAvailable,
            Severity::Warning,
            Reason::ProcessOngoing,
            none_usable(want, &summary, silent),
        );
    }
    let ready = summary
        .iter()
        .filter(|(_, summary)| summary.ready)
        .map(|(name, _)| name.version.dotted());
    let usable = ready.collect::<Vec<_>>().join(", ");
    let status = ClusterStackStatus {
        latest_release: plan
            .latest_ready
            .as_ref()
            .map(|name| latest(name, &releases)),
        usable_versions: Some(usable).filter(|versions| !versions.is_empty()),
        summary: summary.into_iter().map(|(_, summary)| summary).collect(),
        conditions: conditions.finish(),
    };
    write(this, stack, status).await
}

/// The releases that stay and those that were just begun, v9 before v10.
fn summaries(
    releases: &[ClusterStackRelease],
    plan: &Plan,
) -> Vec<(ReleaseName, ClusterStackReleaseSummary)> {
    let mut summary: Vec<_> = releases
        .iter()
        .filter_map(summarize)
        .filter(|(name, _)| !plan.delete.contains(name))
        .collect();
    for name in &plan.create {
        if !summary.iter().any(|(have, _)| have == name) {
            summary.push((name.clone(), begun(name)));
        }
    }
    summary.sort_by_key(|(name, _)| (name.version.major(), name.version.dashed()));
    summary
}

fn say_silent(conditions: &mut Conditions, error: &assets::Error) {
    let message = error.to_string();
    let (type_, reason) = match error {
        assets::Error::NoSource(_) => (
            ConditionType::AssetsClientAPIAvailable,
            Reason::FailedCreateAssetsClient,
        ),
        _ => (ConditionType::ReleasesSynced, Reason::FailedToSync),
    };
    conditions.fails(type_, Severity::Error, reason, message);
}

fn none_usable(
    want: &Want,
    summary: &[(ReleaseName, ClusterStackReleaseSummary)],
    silent: Option<&assets::Error>,
) -> String {
    match (summary.first(), silent) {
        (Some((name, first)), _) if !first.message.is_empty() => {
            format!("{name}: {}", first.message)
        }
        (Some((name, _)), _) => format!("{name} is on its way"),
        (None, Some(_)) => "the source of releases does not answer".to_owned(),
        (None, None) => format!(
            "no release of {} on channel {} is in the source, and spec.versions names none",
            want.stack, want.channel
        ),
    }
}

/// `<release, dotted> | <Kubernetes version>`, as in the original.
fn latest(name: &ReleaseName, releases: &[ClusterStackRelease]) -> String {
    let release = releases
        .iter()
        .find(|release| release.name_any() == name.tag());
    let kubernetes =
        release.and_then(|release| release.status.as_ref()?.kubernetes_version.clone());
    format!("{} | {}", name.class(), kubernetes.unwrap_or_default())
}

fn summarize(release: &ClusterStackRelease) -> Option<(ReleaseName, ClusterStackReleaseSummary)> {
    let name: ReleaseName = release.name_any().parse().ok()?;
    let status = release.status.clone().unwrap_or_default();
    let is = |type_: ConditionType| {
        status
            .conditions
            .iter()
            .find(|condition| condition.type_ == type_.as_str())
            .map(|c| c.status == "True")
    };
    let phase = if status.ready {
        ReleasePhase::Done
    } else if is(ConditionType::ClusterStackReleaseDownloaded) == Some(true) {
        ReleasePhase::ApplyingObjects
    } else {
        ReleasePhase::DownloadingReleaseAssets
    };
    let not_ready = |condition: &&crds::stacks::conditions::Condition| {
        condition.type_ == ConditionType::Ready.as_str() && condition.status == "False"
    };
    let message = status
        .conditions
        .iter()
        .find(not_ready)
        .map(|condition| condition.message.clone());
    let summary = ClusterStackReleaseSummary {
        name: name.version.dashed(),
        ready: status.ready,
        phase: phase.as_str().to_owned(),
        message: message.unwrap_or_default(),
    };
    Some((name, summary))
}

fn begun(name: &ReleaseName) -> ClusterStackReleaseSummary {
    ClusterStackReleaseSummary {
        name: name.version.dashed(),
        ready: false,
        phase: ReleasePhase::None.as_str().to_owned(),
        message: String::new(),
    }
}

fn begin(stack: &ClusterStack) -> Conditions {
    let before = stack
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice());
    Conditions::new(before.unwrap_or_default(), Timestamp::now())
}

async fn write(
    this: &Controller,
    stack: &ClusterStack,
    status: ClusterStackStatus,
) -> Result<(), Error> {
    let api: Api<ClusterStack> = Api::namespaced(
        this.shared.client.clone(),
        &stack.namespace().unwrap_or_default(),
    );
    runtime::apply::status(&api, stack, stack.status.as_ref(), &status).await?;
    Ok(())
}
