//! Does what a stage says.

use std::sync::Arc;

use chart::archive::Files;
use chart::condition::{self, Verdict};
use chart::values;
use crds::stacks::conditions::{ConditionType, Reason};
use crds::stacks::v1alpha1::Resource;
use release::addon::{self, Phase, Progress};
use release::files::CLUSTER_ADDON_VALUES;
use release::stages::{Action, Condition, Hook, Stage};
use serde_json::Value;

use super::Controller;
use super::observe::Observed;
use crate::{apply, helm};

/// Why a pass ended.
#[derive(Debug)]
pub enum Stop {
    /// The add-ons are in.
    Done,
    /// Cluster API has to call first.
    AwaitHook,
    /// Something has to happen in a cluster.
    Wait {
        type_: ConditionType,
        reason: Reason,
        message: String,
    },
    /// Something is wrong.
    Failed(Failed),
}

/// What is wrong, and the condition that says so.
#[derive(Debug)]
pub struct Failed {
    /// The condition.
    pub type_: ConditionType,
    /// Its reason.
    pub reason: Reason,
    /// Its message.
    pub message: String,
}

/// Takes the stage at `at` one phase further, or says why not.
pub async fn stage(this: &Controller, seen: &mut Observed, at: usize) -> Result<(), Stop> {
    let Some(run) = seen.now.run.clone() else {
        return Ok(());
    };
    let Some(Progress { stage, phase }) = run.stages.get(at).cloned() else {
        return Ok(());
    };
    let done = match phase {
        Phase::WaitingForPreCondition => {
            let condition = stage.wait_for_pre_condition.as_ref();
            wait(seen, condition, Reason::FailedToEvaluatePreCondition).await
        }
        Phase::ApplyingOrDeleting => apply_or_delete(this, seen, &stage).await,
        Phase::WaitingForPostCondition => {
            let condition = stage.wait_for_post_condition.as_ref();
            wait(seen, condition, Reason::FailedToEvaluatePostCondition).await
        }
        Phase::Done => Ok(()),
    };
    done.map_err(|stop| named(stop, &stage, run.hook))?;
    seen.now.run = Some(addon::advance(&run, at));
    Ok(())
}

/// Takes away what the last release had and this one lacks.
pub async fn prune(this: &Controller, seen: &mut Observed) -> Result<(), Stop> {
    let hook = seen
        .now
        .run
        .as_ref()
        .map_or(Hook::BeforeClusterUpgrade, |run| run.hook);
    let mut now: Vec<Resource> = Vec::new();
    for stage in seen
        .want
        .stages
        .of(hook)
        .iter()
        .filter(|stage| stage.action == Action::Apply)
    {
        let objects = render(this, seen, stage)
            .await
            .map_err(|stop| named(stop, stage, hook))?;
        now.extend(objects.iter().map(apply::entry));
    }
    // What was applied knows its namespace; what was rendered may not name it.
    let is_now = |resource: &Resource| {
        let mut bare = resource.clone();
        bare.namespace.clear();
        let names: Vec<_> = now.iter().map(apply::object).collect();
        names.contains(&apply::object(resource)) || names.contains(&apply::object(&bare))
    };
    let (kept, rest): (Vec<_>, Vec<_>) = seen.resources.iter().cloned().partition(is_now);
    let left = seen.workload.delete(&apply::gone(&rest, &kept)).await;
    let failed = apply::failures(&left);
    seen.resources = [kept, left].concat();
    match failed {
        None => Ok(()),
        Some(message) => Err(fail(
            ConditionType::HelmChartDeleted,
            Reason::FailedToDeleteObjects,
            message,
        )),
    }
}

async fn apply_or_delete(
    this: &Controller,
    seen: &mut Observed,
    stage: &Stage,
) -> Result<(), Stop> {
    let objects = render(this, seen, stage).await?;
    if stage.action == Action::Delete {
        let entries: Vec<Resource> = objects.iter().map(apply::entry).collect();
        let left = seen.workload.delete(&apply::gone(&entries, &[])).await;
        remember(seen, &entries, false);
        return match apply::failures(&left) {
            None => Ok(()),
            Some(message) => Err(fail(
                ConditionType::HelmChartDeleted,
                Reason::FailedToDeleteObjects,
                message,
            )),
        };
    }
    let applied = seen.workload.apply(&objects).await;
    let failed = apply::failures(&applied);
    remember(seen, &applied, true);
    match failed {
        None => Ok(()),
        Some(message) => Err(fail(
            ConditionType::HelmChartApplied,
            Reason::FailedToApplyObjects,
            message,
        )),
    }
}

/// Replaces the entries of these objects, or takes them off the list.
fn remember(seen: &mut Observed, entries: &[Resource], there: bool) {
    let names: Vec<_> = entries.iter().map(apply::object).collect();
    seen.resources
        .retain(|resource| !names.contains(&apply::object(resource)));
    if there {
        seen.resources.extend_from_slice(entries);
    }
}

