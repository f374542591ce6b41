//! One authenticated session with one project of one cloud.
//!
//! Every request passes through [`Cloud::send`]: at most [`MAX_IN_FLIGHT`] at a time for each session,
//! with a timeout, counted, in a span, with one new login after a 401, and repeated with backoff where
//! that is safe. GET, PUT and DELETE are safe to repeat; a POST is repeated only when it cannot have
//! been carried out (no connection, 429).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::Instrument;

use crate::call::Call;
use crate::change::{Change, Feed};
use crate::credentials::Credentials;
use crate::error::message_of;
use crate::identity::{Token, login_body, tokens_url};
use crate::login::{Held, Login};
use crate::wire::Redacted;
use crate::{Error, ErrorKind, Metrics, Result, Service, transport};

/// Requests of one session that may be in flight at a time.
pub const MAX_IN_FLIGHT: usize = 16;

/// An authenticated session. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Cloud {
    inner: Arc<Inner>,
    feed: Option<Arc<dyn Feed>>,
}

struct Inner {
    credentials: Credentials,
    project_id: String,
    client: reqwest::Client,
    metrics: Arc<Metrics>,
    slots: Semaphore,
    login: Mutex<Login>,
    /// Held by who logs in.
    renewing: tokio::sync::Mutex<()>,
}

/// Nobody is left alone for longer than this, whatever is asked for.
const LONGEST_REST: Duration = Duration::from_secs(3600);

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud")
            .field("cloud", &self.inner.credentials.cloud)
            .field("project_id", &self.inner.project_id)
            .finish_non_exhaustive()
    }
}

/// An answer.
pub(crate) struct Reply {
    pub body: Value,
    /// The server's own clock.
    pub date: Option<Timestamp>,
    /// The value of `X-Subject-Token`.
    subject: Option<String>,
}

/// A try that failed.
struct Failure {
    error: Error,
    /// The server cannot have acted on it.
    not_done: bool,
    /// The server, or what is before it, is overloaded or away for a moment.
    passing: bool,
}

