//! What a call to the cloud can end in.

use std::time::Duration;

use crate::Service;

/// Result of a call to the cloud.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A call to the cloud that failed, after all retries that were safe.
///
/// The message is the cloud's own where it gave one; it never holds a token or a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{service} {operation}: {kind}: {message}")]
pub struct Error {
    /// The service that was called.
    pub service: Service,
    /// Method and resource, for example `POST port`.
    pub operation: String,
    /// What went wrong, for decisions.
    pub kind: ErrorKind,
    /// What went wrong, for people.
    pub message: String,
    /// How long the cloud asks us to stay away, if it does.
    pub retry_after: Option<Duration>,
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 400 and other 4xx: the same request will fail again.
    BadRequest,
    /// 401 although we logged in anew: the credentials are wrong, revoked or expired.
    Unauthorized,
    /// 403: the role of the credentials does not allow it.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: in use, a duplicate, or busy with another change. 412: it has changed meanwhile.
    Conflict,
    /// 403, 409 or 413 with a message about quota: waits for somebody to raise or free it.
    QuotaExceeded,
    /// 429, also after retries.
    RateLimited,
    /// 501: the provider of a load balancer, for example, cannot do it.
    Unsupported,
    /// Any other 5xx.
    Server,
    /// No answer: refused, reset, timed out. A POST may have been carried out: look before trying again.
    Transport,
    /// The certificate of the cloud is not signed by a CA that we were told to trust.
    Certificate,
    /// The answer was not what the API promises.
    Decode,
    /// The service is not in the catalog for this region and interface.
    NoService,
}

impl ErrorKind {
    /// The value of the metric label `outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::QuotaExceeded => "quota_exceeded",
            Self::RateLimited => "rate_limited",
            Self::Unsupported => "unsupported",
            Self::Server => "server_error",
            Self::Transport => "transport",
            Self::Certificate => "certificate",
            Self::Decode => "decode",
            Self::NoService => "no_service",
        }
    }

    /// What an HTTP status and the message in its body mean.
    pub(crate) fn of(status: u16, message: &str) -> Self {
        let quota = || message.to_lowercase().contains("quota");
        match status {
            401 => Self::Unauthorized,
            403 | 409 | 413 if quota() => Self::QuotaExceeded,
            403 => Self::Forbidden,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            413 | 429 => Self::RateLimited,
            501 => Self::Unsupported,
            500.. => Self::Server,
            _ => Self::BadRequest,
        }
    }
}

impl std::fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BadRequest => "bad request",
            Self::Unauthorized => "credentials refused",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::QuotaExceeded => "quota exceeded",
            Self::RateLimited => "rate limited",
            Self::Unsupported => "not supported by this cloud",
            Self::Server => "server error",
            Self::Transport => "no answer",
            Self::Certificate => "certificate not trusted",
            Self::Decode => "unexpected answer",
            Self::NoService => "no such service",
        })
    }
}

impl Error {
    /// Whether the same call may succeed later without anybody changing anything. What cannot be read
    /// is most often the page of a proxy.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::RateLimited
                | ErrorKind::Server
                | ErrorKind::Transport
                | ErrorKind::Conflict
                | ErrorKind::Decode
        )
    }

    /// Whether the resource is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Whether the cloud may have carried out a change although we have no answer that says so.
    /// The caller observes again before it repeats the change.
    pub fn may_have_happened(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Server | ErrorKind::Transport | ErrorKind::Decode
        )
    }
}

/// Turns "not found" into `None`.
pub(crate) fn optional<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The message in the body of an error, in any of the shapes that the services use.
pub(crate) fn message_of(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let value: serde_json::Value = match serde_json::from_slice(body) {
        Ok(value) => value,
        Err(_) => return shorten(text.trim()),
    };
    shorten(&find_message(&value).unwrap_or_else(|| text.into_owned()))
}

fn find_message(value: &serde_json::Value) -> Option<String> {
    let object = value.as_object()?;
    for key in ["message", "faultstring", "detail", "title"] {
        if let Some(text) = object.get(key).and_then(|found| found.as_str())
            && !text.is_empty()
        {
            return Some(text.to_owned());
        }
    }
    object.values().find_map(|inner| match inner {
        serde_json::Value::Array(list) => list.iter().find_map(find_message),
        other => find_message(other),
    })
}

/// Some proxies answer with a whole page.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 1000;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_found_in_every_services_shape() {
        let nova = br#"{"forbidden": {"code": 403, "message": "Quota exceeded for cores"}}"#;
        let neutron = br#"{"NeutronError": {"type": "X", "message": "Port in use", "detail": ""}}"#;
        let octavia = br#"{"faultcode": "Client", "faultstring": "Load Balancer is immutable", "debuginfo": null}"#;
        assert_eq!(message_of(nova), "Quota exceeded for cores");
        assert_eq!(message_of(neutron), "Port in use");
        assert_eq!(message_of(octavia), "Load Balancer is immutable");
        assert_eq!(message_of(b"<html>502</html>"), "<html>502</html>");
    }

    #[test]
    fn quota_is_told_from_forbidden_and_conflict() {
        assert_eq!(
            ErrorKind::of(403, "Quota exceeded"),
            ErrorKind::QuotaExceeded
        );
        assert_eq!(
            ErrorKind::of(409, "Quota exceeded for resources: ['port']"),
            ErrorKind::QuotaExceeded
        );
        assert_eq!(ErrorKind::of(403, "no"), ErrorKind::Forbidden);
        assert_eq!(ErrorKind::of(409, "in use"), ErrorKind::Conflict);
        assert_eq!(ErrorKind::of(412, "revision"), ErrorKind::Conflict);
        assert_eq!(ErrorKind::of(504, ""), ErrorKind::Server);
    }
}
