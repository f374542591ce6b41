//! A management cluster that holds ConfigMaps and answers lists and watches, without a socket, so
//! that tests can move the clock.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde_json::{Value, json};

#[derive(Clone, Default)]
pub struct Api(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    version: u64,
    objects: BTreeMap<String, ConfigMap>,
    watches: Vec<UnboundedSender<String>>,
    selectors: Vec<Option<String>>,
}

impl Api {
    pub fn client(&self) -> Client {
        let routes = Router::new()
            .route("/api/v1/configmaps", get(answer))
            .with_state(self.clone());
        Client::new(routes, "default")
    }

    /// Creates or changes an object.
    pub fn put(&self, name: &str, cloud: &str) {
        let mut inner = self.0.lock().expect("lock");
        inner.version += 1;
        let version = inner.version;
        let object = json!({
            "metadata": {"name": name, "namespace": "default", "uid": name,
                "resourceVersion": version.to_string(), "generation": version},
            "data": {"cloud": cloud},
        });
        let decoded = serde_json::from_value(object.clone()).expect("a ConfigMap");
        inner.objects.insert(name.to_owned(), decoded);
        inner.tell("MODIFIED", &object);
    }

    /// The label selectors of all lists and watches.
    pub fn selectors(&self) -> Vec<Option<String>> {
        self.0.lock().expect("lock").selectors.clone()
    }

    pub fn delete(&self, name: &str) {
        let mut inner = self.0.lock().expect("lock");
        let object = inner.objects.remove(name).expect("it is there");
        inner.tell("DELETED", &json!(object));
    }
}

impl Inner {
    fn tell(&mut self, kind: &str, object: &Value) {
        let event = json!({"type": kind, "object": object}).to_string() + "\n";
        self.watches
            .retain(|watch| watch.unbounded_send(event.clone()).is_ok());
    }
}

async fn answer(State(api): State<Api>, Query(query): Query<BTreeMap<String, String>>) -> Response {
    let mut inner = api.0.lock().expect("lock");
    inner.selectors.push(query.get("labelSelector").cloned());
    if query.contains_key("watch") {
        let (sender, events) = unbounded();
        inner.watches.push(sender);
        return Body::from_stream(events.map(Ok::<_, Infallible>)).into_response();
    }
    let items: Vec<&ConfigMap> = inner.objects.values().collect();
    let version = inner.version.to_string();
    axum::Json(json!({"metadata": {"resourceVersion": version}, "items": items})).into_response()
}
