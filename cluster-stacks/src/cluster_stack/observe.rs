//! What a ClusterStack asks for, and what there is.

use crds::capi::Cluster;
use crds::stacks::v1alpha1::{Channel, ClusterStack, ClusterStackRelease};
use kube::ResourceExt;
use release::name::{Minor, Stack};
use release::subscription::{Seen, Want};
use release::{ReleaseName, Version};
use runtime::controller::{Cached, Key};

use super::{Controller, class};
use crate::assets;

/// Reads the spec; the error names the field.
pub fn want(stack: &ClusterStack) -> Result<Want, String> {
    let spec = &stack.spec;
    let kubernetes: Minor = spec
        .kubernetes_version
        .parse()
        .map_err(|error| format!("spec.kubernetesVersion: {error}"))?;
    if spec.provider.contains('-') {
        return Err(format!(
            "spec.provider: {:?} holds a dash, which a release's name cannot tell apart",
            spec.provider
        ));
    }
    let read = |(at, text): (usize, &String)| {
        text.parse::<Version>()
            .map_err(|error| format!("spec.versions[{at}]: {error}"))
    };
    let versions = spec
        .versions
        .iter()
        .enumerate()
        .map(read)
        .collect::<Result<_, _>>()?;
    let channel = match spec.channel.unwrap_or_default() {
        Channel::Stable => "stable",
        Channel::Custom => "custom",
    };
    Ok(Want {
        stack: Stack {
            provider: spec.provider.clone(),
            name: spec.name.clone(),
            kubernetes,
        },
        channel: channel.to_owned(),
        versions,
        auto_subscribe: spec.auto_subscribe.unwrap_or(true),
    })
}

/// What there is; the error is that of a source that does not answer.
pub async fn seen(
    this: &Controller,
    stack: &ClusterStack,
    want: &Want,
) -> (Seen, Option<assets::Error>) {
    let releases = owned(this, stack);
    let named = |release: &ClusterStackRelease| {
        let ready = release.status.as_ref().is_some_and(|status| status.ready);
        Some((release.name_any().parse::<ReleaseName>().ok()?, ready))
    };
    let mut seen = Seen {
        releases: releases.iter().filter_map(named).collect(),
        available: None,
        classes_in_use: class::in_use(&this.clusters, &stack.namespace().unwrap_or_default()),
    };
    if !want.auto_subscribe {
        return (seen, None);
    }
    match this.shared.assets.tags().await {
        Ok(tags) => seen.available = Some(tags.to_vec()),
        Err(error) => return (seen, Some(error)),
    }
    (seen, None)
}

/// The releases that the stack owns.
pub fn owned(this: &Controller, stack: &ClusterStack) -> Vec<ClusterStackRelease> {
    let (namespace, uid) = (stack.namespace(), stack.uid());
    this.releases.list(|release| {
        release.namespace() == namespace
            && release
                .owner_references()
                .iter()
                .any(|owner| Some(&owner.uid) == uid.as_ref())
    })
}

/// The stacks in the namespace of the Cluster's class.
pub fn stacks_of_class(stacks: &Cached<ClusterStack>, cluster: &Cluster) -> Vec<Key> {
    let Some((namespace, _)) = class::of(cluster) else {
        return Vec::new();
    };
    let here = stacks.list(|stack| stack.namespace().as_deref() == Some(&namespace));
    here.iter().map(super::key).collect()
}
