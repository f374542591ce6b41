//! The controllers of cluster stacks, and the hooks and webhooks that go with them.
//!
//! | module | what it does |
//! |---|---|
//! | [`cluster_stack`] | a ClusterStack subscribes to releases: which ClusterStackReleases there are |
//! | [`cluster_stack_release`] | a release becomes a ClusterClass |
//! | [`cluster_addon`] | the add-ons of a release are applied to a cluster, stage by stage |
//! | [`hooks`] | answers Cluster API's runtime hooks |
//! | [`admission`] | validating webhooks |
//! | [`assets`] | releases from the source, by way of the local store |
//! | [`apply`] | objects of a release, applied to any cluster and taken away again |
//! | [`helm`] | add-on charts, rendered once for each chart and values |
//! | [`conditions`] | the conditions of these kinds, which have a severity |
//!
//! Decisions are in the crate `release`, templates in `chart`.

pub mod admission;
mod apply;
mod assets;
mod cluster_addon;
mod cluster_stack;
mod cluster_stack_release;
mod conditions;
mod error;
mod helm;
pub mod hooks;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use registry::{Source, Store};
use runtime::Kit;
use runtime::events::Events;

pub use assets::Assets;
pub use error::Error;
pub use helm::Helm;

/// What the operator is told about cluster stacks.
pub struct Options {
    /// Where releases come from; the text says why there is no source.
    pub source: Result<Source, String>,
    /// Folder of the local store.
    pub store: PathBuf,
    /// The helm binary.
    pub helm: PathBuf,
    /// How often the source is asked for new releases.
    pub poll: Duration,
}

/// What the controllers share.
pub struct Context {
    client: Client,
    events: Events,
    assets: Assets,
    helm: Helm,
    workloads: cluster_addon::Workloads,
    poll: Duration,
}

/// Runs all controllers until the process is asked to stop.
///
/// # Errors
/// When the local store cannot be opened.
pub async fn run(kit: Kit, options: Options) -> Result<(), registry::Error> {
    let assets = Assets::new(options.source, Store::open(options.store)?, options.poll);
    let helm = Helm::new(options.helm, &kit.metrics);
    let context = Arc::new(Context {
        client: kit.client.clone(),
        events: Events::new(kit.client.clone(), "cluster-stacks"),
        assets,
        helm,
        workloads: cluster_addon::Workloads::default(),
        poll: options.poll,
    });
    tokio::join!(
        cluster_stack::run(&kit, context.clone()),
        cluster_stack_release::run(&kit, context.clone()),
        cluster_addon::run(&kit, context.clone()),
        cluster_addon::create::run(&kit, context),
    );
    Ok(())
}
