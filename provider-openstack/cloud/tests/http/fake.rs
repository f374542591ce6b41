//! A server that answers logins and lists, and notes what it was asked.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::serve::Listener;
use cloud::{Cloud, Credentials, Metrics};
use serde_json::{Value, json};
use tokio::sync::Notify;

#[derive(Clone, Debug)]
pub struct Seen {
    /// `GET /network/v2.0/ports`
    pub what: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Value,
}

/// An answer that a test has prepared; status, headers, body.
pub type Answer = (u16, Vec<(&'static str, String)>, Value);

#[derive(Default)]
pub struct Inner {
    pub seen: Vec<Seen>,
    /// Answered before anything else, once each.
    scripted: HashMap<String, VecDeque<Answer>>,
    /// Rows by collection, for example `ports`.
    pub rows: HashMap<String, Vec<Value>>,
    /// What a list of changed servers has.
    pub changed_servers: Vec<Value>,
    pub logins: u32,
    url: String,
    /// A request that is never answered.
    held: Option<String>,
    holding: Arc<Notify>,
}

#[derive(Clone)]
pub struct Fake(Arc<Mutex<Inner>>);

impl Fake {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::serve(
            format!("http://{}", listener.local_addr().unwrap()),
            listener,
        )
    }

    pub fn serve(url: String, listener: impl Listener<Addr: std::fmt::Debug>) -> Self {
        let fake = Self(Arc::new(Mutex::new(Inner {
            url,
            ..Inner::default()
        })));
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        fake
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn script(&self, what: &str, answer: Answer) {
        self.inner()
            .scripted
            .entry(what.to_owned())
            .or_default()
            .push_back(answer);
    }

    pub fn set(&self, collection: &str, rows: Value) {
        let rows = rows.as_array().unwrap().clone();
        self.inner().rows.insert(collection.to_owned(), rows);
    }

    /// Never answers this request.
    pub fn hold(&self, what: &str) {
        self.inner().held = Some(what.to_owned());
    }

    /// Resolves when such a request has come.
    pub async fn until_held(&self) {
        let holding = self.inner().holding.clone();
        holding.notified().await;
    }

    /// How many requests there were of this kind.
    pub fn count(&self, what: &str) -> usize {
        self.inner()
            .seen
            .iter()
            .filter(|seen| seen.what == what)
            .count()
    }

    pub fn total(&self) -> usize {
        self.inner().seen.len()
    }

    pub fn last(&self, what: &str) -> Seen {
        let inner = self.inner();
        inner
            .seen
            .iter()
            .rfind(|seen| seen.what == what)
            .unwrap()
            .clone()
    }

    pub fn credentials(&self) -> Credentials {
        let yaml = format!(
            "clouds: {{c: {{auth: {{auth_url: '{}/identity', username: u, password: s3cret, \
             project_name: p}}, region_name: R}}}}",
            self.inner().url
        );
        Credentials::parse(yaml.as_bytes(), "c", None, None).unwrap()
    }

    pub async fn connect(&self) -> Cloud {
        Cloud::connect(self.credentials(), Arc::new(Metrics::default()))
            .await
            .unwrap()
    }
}

impl Inner {
    pub fn login(&mut self) -> Answer {
        self.logins += 1;
        let service = |kind: &str, path: &str| {
            json!({"type": kind, "endpoints": [{"interface": "public", "region_id": "R",
                "url": format!("{}/{path}", self.url)}]})
        };
        let catalog = [
            service("network", "network"),
            service("compute", "compute/v2.1"),
            service("volumev3", "volume/v3/p1"),
            service("image", "image"),
            service("load-balancer", "lb"),
        ];
        let body = json!({"token": {"expires_at": "2999-01-01T00:00:00.000000Z",
            "project": {"id": "p1"}, "catalog": catalog}});
        (
            201,
            vec![("X-Subject-Token", format!("token-{}", self.logins))],
            body,
        )
    }

    fn list(&self, path: &str, query: &str) -> Answer {
        let collection = path.trim_end_matches("/detail").rsplit('/').next().unwrap();
        let key = collection.replace('-', "_");
        let rows = match collection {
            "servers" if query.contains("changes-since") => self.changed_servers.clone(),
            _ => self.rows.get(&key).cloned().unwrap_or_default(),
        };
        (200, Vec::new(), json!({key: rows}))
    }
}

async fn answer(
    State(fake): State<Fake>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let what = format!("{method} {}", uri.path());
    if fake.inner().held.as_ref() == Some(&what) {
        fake.inner().holding.notify_one();
        std::future::pending::<()>().await;
    }
    let query = uri.query().unwrap_or_default().to_owned();
    let mut inner = fake.inner();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    inner.seen.push(Seen {
        what: what.clone(),
        query: query.clone(),
        headers,
        body,
    });
    let scripted = inner.scripted.get_mut(&what).and_then(VecDeque::pop_front);
    let (status, headers, body) = match scripted {
        Some(answer) => answer,
        None if uri.path() == "/identity/v3/auth/tokens" => inner.login(),
        None if method == Method::GET => inner.list(uri.path(), &query),
        None if method == Method::DELETE => (204, Vec::new(), Value::Null),
        None => (
            404,
            Vec::new(),
            json!({"message": "the test has no answer for this"}),
        ),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let text = match body {
        Value::Null => String::new(),
        // The page of a proxy.
        Value::String(page) => page,
        body => body.to_string(),
    };
    response.body(Body::from(text)).unwrap()
}
