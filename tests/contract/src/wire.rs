//! Requests as they go over the wire, for what the provider's client does not show: status codes, and every field of
//! the answers. What was asked and answered is kept in a [`Transcript`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cloud::{Auth, Credentials};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::transcript::{Exchange, Transcript, path_of};

const DEADLINE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(200);
/// What the provider asks Nova for.
const MICROVERSION: &str = "compute 2.53";

/// A service by its name in the simulator's log; where its API begins depends on the catalog.
pub type Service = &'static str;
pub const IDENTITY: Service = "identity";
pub const COMPUTE: Service = "compute";
pub const NETWORK: Service = "network";
pub const VOLUME: Service = "volume";
pub const IMAGE: Service = "image";
pub const BALANCER: Service = "load-balancer";

/// A session without any cleverness.
pub struct Wire {
    client: Client,
    token: String,
    bases: BTreeMap<Service, String>,
    microversion: String,
    /// The project of the session.
    pub project_id: String,
    /// The user of the session.
    pub user_id: String,
    pub transcript: Transcript,
    /// Refusals with another status than expected; nothing hangs on them, so that one run shows all.
    pub differences: Vec<String>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    what: String,
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// The body, if the status is this one.
    pub fn is(self, status: u16) -> Result<Value> {
        let Self { what, body, .. } = self;
        ensure!(
            self.status == status,
            "{what}: status {status} was expected, not {}: {body}",
            self.status
        );
        Ok(body)
    }
}

impl Wire {
    /// Logs in with a password.
    pub async fn login(credentials: &Credentials) -> Result<Self> {
        // The first provider that a process installs stays; it fails when there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(60));
        if let Some(ca) = &credentials.ca {
            client = client.tls_certs_only(reqwest::Certificate::from_pem_bundle(ca)?);
        }
        let client = client.build()?;
        let base = credentials
            .auth_url
            .trim_end_matches('/')
            .trim_end_matches("/v3")
            .to_owned()
            + "/v3";
        let answer = client
            .post(format!("{base}/auth/tokens"))
            .json(&body(credentials)?)
            .send()
            .await?;
        ensure!(answer.status() == 201, "login: status {}", answer.status());
        let token = answer
            .headers()
            .get("X-Subject-Token")
            .context("no X-Subject-Token")?;
        let token = token.to_str()?.to_owned();
        let body: Value = answer.json().await?;
        let mut bases = bases(&body, credentials.region.as_deref())?;
        bases.insert(IDENTITY, base);
        let mut wire = Self {
            client,
            token,
            bases,
            microversion: MICROVERSION.to_owned(),
            project_id: text(&body["token"]["project"], "id"),
            user_id: text(&body["token"]["user"], "id"),
            transcript: Transcript::default(),
            differences: Vec::new(),
        };
        let mut token = body;
        // The catalog of each cloud is its own.
        token["token"]["catalog"] = json!([]);
        wire.transcript
            .push("a login", "POST identity /auth/tokens", 201, &token);
        Ok(wire)
    }

    /// Another microversion of Nova for the requests that follow; `None` for the usual one.
    pub fn set_microversion(&mut self, version: Option<&str>) {
        self.microversion = version.map_or(MICROVERSION.to_owned(), |version| {
            format!("compute {version}")
        });
    }

    /// Another token for the requests that follow; the one before.
    pub fn set_token(&mut self, token: &str) -> String {
        std::mem::replace(&mut self.token, token.to_owned())
    }

    /// The token of the requests.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A request that goes into the transcript under `what`, and the body of its answer.
    ///
    /// # Errors
    /// An answer with another status than `status`, unless both are refusals.
    pub async fn send(
        &mut self,
        what: &str,
        method: Method,
        service: Service,
        path: &str,
        body: Value,
        status: u16,
    ) -> Result<Value> {
        let operation = format!("{method} {service} {}", path_of(path));
        let answer = self.ask(method, service, path, &body).await?;
        self.note(what, &operation, answer, status)
    }

