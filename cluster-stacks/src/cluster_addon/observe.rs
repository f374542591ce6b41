//! What the add-ons of a cluster should be, and how far they are.

use std::sync::Arc;

use chart::archive::Files;
use chart::values::Objects;
use crds::capi::{Cluster, ObjectRef};
use crds::stacks::conditions::{ConditionType, Reason};
use crds::stacks::v1alpha1::{ClusterAddon, Resource, StageStatus};
use kube::api::DynamicObject;
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use kube::{Api, Client, ResourceExt};
use release::ReleaseName;
use release::addon::{Applied, Phase, Progress, Run, Seen, Want};
use release::stages::Hook;
use runtime::controller::Key;
use serde_json::Value;

use super::Controller;
use super::execute::{Failed, Stop};
use crate::assets::Release;
use crate::{apply, assets};

/// Everything that a reconcile works with.
pub struct Observed {
    /// The release that the Cluster asks for.
    pub want: Want,
    /// How far its add-ons are.
    pub now: Seen,
    /// The release's files.
    pub release: Release,
    /// Its add-on charts.
    pub charts: Files,
    /// The workload cluster.
    pub workload: Arc<apply::Cluster>,
    /// What templates of values read.
    pub objects: Objects,
    /// What was applied so far, of this release and the last.
    pub resources: Vec<Resource>,
    /// Whether the release was recorded as applied in this pass.
    pub recorded: bool,
}

impl Observed {
    /// Stages of another hook or release begin.
    pub fn begin(&mut self, run: Run) {
        self.now.run = Some(run);
    }

    /// The release is in.
    pub fn record(&mut self) {
        self.now = Seen {
            applied: Some(Applied {
                release: self.want.release.clone(),
                kubernetes: self.want.kubernetes.clone(),
                addon: Some(self.want.addon.clone()),
            }),
            hook: None,
            run: self.now.run.take(),
        };
        self.recorded = true;
    }
}

/// The Cluster of a ClusterAddon.
pub fn cluster(this: &Controller, addon: &ClusterAddon) -> Option<Cluster> {
    let name = addon.spec.cluster_ref.name.clone().unwrap_or_default();
    this.clusters
        .get(&Key::new(addon.namespace().unwrap_or_default(), name))
}

/// Looks at everything; what keeps the add-ons from being applied at all is in the error.
pub async fn observe(
    this: &Controller,
    addon: &ClusterAddon,
    cluster: &Cluster,
) -> Result<Observed, Stop> {
    let release = release_of(this, cluster).await?;
    let charts = release.addons().map_err(not_usable)?;
    let management = &this.shared.client;
    let workloads = &this.shared.workloads;
    let (key, name) = (Key::of(addon), cluster.name_any());
    let workload = workloads.get(management, &key, &name);
    let workload = workload.await.map_err(|message| Stop::Wait {
        type_: ConditionType::ClusterReady,
        reason: Reason::ControlPlaneNotReady,
        message,
    })?;
    let objects = objects(management, cluster).await.map_err(|error| {
        let reason = Reason::TemplateNewClusterStackOverwriteFailed;
        failed(ConditionType::HelmChartTemplated, reason, error.to_string())
    })?;
    let versions = &release.metadata.versions;
    let want = Want {
        release: release.name.clone(),
        kubernetes: versions.kubernetes.clone(),
        addon: versions.components.cluster_addon.clone(),
        stages: release.stages.clone(),
    };
    let now = Seen {
        applied: applied(this, addon).await,
        hook: hook(addon),
        run: run(addon, &want),
    };
    let status = addon.status.as_ref();
    Ok(Observed {
        resources: status
            .map(|status| status.resources.clone())
            .unwrap_or_default(),
        want,
        now,
        release,
        charts,
        workload,
        objects,
        recorded: false,
    })
}

