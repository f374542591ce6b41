//! Keystone v3: what is sent to log in, and the token and catalog that come back.
//!
//! # Why not osauth
//! The Rust client `osauth` (0.5) was to keep the session, the catalog and the microversions. Run
//! against a loopback server it could not carry this crate:
//! - A catalog entry of Neutron that ends in `/v2.0` makes its version discovery fail for good
//!   ("error decoding response body"); one of Cinder that ends in the project costs two requests, the
//!   second to a path that need not exist.
//! - Discovery is sent where no caller can see it: it is never retried, a `Retry-After` on it is
//!   dropped, and its requests miss in a count that must agree with what a proxy in front of the
//!   cloud sees. Turned off, nothing is left of the session but a map of URLs.
//! - The URL in a version document is believed, so that a cloud behind a proxy which reports its inner
//!   address cannot be used, although other clients manage.
//! - `refresh()` does nothing while the token looks alive, and its errors no longer tell a refused
//!   connection (safe to repeat) from a lost answer (not safe).
//!
//! So the login is here, endpoints are built from the catalog by the rule in [`Service`], no version
//! document is needed, and a second major version of the HTTP client is saved.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::Service;
use crate::credentials::{Auth, Credentials, Interface, Principal};
use crate::wire::Redacted;

/// A token and what came with it. Debug does not show the token.
#[derive(Clone, Debug)]
pub struct Token {
    pub(crate) value: Redacted,
    /// From here on a new one is wanted.
    renew_at: Instant,
    ends_at: Instant,
    /// The project that the token is for.
    pub project_id: String,
    catalog: Vec<CatalogEntry>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CatalogEntry {
    #[serde(rename = "type")]
    service_type: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Endpoint {
    interface: String,
    region: String,
    region_id: String,
    url: String,
}

#[derive(Deserialize)]
struct Answer {
    token: TokenBody,
}

#[derive(Deserialize)]
struct TokenBody {
    expires_at: Timestamp,
    issued_at: Option<Timestamp>,
    #[serde(default)]
    project: crate::wire::Ref,
    #[serde(default)]
    catalog: Vec<CatalogEntry>,
}

/// A token is renewed this long before its end, so that no request is sent with one that ends on its
/// way; one that lives shortly, when a fifth of its life is left.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

const LONGEST_LIFE: Duration = Duration::from_secs(24 * 3600);

impl Token {
    /// Its life counts from now, whatever the clocks say.
    pub(crate) fn read(value: &str, body: Value) -> serde_json::Result<Self> {
        let answer: Answer = crate::wire::decode(body)?;
        let issued = answer.token.issued_at.unwrap_or_else(Timestamp::now);
        let life = issued.duration_until(answer.token.expires_at);
        // What would end in years is renewed every day.
        let life = Duration::try_from(life)
            .unwrap_or_default()
            .min(LONGEST_LIFE);
        let now = Instant::now();
        Ok(Self {
            value: Redacted(value.to_owned()),
            renew_at: now + (life - RENEW_BEFORE.min(life / 5)),
            ends_at: now + life,
            project_id: answer.token.project.id,
            catalog: answer.token.catalog,
        })
    }

    /// Whether it is time for a new one.
    pub(crate) fn ends_soon(&self) -> bool {
        Instant::now() >= self.renew_at
    }

    /// Whether it is of no use any more.
    pub(crate) fn has_ended(&self) -> bool {
        Instant::now() >= self.ends_at
    }

    /// The base URL of a service, version included; `None` when the catalog has none for the region
    /// and interface.
    pub fn endpoint(
        &self,
        service: Service,
        interface: Interface,
        region: Option<&str>,
    ) -> Option<String> {
        let fits = |endpoint: &&Endpoint| {
            endpoint.interface.trim_end_matches("URL") == interface.as_str()
                && region.is_none_or(|name| endpoint.region == name || endpoint.region_id == name)
        };
        service.catalog_types().iter().find_map(|wanted| {
            self.catalog
                .iter()
                .filter(|entry| entry.service_type == *wanted)
                .flat_map(|entry| &entry.endpoints)
                .find(fits)
                .map(|endpoint| service.base(&endpoint.url))
        })
    }

    /// Whether the catalog has the service anywhere.
    pub(crate) fn has(&self, service: Service) -> bool {
        let types = service.catalog_types();
        let mut entries = self.catalog.iter();
        entries.any(|entry| {
            types.contains(&entry.service_type.as_str()) && !entry.endpoints.is_empty()
        })
    }

    /// The regions of the catalog, for messages.
    pub(crate) fn regions(&self) -> Vec<String> {
        let all = self.catalog.iter().flat_map(|entry| &entry.endpoints);
        let mut names: Vec<String> = all.map(|endpoint| endpoint.region_id.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The URL that a login is sent to.
pub(crate) fn tokens_url(auth_url: &str) -> String {
    let base = auth_url.trim_end_matches('/');
    let base = base.strip_suffix("/v3").unwrap_or(base);
    format!("{base}/v3/auth/tokens")
}

/// The body of a login.
pub(crate) fn login_body(credentials: &Credentials) -> Value {
    let (identity, scoped) = match &credentials.auth {
        Auth::Password { user, password } => {
            let mut user = principal(user);
            user["password"] = json!(password.0);
            (
                json!({"methods": ["password"], "password": {"user": user}}),
                true,
            )
        }
        // The credential belongs to one project: Keystone refuses a scope beside it.
        Auth::ApplicationCredential {
            id,
            name,
            user,
            secret,
        } => {
            let mut inner = json!({"secret": secret.0});
            match (id, name) {
                (Some(id), _) => inner["id"] = json!(id),
                (None, name) => {
                    inner["name"] = json!(name);
                    inner["user"] = principal(user);
                }
            }
            let methods = ["application_credential"];
            (
                json!({"methods": methods, "application_credential": inner}),
                false,
            )
        }
        Auth::Token { token } => (
            json!({"methods": ["token"], "token": {"id": token.0}}),
            true,
        ),
    };
    let mut auth = json!({"identity": identity});
    let project = &credentials.project;
    if scoped && (project.id.is_some() || project.name.is_some()) {
        auth["scope"] = json!({"project": principal(project)});
    }
    json!({"auth": auth})
}

/// An id stands alone; a name needs its domain.
fn principal(who: &Principal) -> Value {
    if let Some(id) = &who.id {
        return json!({"id": id});
    }
    let domain = match (&who.domain_id, &who.domain_name) {
        (Some(id), _) => json!({"id": id}),
        (None, name) => json!({"name": name}),
    };
    json!({"name": who.name, "domain": domain})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(auth: Auth) -> Credentials {
        Credentials {
            cloud: "c".into(),
            auth_url: "http://127.0.0.1/v3/".into(),
            auth,
            project: Principal {
                name: Some("demo".into()),
                domain_name: Some("Default".into()),
                ..Principal::default()
            },
            region: None,
            interface: Interface::Public,
            verify: true,
            ca: None,
        }
    }

    fn user() -> Principal {
        Principal {
            name: Some("alice".into()),
            domain_id: Some("default".into()),
            ..Principal::default()
        }
    }

    #[test]
    fn a_password_login_names_user_and_project() {
        let auth = Auth::Password {
            user: user(),
            password: Redacted("pw".into()),
        };
        assert_eq!(
            login_body(&credentials(auth)),
            json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user":
                    {"name": "alice", "domain": {"id": "default"}, "password": "pw"}}},
                "scope": {"project": {"name": "demo", "domain": {"name": "Default"}}},
            }})
        );
    }