impl Cloud {
    /// Logs in.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthorized`] for wrong credentials, [`ErrorKind::Certificate`] when the cloud's CA is not
    /// trusted, [`ErrorKind::Transport`] when Keystone does not answer.
    pub async fn connect(credentials: Credentials, metrics: Arc<Metrics>) -> Result<Self> {
        let client = transport::client(&credentials)?;
        let slots = Semaphore::new(MAX_IN_FLIGHT);
        let token = login(&client, &credentials, &metrics, &slots).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                project_id: token.project_id.clone(),
                login: Mutex::new(Login::new(Arc::new(token))),
                renewing: tokio::sync::Mutex::default(),
                slots,
                credentials,
                client,
                metrics,
            }),
            feed: None,
        })
    }

    /// The project that the credentials are for.
    pub fn project_id(&self) -> &str {
        &self.inner.project_id
    }

    /// The region whose endpoints are used, if one was named.
    pub fn region(&self) -> Option<&str> {
        self.inner.credentials.region.as_deref()
    }

    /// The credentials of the session.
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// The same session, whose changes are told to `feed`.
    pub(crate) fn with_feed(&self, feed: Arc<dyn Feed>) -> Self {
        Self {
            inner: self.inner.clone(),
            feed: Some(feed),
        }
    }

    /// Tells the view, if there is one, what a call has changed.
    pub(crate) fn changed(&self, change: Change) {
        if let Some(feed) = &self.feed {
            feed.apply(change);
        }
    }

    /// Whether the credentials are still good, as far as is known. Costs a login when they were
    /// refused before, but not a moment ago, and when the token ends.
    ///
    /// # Errors
    /// They are refused.
    pub async fn check(&self) -> Result<()> {
        match self.token(None).await {
            Err(error) if !error.is_transient() => Err(error),
            _ => Ok(()),
        }
    }

    /// Whether the cloud has the service at all, in whatever region and for whatever interface: where
    /// it has not, nothing of it can be left. A region that is not the right one says nothing.
    ///
    /// # Errors
    /// There is no token, whose catalog says it.
    pub async fn has(&self, service: Service) -> Result<bool> {
        Ok(self.token(None).await?.has(service))
    }

    fn endpoint(&self, token: &Token, service: Service) -> Option<String> {
        let credentials = &self.inner.credentials;
        token.endpoint(
            service,
            credentials.interface,
            credentials.region.as_deref(),
        )
    }

    fn login(&self) -> MutexGuard<'_, Login> {
        // A panic elsewhere does not make a token worse.
        let login = self.inner.login.lock();
        login.unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that has not been refused and does not end soon. One login at a time: who has no token
    /// waits for it, and while the old one works, all but the one who logs in go on with that.
    async fn token(&self, refused: Option<&Token>) -> Result<Arc<Token>> {
        let held = self.login().held(refused)?;
        let renewing = &self.inner.renewing;
        let _renewing = match held {
            Held::Good(token) => return Ok(token),
            Held::Usable(token) => match renewing.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(token),
            },
            Held::Spent => renewing.lock().await,
        };
        // Perhaps somebody else has just done it.
        let known = self.login().held(refused)?;
        let old = match known {
            Held::Good(token) => return Ok(token),
            Held::Usable(token) => Some(token),
            Held::Spent => None,
        };
        self.renew(old).await
    }

    /// Logs in. While the `old` token works only a refusal by Keystone itself ends it: whatever else
    /// goes wrong may be wrong with the way there.
    async fn renew(&self, old: Option<Arc<Token>>) -> Result<Arc<Token>> {
        let inner = &self.inner;
        let result = login(
            &inner.client,
            &inner.credentials,
            &inner.metrics,
            &inner.slots,
        )
        .await;
        let mut current = self.login();
        match (result, old) {
            (Ok(token), _) => {
                let token = Arc::new(token);
                *current = Login::new(token.clone());
                Ok(token)
            }
            (Err(error), Some(old)) if error.kind != ErrorKind::Unauthorized => {
                tracing::debug!(%error, "token not renewed, used on");
                current.failed = Some(Instant::now());
                Ok(old)
            }
            (Err(error), _) => {
                if !error.is_transient() {
                    current.refused = Some((Instant::now(), error.clone()));
                }
                Err(error)
            }
        }
    }

    /// Sends a request and reads its answer as JSON.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply> {
        let operation = call.operation();
        let service = call.service.as_str();
        let span = tracing::debug_span!("openstack", service, operation);
        self.send_with_renewal(call, &operation)
            .instrument(span)
            .await
    }

    async fn send_with_renewal(&self, call: &Call, operation: &str) -> Result<Reply> {
        let token = self.token(None).await?;
        match self.send_with(call, operation, &token).await {
            Err(error) if error.kind == ErrorKind::Unauthorized => {
                let token = self.token(Some(&token)).await?;
                self.send_with(call, operation, &token).await
            }
            result => result,
        }
    }

    async fn send_with(&self, call: &Call, operation: &str, token: &Token) -> Result<Reply> {
        let base = self
            .endpoint(token, call.service)
            .ok_or_else(|| self.no_service(call, token))?;
        let url = call.url(&base)?;
        let inner = &self.inner;
        let attempt = || {
            let mut request = inner
                .client
                .request(call.method.clone(), url.clone())
                .header("X-Auth-Token", &token.value.0);
            if let Some(version) = call.microversion {
                let (name, value) = call.service.microversion_header(version);
                request = request.header(name, value);
            }
            if let Some(revision) = call.revision {
                request = request.header("If-Match", format!("revision_number={revision}"));
            }
            if let Some(body) = &call.body {
                request = request.json(body);
            }
            request
        };
        let exchange = Exchange {
            metrics: &inner.metrics,
            slots: &inner.slots,
            service: call.service,
            operation,
            repeatable: call.method != Method::POST,
            secret: &token.value,
        };
        exchange.run(attempt).await
    }

    fn no_service(&self, call: &Call, token: &Token) -> Error {
        let region = self.region().unwrap_or("any region");
        let interface = self.inner.credentials.interface.as_str();
        let known = token.regions().join(", ");
        call.error(
            ErrorKind::NoService,
            format!("the catalog has no {interface} endpoint in {region}: its regions are {known}"),
        )
    }
}

/// One request until its final answer, repeated where that is safe.
struct Exchange<'a> {
    metrics: &'a Metrics,
    slots: &'a Semaphore,
    service: Service,
    operation: &'a str,
    repeatable: bool,
    /// What was sent and must not come back in a message.
    secret: &'a Redacted,
}

