//! Leader election by a `Lease`: one process works, others stand by. A process that loses its
//! lease ends at once; whoever starts it again makes it a stand-by.

use kube::Client;
use kube_lease_manager::{LeaseManagerBuilder, LeaseManagerError};
use tokio::sync::watch;

use crate::health::Gate;

/// Who wants which lease.
#[derive(Clone, Debug)]
pub struct Election {
    /// Namespace of the Lease.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who we are; a process that starts again under the same name goes on with its lease at once.
    pub identity: String,
}

/// Seconds after which a lease that nobody renews is free.
const DURATION: u64 = 15;
/// Seconds before that end in which the holder renews it.
const GRACE: u64 = 5;

/// A lease that is held.
pub struct Held {
    holding: watch::Receiver<bool>,
}

/// Waits until the lease is ours; `gate` opens then.
///
/// # Errors
/// When the Lease can neither be read nor made.
pub async fn acquire(
    client: Client,
    election: &Election,
    gate: &Gate,
) -> Result<Held, LeaseManagerError> {
    let manager = LeaseManagerBuilder::new(client, &election.name)
        .with_namespace(&election.namespace)
        .with_identity(&election.identity)
        .with_duration(DURATION)
        .with_grace(GRACE)
        .build()
        .await?;
    let (mut holding, _task) = manager.watch().await;
    // The sender lives as long as the task does; should it die, `lost` resolves at once.
    let _ = holding.wait_for(|held| *held).await;
    gate.open();
    Ok(Held { holding })
}

impl Held {
    /// Resolves when the lease is no longer ours.
    pub async fn lost(mut self) {
        let _ = self.holding.wait_for(|held| !*held).await;
    }
}
