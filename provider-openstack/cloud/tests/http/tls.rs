use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use cloud::{Cloud, Credentials, Error, ErrorKind};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

use crate::fake::Fake;

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, from) = self.listener.accept().await.unwrap();
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, from);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A cloud whose certificate, for this name, is signed by a CA of its own; and that CA.
async fn private_cloud(name: &str) -> (Fake, Vec<u8>) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (
        Fake::serve(url, Tls { listener, acceptor }),
        pem.into_bytes(),
    )
}

async fn connect(credentials: Credentials) -> Result<Cloud, Error> {
    Cloud::connect(credentials, Arc::default()).await
}

#[tokio::test]
async fn a_private_ca_is_trusted_only_when_it_is_given() {
    let (fake, ca) = private_cloud("127.0.0.1").await;
    let plain = fake.credentials();
    let error = connect(plain.clone()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Certificate);
    assert!(error.message.contains("give the CA certificate"), "{error}");
    assert!(!error.is_transient());

    connect(Credentials {
        ca: Some(ca),
        ..plain.clone()
    })
    .await
    .unwrap();
    connect(Credentials {
        verify: false,
        ..plain
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (fake, ca) = private_cloud("other.example.com").await;
    let credentials = Credentials {
        ca: Some(ca),
        ..fake.credentials()
    };
    let error = connect(credentials).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Certificate);
    assert!(error.message.contains("not valid for name"), "{error}");
}
