//! What ends a reconcile early. Everything that a user can mend is a condition as well.

use std::time::Duration;

use runtime::Retry;
use runtime::controller::is_conflict;

/// Why a reconcile did not get to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server refuses, or does not answer.
    #[error("Kubernetes API: {0}")]
    Kubernetes(#[from] kube::Error),
    /// Said in a condition already; tried again with backoff.
    #[error("{0}")]
    Reported(String),
}

impl Retry for Error {
    fn retry_after(&self) -> Option<Duration> {
        match self {
            // Somebody else wrote the object meanwhile: the new one is on its way.
            Self::Kubernetes(kube::Error::Api(status)) if status.code == 409 => {
                Some(Duration::from_millis(200))
            }
            _ => None,
        }
    }

    fn is_normal(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if is_conflict(error))
    }
}