    #[test]
    fn an_application_credential_has_no_scope() {
        let auth = |id: Option<&str>| Auth::ApplicationCredential {
            id: id.map(str::to_owned),
            name: Some("n".into()),
            user: user(),
            secret: Redacted("s".into()),
        };
        assert_eq!(
            login_body(&credentials(auth(Some("i")))),
            json!({"auth": {"identity": {"methods": ["application_credential"],
                "application_credential": {"id": "i", "secret": "s"}}}})
        );
        assert_eq!(
            login_body(&credentials(auth(None)))["auth"]["identity"]["application_credential"],
            json!({"name": "n", "secret": "s",
                "user": {"name": "alice", "domain": {"id": "default"}}})
        );
    }

    #[test]
    fn a_token_is_exchanged_for_the_project() {
        let body = login_body(&credentials(Auth::Token {
            token: Redacted("t".into()),
        }));
        assert_eq!(body["auth"]["identity"]["token"], json!({"id": "t"}));
        assert_eq!(body["auth"]["scope"]["project"]["name"], json!("demo"));
    }

    #[test]
    fn v3_is_added_to_the_url_once() {
        for url in ["http://k", "http://k/", "http://k/v3", "http://k/v3/"] {
            assert_eq!(tokens_url(url), "http://k/v3/auth/tokens");
        }
        assert_eq!(
            tokens_url("https://h/identity"),
            "https://h/identity/v3/auth/tokens"
        );
    }

    #[test]
    fn an_endpoint_fits_region_interface_and_any_of_the_types() {
        let token = Token::read(
            "t",
            json!({"token": {"expires_at": "2026-11-21T12:00:00.000000Z", "catalog": [
                {"type": "volumev3", "endpoints": [
                    {"interface": "internal", "region_id": "A", "url": "http://in/v3/p"},
                    {"interface": "public", "region_id": "A", "url": "http://a/v3/p"},
                    {"interface": "public", "region_id": "B", "url": "http://b/v3/p"}]}]}}),
        )
        .unwrap();
        let find = |interface, region| token.endpoint(Service::BlockStorage, interface, region);
        assert_eq!(
            find(Interface::Public, Some("B")).as_deref(),
            Some("http://b/v3/p")
        );
        assert_eq!(
            find(Interface::Internal, None).as_deref(),
            Some("http://in/v3/p")
        );
        assert_eq!(find(Interface::Public, Some("C")), None);
        assert!(!format!("{token:?}").contains("\"t\""));
    }
}
