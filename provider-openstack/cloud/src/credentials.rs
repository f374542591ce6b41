//! Credentials of one project in one region of one cloud, read from the bytes of a `clouds.yaml`.
//!
//! Files and environment variables are never looked at, and paths inside the file (`cacert`, `cert`,
//! `key`) are ignored: the CA comes as PEM bytes beside it.

use std::collections::BTreeMap;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::wire::Redacted;

/// Why a `clouds.yaml` cannot be used. No variant holds a value of the file other than names.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CredentialsError {
    /// Not YAML, or not the shape of a `clouds.yaml`.
    #[error("clouds.yaml cannot be read{at}: it must be YAML with a map `clouds` of named clouds")]
    Unreadable {
        /// ` at line L, column C`, or empty.
        at: String,
    },
    /// The name is not there.
    #[error("clouds.yaml has no cloud {cloud:?}: it has {}", names(.known))]
    UnknownCloud {
        /// The name that was asked for.
        cloud: String,
        /// The names that the file has.
        known: Vec<String>,
    },
    /// A field that this way of logging in needs is absent.
    #[error("cloud {cloud:?}: `{field}` is missing, which auth_type {auth_type} needs")]
    Missing {
        /// The cloud's name.
        cloud: String,
        /// The field, or the fields of which one is needed.
        field: &'static str,
        /// How the cloud is logged in to.
        auth_type: &'static str,
    },
    /// A field has a value that cannot be.
    #[error("cloud {cloud:?}: `{field}` is {value:?}: {hint}")]
    Invalid {
        /// The cloud's name.
        cloud: String,
        /// The field.
        field: &'static str,
        /// Its value, which is never a secret.
        value: String,
        /// What would be right.
        hint: String,
    },
    /// The CA is not PEM.
    #[error(
        "the CA given for cloud {cloud:?} holds no certificate: it must be PEM, beginning with -----BEGIN CERTIFICATE-----"
    )]
    BadCa {
        /// The cloud's name.
        cloud: String,
    },
}

fn names(known: &[String]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.join(", ")
}

/// A name or an id, with the domain that a name needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// Its id; wins over the name.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Id of the domain of the name.
    pub domain_id: Option<String>,
    /// Name of the domain of the name.
    pub domain_name: Option<String>,
}

/// How to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `password`, `v3password`.
    Password {
        /// Who.
        user: Principal,
        /// The password.
        password: Redacted,
    },
    /// `v3applicationcredential`: by id, or by name and user.
    ApplicationCredential {
        /// Its id.
        id: Option<String>,
        /// Its name, with `user`.
        name: Option<String>,
        /// Whose it is, when given by name.
        user: Principal,
        /// Its secret.
        secret: Redacted,
    },
    /// `v3token`, `token`: another token, exchanged for one of the project.
    Token {
        /// The token.
        token: Redacted,
    },
}

/// Which of the endpoints in the catalog are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interface {
    /// For everybody.
    #[default]
    Public,
    /// Inside the cloud.
    Internal,
    /// For administrators.
    Admin,
}

impl Interface {
    /// The word in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Admin => "admin",
        }
    }
}

impl Auth {
    /// What must never be shown.
    pub(crate) fn secret(&self) -> &Redacted {
        match self {
            Self::Password { password, .. } => password,
            Self::ApplicationCredential { secret, .. } => secret,
            Self::Token { token } => token,
        }
    }
}

/// Everything that is needed to log in to one project. Debug shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Name of the entry in `clouds.yaml`, for messages.
    pub cloud: String,
    /// Base URL of Keystone, with or without `/v3`.
    pub auth_url: String,
    /// How to log in.
    pub auth: Auth,
    /// The project of the token; empty when the credential implies it.
    pub project: Principal,
    /// The region whose endpoints are used; `None` takes the first endpoint of each service.
    pub region: Option<String>,
    /// Which endpoints are used.
    pub interface: Interface,
    /// Whether the certificates of the cloud are checked.
    pub verify: bool,
    /// The CA certificates (PEM) to trust instead of the system's.
    pub ca: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    clouds: BTreeMap<String, Entry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: AuthFields,
    auth_type: Option<String>,
    region_name: Option<String>,
    regions: Vec<Region>,
    interface: Option<String>,
    endpoint_type: Option<String>,
    verify: Option<bool>,
}

