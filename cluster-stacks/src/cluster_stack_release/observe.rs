//! Gets a release and renders its class.

use std::sync::Arc;

use crds::stacks::v1alpha1::ClusterStackRelease;
use kube::ResourceExt;
use release::ReleaseName;
use serde_json::Value;

use super::Controller;
use crate::assets;

/// A release that is ready to be applied.
pub struct Found {
    /// Kubernetes version, `v1.36.3`.
    pub kubernetes: String,
    /// The objects, labelled, in order.
    pub objects: Arc<[Value]>,
}

/// Why there is nothing to apply.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The object's name is no release's.
    #[error("{0}")]
    Name(#[from] release::name::NotAName),
    /// The release cannot be had.
    #[error("{0}")]
    Assets(#[from] assets::Error),
    /// Its chart cannot be rendered.
    #[error("cluster-class chart: {0}")]
    Chart(#[from] chart::class::Error),
}

/// The release of this object.
pub async fn release(this: &Controller, object: &ClusterStackRelease) -> Result<Found, Problem> {
    let name: ReleaseName = object.name_any().parse()?;
    let release = this.shared.assets.release(&name).await?;
    let namespace = object.namespace().unwrap_or_default();
    // The original installs under the name without the version; templates may rely on it.
    let stack = name.stack.to_string();
    let mut objects = chart::class::render(
        &release.class_chart()?,
        chart::class::Release {
            name: &stack,
            namespace: &namespace,
        },
    )?;
    objects.iter_mut().for_each(chart::manifest::label);
    Ok(Found {
        kubernetes: release.metadata.versions.kubernetes,
        objects: objects.into(),
    })
}
