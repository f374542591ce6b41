//! What any operator needs, and nothing of OpenStack or of cluster stacks:
//!
//! | module | what it gives |
//! |---|---|
//! | [`client`] | a Kubernetes client whose requests are counted |
//! | [`controller`] | the loop around a `reconcile`: pruned stores, wakes, concurrency, backoff for each object |
//! | `lanes` | turns, so that what is slow or fails holds up nothing else |
//! | [`backoff`] | how long an object that failed waits |
//! | [`apply`] | server-side apply; a status is written only when it changed |
//! | [`finalizer`] | put a finalizer on before the first create, take it off after the last delete |
//! | [`events`] | `events.k8s.io` events |
//! | [`health`] | `/healthz` and a `/readyz` that says what is awaited |
//! | [`metrics`] | the registry, and what every controller counts |
//! | [`lease`] | leader election |
//! | [`admission`] | from the review of a validating webhook to its answer |
//! | [`conversion`] | from the review of a conversion webhook to its answer |
//! | [`serve`] | HTTP and TLS servers whose certificate is read anew when it changes |
//! | [`logs`] | JSON or human logs |
//! | [`versions`] | who has changed, without what |

pub mod admission;
pub mod apply;
pub mod backoff;
pub mod client;
pub mod controller;
pub mod conversion;
pub mod events;
pub mod finalizer;
pub mod health;
mod lanes;
pub mod lease;
pub mod logs;
pub mod metrics;
pub mod serve;
pub mod versions;

pub use controller::{Key, Kit, Loop, Requeue, Retry};

/// The process is asked to stop: every loop and server watches this and ends in good order.
pub type Shutdown = tokio::sync::watch::Receiver<bool>;

/// Resolves when the process is asked to stop, or when nobody can ask any more.
pub async fn stopped(mut shutdown: Shutdown) {
    // An error means that the sender is gone, which is a stop as well.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
