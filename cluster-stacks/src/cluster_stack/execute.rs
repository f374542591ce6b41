//! Makes and drops ClusterStackReleases.

use crds::stacks::v1alpha1::{ClusterStack, ClusterStackRelease};
use kube::api::DeleteParams;
use kube::{Api, Resource, ResourceExt};
use release::subscription::Plan;
use serde_json::json;

use super::Controller;

/// Does what the plan says; returns the first failure, after having tried the rest.
pub async fn execute(this: &Controller, stack: &ClusterStack, plan: &Plan) -> Option<kube::Error> {
    let namespace = stack.namespace().unwrap_or_default();
    let api: Api<ClusterStackRelease> = Api::namespaced(this.shared.client.clone(), &namespace);
    let mut first = None;
    for name in &plan.create {
        match create(&api, stack, &name.tag()).await {
            Ok(_) => {
                this.shared
                    .events
                    .normal(stack, "ReleaseAdded", format!("release {name} is taken in"))
                    .await
            }
            Err(error) => first = first.or(Some(error)),
        }
    }
    for name in &plan.delete {
        match api.delete(&name.tag(), &DeleteParams::default()).await {
            Ok(_) => {
                this.shared
                    .events
                    .normal(
                        stack,
                        "ReleaseDropped",
                        format!("release {name} is not needed"),
                    )
                    .await
            }
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => first = first.or(Some(error)),
        }
    }
    first
}

async fn create(
    api: &Api<ClusterStackRelease>,
    stack: &ClusterStack,
    tag: &str,
) -> Result<ClusterStackRelease, kube::Error> {
    let owner = json!([{
        "apiVersion": ClusterStack::api_version(&()),
        "kind": ClusterStack::kind(&()),
        "name": stack.name_any(),
        "uid": stack.uid(),
    }]);
    let release = json!({
        "apiVersion": ClusterStackRelease::api_version(&()),
        "kind": ClusterStackRelease::kind(&()),
        "metadata": {"name": tag, "ownerReferences": owner},
        "spec": {},
    });
    runtime::apply::object(api, tag, &release).await
}
