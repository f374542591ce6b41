//! An OCI registry: one repository, whose tags are the names of releases.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use tokio::io::AsyncWrite;

use crate::Error;
use crate::artifact::{self, Artifact, EMPTY};

/// Tags asked for at a time.
const PAGE: usize = 1000;
/// Pages at most, so that a registry that repeats itself cannot keep us for ever.
const PAGES: usize = 100;
/// The largest file of a release.
const LARGEST: i64 = 512 << 20;
/// How often a request that may be repeated is tried.
const TRIES: u32 = 3;

/// How to reach a repository.
#[derive(Clone, Default)]
pub struct Settings {
    /// `<registry>/<repository>`.
    pub repository: String,
    /// User name and password.
    pub basic: Option<(String, String)>,
    /// A token, sent as it is.
    pub token: Option<String>,
    /// PEM of CAs to trust besides those of the system.
    pub ca: Option<Vec<u8>>,
    /// Whether to speak plain HTTP; for tests on loopback.
    pub plain_http: bool,
}

/// A repository.
pub struct Oci {
    client: Client,
    repository: Reference,
    auth: RegistryAuth,
}

impl Oci {
    /// Prepares a client; sends nothing yet.
    ///
    /// # Errors
    /// When the repository's name cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let repository: Reference =
            settings
                .repository
                .parse()
                .map_err(|error: oci_client::ParseError| Error::Reference {
                    reference: settings.repository.clone(),
                    reason: error.to_string(),
                })?;
        let auth = match (&settings.token, &settings.basic) {
            (Some(token), _) => RegistryAuth::Bearer(token.clone()),
            (None, Some((user, password))) => RegistryAuth::Basic(user.clone(), password.clone()),
            (None, None) => RegistryAuth::Anonymous,
        };
        let ca = settings.ca.iter().map(|pem| Certificate {
            encoding: CertificateEncoding::Pem,
            data: pem.clone(),
        });
        let config = ClientConfig {
            protocol: if settings.plain_http {
                ClientProtocol::Http
            } else {
                ClientProtocol::Https
            },
            extra_root_certificates: ca.collect(),
            connect_timeout: Some(Duration::from_secs(10)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("capstan/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        Ok(Self {
            client: Client::new(config),
            repository,
            auth,
        })
    }

    /// `<registry>/<repository>`.
    #[must_use]
    pub fn place(&self) -> String {
        format!(
            "{}/{}",
            self.repository.registry(),
            self.repository.repository()
        )
    }

