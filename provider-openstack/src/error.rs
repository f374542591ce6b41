//! What a reconcile can end in.

use std::time::Duration;

use cloud::ErrorKind;
use crds::openstack::conditions::{ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use plan::conditions::{self, New, is_true};
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

    /// Whether it may pass without anybody doing anything.
    fn passes(&self) -> bool {
        match self {
            Self::Kubernetes(_) | Self::Identity(IdentityError::Unreadable { .. }) => true,
            other => other.cloud().is_some_and(cloud::Error::is_transient),
        }
    }

    /// What the conditions of an object say when the cloud could not be observed: whose fault it is
    /// when it is the credentials', and what becomes of those that say how the object is (`about`),
    /// given what they said. What is not seen for a while stays as it was.
    #[must_use]
    pub fn conditions(&self, known: &[Condition], about: &[ConditionType]) -> Vec<New<'static>> {
        let mut said = Vec::new();
        let (reason, message) = match self.authentication() {
            Some(message) => {
                let reason = self.authentication_reason().as_str();
                let type_ = ConditionType::OpenStackAuthenticationSucceeded.as_str();
                said.push(New::not(type_, reason, message.clone()));
                (reason, message)
            }
            None => (Reason::OpenStackError.as_str(), self.to_string()),
        };
        let passes = self.passes();
        let changed = about
            .iter()
            .map(|type_| type_.as_str())
            .filter(|type_| !(passes && is_true(known, type_)));
        said.extend(
            changed.map(|type_| conditions::unseen(known, type_, reason, message.as_str())),
        );
        said
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

#[cfg(test)]
mod tests {
    use cloud::Service;
    use jiff::Timestamp;
    use plan::conditions::Status;

    use super::*;

    const READY: ConditionType = ConditionType::Ready;

    fn failed(kind: ErrorKind) -> Error {
        Error::Observe(cloud::Error {
            service: Service::Compute,
            operation: "GET servers".into(),
            kind,
            message: "no".into(),
            retry_after: None,
        })
    }

    /// What is said of an object that was ready, or had never been.
    fn said(kind: ErrorKind, was_ready: bool) -> Vec<(&'static str, Status)> {
        let mut known = Vec::new();
        if was_ready {
            let ready = New::ready(READY.as_str());
            conditions::set(&mut known, ready, None, Timestamp::UNIX_EPOCH);
        }
        let said = failed(kind).conditions(&known, &[READY]);
        said.iter().map(|said| (said.type_, said.status)).collect()
    }

    #[test]
    fn what_cannot_be_looked_at_is_ready_only_while_that_may_pass() {
        let login = ConditionType::OpenStackAuthenticationSucceeded.as_str();
        let ready = READY.as_str();
        let refused = |ready_is| vec![(login, Status::False), (ready, ready_is)];
        assert_eq!(
            said(ErrorKind::Unauthorized, true),
            refused(Status::Unknown)
        );
        assert_eq!(said(ErrorKind::Unauthorized, false), refused(Status::False));
        for kind in [ErrorKind::Forbidden, ErrorKind::NoService] {
            assert_eq!(said(kind, true), [(ready, Status::Unknown)], "{kind}");
            assert_eq!(said(kind, false), [(ready, Status::False)], "{kind}");
        }
        for kind in [ErrorKind::Server, ErrorKind::Transport, ErrorKind::Decode] {
            assert_eq!(said(kind, true), [], "{kind}");
            assert_eq!(said(kind, false), [(ready, Status::False)], "{kind}");
        }
    }
}