/// A region is a name, or a map with a name and overrides that we do not use.
#[derive(Deserialize)]
#[serde(untagged)]
enum Region {
    Name(String),
    Map { name: String },
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct AuthFields {
    auth_url: Option<String>,
    username: Option<String>,
    user_id: Option<String>,
    password: Option<String>,
    token: Option<String>,
    application_credential_id: Option<String>,
    application_credential_name: Option<String>,
    application_credential_secret: Option<String>,
    project_id: Option<String>,
    project_name: Option<String>,
    tenant_id: Option<String>,
    tenant_name: Option<String>,
    system_scope: Option<String>,
    domain_id: Option<String>,
    domain_name: Option<String>,
    default_domain: Option<String>,
    user_domain_id: Option<String>,
    user_domain_name: Option<String>,
    project_domain_id: Option<String>,
    project_domain_name: Option<String>,
}

impl Credentials {
    /// Reads the entry `cloud` of a `clouds.yaml`.
    ///
    /// `region` wins over the file's `region_name`; `ca` (PEM) replaces the system's certificates.
    ///
    /// # Errors
    /// Names the cloud, the field and the way out.
    pub fn parse(
        clouds_yaml: &[u8],
        cloud: &str,
        region: Option<&str>,
        ca: Option<&[u8]>,
    ) -> Result<Self, CredentialsError> {
        let mut file: File = serde_saphyr::from_slice(clouds_yaml).map_err(|error| {
            // Only the place: the parser's own message may quote a secret.
            let at = error.location().map_or_else(String::new, |place| {
                format!(" at line {}, column {}", place.line(), place.column())
            });
            CredentialsError::Unreadable { at }
        })?;
        let Some(entry) = file.clouds.remove(cloud) else {
            return Err(CredentialsError::UnknownCloud {
                cloud: cloud.to_owned(),
                known: file.clouds.into_keys().collect(),
            });
        };
        entry.into_credentials(cloud, region, ca)
    }

    /// Tells credentials apart: a digest over everything that matters, region and CA included.
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |part: &[u8]| {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        };
        add(self.cloud.as_bytes());
        add(self.auth_url.as_bytes());
        add(crate::identity::login_body(self).to_string().as_bytes());
        add(self.region.as_deref().unwrap_or_default().as_bytes());
        add(self.interface.as_str().as_bytes());
        add(&[u8::from(self.verify)]);
        add(self.ca.as_deref().unwrap_or_default());
        hex::encode(digest.finalize())
    }
}

impl Entry {
    fn into_credentials(
        self,
        cloud: &str,
        region: Option<&str>,
        ca: Option<&[u8]>,
    ) -> Result<Credentials, CredentialsError> {
        let interface = self.interface(cloud)?;
        let kind = self.kind(cloud)?;
        let auth_url = self.auth.auth_url(cloud, kind)?;
        self.auth.refuse_system_scope(cloud)?;
        let only_region = match self.regions.into_iter().next() {
            Some(Region::Name(name) | Region::Map { name }) => Some(name),
            None => None,
        };
        if ca.is_some_and(|pem| !has_certificate(pem)) {
            return Err(CredentialsError::BadCa {
                cloud: cloud.to_owned(),
            });
        }
        Ok(Credentials {
            cloud: cloud.to_owned(),
            auth_url,
            project: self.auth.project(),
            auth: self.auth.auth(cloud, kind)?,
            region: region
                .map(str::to_owned)
                .or(self.region_name)
                .or(only_region)
                .filter(|name| !name.is_empty()),
            interface,
            verify: self.verify.unwrap_or(true),
            ca: ca.map(<[u8]>::to_vec),
        })
    }

    /// `publicURL` and the like are the oldest spelling. `endpoint_type` wins, because CAPO reads that
    /// alone.
    fn interface(&self, cloud: &str) -> Result<Interface, CredentialsError> {
        let (field, value) = match (&self.interface, &self.endpoint_type) {
            (_, Some(value)) => ("endpoint_type", value),
            (Some(value), None) => ("interface", value),
            (None, None) => return Ok(Interface::Public),
        };
        match value.trim_end_matches("URL") {
            "public" => Ok(Interface::Public),
            "internal" => Ok(Interface::Internal),
            "admin" => Ok(Interface::Admin),
            _ => Err(CredentialsError::Invalid {
                cloud: cloud.to_owned(),
                field,
                value: value.clone(),
                hint: "it must be public, internal or admin".to_owned(),
            }),
        }
    }

    /// Without `auth_type` the fields that are there decide, as in openstacksdk and gophercloud.
    fn kind(&self, cloud: &str) -> Result<&'static str, CredentialsError> {
        let auth = &self.auth;
        match self.auth_type.as_deref() {
            Some("password" | "v3password") => Ok("password"),
            Some("v3applicationcredential") => Ok("v3applicationcredential"),
            Some("token" | "v3token") => Ok("v3token"),
            None if auth.application_credential_secret.is_some() => Ok("v3applicationcredential"),
            None if auth.token.is_some() => Ok("v3token"),
            None => Ok("password"),
            Some(other) => Err(CredentialsError::Invalid {
                cloud: cloud.to_owned(),
                field: "auth_type",
                value: other.to_owned(),
                hint: "it must be password, v3password, v3applicationcredential or v3token"
                    .to_owned(),
            }),
        }
    }
}

