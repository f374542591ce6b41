//! Every Cluster of a cluster stack gets its ClusterAddon. Clusters of other classes, and those
//! without one, are none of ours.

use std::sync::Arc;

use crds::capi::Cluster;
use crds::stacks::names::addon_name;
use crds::stacks::v1alpha1::{ClusterAddon, ClusterStackRelease};
use kube::{Api, Resource, ResourceExt};
use release::ReleaseName;
use runtime::controller::{Cached, Key};
use runtime::{Kit, Loop, Requeue};
use serde_json::json;

use crate::cluster_stack::class;
use crate::{Context, Error};

struct Controller {
    shared: Arc<Context>,
    releases: Cached<ClusterStackRelease>,
    addons: Cached<ClusterAddon>,
}

/// Runs the controller.
pub async fn run(kit: &Kit, shared: Arc<Context>) {
    let controller = Loop::<Cluster>::new(kit, "clusteraddoncreate");
    let clusters = controller.objects();
    let users = move |release: &ClusterStackRelease| {
        let place = (
            release.namespace().unwrap_or_default(),
            release.name_any().parse::<ReleaseName>().ok(),
        );
        clusters
            .list(|cluster| class_release(cluster) == place)
            .iter()
            .map(Key::of)
            .collect::<Vec<_>>()
    };
    let (controller, releases) = controller.watches::<ClusterStackRelease, _>(users);
    let (controller, addons) = controller.owns::<ClusterAddon>();
    controller
        .run(
            Arc::new(Controller {
                shared,
                releases,
                addons,
            }),
            reconcile,
        )
        .await;
}

fn class_release(cluster: &Cluster) -> (String, Option<ReleaseName>) {
    let (namespace, name) = class::of(cluster).unwrap_or_default();
    (namespace, name.parse().ok())
}

async fn reconcile(cluster: Arc<Cluster>, this: Arc<Controller>) -> Result<Requeue, Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let name = addon_name(&cluster.name_any());
    let (class_namespace, release) = class_release(&cluster);
    let Some(release) = release else {
        return Ok(Requeue::OnChange);
    };
    let ours = this
        .releases
        .get(&Key::new(class_namespace, release.tag()))
        .is_some();
    let there = this.addons.get(&Key::new(&namespace, &name)).is_some();
    if cluster.metadata.deletion_timestamp.is_some() || !ours || there {
        return Ok(Requeue::OnChange);
    }
    let reference = json!({
        "apiVersion": Cluster::api_version(&()), "kind": Cluster::kind(&()),
        "name": cluster.name_any(), "uid": cluster.uid(),
    });
    let mut cluster_ref = reference.clone();
    cluster_ref["namespace"] = namespace.as_str().into();
    let addon = json!({
        "apiVersion": ClusterAddon::api_version(&()),
        "kind": ClusterAddon::kind(&()),
        "metadata": {"name": name, "ownerReferences": [reference]},
        "spec": {"clusterRef": cluster_ref},
    });
    let api: Api<ClusterAddon> = Api::namespaced(this.shared.client.clone(), &namespace);
    runtime::apply::object(&api, &name, &addon).await?;
    Ok(Requeue::OnChange)
}