/// The release of the Cluster's class.
async fn release_of(this: &Controller, cluster: &Cluster) -> Result<Release, Stop> {
    let name: ReleaseName = cluster.class_name().parse().map_err(|error| {
        let name = cluster.name_any();
        let message = format!("spec.topology.classRef.name of Cluster {name}: {error}");
        let reason = Reason::IssueWithReleaseAssets;
        failed(
            ConditionType::ClusterStackReleaseDownloaded,
            reason,
            message,
        )
    })?;
    this.shared.assets.release(&name).await.map_err(not_usable)
}

fn not_usable(error: assets::Error) -> Stop {
    let reason = match error {
        assets::Error::Broken { .. } => Reason::IssueWithReleaseAssets,
        _ => Reason::ReleaseAssetsNotDownloadedYet,
    };
    failed(
        ConditionType::ClusterStackReleaseDownloaded,
        reason,
        error.to_string(),
    )
}

fn failed(type_: ConditionType, reason: Reason, message: String) -> Stop {
    Stop::Failed(Failed {
        type_,
        reason,
        message,
    })
}

fn hook(addon: &ClusterAddon) -> Option<Hook> {
    addon.spec.hook.as_deref().and_then(Hook::read)
}

/// The release that is in. An object of the original does not say its Kubernetes version; the
/// release does.
async fn applied(this: &Controller, addon: &ClusterAddon) -> Option<Applied> {
    let release: ReleaseName = addon.spec.cluster_stack.as_deref()?.parse().ok()?;
    let kubernetes = match addon
        .status
        .as_ref()
        .and_then(|status| status.kubernetes_version.clone())
    {
        Some(version) => version,
        None => {
            let old = this.shared.assets.release(&release).await;
            old.map(|old| old.metadata.versions.kubernetes)
                .unwrap_or_default()
        }
    };
    let version = addon
        .spec
        .version
        .as_deref()
        .and_then(|version| version.parse().ok());
    Some(Applied {
        release,
        kubernetes,
        addon: version,
    })
}

/// The run on its way, if it is one of this release.
fn run(addon: &ClusterAddon, want: &Want) -> Option<Run> {
    let status = addon.status.as_ref()?;
    let of = status.run.as_ref()?;
    let hook = Hook::read(&of.hook)?;
    let release: ReleaseName = of.cluster_stack.parse().ok()?;
    let stages = want.stages.of(hook);
    if release != want.release || stages.len() != status.stages.len() {
        return None;
    }
    let progress =
        |(stage, StageStatus { phase, .. }): (&release::stages::Stage, &StageStatus)| Progress {
            stage: stage.clone(),
            phase: Phase::read(phase),
        };
    Some(Run {
        release,
        hook,
        stages: stages.iter().zip(&status.stages).map(progress).collect(),
    })
}

/// The objects that templates of values read, as they are in the management cluster.
async fn objects(client: &Client, cluster: &Cluster) -> Result<Objects, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let own = ObjectRef {
        api_group: crds::capi::names::GROUP.to_owned(),
        api_version: String::new(),
        kind: "Cluster".to_owned(),
        name: cluster.name_any(),
    };
    Ok(Objects {
        cluster: object(client, &namespace, Some(&own)).await?,
        control_plane: object(client, &namespace, cluster.spec.control_plane_ref.as_ref()).await?,
        infra_cluster: object(client, &namespace, cluster.spec.infrastructure_ref.as_ref()).await?,
    })
}

async fn object(
    client: &Client,
    namespace: &str,
    reference: Option<&ObjectRef>,
) -> Result<Value, kube::Error> {
    let Some(reference) = reference else {
        return Ok(Value::Null);
    };
    let kind = GroupVersionKind::gvk(
        reference.group(),
        crds::capi::names::VERSION,
        &reference.kind,
    );
    let (resource, _) = pinned_kind(client, &kind).await?;
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let object = api.get_opt(&reference.name).await?;
    Ok(object
        .and_then(|object| serde_json::to_value(object).ok())
        .unwrap_or_default())
}
