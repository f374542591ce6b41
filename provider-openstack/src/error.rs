//! What a reconcile can end in.

use std::time::Duration;

use cloud::ErrorKind;
use crds::openstack::conditions::{ConditionType, Reason};
use plan::conditions::New;
use runtime::Retry;
use runtime::controller::is_conflict;

use crate::identity::{IdentityError, way_out};

/// Octavia is busy with another change of the same load balancer, or Neutron with another of the
/// same resource: that passes, and is looked at again after this at the latest.
const AFTER_CONFLICT: Duration = Duration::from_secs(30);

/// Why a reconcile could not be finished. It is tried again with the object's backoff, or later
/// when the cloud asks for more time.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no session with the cloud.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The cloud could not be observed.
    #[error(transparent)]
    Observe(#[from] cloud::Error),
    /// An action failed.
    #[error("failed to {action}: {source}")]
    Execute {
        /// What was to be done.
        action: String,
        /// What the cloud said.
        source: cloud::Error,
    },
    /// There is no user data for a new server.
    #[error(
        "spec.userDataRef: Secret {secret} does not exist, or has no key value: the bootstrap provider writes it"
    )]
    UserData {
        /// The Secret.
        secret: String,
    },
    /// The management cluster refused.
    #[error("Kubernetes: {0}")]
    Kubernetes(#[from] kube::Error),
}

impl Error {
    /// What the cloud said, if it was the cloud.
    #[must_use]
    pub fn cloud(&self) -> Option<&cloud::Error> {
        match self {
            Self::Identity(IdentityError::Login { source, .. })
            | Self::Observe(source)
            | Self::Execute { source, .. } => Some(source),
            Self::Identity(_) | Self::UserData { .. } | Self::Kubernetes(_) => None,
        }
    }

    /// What the condition `OpenStackAuthenticationSucceeded` says, if it is the credentials.
    #[must_use]
    pub fn authentication(&self) -> Option<String> {
        match self {
            Self::Identity(identity) => Some(identity.to_string()),
            Self::Observe(source)
                if matches!(
                    source.kind,
                    ErrorKind::Unauthorized | ErrorKind::Certificate
                ) =>
            {
                Some(format!("{source}{}", way_out(source.kind)))
            }
            _ => None,
        }
    }

    /// The reason of the condition `OpenStackAuthenticationSucceeded`.
    #[must_use]
    pub fn authentication_reason(&self) -> Reason {
        match self {
            Self::Identity(identity) => identity.reason(),
            _ => Reason::OpenStackAuthenticationFailed,
        }
    }

    /// What the conditions of an object say when the cloud could not be observed: whose fault it is
    /// when it is the credentials', else `otherwise`.
    #[must_use]
    pub fn condition(&self, otherwise: ConditionType) -> New<'static> {
        match self.authentication() {
            Some(message) => New::not(
                ConditionType::OpenStackAuthenticationSucceeded.as_str(),
                self.authentication_reason().as_str(),
                message,
            ),
            None => New::not(
                otherwise.as_str(),
                Reason::OpenStackError.as_str(),
                self.to_string(),
            ),
        }
    }
}

impl Retry for Error {
    fn retry_after(&self) -> Option<Duration> {
        self.cloud().and_then(|error| error.retry_after)
    }

    fn longest_wait(&self) -> Duration {
        match self {
            Self::Execute { source, .. } if source.kind == ErrorKind::Conflict => AFTER_CONFLICT,
            _ => Duration::MAX,
        }
    }

    /// A finalizer or an endpoint that somebody else wrote to at the same time.
    fn is_normal(&self) -> bool {
        matches!(self, Self::Kubernetes(error) if is_conflict(error))
    }
}
