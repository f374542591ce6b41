//! What to do next for the add-ons of a cluster.
//!
//! All state is in the ClusterAddon: the class whose add-ons are in (`spec.clusterStack`), the
//! hook that Cluster API waits at (`spec.hook`), the run that is on its way and how far it came
//! (`status.stages`). So a restart goes on where the last process stopped, and a hook is answered
//! from the object alone.

use crate::name::ReleaseName;
use crate::stages::{Hook, Stage, Stages};
use crate::version::Version;

/// The release that the Cluster asks for.
#[derive(Clone, Debug)]
pub struct Want {
    /// Its name.
    pub release: ReleaseName,
    /// Its Kubernetes version, `v1.36.3`.
    pub kubernetes: String,
    /// Version of its add-ons.
    pub addon: Version,
    /// Its stages; a single-stage release has one stage for each hook.
    pub stages: Stages,
}

/// What the ClusterAddon and its Cluster say.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The release whose add-ons are in, none on a new cluster.
    pub applied: Option<Applied>,
    /// The hook at which Cluster API waits.
    pub hook: Option<Hook>,
    /// The run on its way.
    pub run: Option<Run>,
}

/// A release whose add-ons are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub release: ReleaseName,
    /// The Kubernetes version of the cluster's machines, or of that release.
    pub kubernetes: String,
    /// Version of its add-ons, if known.
    pub addon: Option<Version>,
}

/// Stages of one hook for one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Whose stages.
    pub release: ReleaseName,
    /// Which stages.
    pub hook: Hook,
    /// How far each is, in order.
    pub stages: Vec<Progress>,
}

/// How far a stage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// How far.
    pub phase: Phase,
}

/// Phases of a stage; the words of the original's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not begun, or waiting for its pre-condition.
    WaitingForPreCondition,
    /// Objects are being applied or deleted.
    ApplyingOrDeleting,
    /// Waiting for its post-condition.
    WaitingForPostCondition,
    /// Finished.
    Done,
}

