//! HTTP around a world: reads requests, lets faults have their way, writes answers and the log.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Response, Uri};
use futures::StreamExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tower::Layer;
use tower::util::MapResultLayer;

use crate::Inner;
use crate::faults::Effect;
use crate::log::{Call, kept, operation};
use crate::world::{Reply, Request, Service};

/// Marks a response that is not sent: the connection is closed instead.
#[derive(Clone)]
struct Dropped;

/// Why a connection is closed without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

impl From<std::convert::Infallible> for Closed {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Accepts connections until it is aborted, which ends them too.
pub(crate) async fn run(listener: TcpListener, tls: Option<TlsAcceptor>, inner: Arc<Inner>) {
    let routes = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::disable())
        .with_state(inner);
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (tls, routes) = (tls.clone(), routes.clone());
        connections.spawn(async move {
            match tls {
                None => connection(stream, routes).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, routes).await;
                    }
                }
            }
        });
        // What has ended is forgotten.
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: Router) {
    let close = |result: Result<Response<Body>, std::convert::Infallible>| match result {
        Ok(response) if response.extensions().get::<Dropped>().is_some() => Err(Closed),
        Ok(response) => Ok(response),
        Err(never) => match never {},
    };
    let service = MapResultLayer::new(close).layer(routes);
    // An error here is the client's, or ours on purpose.
    let _ = Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let Some(request) = read(&method, &uri, &headers, &body) else {
        return plain(404, "no such service");
    };
    let path = request.path_text();
    let operation = operation(request.service.as_str(), method.as_str(), &path);
    let effect = inner.faults.decide(&operation);
    let name = effect.as_ref().map(Effect::name);
    let made = OnceLock::new();
    let record = |status: Option<u16>| {
        inner.log.push(Call {
            at: inner.clock.now(),
            operation: operation.clone(),
            path: path.clone(),
            query: uri.query().unwrap_or_default().to_owned(),
            body: kept(&path, &body, &request.body),
            status,
            fault: name,
            user_agent: header(&headers, "user-agent").unwrap_or_default(),
            made: made.get().cloned(),
        });
    };
    let carry_out = || {
        let now = inner.clock.now();
        let reply = inner.with_world(|world| world.handle(now, &request));
        if let Some(id) = (method == Method::POST).then(|| reply.made()).flatten() {
            made.get_or_init(|| id.to_owned());
        }
        reply
    };
    let Some((response, status)) = disturbed(&inner, effect, carry_out).await else {
        record(None);
        inner.faults.hold();
        return std::future::pending().await;
    };
    record(status);
    response
}

/// The answer to a request that `carry_out` carries out, as the fault lets it be, and the status for
/// the log. `None` when it is never answered.
async fn disturbed(
    inner: &Inner,
    effect: Option<Effect>,
    carry_out: impl Fn() -> Reply + Send,
) -> Option<(Response<Body>, Option<u16>)> {
    Some(match effect {
        None => sent(inner, carry_out()),
        Some(Effect::Delay(time)) => {
            tokio::time::sleep(time).await;
            sent(inner, carry_out())
        }
        Some(Effect::Fail {
            status,
            headers,
            body,
        }) => (failed(status, headers, body), Some(status)),
        Some(Effect::DropBefore) => (dropped(), None),
        Some(Effect::DropAfter) => {
            carry_out();
            (dropped(), None)
        }
        Some(Effect::Duplicate) => {
            carry_out();
            sent(inner, carry_out())
        }
        Some(Effect::HalfAnswer) => (half(&carry_out()), None),
        Some(Effect::NotJson) => {
            carry_out();
            let page = "<html><body>Welcome to the proxy</body></html>";
            (plain(200, page), Some(200))
        }
        Some(Effect::HoldBefore) => return None,
        Some(Effect::HoldAfter) => {
            carry_out();
            return None;
        }
    })
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

/// Splits off the service and the version.
fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Option<Request> {
    let path = uri.path().trim_start_matches('/');
    let (prefix, rest) = path.split_once('/').unwrap_or((path, ""));
    let service = Service::ALL
        .into_iter()
        .find(|service| service.as_str() == prefix)?;
    let (version, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let is_version =
        version.starts_with('v') && version[1..].starts_with(|c: char| c.is_ascii_digit());
    let rest = match service {
        _ if !is_version => "",
        // Cinder's endpoint ends in the project.
        Service::Volume => rest.split_once('/').map_or("", |(_, rest)| rest),
        _ => rest,
    };
    let query = uri
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let body = serde_json::from_slice(body).unwrap_or(Value::Null);
    let mut request = Request::new(service, method.clone(), &format!("{rest}{query}"), body);
    request.token = header(headers, "x-auth-token");
    request.subject = header(headers, "x-subject-token");
    let version = header(headers, "openstack-api-version");
    request.microversion = version.and_then(|version| Some(version.rsplit_once(' ')?.1.to_owned()));
    let revision = header(headers, "if-match");
    request.revision = revision.and_then(|one| one.strip_prefix("revision_number=")?.parse().ok());
    Some(request)
}

/// `Sat, 21 Nov 2026 12:00:00 GMT` on the simulator's clock.
fn date(inner: &Inner) -> String {
    inner
        .clock
        .now()
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

fn sent(inner: &Inner, reply: Reply) -> (Response<Body>, Option<u16>) {
    let mut response = Response::builder()
        .status(reply.status)
        .header("Date", date(inner));
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let body = match reply.body {
        Value::Null => Body::empty(),
        Value::String(text) => {
            response = response.header("Content-Type", "text/plain");
            Body::from(text)
        }
        body => {
            response = response.header("Content-Type", "application/json");
            Body::from(body.to_string())
        }
    };
    let response = response
        .body(body)
        .unwrap_or_else(|_| plain(500, "bad reply"));
    (response, Some(reply.status))
}

fn failed(status: u16, headers: Vec<(String, String)>, body: String) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response
        .body(Body::from(body))
        .unwrap_or_else(|_| plain(500, "the fault has a bad header"))
}

fn plain(status: u16, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

fn dropped() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Dropped);
    response
}

/// Announces the whole body, sends half of it, and breaks off.
fn half(reply: &Reply) -> Response<Body> {
    let text = reply.body.to_string();
    let half = Bytes::copy_from_slice(&text.as_bytes()[..text.len() / 2]);
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    // The pause in between lets the first half out of the buffer.
    let rest = futures::stream::once(async {
        tokio::task::yield_now().await;
        Err(broken)
    });
    let body = futures::stream::iter([Ok(half)]).chain(rest);
    let mut response = Response::new(Body::from_stream(body));
    *response.status_mut() = axum::http::StatusCode::from_u16(reply.status).unwrap_or_default();
    let length = text.len().to_string();
    if let Ok(length) = length.parse() {
        response.headers_mut().insert("Content-Length", length);
    }
    response
}
