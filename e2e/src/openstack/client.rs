//! A small blocking client of the lab's own OpenStack: for seeding it, for auditing what is in it, for the node agent.
//!
//! It goes through the TLS front end with the lab's CA, as any tenant would. In async code call it from
//! `spawn_blocking`.

use std::{collections::BTreeMap, fs, sync::Mutex, time::Duration};

use anyhow::Context;
use reqwest::{
    Method,
    blocking::{RequestBuilder, Response},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde_json::{Value, json};

use super::{PASSWORD, ca};
use crate::lab::Lab;

/// As it names itself in the access log.
pub const USER_AGENT: &str = "capstan-lab";
/// Compute API version of all requests.
const COMPUTE_VERSION: &str = "compute 2.90";

/// A service behind the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Keystone.
    Identity,
    /// Nova.
    Compute,
    /// Cinder.
    BlockStorage,
    /// Placement.
    Placement,
    /// Glance.
    Image,
    /// Neutron.
    Network,
    /// Octavia.
    LoadBalancer,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::Compute,
        Self::BlockStorage,
        Self::Placement,
        Self::Image,
        Self::Network,
        Self::LoadBalancer,
    ];

    /// Its type in the service catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::BlockStorage => "block-storage",
            Self::Placement => "placement",
            Self::Image => "image",
            Self::Network => "network",
            Self::LoadBalancer => "load-balancer",
        }
    }

    /// Port of the front end on 127.0.0.1.
    pub fn port(self) -> u16 {
        match self {
            Self::Identity => 5000,
            Self::Compute => 8774,
            Self::BlockStorage => 8776,
            Self::Placement => 8778,
            Self::Image => 9292,
            Self::Network => 9696,
            Self::LoadBalancer => 9876,
        }
    }

    /// What precedes every path of [`Client`].
    fn version(self) -> &'static str {
        match self {
            Self::Identity | Self::BlockStorage => "/v3",
            Self::Compute => "/v2.1",
            Self::Placement => "",
            Self::Image => "/v2",
            Self::Network => "/v2.0",
            Self::LoadBalancer => "/v2/lbaas",
        }
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer.
    #[error("{method} {url}: {source}")]
    Unreachable {
        /// Its method.
        method: Method,
        /// Where it went.
        url: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// An answer that is no success.
    #[error("{method} {url}: {status}: {message}")]
    Refused {
        /// Its method.
        method: Method,
        /// Where it went.
        url: String,
        /// HTTP status.
        status: u16,
        /// What the service said.
        message: String,
    },
    /// A login without a token, a list without its key.
    #[error("{url}: the answer has no {missing}")]
    Strange {
        /// Where the request went.
        url: String,
        /// What should be in the answer.
        missing: String,
    },
}

impl Error {
    /// Does the object not exist?
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }
}

/// A user in a project, logged in when the first request needs it and again when the token is refused.
pub struct Client {
    http: reqwest::blocking::Client,
    user: String,
    project: String,
    login: Mutex<Option<Login>>,
}

#[derive(Clone)]
struct Login {
    token: String,
    project: String,
    user: String,
}

impl Client {
    /// The administrator.
    pub fn admin(lab: &Lab) -> anyhow::Result<Self> {
        Self::new(lab, "admin", "admin")
    }

    /// The tenant whose project Capstan works in.
    pub fn tenant(lab: &Lab) -> anyhow::Result<Self> {
        Self::new(lab, "tenant", "tenant")
    }