impl Exchange<'_> {
    async fn run(&self, request: impl Fn() -> reqwest::RequestBuilder) -> Result<Reply> {
        let mut tries = 0;
        loop {
            let failure = match self.once(request()).await {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            let safe = failure.not_done || (self.repeatable && failure.passing);
            let pause = transport::pause(tries, failure.error.retry_after);
            let Some(pause) = pause.filter(|_| safe && failure.passing) else {
                return Err(failure.error);
            };
            tracing::debug!(error = %failure.error, ?pause, "repeating a request");
            tokio::time::sleep(pause).await;
            tries += 1;
        }
    }

    async fn once(&self, request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
        // A closed semaphore cannot be: nobody closes it.
        let _slot = self.slots.acquire().await.ok();
        let started = Instant::now();
        let _in_flight = self.metrics.sent(self.service.as_str());
        let result = self.exchange(request).await;
        let outcome = match &result {
            Ok(_) => "success",
            Err(failure) => failure.error.kind.as_str(),
        };
        self.metrics.count(
            self.service.as_str(),
            self.operation,
            outcome,
            started.elapsed(),
        );
        result
    }

    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
        let response = request
            .send()
            .await
            .map_err(|error| self.no_answer(&error))?;
        let status = response.status();
        let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let retry_after = header("Retry-After").and_then(|text| text.trim().parse().ok());
        let date = header("Date").and_then(|text| read_date(&text));
        let subject = header("X-Subject-Token");
        let body = response
            .bytes()
            .await
            .map_err(|error| self.no_answer(&error))?;
        // 300 is how version documents are served; other redirects are not followed, for they would
        // take the token to another host.
        if !(status.is_success() || status == StatusCode::MULTIPLE_CHOICES) {
            return Err(self.refused(status, &body, retry_after));
        }
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).map_err(|error| self.undecodable(&error))?
        };
        Ok(Reply {
            body,
            date,
            subject,
        })
    }

    fn error(&self, kind: ErrorKind, message: String) -> Error {
        Error {
            service: self.service,
            operation: self.operation.to_owned(),
            kind,
            message,
            retry_after: None,
        }
    }

    fn refused(&self, status: StatusCode, body: &[u8], retry_after: Option<u64>) -> Failure {
        // Before it is shortened, and once more where JSON had it escaped.
        let body = self.secret.remove_from(&String::from_utf8_lossy(body));
        let mut message = self.secret.remove_from(&message_of(body.as_bytes()));
        if message.is_empty() || status.is_redirection() {
            message = format!("HTTP status {status}");
        }
        let mut error = self.error(ErrorKind::of(status.as_u16(), &message), message);
        error.retry_after = retry_after.map(|s| Duration::from_secs(s).min(LONGEST_REST));
        Failure {
            not_done: status == StatusCode::TOO_MANY_REQUESTS,
            passing: matches!(status.as_u16(), 429 | 502 | 503 | 504),
            error,
        }
    }

    fn no_answer(&self, error: &reqwest::Error) -> Failure {
        let message = transport::reason(error);
        let kind = if message.contains("certificate") {
            ErrorKind::Certificate
        } else {
            ErrorKind::Transport
        };
        let hint = if message.contains("UnknownIssuer") {
            ": give the CA certificate of the cloud (PEM) with the credentials"
        } else {
            ""
        };
        Failure {
            error: self.error(kind, format!("{message}{hint}")),
            not_done: error.is_connect(),
            passing: kind == ErrorKind::Transport,
        }
    }

    fn undecodable(&self, error: &serde_json::Error) -> Failure {
        let error = self.error(
            ErrorKind::Decode,
            format!("the answer is not JSON: {error}"),
        );
        // Most often the page of a proxy.
        Failure {
            error,
            not_done: false,
            passing: true,
        }
    }
}

/// Gets a new token.
async fn login(
    client: &reqwest::Client,
    credentials: &Credentials,
    metrics: &Metrics,
    slots: &Semaphore,
) -> Result<Token> {
    let body = login_body(credentials);
    let url = tokens_url(&credentials.auth_url);
    let exchange = Exchange {
        metrics,
        slots,
        service: Service::Identity,
        operation: "POST token",
        repeatable: true,
        secret: credentials.auth.secret(),
    };
    let reply = exchange.run(|| client.post(&url).json(&body)).await;
    let reply = reply.map_err(|mut error| {
        // An application credential that was deleted, or never was.
        if error.is_not_found() && error.message.contains("Application Credential") {
            error.kind = ErrorKind::Unauthorized;
        }
        error
    })?;
    let Some(value) = reply.subject else {
        let message = "the answer has no X-Subject-Token: is auth_url really Keystone's?";
        return Err(exchange.error(ErrorKind::Decode, message.to_owned()));
    };
    let token = Token::read(&value, reply.body).map_err(|error| {
        exchange.error(
            ErrorKind::Decode,
            format!("the token cannot be read: {error}"),
        )
    })?;
    if token.project_id.is_empty() {
        let message =
            "the token is for no project: name one in clouds.yaml (project_name or project_id)";
        return Err(exchange.error(ErrorKind::Unauthorized, message.to_owned()));
    }
    Ok(token)
}

/// `Sat, 21 Nov 2026 12:00:00 GMT`
fn read_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text)
        .ok()
        .map(|zoned| zoned.timestamp())
}