impl Phase {
    /// As in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WaitingForPreCondition => "waitingForPreCondition",
            Self::ApplyingOrDeleting => "applyingOrDeleting",
            Self::WaitingForPostCondition => "waitingForPostCondition",
            Self::Done => "done",
        }
    }

    /// Reads what [`Phase::as_str`] writes; everything else, `Pending` and the empty phase of the
    /// original among it, is the first phase.
    #[must_use]
    pub fn read(text: &str) -> Self {
        [
            Self::ApplyingOrDeleting,
            Self::WaitingForPostCondition,
            Self::Done,
        ]
        .into_iter()
        .find(|phase| phase.as_str() == text)
        .unwrap_or(Self::WaitingForPreCondition)
    }

    fn next(self, stage: &Stage) -> Self {
        match self {
            Self::WaitingForPreCondition => Self::ApplyingOrDeleting,
            Self::ApplyingOrDeleting if stage.wait_for_post_condition.is_some() => {
                Self::WaitingForPostCondition
            }
            _ => Self::Done,
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begin this run: write it into the status, then ask again.
    Begin(Run),
    /// Do what the phase of this stage says, by its place in the run; then [`advance`].
    Stage(usize),
    /// All stages are done: drop what the old release had and the new one lacks, then [`Step::Record`].
    Prune,
    /// Record the release as applied; nothing needs to be done to the cluster.
    Record,
    /// Cluster API has not called `BeforeClusterUpgrade` yet.
    AwaitHook,
    /// The add-ons of the release are in.
    Done,
}

/// Decides.
#[must_use]
pub fn plan(want: &Want, seen: &Seen) -> Step {
    if let Some(applied) = &seen.applied
        && applied.release == want.release
    {
        return Step::Done;
    }
    let Some(hook) = hook(want, seen) else {
        return Step::AwaitHook;
    };
    let unchanged = seen
        .applied
        .as_ref()
        .is_some_and(|applied| applied.addon.as_ref() == Some(&want.addon));
    if unchanged && same_kubernetes(want, seen) {
        return Step::Record;
    }
    let run = match &seen.run {
        Some(run) if run.release == want.release && run.hook == hook && fits(run, want) => run,
        _ => return Step::Begin(begin(want, hook)),
    };
    match run
        .stages
        .iter()
        .position(|progress| progress.phase != Phase::Done)
    {
        Some(at) => Step::Stage(at),
        None if seen.applied.is_some() => Step::Prune,
        None => Step::Record,
    }
}

/// The run with the stage at `at` one phase further.
#[must_use]
pub fn advance(run: &Run, at: usize) -> Run {
    let mut run = run.clone();
    if let Some(progress) = run.stages.get_mut(at) {
        progress.phase = progress.phase.next(&progress.stage);
    }
    run
}

/// Which stages are due. The hook that Cluster API calls is not needed on a new cluster: that its
/// API answers says as much, and a call that was lost then delays nothing.
fn hook(want: &Want, seen: &Seen) -> Option<Hook> {
    match &seen.applied {
        None => Some(Hook::AfterControlPlaneInitialized),
        Some(_) if same_kubernetes(want, seen) => Some(Hook::BeforeClusterUpgrade),
        Some(_) => seen.hook.filter(|hook| *hook == Hook::BeforeClusterUpgrade),
    }
}

fn same_kubernetes(want: &Want, seen: &Seen) -> bool {
    seen.applied
        .as_ref()
        .is_some_and(|applied| applied.kubernetes == want.kubernetes)
}

fn begin(want: &Want, hook: Hook) -> Run {
    let stages = want.stages.of(hook).iter().map(|stage| Progress {
        stage: stage.clone(),
        phase: Phase::WaitingForPreCondition,
    });
    Run {
        release: want.release.clone(),
        hook,
        stages: stages.collect(),
    }
}

/// A run that was read from a status fits if it has the stages that the release has now.
fn fits(run: &Run, want: &Want) -> bool {
    let stages = want.stages.of(run.hook);
    run.stages.len() == stages.len()
        && run
            .stages
            .iter()
            .zip(stages)
            .all(|(progress, stage)| progress.stage == *stage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn want(version: u32, kubernetes: &str, addon: u32) -> Want {
        let stages = "addonStages:
  AfterControlPlaneInitialized: [{name: cni, action: apply}, {name: check, action: apply, waitForPostCondition: {conditions: 'true'}}]
  BeforeClusterUpgrade: [{name: cni, action: apply}]
";
        Want {
            release: format!("openstack-lab-1-36-v{version}")
                .parse()
                .expect("name"),
            kubernetes: kubernetes.into(),
            addon: Version::stable(addon),
            stages: Stages::read(stages).expect("stages"),
        }
    }

    fn applied(want: &Want) -> Option<Applied> {
        let (release, kubernetes) = (want.release.clone(), want.kubernetes.clone());
        Some(Applied {
            release,
            kubernetes,
            addon: Some(want.addon.clone()),
        })
    }

    /// Runs until a step that is no progress by itself; a process may stop after each.
    fn steps(want: &Want, mut seen: Seen) -> (Vec<Step>, Seen) {
        let mut steps = Vec::new();
        for _ in 0..20 {
            let step = plan(want, &seen);
            steps.push(step.clone());
            match step {
                Step::Begin(run) => seen.run = Some(run),
                Step::Stage(at) => seen.run = seen.run.as_ref().map(|run| advance(run, at)),
                Step::Prune | Step::Record => {
                    seen = Seen {
                        applied: applied(want),
                        ..Seen::default()
                    }
                }
                Step::AwaitHook | Step::Done => return (steps, seen),
            }
        }
        panic!("does not end: {steps:?}");
    }

    fn kinds(steps: &[Step]) -> Vec<&'static str> {
        let kind = |step: &Step| match step {
            Step::Begin(_) => "begin",
            Step::Stage(0) => "stage 0",
            Step::Stage(_) => "stage 1",
            Step::Prune => "prune",
            Step::Record => "record",
            Step::AwaitHook => "await",
            Step::Done => "done",
        };
        steps.iter().map(kind).collect()
    }

    #[test]
    fn a_new_cluster_needs_no_hook() {
        let (steps, _) = steps(&want(1, "v1.36.3", 1), Seen::default());
        let stage_1 = ["stage 1"; 3];
        assert_eq!(
            kinds(&steps),
            [
                &["begin", "stage 0", "stage 0"][..],
                &stage_1,
                &["record", "done"]
            ]
            .concat()
        );
    }

    #[test]
    fn a_kubernetes_upgrade_waits_for_its_hook() {
        let old = want(1, "v1.36.2", 1);
        let new = want(2, "v1.36.3", 2);
        let seen = Seen {
            applied: applied(&old),
            ..Seen::default()
        };
        assert_eq!(kinds(&steps(&new, seen.clone()).0), ["await"]);
        let called = Seen {
            hook: Some(Hook::BeforeClusterUpgrade),
            ..seen
        };
        assert_eq!(
            kinds(&steps(&new, called).0),
            ["begin", "stage 0", "stage 0", "prune", "done"]
        );
    }

    #[test]
    fn with_the_same_kubernetes_changed_addons_need_no_hook_and_unchanged_ones_no_run() {
        let old = want(1, "v1.36.3", 1);
        let seen = Seen {
            applied: applied(&old),
            ..Seen::default()
        };
        assert_eq!(
            kinds(&steps(&want(2, "v1.36.3", 2), seen.clone()).0)[0],
            "begin"
        );
        assert_eq!(
            kinds(&steps(&want(2, "v1.36.3", 1), seen).0),
            ["record", "done"]
        );
    }

    #[test]
    fn a_run_of_another_release_is_begun_anew() {
        let old = want(1, "v1.36.3", 1);
        let (mid, new) = (want(2, "v1.36.3", 2), want(3, "v1.36.3", 3));
        let run = advance(&begin(&mid, Hook::BeforeClusterUpgrade), 0);
        let seen = Seen {
            applied: applied(&old),
            run: Some(run),
            hook: None,
        };
        assert_eq!(
            kinds(&[plan(&mid, &seen), plan(&new, &seen)]),
            ["stage 0", "begin"]
        );
    }
}
