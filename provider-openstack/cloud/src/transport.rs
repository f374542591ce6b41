//! The HTTP client of a session, and when a request is repeated.

use std::error::Error as _;
use std::time::Duration;

use rand::Rng;

use crate::{Credentials, Error, ErrorKind, Result, Service};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Neutron and Nova can take long for a list of a thousand rows on a busy cloud.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Pauses between the tries of one request; each is drawn from its upper half.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// A longer `Retry-After` is not slept here but given to the caller.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// A client that trusts the CA of the credentials, or the system's when they have none. It follows no
/// redirect, and uses no proxy of the environment.
pub(crate) fn client(credentials: &Credentials) -> Result<reqwest::Client> {
    // The first provider that a process installs stays; it fails when there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("capstan/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(crate::session::MAX_IN_FLIGHT)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = &credentials.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem)
            .map_err(|error| unusable(credentials, &error))?;
        builder = builder.tls_certs_only(certificates);
    }
    if !credentials.verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder
        .build()
        .map_err(|error| unusable(credentials, &error))
}

fn unusable(credentials: &Credentials, error: &reqwest::Error) -> Error {
    let message = format!(
        "no TLS client can be made for cloud {:?}, check its CA: {}",
        credentials.cloud,
        reason(error)
    );
    Error {
        service: Service::Identity,
        operation: "POST token".to_owned(),
        kind: ErrorKind::Certificate,
        message,
        retry_after: None,
    }
}

/// How long to wait before the try after `tries` repetitions; `None` means give up.
pub(crate) fn pause(tries: usize, retry_after: Option<Duration>) -> Option<Duration> {
    let backoff = PAUSES.get(tries)?;
    let backoff = backoff.mul_f64(rand::rng().random_range(0.5..1.0));
    let asked = retry_after.unwrap_or_default();
    (asked <= LONGEST_PAUSE).then_some(asked.max(backoff))
}

/// The innermost causes, which say more than "error sending request", without the URL's query.
pub(crate) fn reason(error: &reqwest::Error) -> String {
    let host = error
        .url()
        .and_then(|url| url.host_str())
        .unwrap_or("the cloud");
    let mut text = if error.is_timeout() {
        format!("{host} did not answer in time")
    } else {
        format!("talking to {host} failed")
    };
    let mut cause = error.source();
    while let Some(inner) = cause {
        cause = inner.source();
        if cause.is_none() {
            text = format!("{text}: {inner}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let first = pause(0, None).unwrap();
        assert!(first >= PAUSES[0] / 2 && first < PAUSES[0]);
        assert!(pause(1, None).unwrap() > first);
        assert_eq!(pause(PAUSES.len(), None), None);
    }

    #[test]
    fn what_the_cloud_asks_for_is_kept_within_bounds() {
        assert_eq!(
            pause(0, Some(Duration::from_secs(7))),
            Some(Duration::from_secs(7))
        );
        assert_eq!(pause(0, Some(Duration::from_secs(300))), None);
        assert!(pause(0, Some(Duration::ZERO)).unwrap() >= PAUSES[0] / 2);
    }
}
