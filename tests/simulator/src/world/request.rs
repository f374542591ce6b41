//! What a world is asked, and what it answers.

use axum::http::Method;
use serde_json::{Value, json};

/// A service of the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// Keystone.
    Identity,
    /// Nova.
    Compute,
    /// Neutron.
    Network,
    /// Cinder.
    Volume,
    /// Glance.
    Image,
    /// Octavia.
    LoadBalancer,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 6] = [
        Self::Identity,
        Self::Compute,
        Self::Network,
        Self::Volume,
        Self::Image,
        Self::LoadBalancer,
    ];

    /// The first segment of its paths, and its name in the log.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Image => "image",
            Self::LoadBalancer => "load-balancer",
        }
    }
}

/// A request, its path without the prefix and version of the service.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who is asked.
    pub service: Service,
    /// HTTP method.
    pub method: Method,
    /// Segments after the version; empty for the version document.
    pub path: Vec<String>,
    /// Query parameters in their order.
    pub query: Vec<(String, String)>,
    /// `X-Auth-Token`.
    pub token: Option<String>,
    /// `X-Subject-Token`.
    pub subject: Option<String>,
    /// The number in `OpenStack-API-Version`.
    pub microversion: Option<String>,
    /// The number in `If-Match: revision_number=…`.
    pub revision: Option<i64>,
    /// The body; null when there was none.
    pub body: Value,
}

impl Request {
    /// A request without token, for example `Request::new(Service::Network, Method::GET, "/ports?name=a", Value::Null)`.
    #[must_use]
    pub fn new(service: Service, method: Method, path_and_query: &str, body: Value) -> Self {
        let (path, query) = path_and_query
            .split_once('?')
            .unwrap_or((path_and_query, ""));
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        };
        Self {
            service,
            method,
            path: path
                .split('/')
                .filter(|segment| !segment.is_empty())
                .map(decode)
                .collect(),
            query: query
                .split('&')
                .filter(|pair| !pair.is_empty())
                .map(pair)
                .collect(),
            token: None,
            subject: None,
            microversion: None,
            revision: None,
            body,
        }
    }

    /// The path as text.
    #[must_use]
    pub fn path_text(&self) -> String {
        self.path
            .iter()
            .map(|segment| format!("/{segment}"))
            .collect()
    }

    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    pub(crate) fn query(&self, key: &str) -> Option<&str> {
        let found = self.query.iter().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str())
    }
}

/// Undoes percent-encoding and `+`.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| (byte? as char).to_digit(16);
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (hex(rest.next()), hex(rest.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => b'%',
            },
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers besides content type, length and date.
    pub headers: Vec<(String, String)>,
    /// Null when the answer has no body; text is sent as it is.
    pub body: Value,
}

impl Reply {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub(crate) fn ok(body: Value) -> Answer {
        Ok(Self::new(200, body))
    }

    pub(crate) fn empty(status: u16) -> Answer {
        Ok(Self::new(status, Value::Null))
    }

    /// Whether the request was carried out.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status < 400
    }

    /// The id of the one thing that it tells of, which a creation has made.
    #[must_use]
    pub fn made(&self) -> Option<&str> {
        let one = self.body.as_object()?.values().next()?;
        one["id"].as_str().filter(|_| self.is_success())
    }
}

/// A reply, or why there is none.
pub(crate) type Answer = Result<Reply, Refusal>;

/// Why a request is not carried out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub status: u16,
    /// Neutron's name of the error.
    pub kind: &'static str,
    pub message: String,
}

impl Refusal {
    pub fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(400, "HTTPBadRequest", message)
    }

    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "HTTPForbidden", message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "Conflict", message)
    }

    pub fn unauthorized() -> Self {
        let message = "The request you have made requires authentication.";
        Self::new(401, "Unauthorized", message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "HTTPNotFound", message)
    }

    /// No such path.
    pub fn no_route(request: &Request) -> Self {
        Self::new(
            404,
            "HTTPNotFound",
            format!(
                "The resource could not be found: {} {}",
                request.method,
                request.path_text()
            ),
        )
    }

    /// As the service words its errors.
    pub fn render(self, service: Service) -> Reply {
        let Self {
            status,
            kind,
            message,
        } = self;
        // Whatever the service, its middleware refuses tokens with Keystone's words.
        if status == 401 || service == Service::Identity {
            let title = title(status);
            return Reply::new(
                status,
                json!({"error": {"code": status, "message": message, "title": title}}),
            );
        }
        let body = match service {
            Service::Network => {
                json!({"NeutronError": {"type": kind, "message": message, "detail": ""}})
            }
            Service::LoadBalancer => {
                let code = if status < 500 { "Client" } else { "Server" };
                json!({"faultcode": code, "faultstring": message, "debuginfo": null})
            }
            Service::Image => {
                json!(format!("{status} {}\n\n{message}\n\n   ", title(status)))
            }
            Service::Volume if status == 413 => {
                json!({"overLimit": {"code": status, "message": message, "retryAfter": "0"}})
            }
            _ => json!({fault(status): {"code": status, "message": message}}),
        };
        let mut reply = Reply::new(status, body);
        // Cinder says so of every quota, however long that may take.
        if service == Service::Volume && status == 413 {
            let retry_after = ("Retry-After".to_owned(), "0".to_owned());
            reply.headers.push(retry_after);
        }
        reply
    }
}

/// The key of an error of Nova and Cinder.
fn fault(status: u16) -> &'static str {
    match status {
        400 => "badRequest",
        403 => "forbidden",
        404 => "itemNotFound",
        405 => "badMethod",
        409 => "conflictingRequest",
        413 | 429 => "overLimit",
        501 => "notImplemented",
        503 => "serviceUnavailable",
        _ => "computeFault",
    }
}

fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        _ => "Error",
    }
}