impl AuthFields {
    fn auth_url(&self, cloud: &str, auth_type: &'static str) -> Result<String, CredentialsError> {
        let Some(url) = self.auth_url.as_deref() else {
            return Err(CredentialsError::Missing {
                cloud: cloud.to_owned(),
                field: "auth.auth_url",
                auth_type,
            });
        };
        let usable = reqwest::Url::parse(url).is_ok_and(|parsed| {
            let password_free = parsed.username().is_empty() && parsed.password().is_none();
            matches!(parsed.scheme(), "http" | "https") && parsed.has_host() && password_free
        });
        if usable {
            return Ok(url.to_owned());
        }
        Err(CredentialsError::Invalid {
            cloud: cloud.to_owned(),
            field: "auth.auth_url",
            // It may carry user:password@.
            value: url.rsplit('@').next().unwrap_or_default().to_owned(),
            hint: "it must be a URL such as https://keystone.example.com:5000/v3, without user and password".to_owned(),
        })
    }

    /// A token for the whole system cannot own servers.
    fn refuse_system_scope(&self, cloud: &str) -> Result<(), CredentialsError> {
        match first([&self.system_scope]) {
            None => Ok(()),
            Some(value) => Err(CredentialsError::Invalid {
                cloud: cloud.to_owned(),
                field: "auth.system_scope",
                value,
                hint: "servers belong to a project: remove it, and name the project with project_name or project_id".to_owned(),
            }),
        }
    }

    fn user(&self) -> Principal {
        let (domain_id, domain_name) = self.domain(&self.user_domain_id, &self.user_domain_name);
        Principal {
            id: first([&self.user_id]),
            name: first([&self.username]),
            domain_id,
            domain_name,
        }
    }

    fn project(&self) -> Principal {
        let own = (&self.project_domain_id, &self.project_domain_name);
        let (domain_id, domain_name) = self.domain(own.0, own.1);
        Principal {
            id: first([&self.project_id, &self.tenant_id]),
            name: first([&self.project_name, &self.tenant_name]),
            domain_id,
            domain_name,
        }
    }

    /// Id or name of a domain: its own, else that of the whole entry, else `default_domain` (an
    /// id), else the domain that every Keystone begins with. The first that is given wins.
    fn domain(
        &self,
        own_id: &Option<String>,
        own_name: &Option<String>,
    ) -> (Option<String>, Option<String>) {
        let given = [
            (own_id, own_name),
            (&self.domain_id, &self.domain_name),
            (&self.default_domain, &None),
        ];
        given
            .into_iter()
            .map(|(id, name)| (first([id]), first([name])))
            .find(|domain| *domain != (None, None))
            .unwrap_or((None, Some("Default".to_owned())))
    }

    fn auth(&self, cloud: &str, auth_type: &'static str) -> Result<Auth, CredentialsError> {
        let need = |value: &Option<String>, field| {
            value
                .clone()
                .filter(|text| !text.is_empty())
                .ok_or_else(|| CredentialsError::Missing {
                    cloud: cloud.to_owned(),
                    field,
                    auth_type,
                })
        };
        let user = self.user();
        let either_user = first([&user.id, &user.name]);
        match auth_type {
            "v3applicationcredential" => {
                let secret = need(
                    &self.application_credential_secret,
                    "auth.application_credential_secret",
                )?;
                let id = first([&self.application_credential_id]);
                let name = first([&self.application_credential_name]);
                need(
                    &first([&id, &name]),
                    "auth.application_credential_id (or application_credential_name)",
                )?;
                if id.is_none() {
                    need(&either_user, "auth.user_id (or username)")?;
                }
                Ok(Auth::ApplicationCredential {
                    id,
                    name,
                    user,
                    secret: Redacted(secret),
                })
            }
            "v3token" => Ok(Auth::Token {
                token: Redacted(need(&self.token, "auth.token")?),
            }),
            _ => {
                let password = need(&self.password, "auth.password")?;
                need(&either_user, "auth.username (or user_id)")?;
                // Without a project Keystone takes the user's default one.
                Ok(Auth::Password {
                    user,
                    password: Redacted(password),
                })
            }
        }
    }
}

fn first<const N: usize>(candidates: [&Option<String>; N]) -> Option<String> {
    candidates
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty())
        .cloned()
}

fn has_certificate(pem: &[u8]) -> bool {
    reqwest::Certificate::from_pem_bundle(pem).is_ok_and(|found| !found.is_empty())
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