    /// Puts an answer into the transcript under `what`; its body.
    ///
    /// # Errors
    /// As of [`Wire::send`].
    pub fn note(
        &mut self,
        what: &str,
        operation: &str,
        answer: Answer,
        status: u16,
    ) -> Result<Value> {
        self.transcript
            .push(what, operation, answer.status, &answer.body);
        if status >= 400 && answer.status >= 400 {
            let body = answer.body.clone();
            if let Err(difference) = answer.is(status) {
                self.differences.push(format!("{what}: {difference:#}"));
            }
            return Ok(body);
        }
        answer.is(status).with_context(|| what.to_owned())
    }

    pub async fn get(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        status: u16,
    ) -> Result<Value> {
        self.send(what, Method::GET, service, path, Value::Null, status)
            .await
    }

    pub async fn post(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        body: Value,
        status: u16,
    ) -> Result<Value> {
        self.send(what, Method::POST, service, path, body, status)
            .await
    }

    pub async fn put(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        body: Value,
        status: u16,
    ) -> Result<Value> {
        self.send(what, Method::PUT, service, path, body, status)
            .await
    }

    pub async fn delete(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        status: u16,
    ) -> Result<Value> {
        self.send(what, Method::DELETE, service, path, Value::Null, status)
            .await
    }

    /// Makes something; its id.
    pub async fn make(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        key: &str,
        body: Value,
    ) -> Result<String> {
        let created = if service == COMPUTE || service == VOLUME {
            202
        } else {
            201
        };
        let made = self
            .post(what, service, path, json!({ key: body }), created)
            .await?;
        Ok(text(&made[key], "id"))
    }

    /// A list at once and in pages.
    pub async fn listed(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        key: &str,
    ) -> Result<()> {
        self.get(what, service, path, 200).await?;
        self.pages(what, service, path, key).await
    }

    /// A list by the links to the next page, row by row, has to show what it shows at once. Which row comes first
    /// is up to chance: their fields are left out of the transcript.
    pub async fn pages(
        &mut self,
        what: &str,
        service: Service,
        path: &str,
        key: &str,
    ) -> Result<()> {
        let whole = self.ask(Method::GET, service, path, &Value::Null).await?;
        let whole = ids(&whole.is(200)?[key]);
        ensure!(whole.len() > 1, "{what}: {whole:?} makes no second page");
        let (bare, joint) = match path.split_once('?') {
            Some((bare, _)) => (bare, '&'),
            None => (path, '?'),
        };
        let mut found = BTreeSet::new();
        let mut next = Some(format!("{path}{joint}limit=1"));
        for number in 1.. {
            let Some(page) = next else { break };
            let answer = self.ask(Method::GET, service, &page, &Value::Null).await?;
            next = next_page(&answer.body, key).map(|query| format!("{bare}?{query}"));
            let operation = format!("GET {service} {}", path_of(&page));
            let noted = match number {
                1 => Some("first"),
                2 => Some("second"),
                _ => None,
            };
            let last = next.is_none().then_some("last");
            for name in noted.into_iter().chain(last) {
                let what = format!("the {name} page of {what}");
                let mut body = answer.body.clone();
                body[key] = json!([]);
                self.transcript
                    .push(&what, &operation, answer.status, &body);
            }
            let rows = ids(&answer.is(200)?[key]);
            ensure!(
                rows.len() <= 1 && rows.is_disjoint(&found),
                "{what}: {rows:?} after {found:?}"
            );
            found.extend(rows);
        }
        ensure!(
            found == whole,
            "{what}: pages have {found:?}, the list {whole:?}"
        );
        Ok(())
    }

    /// A request that leaves no trace in the transcript.
    pub async fn ask(
        &self,
        method: Method,
        service: Service,
        path: &str,
        body: &Value,
    ) -> Result<Answer> {
        let base = self
            .bases
            .get(service)
            .with_context(|| format!("the catalog has no {service}"))?;
        let mut request = self
            .client
            .request(method.clone(), format!("{base}{path}"))
            .header("X-Auth-Token", &self.token);
        if service == COMPUTE {
            request = request.header("OpenStack-API-Version", &self.microversion);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("{method} {service} {path}"))?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
        Ok(Answer {
            what: format!("{method} {service} {path}"),
            status,
            body,
        })
    }