    /// A user with the lab's password, in a project; both of the default domain.
    pub fn new(lab: &Lab, user: &str, project: &str) -> anyhow::Result<Self> {
        let path = ca(lab);
        let pem =
            fs::read(&path).with_context(|| format!("{}: is openstack up?", path.display()))?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.with_context(|| path.display().to_string())?)?;
        }
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = reqwest::blocking::Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(USER_AGENT)
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()?;
        Ok(Self {
            http,
            user: user.to_owned(),
            project: project.to_owned(),
            login: Mutex::new(None),
        })
    }

    /// ID of the project that it is logged in to.
    pub fn project_id(&self) -> Result<String, Error> {
        Ok(self.login()?.project)
    }

    /// ID of the user.
    pub fn user_id(&self) -> Result<String, Error> {
        Ok(self.login()?.user)
    }

    /// `path` begins behind the API's version and may have a query: `/servers/detail?all_tenants=1`.
    pub fn get(&self, service: Service, path: &str) -> Result<Value, Error> {
        self.send(Method::GET, service, path, &|r| r)
    }

    /// Posts JSON; an answer without a body is `null`.
    pub fn post(&self, service: Service, path: &str, body: &Value) -> Result<Value, Error> {
        self.send(Method::POST, service, path, &|r| r.json(body))
    }

    /// Puts JSON; `null` puts no body at all.
    pub fn put(&self, service: Service, path: &str, body: &Value) -> Result<Value, Error> {
        self.send(Method::PUT, service, path, &|r| {
            if body.is_null() { r } else { r.json(body) }
        })
    }

    /// Puts bytes, as for the content of an image.
    pub fn upload(&self, service: Service, path: &str, content: &[u8]) -> Result<Value, Error> {
        self.send(Method::PUT, service, path, &|r| {
            r.header("Content-Type", "application/octet-stream")
                .body(content.to_vec())
        })
    }

    /// Deletes; an object that is gone already is an error, see [`Error::is_not_found`].
    pub fn delete(&self, service: Service, path: &str) -> Result<(), Error> {
        self.send(Method::DELETE, service, path, &|r| r).map(drop)
    }

    /// The list called `key` in the answer.
    pub fn list(&self, service: Service, path: &str, key: &str) -> Result<Vec<Value>, Error> {
        match self.get(service, path)?[key].take() {
            Value::Array(items) => Ok(items),
            _ => Err(Error::Strange {
                url: url(service, path),
                missing: format!("list {key}"),
            }),
        }
    }

    /// Does the service answer at all?
    pub fn ping(&self, service: Service) -> Result<(), Error> {
        let url = format!("https://127.0.0.1:{}/", service.port());
        answered(
            Method::GET,
            &url,
            self.http.get(&url).timeout(Duration::from_secs(5)).send(),
        )
        .map(drop)
    }

    /// All that exists in the project of this name, by kind: `network/ports` -> `name (ID)`, each list sorted.
    /// For comparisons of before and after; needs the administrator.
    pub fn inventory(&self, project: &str) -> Result<BTreeMap<String, Vec<String>>, Error> {
        let projects = self.list(
            Service::Identity,
            &format!("/projects?name={project}"),
            "projects",
        )?;
        let id = projects
            .first()
            .and_then(|p| p["id"].as_str())
            .ok_or_else(|| Error::Strange {
                url: url(Service::Identity, "/projects"),
                missing: format!("project {project}"),
            })?;
        let mut found = BTreeMap::new();
        for (service, path, key) in INVENTORY {
            let items = self.list(service, &path.replace("{project}", id), key)?;
            // Server groups can only be listed for all projects.
            let own = items
                .iter()
                .filter(|i| i["project_id"].as_str().is_none_or(|p| p == id));
            found.insert(format!("{}/{key}", service.name()), named(own));
        }
        let assigned = format!("/role_assignments?scope.project.id={id}");
        let mut credentials = vec![];
        for assignment in self.list(Service::Identity, &assigned, "role_assignments")? {
            let Some(user) = assignment["user"]["id"].as_str() else {
                continue;
            };
            let path = format!("/users/{user}/application_credentials");
            credentials.extend(self.list(Service::Identity, &path, "application_credentials")?);
        }
        let mut credentials = named(credentials.iter().filter(|c| c["project_id"] == id));
        credentials.dedup();
        found.insert("identity/application_credentials".to_owned(), credentials);
        Ok(found)
    }

    fn send(
        &self,
        method: Method,
        service: Service,
        path: &str,
        fill: &dyn Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Value, Error> {
        let url = url(service, path);
        let attempt = || {
            let mut request = self
                .http
                .request(method.clone(), &url)
                .header("X-Auth-Token", self.login()?.token);
            if service == Service::Compute {
                request = request.header("OpenStack-API-Version", COMPUTE_VERSION);
            }
            answered(method.clone(), &url, fill(request).send())
        };
        let answer = match attempt() {
            Err(Error::Refused { status: 401, .. }) => {
                *self.lock() = None;
                attempt()?
            }
            other => other?,
        };
        let text = answer.text().map_err(|source| Error::Unreachable {
            method,
            url,
            source,
        })?;
        // Not everything that succeeds says something, and a console log is no JSON.
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    fn login(&self) -> Result<Login, Error> {
        let mut login = self.lock();
        if let Some(known) = &*login {
            return Ok(known.clone());
        }
        let domain = json!({ "id": "default" });
        let user = json!({ "name": self.user, "password": PASSWORD, "domain": domain });
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": user } },
            "scope": { "project": { "name": self.project, "domain": domain } },
        }});
        let url = url(Service::Identity, "/auth/tokens");
        let answer = answered(Method::POST, &url, self.http.post(&url).json(&body).send())?;
        let token = answer
            .headers()
            .get("X-Subject-Token")
            .and_then(|t| t.to_str().ok())
            .map(str::to_owned);
        let body: Value = answer.json().map_err(|source| Error::Unreachable {
            method: Method::POST,
            url: url.clone(),
            source,
        })?;
        let id = |what: &str| body["token"][what]["id"].as_str().map(str::to_owned);
        let (Some(token), Some(project), Some(user)) = (token, id("project"), id("user")) else {
            return Err(Error::Strange {
                url,
                missing: "token, project or user".to_owned(),
            });
        };
        Ok(login
            .insert(Login {
                token,
                project,
                user,
            })
            .clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Login>> {
        // A panic elsewhere cannot have left half a login.
        self.login
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What a project can own: service, list for the administrator, key in the answer.
const INVENTORY: [(Service, &str, &str); 16] = [
    (
        Service::Compute,
        "/servers?all_tenants=1&project_id={project}",
        "servers",
    ),
    (
        Service::Compute,
        "/os-server-groups?all_projects=1",
        "server_groups",
    ),
    (
        Service::Network,
        "/networks?project_id={project}",
        "networks",
    ),
    (Service::Network, "/subnets?project_id={project}", "subnets"),
    (Service::Network, "/routers?project_id={project}", "routers"),
    (Service::Network, "/ports?project_id={project}", "ports"),
    (Service::Network, "/trunks?project_id={project}", "trunks"),
    (
        Service::Network,
        "/floatingips?project_id={project}",
        "floatingips",
    ),
    (
        Service::Network,
        "/security-groups?project_id={project}",
        "security_groups",
    ),
    (
        Service::BlockStorage,
        "/volumes?all_tenants=1&project_id={project}",
        "volumes",
    ),
    (
        Service::BlockStorage,
        "/snapshots?all_tenants=1&project_id={project}",
        "snapshots",
    ),
    (
        Service::LoadBalancer,
        "/loadbalancers?project_id={project}",
        "loadbalancers",
    ),
    (
        Service::LoadBalancer,
        "/listeners?project_id={project}",
        "listeners",
    ),
    (
        Service::LoadBalancer,
        "/pools?project_id={project}",
        "pools",
    ),
    (
        Service::LoadBalancer,
        "/healthmonitors?project_id={project}",
        "healthmonitors",
    ),
    (Service::Image, "/images?owner={project}", "images"),
];

fn named<'a>(items: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let text = |item: &Value, field: &str| item[field].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<_> = items
        .map(|i| format!("{} ({})", text(i, "name"), text(i, "id")))
        .collect();
    names.sort();
    names
}

fn url(service: Service, path: &str) -> String {
    format!(
        "https://127.0.0.1:{}{}{path}",
        service.port(),
        service.version()
    )
}

fn answered(
    method: Method,
    url: &str,
    answer: reqwest::Result<Response>,
) -> Result<Response, Error> {
    let url = url.to_owned();
    let answer = answer.map_err(|source| Error::Unreachable {
        method: method.clone(),
        url: url.clone(),
        source,
    })?;
    let status = answer.status();
    // Lists of versions come as 300.
    if status.is_success() || status.as_u16() == 300 {
        return Ok(answer);
    }
    let message = answer
        .text()
        .unwrap_or_default()
        .chars()
        .take(400)
        .collect();
    Err(Error::Refused {
        method,
        url,
        status: status.as_u16(),
        message,
    })
}
