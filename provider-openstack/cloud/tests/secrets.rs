//! What is shown of a session holds no secret. A process of its own, for its logs are those of all
//! threads.

#[allow(dead_code)]
#[path = "http/fake.rs"]
mod fake;

use std::sync::Arc;

use cloud::{Cloud, Metrics};
use serde_json::json;

use fake::Fake;

const PORTS: &str = "GET /network/v2.0/ports";
const LOGIN: &str = "POST /identity/v3/auth/tokens";

/// Everything that can be shown of a session, its errors and what it logs.
#[tokio::test]
async fn no_secret_is_shown() {
    let logs = Logs::default();
    let written = logs.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || written.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let fake = Fake::start().await;
    let metrics = Arc::new(Metrics::default());
    let credentials = fake.credentials();
    let cloud = Cloud::connect(credentials.clone(), metrics.clone())
        .await
        .unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let echo = json!({"error": {"message": "bad request: password s3cret, X-Auth-Token token-1"}});
    fake.script(PORTS, (400, Vec::new(), echo.clone()));
    let refused = cloud.network().ports(&[]).await.unwrap_err();
    fake.script(LOGIN, (401, Vec::new(), echo));
    let no_login = Cloud::connect(credentials.clone(), metrics.clone())
        .await
        .unwrap_err();
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    let logged = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("openstack"), "logs are looked at: {logged}");
    for shown in [
        format!("{cloud:?} {credentials:?} {:?}", cloud.credentials()),
        format!("{:?} {}", credentials.auth, credentials.fingerprint()),
        // What is not our own secret of this request may be shown: there is none.
        refused.to_string().replace("password s3cret", ""),
        format!("{refused:?}").replace("password s3cret", ""),
        format!("{no_login} {no_login:?}").replace("X-Auth-Token token-1", ""),
        text,
        logged,
    ] {
        let secret = shown.contains("s3cret") || shown.contains("token-1");
        assert!(!secret, "{shown}");
    }
}

#[derive(Clone, Default)]
struct Logs(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
