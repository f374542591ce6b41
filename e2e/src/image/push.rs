//! Pushing to a registry: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use reqwest::{
    Method, StatusCode, Url,
    blocking::{Body, Client, RequestBuilder, Response},
    header::{CONTENT_TYPE, LOCATION},
};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use super::layout::{Descriptor, Layout, MANIFEST, Manifest};

/// Of one request; the largest blob takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A registry without authentication, behind TLS with a private certificate authority.
pub struct Registry {
    http: Client,
    url: Url,
}

impl Registry {
    /// `address` is `host:port`, `ca` a PEM file.
    pub fn new(address: &str, ca: &Path) -> Result<Self> {
        let pem = fs::read(ca).with_context(|| format!("{}: is the registry up?", ca.display()))?;
        let mut roots = rustls::RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.with_context(|| ca.display().to_string())?)?;
        }
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .timeout(PATIENCE)
            .build()?;
        Ok(Self {
            http,
            url: format!("https://{address}/v2/").parse()?,
        })
    }

    /// Does it answer as a registry does?
    pub fn check(&self) -> Result<()> {
        self.send(self.http.get(self.url.clone()), "ask the registry")
            .map(|_| ())
    }

    /// Pushes all images of a layout (see [`super::layout`]) that are not there already, and returns their names.
    ///
    /// # Errors
    /// The image's name, and what the registry said.
    pub fn push(&self, layout: &Path) -> Result<Vec<String>> {
        let layout = Layout::open(layout)?;
        let mut pushed = Vec::new();
        for (name, image) in layout.images() {
            if self
                .push_image(&layout, name, image)
                .with_context(|| format!("push {name}"))?
            {
                pushed.push(name.to_owned());
            }
        }
        Ok(pushed)
    }

    /// False if it was there.
    fn push_image(&self, layout: &Layout, name: &str, image: &Descriptor) -> Result<bool> {
        let (repository, tag) = name
            .rsplit_once(':')
            .with_context(|| format!("{name} has no tag"))?;
        let manifest = self.url.join(&format!("{repository}/manifests/{tag}"))?;
        let there = self
            .http
            .head(manifest.clone())
            .header("Accept", MANIFEST)
            .send()?;
        if there
            .headers()
            .get("Docker-Content-Digest")
            .is_some_and(|d| d == image.digest.as_str())
        {
            return Ok(false);
        }
        let content = fs::read(layout.path(image))?;
        let blobs: Manifest = serde_json::from_slice(&content)?;
        for blob in blobs.layers.iter().chain([&blobs.config]) {
            self.push_blob(repository, blob, layout.path(blob))?;
        }
        let put = self
            .http
            .put(manifest)
            .header(CONTENT_TYPE, MANIFEST)
            .body(content);
        self.send(put, "put the manifest").map(|_| true)
    }

    fn push_blob(&self, repository: &str, blob: &Descriptor, file: PathBuf) -> Result<()> {
        let there = self
            .http
            .head(
                self.url
                    .join(&format!("{repository}/blobs/{}", blob.digest))?,
            )
            .send()?;
        if there.status() == StatusCode::OK {
            return Ok(());
        }
        let uploads = self.url.join(&format!("{repository}/blobs/uploads/"))?;
        let begun = self.send(self.http.request(Method::POST, uploads), "begin an upload")?;
        let location = begun
            .headers()
            .get(LOCATION)
            .context("an upload without a location")?
            .to_str()?;
        let mut location = self.url.join(location)?;
        location
            .query_pairs_mut()
            .append_pair("digest", &blob.digest);
        let content = File::open(&file).with_context(|| file.display().to_string())?;
        let put = self
            .http
            .put(location)
            .header(CONTENT_TYPE, "application/octet-stream");
        self.send(put.body(Body::from(content)), "upload a blob")
            .map(|_| ())
    }

    fn send(&self, request: RequestBuilder, what: &str) -> Result<Response> {
        let answer = request
            .send()
            .with_context(|| format!("{what}: {}", self.url))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let said: String = answer
            .text()
            .unwrap_or_default()
            .chars()
            .take(300)
            .collect();
        bail!("{what}: {status} {}", said.trim())
    }
}
