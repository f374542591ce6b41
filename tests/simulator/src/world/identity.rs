//! Keystone.

use std::collections::HashMap;

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::request::{Refusal, Request};
use super::table::{id, text};
use super::{Answer, Reply, Service, World, inner};

/// How long a token lives by default.
const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The project of the token.
    pub project_id: String,
    /// The user of the token.
    pub user_id: String,
    /// Whether the role is `admin`, which sees all projects.
    pub is_admin: bool,
}

impl Caller {
    /// Whether a row is of the project, or everybody's.
    pub(crate) fn sees(&self, row: &Value) -> bool {
        self.owns(row) || row["router:external"] == true || row["shared"] == true
    }

    /// Whether a row may be changed.
    pub(crate) fn owns(&self, row: &Value) -> bool {
        self.is_admin || text(row, "project_id") == self.project_id
    }

    /// The name of the only role.
    fn role(&self) -> &'static str {
        if self.is_admin { "admin" } else { "member" }
    }
}

#[derive(Debug)]
struct Token {
    caller: Caller,
    /// The application credential that it was given for.
    credential: String,
    expires: Timestamp,
}

/// Projects, users, credentials and tokens.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// `id`, `name`.
    pub projects: Vec<Value>,
    /// `id`, `name`, `password`, `project_id`, `admin`.
    pub users: Vec<Value>,
    /// `id`, `name`, `secret`, `user_id`, `project_id`.
    pub credentials: Vec<Value>,
    pub regions: Vec<String>,
    /// Services that are in no region.
    pub lacking: Vec<Service>,
    pub token_life: SignedDuration,
    tokens: HashMap<String, Token>,
}

impl Identity {
    pub fn new(regions: Vec<String>) -> Self {
        Self {
            regions,
            token_life: TOKEN_LIFE,
            ..Self::default()
        }
    }
}

impl World {
    /// Who sends a request.
    pub(crate) fn caller(&self, request: &Request) -> Result<Caller, Refusal> {
        let token = request.token.as_deref().unwrap_or_default();
        let token = self.identity.tokens.get(token);
        let valid = token.filter(|token| token.expires > self.now);
        valid
            .map(|token| token.caller.clone())
            .ok_or_else(Refusal::unauthorized)
    }

