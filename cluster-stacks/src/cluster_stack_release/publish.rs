//! The status of a ClusterStackRelease.

use crds::stacks::conditions::{ConditionType, Reason, Severity};
use crds::stacks::v1alpha1::{ClusterStackRelease, ClusterStackReleaseStatus, Resource};
use jiff::Timestamp;

use super::observe::Problem;
use super::{Controller, api};
use crate::conditions::Conditions;
use crate::{Error, assets};

/// The class is in, or some of it is not.
pub async fn applied(
    this: &Controller,
    release: &ClusterStackRelease,
    kubernetes: &str,
    resources: Vec<Resource>,
    failed: Option<&str>,
) -> Result<(), Error> {
    let mut conditions = begin(release);
    conditions.holds(ConditionType::AssetsClientAPIAvailable);
    conditions.holds(ConditionType::ClusterStackReleaseDownloaded);
    match failed {
        None => conditions.holds(ConditionType::HelmChartApplied),
        Some(failed) => {
            conditions.fails(
                ConditionType::HelmChartApplied,
                Severity::Error,
                Reason::FailedToApplyObjects,
                failed,
            );
        }
    }
    let was_ready = release.status.as_ref().is_some_and(|status| status.ready);
    if failed.is_none() && !was_ready {
        let note = format!("the ClusterClass is there, with Kubernetes {kubernetes}");
        this.shared.events.normal(release, "Ready", note).await;
    }
    let status = ClusterStackReleaseStatus {
        resources,
        kubernetes_version: Some(kubernetes.to_owned()),
        ready: failed.is_none(),
        conditions: conditions.finish(),
    };
    write(this, release, status).await
}

/// The release cannot be used.
pub async fn problem(
    this: &Controller,
    release: &ClusterStackRelease,
    problem: &Problem,
) -> Result<(), Error> {
    let mut conditions = begin(release);
    let message = problem.to_string();
    let (type_, reason) = match problem {
        Problem::Assets(assets::Error::NoSource(_)) => (
            ConditionType::AssetsClientAPIAvailable,
            Reason::FailedCreateAssetsClient,
        ),
        Problem::Assets(assets::Error::Registry(
            registry::Error::Unreachable { .. }
            | registry::Error::Unauthorized { .. }
            | registry::Error::NotFound { .. },
        )) => (
            ConditionType::ClusterStackReleaseDownloaded,
            Reason::ReleaseAssetsNotDownloadedYet,
        ),
        Problem::Assets(_) | Problem::Name(_) => (
            ConditionType::ClusterStackReleaseDownloaded,
            Reason::IssueWithReleaseAssets,
        ),
        Problem::Chart(_) => (
            ConditionType::HelmChartApplied,
            Reason::IssueWithReleaseAssets,
        ),
    };
    conditions.fails(type_, Severity::Error, reason, &message);
    this.shared
        .events
        .warning(release, reason.as_str(), &message)
        .await;
    // What was applied before stays usable; a source that is down takes no class away.
    let status = release.status.clone().unwrap_or_default();
    write(
        this,
        release,
        ClusterStackReleaseStatus {
            conditions: conditions.finish(),
            ..status
        },
    )
    .await
}

/// It cannot go yet.
pub async fn in_use(
    this: &Controller,
    release: &ClusterStackRelease,
    cluster: &str,
) -> Result<(), Error> {
    let mut conditions = begin(release);
    let message =
        format!("Cluster {cluster} uses its class; move it to another class or delete it");
    conditions.fails(
        ConditionType::HelmChartDeleted,
        Severity::Warning,
        Reason::InUse,
        message,
    );
    let status = release.status.clone().unwrap_or_default();
    write(
        this,
        release,
        ClusterStackReleaseStatus {
            conditions: conditions.finish(),
            ..status
        },
    )
    .await
}

/// Some of it cannot be taken away.
pub async fn not_deleted(
    this: &Controller,
    release: &ClusterStackRelease,
    left: Vec<Resource>,
    failed: &str,
) -> Result<(), Error> {
    let mut conditions = begin(release);
    conditions.fails(
        ConditionType::HelmChartDeleted,
        Severity::Error,
        Reason::FailedToDeleteObjects,
        failed,
    );
    let status = release.status.clone().unwrap_or_default();
    let conditions = conditions.finish();
    write(
        this,
        release,
        ClusterStackReleaseStatus {
            resources: left,
            ready: false,
            conditions,
            ..status
        },
    )
    .await
}

fn begin(release: &ClusterStackRelease) -> Conditions {
    let before = release
        .status
        .as_ref()
        .map(|status| status.conditions.as_slice());
    Conditions::new(before.unwrap_or_default(), Timestamp::now())
}

async fn write(
    this: &Controller,
    release: &ClusterStackRelease,
    status: ClusterStackReleaseStatus,
) -> Result<(), Error> {
    runtime::apply::status(
        &api(this, release),
        release,
        release.status.as_ref(),
        &status,
    )
    .await?;
    Ok(())
}