    /// Deletes what no later request is about, without a trace in the transcript.
    pub async fn remove(&self, service: Service, path: &str) -> Result<()> {
        let answer = self
            .ask(Method::DELETE, service, path, &Value::Null)
            .await?;
        answer.is(204).map(drop)
    }

    /// Waits until a resource is as wanted, or (`None`) gone.
    pub async fn until(
        &self,
        service: Service,
        path: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) -> Result<Value> {
        let end = Instant::now() + DEADLINE;
        loop {
            let answer = self.ask(Method::GET, service, path, &Value::Null).await?;
            let is_there = answer.status == 200;
            if wanted(is_there.then_some(&answer.body)) {
                return Ok(answer.body);
            }
            if Instant::now() > end {
                bail!(
                    "{service} {path} did not get there in time: {} {}",
                    answer.status,
                    answer.body
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits until a field of a resource has a value.
    pub async fn reaches(
        &self,
        service: Service,
        path: &str,
        key: &str,
        field: &str,
        value: &str,
    ) -> Result<Value> {
        self.until(service, path, |body| {
            body.is_some_and(|body| body[key][field] == value)
        })
        .await
    }

    /// Waits until a resource is gone.
    pub async fn gone(&self, service: Service, path: &str) -> Result<()> {
        self.until(service, path, |body| body.is_none())
            .await
            .map(drop)
    }
}

fn body(credentials: &Credentials) -> Result<Value> {
    let Auth::Password { user, password } = &credentials.auth else {
        bail!("the contract needs a user with a password");
    };
    let domain = json!({"name": user.domain_name.as_deref().unwrap_or("Default")});
    let domain = match &user.domain_id {
        Some(id) => json!({"id": id}),
        None => domain,
    };
    let identity = json!({"methods": ["password"], "password": {"user":
        {"name": user.name, "domain": domain, "password": password.0}}});
    let scope = json!({"project": {"name": credentials.project.name, "domain": domain}});
    Ok(json!({"auth": {"identity": identity, "scope": scope}}))
}

fn bases(body: &Value, region: Option<&str>) -> Result<BTreeMap<Service, String>> {
    let mut found = BTreeMap::new();
    for entry in body["token"]["catalog"].as_array().context("no catalog")? {
        let (service, version) = match entry["type"].as_str().unwrap_or_default() {
            "compute" => (COMPUTE, ""),
            "network" => (NETWORK, "/v2.0"),
            "volumev3" | "block-storage" => (VOLUME, ""),
            "image" => (IMAGE, "/v2"),
            "load-balancer" => (BALANCER, "/v2.0"),
            _ => continue,
        };
        let fits = |endpoint: &&Value| {
            endpoint["interface"] == "public"
                && region.is_none_or(|region| endpoint["region_id"] == region)
        };
        if let Some(endpoint) = entry["endpoints"]
            .as_array()
            .into_iter()
            .flatten()
            .find(fits)
        {
            let url = text(endpoint, "url");
            let url = url.trim_end_matches('/');
            let bare = if version.is_empty() {
                url
            } else {
                url.trim_end_matches("/v2.0").trim_end_matches("/v2")
            };
            found.insert(service, format!("{bare}{version}"));
        }
    }
    Ok(found)
}

fn ids(rows: &Value) -> BTreeSet<String> {
    let rows = rows.as_array().into_iter().flatten();
    rows.map(|row| text(row, "id")).collect()
}

/// The query of the next page; only that of the link counts.
fn next_page(body: &Value, key: &str) -> Option<String> {
    let links = body[format!("{key}_links")].as_array();
    let linked = links
        .into_iter()
        .flatten()
        .find(|link| link["rel"] == "next")
        .map_or(&body["next"], |link| &link["href"]);
    let (_, query) = linked.as_str()?.split_once('?')?;
    Some(query.to_owned())
}

/// A text field; empty when it is absent.
pub fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap_or_default().to_owned()
}

impl From<Wire> for Vec<Exchange> {
    fn from(wire: Wire) -> Self {
        wire.transcript.0
    }
}