    pub(crate) fn identity(&mut self, request: &Request) -> Answer {
        match (&request.method, request.segments().as_slice()) {
            (&Method::GET, []) => Reply::ok(self.identity_versions()),
            (&Method::POST, ["auth", "tokens"]) => self.login(&request.body),
            (&Method::GET, ["auth", "tokens"]) => self.show_token(request),
            (&Method::DELETE, ["auth", "tokens"]) => self.revoke_token(request),
            (_, ["users", user, "application_credentials", rest @ ..]) => {
                self.application_credentials(request, user, rest)
            }
            (&Method::GET, ["projects"]) => {
                Reply::ok(json!({"projects": self.identity.projects, "links": {}}))
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn identity_versions(&self) -> Value {
        let href = format!("{}/identity/v3/", self.url);
        json!({"version": {"id": "v3.14", "status": "stable",
            "links": [{"rel": "self", "href": href}]}})
    }

    fn login(&mut self, body_of_login: &Value) -> Answer {
        let auth = inner(body_of_login, "auth")?;
        let caller = self.authenticate(auth)?;
        let value = format!("gAAAA{}", self.new_id().replace('-', ""));
        let expires = self.now.saturating_add(self.identity.token_life);
        let expires = expires.unwrap_or(Timestamp::MAX);
        let mut body = self.token_body(&caller, expires);
        let identity = &body_of_login["auth"]["identity"];
        let by_credential = identity["methods"][0] == "application_credential";
        let credential = self.credential(&identity["application_credential"]);
        let credential = credential.filter(|_| by_credential);
        if let Some(row) = credential {
            body["token"]["application_credential"] =
                json!({"id": row["id"], "name": row["name"], "restricted": true});
        }
        let credential = credential.map(id).unwrap_or_default();
        let token = Token {
            caller,
            credential,
            expires,
        };
        self.identity.tokens.insert(value.clone(), token);
        let mut reply = Reply::new(201, body);
        reply.headers.push(("X-Subject-Token".to_owned(), value));
        Ok(reply)
    }

    fn authenticate(&self, auth: &Value) -> Result<Caller, Refusal> {
        let identity = &auth["identity"];
        let method = identity["methods"][0].as_str().unwrap_or_default();
        let given = &identity[method];
        let (user_id, project_id) = match method {
            "password" => {
                let user = self.user(&given["user"]);
                let right = user.filter(|user| user["password"] == given["user"]["password"]);
                let user = right.ok_or_else(Refusal::unauthorized)?;
                (id(user), self.scope(auth, text(user, "project_id")))
            }
            "application_credential" => {
                // Keystone tells one that does not exist from one with another secret.
                let missing = || Refusal::not_found("Could not find Application Credential.");
                let credential = self.credential(given).ok_or_else(missing)?;
                if credential["secret"] != given["secret"] {
                    return Err(Refusal::unauthorized());
                }
                let project = text(credential, "project_id");
                (
                    text(credential, "user_id").to_owned(),
                    Some(project.to_owned()),
                )
            }
            "token" => {
                let token = self.identity.tokens.get(text(given, "id"));
                let token = token.filter(|token| token.expires > self.now);
                let caller = &token.ok_or_else(Refusal::unauthorized)?.caller;
                (caller.user_id.clone(), self.scope(auth, &caller.project_id))
            }
            _ => return Err(Refusal::unauthorized()),
        };
        let user = self.identity.users.iter().find(|user| id(user) == user_id);
        let user = user.ok_or_else(Refusal::unauthorized)?;
        let is_admin = user["admin"] == true;
        let project_id = project_id.ok_or_else(Refusal::unauthorized)?;
        if !is_admin && text(user, "project_id") != project_id {
            return Err(Refusal::unauthorized());
        }
        Ok(Caller {
            project_id,
            user_id,
            is_admin,
        })
    }

    /// The application credential that a login names.
    fn credential(&self, given: &Value) -> Option<&Value> {
        let user = self.user(&given["user"]).map(id);
        let is_meant = |row: &&Value| match given["id"].as_str() {
            Some(wanted) => text(row, "id") == wanted,
            None => row["name"] == given["name"] && user.as_deref() == row["user_id"].as_str(),
        };
        self.identity.credentials.iter().find(is_meant)
    }

    fn user(&self, given: &Value) -> Option<&Value> {
        let domain = &given["domain"];
        let fits = |user: &&Value| match given["id"].as_str() {
            Some(wanted) => text(user, "id") == wanted,
            None => user["name"] == given["name"] && is_default_domain(domain),
        };
        self.identity.users.iter().find(fits)
    }

    /// The id of the project that is asked for; that of the user when none is.
    fn scope(&self, auth: &Value, own: &str) -> Option<String> {
        let Some(wanted) = auth["scope"].get("project") else {
            return Some(own.to_owned());
        };
        let fits = |project: &&Value| match wanted["id"].as_str() {
            Some(wanted) => text(project, "id") == wanted,
            None => project["name"] == wanted["name"] && is_default_domain(&wanted["domain"]),
        };
        self.identity.projects.iter().find(fits).map(id)
    }

    fn token_body(&self, caller: &Caller, expires: Timestamp) -> Value {
        let domain = json!({"id": "default", "name": "Default"});
        let named = |rows: &[Value], wanted: &str| {
            let row = rows.iter().find(|row| text(row, "id") == wanted);
            json!({"id": wanted, "name": row.map(|row| text(row, "name")), "domain": domain})
        };
        let mut user = named(&self.identity.users, &caller.user_id);
        user["password_expires_at"] = Value::Null;
        let role = caller.role();
        json!({"token": {
            "methods": ["password"],
            "user": user,
            "is_domain": false,
            "project": named(&self.identity.projects, &caller.project_id),
            "roles": [{"id": role, "name": role}],
            "issued_at": time(self.now),
            "expires_at": time(expires),
            "audit_ids": [],
            "catalog": self.catalog(&caller.project_id),
        }})
    }

    fn catalog(&self, project_id: &str) -> Value {
        let service = |(kind, service, version): (&str, Service, &str)| {
            let url = format!("{}/{}{version}", self.url, service.as_str());
            let regions = self.identity.regions.iter();
            let endpoints = regions.flat_map(|region| {
                ["public", "internal", "admin"].map(|interface| {
                    json!({"id": format!("{kind}-{interface}-{region}"), "interface": interface,
                        "region": region, "region_id": region, "url": url})
                })
            });
            let endpoints: Vec<Value> = endpoints.collect();
            json!({"id": kind, "type": kind, "name": service.as_str(), "endpoints": endpoints})
        };
        let volume = format!("/v3/{project_id}");
        let services = [
            ("identity", Service::Identity, ""),
            ("compute", Service::Compute, "/v2.1"),
            ("network", Service::Network, ""),
            ("block-storage", Service::Volume, &volume),
            ("image", Service::Image, ""),
            ("load-balancer", Service::LoadBalancer, ""),
        ];
        let there =
            |(_, service, _): &(&str, Service, &str)| !self.identity.lacking.contains(service);
        Value::Array(services.into_iter().filter(there).map(service).collect())
    }

    fn show_token(&self, request: &Request) -> Answer {
        self.caller(request)?;
        let subject = request.subject.as_deref().unwrap_or_default();
        let token = self.identity.tokens.get(subject);
        let token = token.filter(|token| token.expires > self.now);
        let missing = || Refusal::not_found("Could not find token.");
        let token = token.ok_or_else(missing)?;
        Reply::ok(self.token_body(&token.caller, token.expires))
    }

    fn revoke_token(&mut self, request: &Request) -> Answer {
        self.caller(request)?;
        let subject = request.subject.as_deref().unwrap_or_default();
        let missing = || Refusal::not_found("Could not find token.");
        self.identity.tokens.remove(subject).ok_or_else(missing)?;
        Reply::empty(204)
    }

    fn application_credentials(&mut self, request: &Request, user: &str, rest: &[&str]) -> Answer {
        let caller = self.caller(request)?;
        if caller.user_id != user {
            return Err(Refusal::forbidden("You are not authorized to perform it."));
        }
        match (&request.method, rest) {
            (&Method::POST, []) => {
                let given = inner(&request.body, "application_credential")?.clone();
                let id = self.new_id().replace('-', "");
                let secret = given["secret"].as_str().map(str::to_owned);
                let secret = secret.unwrap_or_else(|| format!("secret-of-{id}"));
                let made = json!({"id": id, "name": given["name"], "secret": secret,
                    "user_id": user, "project_id": caller.project_id});
                self.identity.credentials.push(made.clone());
                let mut shown = made;
                for field in ["description", "expires_at", "system", "unrestricted"] {
                    shown[field] = given[field].clone();
                }
                let role = caller.role();
                shown["roles"] = json!([{"id": role, "name": role, "description": null,
                    "domain_id": null, "options": {}}]);
                shown["links"] = json!({});
                Ok(Reply::new(201, json!({"application_credential": shown})))
            }
            (&Method::DELETE, [id]) => {
                let known = &self.identity.credentials;
                if !known.iter().any(|found| text(found, "id") == *id) {
                    return Err(Refusal::not_found("Could not find application credential."));
                }
                self.remove_application_credential(id);
                Reply::empty(204)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    /// Makes a project with a user of the same name, and returns its id.
    pub fn add_project(&mut self, name: &str, password: &str, is_admin: bool) -> String {
        let project = self.new_id().replace('-', "");
        let user = self.new_id().replace('-', "");
        let identity = &mut self.identity;
        identity
            .projects
            .push(json!({"id": project, "name": name, "domain_id": "default"}));
        identity
            .users
            .push(json!({"id": user, "name": name, "password": password,
            "project_id": project, "admin": is_admin}));
        project
    }

    /// Changes the password of a user and ends its tokens.
    pub fn set_password(&mut self, user: &str, password: &str) {
        let users = self.identity.users.iter_mut();
        for row in users.filter(|row| text(row, "name") == user) {
            row["password"] = json!(password);
        }
        let ids: Vec<String> = self
            .identity
            .users
            .iter()
            .filter(|row| text(row, "name") == user)
            .map(id)
            .collect();
        self.identity
            .tokens
            .retain(|_, token| !ids.contains(&token.caller.user_id));
    }

    /// Ends all tokens, as a restart of Keystone with new keys does.
    pub fn revoke_tokens(&mut self) {
        self.identity.tokens.clear();
    }

    /// A cloud without this service: new tokens bring a catalog that has it nowhere.
    pub fn lack(&mut self, service: Service) {
        self.identity.lacking.push(service);
    }

    /// How long new tokens live; default one hour.
    pub fn set_token_life(&mut self, life: std::time::Duration) {
        self.identity.token_life = SignedDuration::try_from(life).unwrap_or(TOKEN_LIFE);
    }

    /// Makes an application credential for a project's user; its id.
    pub fn add_application_credential(
        &mut self,
        project: &str,
        name: &str,
        secret: &str,
    ) -> String {
        let project_id = self.project_id(project);
        let users = self.identity.users.iter();
        let user = users
            .filter(|user| text(user, "project_id") == project_id)
            .map(id)
            .next();
        let id = self.new_id().replace('-', "");
        self.identity
            .credentials
            .push(json!({"id": id, "name": name, "secret": secret,
            "user_id": user, "project_id": project_id}));
        id
    }

    /// Takes an application credential away, and its tokens with it.
    pub fn remove_application_credential(&mut self, id: &str) {
        self.identity
            .tokens
            .retain(|_, token| token.credential != id);
        self.identity
            .credentials
            .retain(|row| text(row, "id") != id);
    }
}

fn is_default_domain(domain: &Value) -> bool {
    domain["id"] == "default" || domain["name"] == "Default"
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}
