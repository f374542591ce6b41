//! A Keystone that lets one password in, and can be told to keep everybody waiting.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

#[derive(Clone)]
pub struct Keystone {
    url: String,
    password: Arc<Mutex<String>>,
    logins: Arc<Mutex<Vec<String>>>,
    open: watch::Sender<bool>,
}

impl Keystone {
    pub async fn start(password: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let keystone = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            password: Arc::new(Mutex::new(password.to_owned())),
            logins: Arc::default(),
            open: watch::Sender::new(true),
        };
        let routes = Router::new()
            .route("/v3/auth/tokens", post(login))
            .with_state(keystone.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        keystone
    }

    /// `clouds.yaml` with one cloud, `openstack`.
    pub fn clouds_yaml(&self, password: &str, region: &str) -> String {
        format!(
            "clouds: {{openstack: {{region_name: {region}, auth: {{auth_url: '{}', \
             username: u, password: {password}, project_name: p}}}}}}",
            self.url
        )
    }

    pub fn change_password(&self, password: &str) {
        *self.password.lock().expect("lock") = password.to_owned();
    }

    /// Answers nobody until it is opened again.
    pub fn close(&self) {
        self.open.send_replace(false);
    }

    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// The passwords that were tried.
    pub fn logins(&self) -> Vec<String> {
        self.logins.lock().expect("lock").clone()
    }
}

async fn login(State(keystone): State<Keystone>, Json(body): Json<Value>) -> Response {
    let password = body["auth"]["identity"]["password"]["user"]["password"].clone();
    let password = password.as_str().unwrap_or_default().to_owned();
    keystone.logins.lock().expect("lock").push(password.clone());
    let mut open = keystone.open.subscribe();
    if open.wait_for(|open| *open).await.is_err() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    if password != *keystone.password.lock().expect("lock") {
        let error = json!({"error": {"code": 401, "message": "The request you have made requires authentication."}});
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let token = json!({"token": {"expires_at": "2999-01-01T00:00:00Z", "project": {"id": "p1"}, "catalog": []}});
    (StatusCode::CREATED, [("X-Subject-Token", "t")], Json(token)).into_response()
}