    /// All tags. A repository that does not exist yet has none.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        let mut tags: Vec<String> = Vec::new();
        for _ in 0..PAGES {
            let last = tags.last().cloned();
            let ask = || {
                self.client
                    .list_tags(&self.repository, &self.auth, Some(PAGE), last.as_deref())
            };
            let page = match retried(ask).await {
                Ok(page) => page.tags,
                Err(error) if is_not_found(&error) => break,
                Err(error) => return Err(self.error(error)),
            };
            let more = page.len() >= PAGE;
            tags.extend(page);
            if !more {
                break;
            }
        }
        Ok(tags)
    }

    /// Fetches the release of this tag; every file is checked against its digest.
    ///
    /// # Errors
    /// When there is none, when it is corrupt, or when the registry does not answer.
    pub async fn fetch(&self, tag: &str) -> Result<Artifact, Error> {
        let reference = self.tagged(tag);
        let accepted = [OCI_IMAGE_MEDIA_TYPE];
        let ask = || {
            self.client
                .pull_manifest_raw(&reference, &self.auth, &accepted)
        };
        let (manifest, _) = retried(ask)
            .await
            .map_err(|error| self.error_of(tag, error))?;
        let manifest = manifest.to_vec();
        let mut files = std::collections::BTreeMap::new();
        for (name, layer) in artifact::layers(tag, &manifest)? {
            let content = self.blob(tag, &name, &layer).await?;
            files.insert(name, content);
        }
        Ok(Artifact {
            digest: artifact::sha256(&manifest),
            manifest,
            files,
        })
    }

    /// Publishes under this tag. Blobs that are there are not sent again; the manifest goes last,
    /// so that whoever sees the tag finds all of it.
    ///
    /// # Errors
    /// When the registry does not answer, or refuses.
    pub async fn publish(&self, tag: &str, artifact: &Artifact) -> Result<(), Error> {
        let reference = self.tagged(tag);
        let push = RegistryOperation::Push;
        self.client
            .auth(&reference, &self.auth, push)
            .await
            .map_err(|error| self.error(error))?;
        let blobs = artifact.files.values().map(Vec::as_slice).chain([EMPTY]);
        for blob in blobs {
            let digest = artifact::sha256(blob);
            let there = self
                .client
                .blob_exists(&reference, &digest)
                .await
                .unwrap_or(false);
            if !there {
                self.client
                    .push_blob(&reference, blob.to_vec(), &digest)
                    .await
                    .map_err(|error| self.error(error))?;
            }
        }
        let type_ = reqwest::header::HeaderValue::from_static(OCI_IMAGE_MEDIA_TYPE);
        let sent = self
            .client
            .push_manifest_raw(&reference, artifact.manifest.clone(), type_)
            .await;
        sent.map(drop).map_err(|error| self.error(error))
    }

    async fn blob(&self, tag: &str, name: &str, layer: &OciDescriptor) -> Result<Vec<u8>, Error> {
        if !(0..=LARGEST).contains(&layer.size) {
            let reason = format!(
                "{name} has {} bytes, at most {LARGEST} are allowed",
                layer.size
            );
            return Err(Error::Artifact {
                release: tag.to_owned(),
                reason,
            });
        }
        let reference = self.tagged(tag);
        let mut content = Bounded {
            content: Vec::new(),
            limit: usize::try_from(layer.size).unwrap_or(usize::MAX),
        };
        match self.client.pull_blob(&reference, layer, &mut content).await {
            // A wrong digest is reported below, with both digests.
            Ok(()) | Err(OciDistributionError::DigestError(_)) => {}
            Err(OciDistributionError::IoError(_)) if content.content.len() == content.limit => {}
            Err(error) => return Err(self.error_of(tag, error)),
        }
        artifact::verify(tag, name, layer, &content.content)?;
        Ok(content.content)
    }

    fn tagged(&self, tag: &str) -> Reference {
        let (registry, repository) = (self.repository.registry(), self.repository.repository());
        Reference::with_tag(registry.to_owned(), repository.to_owned(), tag.to_owned())
    }

    fn error_of(&self, tag: &str, error: OciDistributionError) -> Error {
        if is_not_found(&error) {
            return Error::NotFound {
                release: tag.to_owned(),
                place: self.place(),
            };
        }
        self.error(error)
    }

    fn error(&self, error: OciDistributionError) -> Error {
        let registry = self.repository.registry().to_owned();
        let reason = chain(&error);
        match error {
            OciDistributionError::RequestError(_) | OciDistributionError::IoError(_) => {
                Error::Unreachable { registry, reason }
            }
            OciDistributionError::AuthenticationFailure(_)
            | OciDistributionError::UnauthorizedError { .. } => {
                Error::Unauthorized { registry, reason }
            }
            _ => Error::Registry { registry, reason },
        }
    }
}

/// The error with its causes: that of a failed request alone does not say why.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn is_not_found(error: &OciDistributionError) -> bool {
    let unknown = [
        OciErrorCode::ManifestUnknown,
        OciErrorCode::NameUnknown,
        OciErrorCode::NotFound,
    ];
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::ServerError { code, .. } => *code == 404,
        OciDistributionError::RegistryError { envelope, .. } => envelope
            .errors
            .iter()
            .any(|error| unknown.contains(&error.code)),
        _ => false,
    }
}

/// Tries again when the registry is busy or the connection broke.
async fn retried<T, F>(ask: impl Fn() -> F) -> Result<T, OciDistributionError>
where
    F: Future<Output = Result<T, OciDistributionError>>,
{
    let mut tried = 1;
    loop {
        match ask().await {
            Err(error) if tried < TRIES && is_transient(&error) => {
                tokio::time::sleep(Duration::from_millis(250 << tried)).await;
                tried += 1;
            }
            result => return result,
        }
    }
}

fn is_transient(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ServerError { code, .. } => matches!(code, 429 | 502 | 503 | 504),
        OciDistributionError::RequestError(error) => error.is_timeout() || error.is_body(),
        _ => false,
    }
}

/// Takes up to `limit` bytes, so that a registry cannot send more than its manifest says.
struct Bounded {
    content: Vec<u8>,
    limit: usize,
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let room = self.limit - self.content.len();
        if bytes.len() > room {
            self.content.extend_from_slice(&bytes[..room]);
            return Poll::Ready(Err(std::io::Error::other(
                "more bytes than the manifest says",
            )));
        }
        self.content.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
