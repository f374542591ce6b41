//! HTTP for health and metrics, HTTPS for webhooks and hooks. The certificate is read anew when
//! its file changes, so that cert-manager can renew it without a restart.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::health::Health;
use crate::metrics::Metrics;
use crate::{Shutdown, stopped};

/// How often a certificate file is looked at.
const LOOK: Duration = Duration::from_secs(10);
/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long open connections may go on after the request to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// Why a server does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: io::Error,
    },
    /// A certificate or key file is missing or not PEM.
    #[error(
        "{path}: {reason}; the folder must hold tls.crt and tls.key, as a Secret of type kubernetes.io/tls does"
    )]
    Certificate { path: String, reason: String },
    /// The server ended by itself.
    #[error("server on {address}: {source}")]
    Serve {
        address: SocketAddr,
        source: io::Error,
    },
}

/// `/healthz`, `/readyz` and `/livez`.
pub fn health_routes(health: Health) -> Router {
    let ready = move || {
        let awaited = health.awaited();
        std::future::ready(match awaited.as_slice() {
            [] => (StatusCode::OK, "ok\n".to_owned()),
            _ => (
                StatusCode::SERVICE_UNAVAILABLE,
                format!("waiting for: {}\n", awaited.join(", ")),
            ),
        })
    };
    Router::new()
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .route("/livez", get(|| std::future::ready("ok\n")))
        .route("/readyz", get(ready))
}

/// `/metrics`.
pub fn metrics_routes(metrics: Metrics) -> Router {
    let text = move || {
        std::future::ready(match metrics.text() {
            Ok(text) => (StatusCode::OK, text),
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        })
    };
    Router::new().route("/metrics", get(text))
}

/// Serves `routes` in plain HTTP until the request to stop.
///
/// # Errors
/// When the address cannot be had, or the server ends by itself.
pub async fn http(address: SocketAddr, routes: Router, shutdown: Shutdown) -> Result<(), Error> {
    let listener = listen(address).await?;
    let served = axum::serve(listener, routes).with_graceful_shutdown(stopped(shutdown));
    served
        .await
        .map_err(|source| Error::Serve { address, source })
}

/// Serves `routes` over TLS with `tls.crt` and `tls.key` of `folder` until the request to stop.
///
/// # Errors
/// When the address cannot be had or the certificate cannot be read at start. A certificate that
/// cannot be read later is logged, and the one at hand goes on.
pub async fn https(
    address: SocketAddr,
    folder: &Path,
    routes: Router,
    shutdown: Shutdown,
) -> Result<(), Error> {
    let certificate = Arc::new(Certificate::read(folder)?);
    let mut tls = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_cert_resolver(certificate.clone());
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = listen(address).await?;
    let graceful = GracefulShutdown::new();
    let mut look = tokio::time::interval(LOOK);
    loop {
        let stream = tokio::select! {
            () = stopped(shutdown.clone()) => break,
            _ = look.tick() => { certificate.refresh(); continue }
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of file descriptors, or the client is gone already: neither ends a server.
                Err(error) => { tracing::warn!(%address, %error, "connection not accepted"); continue }
            },
        };
        let (acceptor, routes, watcher) = (acceptor.clone(), routes.clone(), graceful.watcher());
        tokio::spawn(async move {
            let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await
            else {
                return;
            };
            let builder = Builder::new(TokioExecutor::new());
            let connection =
                builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
            if let Err(error) = watcher.watch(connection.into_owned()).await {
                tracing::debug!(%address, %error, "connection ended");
            }
        });
    }
    // What is still open after that is cut off.
    let _ = tokio::time::timeout(DRAIN, graceful.shutdown()).await;
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })
}

/// A certificate that follows its file.
#[derive(Debug)]
struct Certificate {
    folder: PathBuf,
    now: RwLock<(Arc<CertifiedKey>, Option<SystemTime>)>,
}

impl Certificate {
    fn read(folder: &Path) -> Result<Self, Error> {
        let now = RwLock::new((load(folder)?, changed(folder)));
        Ok(Self {
            folder: folder.to_owned(),
            now,
        })
    }

    fn refresh(&self) {
        let since = changed(&self.folder);
        if self.now.read().unwrap_or_else(PoisonError::into_inner).1 == since {
            return;
        }
        match load(&self.folder) {
            Ok(key) => *self.now.write().unwrap_or_else(PoisonError::into_inner) = (key, since),
            Err(error) => tracing::warn!(%error, "new certificate not used"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.now
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .0
                .clone(),
        )
    }
}

fn changed(folder: &Path) -> Option<SystemTime> {
    std::fs::metadata(folder.join("tls.crt"))
        .and_then(|file| file.modified())
        .ok()
}

fn load(folder: &Path) -> Result<Arc<CertifiedKey>, Error> {
    let (crt, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let fail = |path: &Path, reason: String| Error::Certificate {
        path: path.display().to_string(),
        reason,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&crt)
        .and_then(Iterator::collect)
        .map_err(|error| fail(&crt, error.to_string()))?;
    let private =
        PrivateKeyDer::from_pem_file(&key).map_err(|error| fail(&key, error.to_string()))?;
    let signer = rustls::crypto::ring::sign::any_supported_type(&private)
        .map_err(|error| fail(&key, error.to_string()))?;
    if chain.is_empty() {
        return Err(fail(&crt, "holds no certificate".to_owned()));
    }
    let pair = CertifiedKey::new(chain, signer);
    // The files are written one after the other: for a moment they do not belong together.
    pair.keys_match()
        .map_err(|error| fail(&key, error.to_string()))?;
    Ok(Arc::new(pair))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("certificate");
        std::fs::write(folder.join("tls.key"), made.signing_key.serialize_pem()).expect("key");
        std::fs::write(folder.join("tls.crt"), made.cert.pem()).expect("certificate");
    }

    #[test]
    fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        write(folder.path(), "a.example");
        let certificate = Certificate::read(folder.path()).expect("readable");
        let now = || certificate.now.read().expect("lock").0.cert.clone();
        let first = now();
        write(folder.path(), "b.example");
        certificate.now.write().expect("lock").1 = None; // clocks of file systems are coarse
        certificate.refresh();
        let second = now();
        assert_ne!(first, second);
        std::fs::write(folder.path().join("tls.crt"), "no certificate").expect("write");
        certificate.now.write().expect("lock").1 = None;
        certificate.refresh();
        assert_eq!(second, now());
    }

    #[test]
    fn a_missing_certificate_names_the_file() {
        let folder = tempfile::tempdir().expect("folder");
        let error = Certificate::read(folder.path())
            .expect_err("nothing there")
            .to_string();
        assert!(error.contains("tls.crt"), "{error}");
    }
}
