//! Validating webhooks (`admission.k8s.io/v1`), under the original's paths.

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use crds::capi::Cluster;
use crds::stacks::v1alpha1::{ClusterStack, ClusterStackRelease, ClusterStackSpec};
use kube::{Api, Client, ResourceExt};
use release::name::{Minor, Stack};
use release::{ReleaseName, Version};
use runtime::admission::{Operation, Refusal, Review, answered, parse};

use crate::cluster_stack::class;

/// All webhooks.
pub fn routes(client: Client) -> Router {
    Router::new()
        .route(
            "/validate-clusterstack-x-k8s-io-v1alpha1-clusterstack",
            post(cluster_stack),
        )
        .route(
            "/validate-clusterstack-x-k8s-io-v1alpha1-clusterstackrelease",
            post(cluster_stack_release),
        )
        .with_state(client)
}

async fn cluster_stack(State(client): State<Client>, review: Review) -> Review {
    answered(review, async |request| match request.operation {
        Operation::Delete => {
            let old: ClusterStack = parse(request.old_object.as_ref())?;
            let stack = stack_of(&old.spec)?;
            unused(&client, &old.namespace().unwrap_or_default(), |name| {
                name.stack == stack
            })
            .await
        }
        _ => {
            let new: ClusterStack = parse(request.object.as_ref())?;
            let old = request
                .old_object
                .as_ref()
                .map(|old| parse::<ClusterStack>(Some(old)))
                .transpose()?;
            stack_of(&new.spec)?;
            Ok(check(&new.spec, old.as_ref().map(|old| &old.spec))?)
        }
    })
    .await
}

async fn cluster_stack_release(State(client): State<Client>, review: Review) -> Review {
    answered(review, async |request| {
        let old: ClusterStackRelease = parse(request.old_object.as_ref())?;
        // What is no name of a release has no class that a Cluster could use.
        let Ok(release) = old.name_any().parse::<ReleaseName>() else {
            return Ok(());
        };
        unused(&client, &old.namespace().unwrap_or_default(), |name| {
            *name == release
        })
        .await
    })
    .await
}

/// What a ClusterStack is of; the error names the field.
fn stack_of(spec: &ClusterStackSpec) -> Result<Stack, String> {
    let kubernetes: Minor = spec
        .kubernetes_version
        .parse()
        .map_err(|error| format!("spec.kubernetesVersion: {error}"))?;
    Ok(Stack {
        provider: spec.provider.clone(),
        name: spec.name.clone(),
        kubernetes,
    })
}

/// Versions must be versions, and what names the stack stays as it is.
fn check(new: &ClusterStackSpec, old: Option<&ClusterStackSpec>) -> Result<(), String> {
    for (at, version) in new.versions.iter().enumerate() {
        version
            .parse::<Version>()
            .map_err(|error| format!("spec.versions[{at}]: {error}"))?;
    }
    if !new.no_provider.unwrap_or(false) && new.provider_ref.is_none() {
        return Err(
            "spec.providerRef: name the provider's template, or set spec.noProvider to true"
                .to_owned(),
        );
    }
    let Some(old) = old else { return Ok(()) };
    let same = [
        ("provider", old.provider == new.provider),
        ("name", old.name == new.name),
        (
            "kubernetesVersion",
            old.kubernetes_version == new.kubernetes_version,
        ),
        (
            "channel",
            old.channel.unwrap_or_default() == new.channel.unwrap_or_default(),
        ),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(format!(
            "spec.{field} cannot be changed; make another ClusterStack"
        )),
        None => Ok(()),
    }
}

/// Refuses while a Cluster, in any namespace, uses a class of `namespace` that `matches`.
async fn unused(
    client: &Client,
    namespace: &str,
    matches: impl Fn(&ReleaseName) -> bool,
) -> Result<(), Refusal> {
    let clusters: Api<Cluster> = Api::all(client.clone());
    let clusters = clusters.list(&kube::api::ListParams::default()).await;
    let clusters =
        clusters.map_err(|error| format!("Clusters cannot be listed, try again: {error}"))?;
    let uses = |cluster: &&Cluster| {
        class::of(cluster).is_some_and(|(of, name)| {
            of == namespace && name.parse().is_ok_and(|name| matches(&name))
        })
    };
    match clusters.items.iter().find(uses) {
        None => Ok(()),
        Some(user) => Err(format!(
            "Cluster {}/{} uses its class; move it to another class or delete it first",
            user.namespace().unwrap_or_default(),
            user.name_any()
        )
        .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(versions: &[&str]) -> ClusterStackSpec {
        ClusterStackSpec {
            provider: "openstack".into(),
            name: "lab".into(),
            kubernetes_version: "1.36".into(),
            versions: versions.iter().map(ToString::to_string).collect(),
            no_provider: Some(true),
            ..ClusterStackSpec::default()
        }
    }

    #[test]
    fn what_names_the_stack_stays() {
        let old = spec(&["v1"]);
        assert_eq!(check(&spec(&["v2"]), Some(&old)), Ok(()));
        let renamed = ClusterStackSpec {
            name: "other".into(),
            ..spec(&[])
        };
        assert!(
            check(&renamed, Some(&old))
                .expect_err("immutable")
                .contains("spec.name")
        );
    }

    #[test]
    fn versions_are_versions_and_a_provider_is_named() {
        assert!(
            check(&spec(&["v1", "1"]), None)
                .expect_err("version")
                .contains("spec.versions[1]")
        );
        let without = ClusterStackSpec {
            no_provider: None,
            ..spec(&[])
        };
        assert!(
            check(&without, None)
                .expect_err("provider")
                .contains("spec.noProvider")
        );
    }
}
