//! A registry in memory: as much of the OCI distribution API as it takes to publish and to fetch.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// What was pushed.
#[derive(Clone, Default)]
struct Store {
    /// By tag.
    manifests: BTreeMap<String, Vec<u8>>,
    /// By digest.
    blobs: BTreeMap<String, Vec<u8>>,
}

type Shared = Arc<Mutex<Store>>;

/// The registry; it ends with the test's process.
pub struct Registry {
    /// Where it listens, with plain HTTP.
    pub address: SocketAddr,
    store: Shared,
}

impl Registry {
    /// On a port of 127.0.0.1.
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("address");
        let store = Shared::default();
        let router = Router::new().fallback(answer).with_state(store.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
                axum::serve(listener, router).await.expect("served");
            });
        });
        Self { address, store }
    }

    /// All tags.
    pub fn tags(&self) -> Vec<String> {
        let store = self.store.lock().expect("store");
        store.manifests.keys().cloned().collect()
    }

    /// Gives a manifest other bytes that mean the same; returns its new digest.
    pub fn repack(&self, tag: &str) -> String {
        let mut store = self.store.lock().expect("store");
        let manifest = store.manifests.get_mut(tag).expect("manifest");
        manifest.push(b'\n');
        digest(manifest)
    }
}

fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, body: Bytes) -> Response {
    let mut store = shared.lock().expect("store");
    let path = uri.path().trim_start_matches("/v2/stacks/");
    let (what, name) = path.split_once('/').unwrap_or((path, ""));
    let found = |content: Option<&Vec<u8>>| match content {
        Some(content) => content.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    };
    match (method, what, name) {
        (Method::GET, "tags", _) => {
            let tags: Vec<_> = store.manifests.keys().collect();
            serde_json::json!({ "name": "stacks", "tags": tags })
                .to_string()
                .into_response()
        }
        (Method::GET | Method::HEAD, "manifests", tag) => found(store.manifests.get(tag)),
        (Method::GET | Method::HEAD, "blobs", digest) => found(store.blobs.get(digest)),
        (Method::POST, "blobs", _) => {
            let location = [("location", "/v2/stacks/blobs/uploads/1")];
            (StatusCode::ACCEPTED, location).into_response()
        }
        (Method::PUT, "manifests", tag) => {
            store.manifests.insert(tag.to_owned(), body.to_vec());
            (StatusCode::CREATED, [("location", uri.path())]).into_response()
        }
        // Every file of the test fits into one chunk.
        (Method::PATCH, "blobs", _) => {
            store.blobs.insert(digest(&body), body.to_vec());
            (StatusCode::ACCEPTED, [("location", uri.path())]).into_response()
        }
        (Method::PUT, "blobs", _) => {
            (StatusCode::CREATED, [("location", uri.path())]).into_response()
        }
        // Is this a registry at all?
        _ => StatusCode::OK.into_response(),
    }
}