async fn wait(seen: &Observed, condition: Option<&Condition>, reason: Reason) -> Result<(), Stop> {
    let Some(condition) = condition else {
        return Ok(());
    };
    let mut objects: Vec<(String, Option<Value>)> = Vec::new();
    for watched in &condition.objects {
        let (group, version) = chart::inventory::split(&watched.api_version);
        let resource = Resource {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: watched.kind.clone(),
            namespace: watched.namespace.clone(),
            name: watched.name.clone(),
            ..Resource::default()
        };
        let object = seen.workload.get(&resource).await;
        let object = object.map_err(|error| {
            fail(
                ConditionType::EvaluatedCEL,
                reason,
                format!("{}: {error}", watched.key),
            )
        })?;
        objects.push((watched.key.clone(), object));
    }
    match condition::evaluate(&condition.conditions, &objects) {
        Ok(Verdict::Holds) => Ok(()),
        Ok(Verdict::NotYet(missing)) => {
            let missing = missing
                .map(|missing| format!(": {missing}"))
                .unwrap_or_default();
            let message = format!("waits for {:?}{missing}", condition.conditions);
            Err(Stop::Wait {
                type_: ConditionType::HelmChartApplied,
                reason: Reason::ObjectsApplyingOngoing,
                message,
            })
        }
        Err(error) => Err(fail(ConditionType::EvaluatedCEL, reason, error.to_string())),
    }
}

/// The objects of a stage.
async fn render(this: &Controller, seen: &Observed, stage: &Stage) -> Result<Arc<[Value]>, Stop> {
    let chart = chart_of(seen, stage);
    if !chart.contains_key("Chart.yaml") {
        let message = "the release has no such chart".to_owned();
        return Err(fail(
            ConditionType::HelmChartFound,
            Reason::HelmChartMissing,
            message,
        ));
    }
    let values = match stage.action {
        Action::Apply => values_of(seen, stage, &chart)?,
        Action::Delete => String::new(),
    };
    let key = helm::Key {
        digest: seen.release.addon_digest().to_owned(),
        chart: stage.name.clone(),
        values,
        kubernetes: seen.want.kubernetes.clone(),
    };
    this.shared
        .helm
        .render(&key, &chart)
        .await
        .map_err(|error| {
            fail(
                ConditionType::HelmChartTemplated,
                Reason::TemplateNewClusterStackFailed,
                error.to_string(),
            )
        })
}

/// The files of a stage's chart, without the folder around them.
fn chart_of(seen: &Observed, stage: &Stage) -> Files {
    let root = if seen.release.is_multi_stage {
        stage.name.clone()
    } else {
        let roots = seen
            .charts
            .keys()
            .filter_map(|path| path.strip_suffix("/Chart.yaml"));
        roots
            .min_by_key(|root| root.len())
            .unwrap_or_default()
            .to_owned()
    };
    let prefix = format!("{root}/");
    let below = |(path, content): (&String, &Vec<u8>)| {
        Some((path.strip_prefix(&prefix)?.to_owned(), content.clone()))
    };
    seen.charts.iter().filter_map(below).collect()
}

fn values_of(seen: &Observed, stage: &Stage, chart: &Files) -> Result<String, Stop> {
    const OVERWRITE: &str = "overwrite.yaml";
    let broken = |message: String| {
        fail(
            ConditionType::HelmChartTemplated,
            Reason::TemplateNewClusterStackOverwriteFailed,
            message,
        )
    };
    let (file, template) = if seen.release.is_multi_stage {
        let content = chart
            .get(OVERWRITE)
            .cloned()
            .map(String::from_utf8)
            .transpose();
        let file = format!("{}/{OVERWRITE}", stage.name);
        (
            file.clone(),
            content.map_err(|_| broken(format!("{file} is not UTF-8")))?,
        )
    } else {
        let values = seen
            .release
            .addon_values()
            .map_err(|error| broken(error.to_string()))?;
        (CLUSTER_ADDON_VALUES.to_owned(), values)
    };
    let Some(template) = template else {
        return Ok(String::new());
    };
    values::render(&file, &template, &seen.objects).map_err(|error| broken(error.to_string()))
}

fn fail(type_: ConditionType, reason: Reason, message: String) -> Stop {
    Stop::Failed(Failed {
        type_,
        reason,
        message,
    })
}

/// Puts the stage before the message.
fn named(stop: Stop, stage: &Stage, hook: Hook) -> Stop {
    let name = |message: String| {
        format!(
            "stage {} ({}) of {hook}: {message}",
            stage.name,
            stage.action.as_str()
        )
    };
    match stop {
        Stop::Wait {
            type_,
            reason,
            message,
        } => Stop::Wait {
            type_,
            reason,
            message: name(message),
        },
        Stop::Failed(failed) => Stop::Failed(Failed {
            message: name(failed.message),
            ..failed
        }),
        other => other,
    }
}
