//! A management cluster of a few objects, without a socket: get, list and watch. Secrets, namespaces
//! and cluster identities are listed and watched as metadata, or not at all.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use kube::Client;
use serde_json::{Value, json};

#[derive(Clone, Default)]
pub struct Management(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    version: u64,
    /// By `secrets default/demo` and `namespaces /default`.
    objects: BTreeMap<String, Value>,
    watches: Vec<(String, UnboundedSender<String>)>,
}

/// What a path is about: `secrets`, its namespace, its name.
struct About {
    kind: String,
    namespace: String,
    name: Option<String>,
}

impl Management {
    pub fn client(&self) -> Client {
        let routes = Router::new().fallback(answer).with_state(self.clone());
        Client::new(routes, "default")
    }

    /// Creates or changes an object; `namespace/name`, or `/name`.
    pub fn put(&self, kind: &str, key: &str, mut object: Value) {
        let (namespace, name) = key.split_once('/').expect("namespace/name");
        let mut inner = self.0.lock().expect("lock");
        inner.version += 1;
        let version = inner.version;
        let meta = &mut object["metadata"];
        meta["name"] = json!(name);
        meta["uid"] = json!(key);
        meta["generation"] = json!(version);
        meta["resourceVersion"] = json!(version.to_string());
        if !namespace.is_empty() {
            meta["namespace"] = json!(namespace);
        }
        let event = json!({"type": "MODIFIED", "object": object}).to_string() + "\n";
        inner.objects.insert(format!("{kind} {key}"), object);
        let told = |watch: &(String, UnboundedSender<String>)| {
            watch.0 != kind || watch.1.unbounded_send(event.clone()).is_ok()
        };
        inner.watches.retain(told);
    }

    /// A Secret with credentials for the cloud `openstack`.
    pub fn put_secret(&self, key: &str, clouds_yaml: &str, ca: &str) {
        let data = json!({"clouds.yaml": encode(clouds_yaml), "cacert": encode(ca)});
        self.put("secrets", key, json!({"metadata": {}, "data": data}));
    }

    /// Takes an object away, of which a watch hears nothing.
    pub fn remove(&self, kind: &str, key: &str) {
        let mut inner = self.0.lock().expect("lock");
        inner.objects.remove(&format!("{kind} {key}"));
    }

    /// An OpenStackServer that refers to an identity.
    pub fn put_server(&self, key: &str, identity: &Value) {
        let spec = json!({"identityRef": identity, "flavor": "small", "sshKeyName": "none",
            "image": {"id": "ca5ab1a0-0000-4000-8000-000000000000"}, "ports": []});
        self.put(
            "openstackservers",
            key,
            json!({"apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
                "kind": "OpenStackServer", "metadata": {}, "spec": spec}),
        );
    }
}

fn encode(text: &str) -> String {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec()))
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .expect("base64")
}

impl About {
    /// `/api/v1/namespaces/x/secrets/y`, `/apis/g/v1/openstackservers`, `/api/v1/namespaces/x`.
    fn read(path: &str) -> Self {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let rest = if parts[0] == "api" {
            &parts[2..]
        } else {
            &parts[3..]
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        Self {
            kind: rest[0].to_owned(),
            namespace: namespace.to_owned(),
            name: rest.get(1).map(|name| (*name).to_owned()),
        }
    }
}

async fn answer(
    State(management): State<Management>,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let about = About::read(uri.path());
    let mut inner = management.0.lock().expect("lock");
    if let Some(name) = about.name {
        let key = format!("{} {}/{name}", about.kind, about.namespace);
        return match inner.objects.get(&key) {
            Some(object) => axum::Json(object.clone()).into_response(),
            None => refusal(StatusCode::NOT_FOUND, "NotFound"),
        };
    }
    let accepted = headers
        .get(ACCEPT)
        .and_then(|accepted| accepted.to_str().ok());
    let metadata = accepted.is_some_and(|accepted| accepted.contains("PartialObjectMetadata"));
    if about.kind != "openstackservers" && !metadata {
        return refusal(StatusCode::FORBIDDEN, "only metadata is listed");
    }
    if query.contains_key("watch") {
        let (sender, events) = unbounded();
        inner.watches.push((about.kind, sender));
        return Body::from_stream(events.map(Ok::<_, Infallible>)).into_response();
    }
    let of_kind = |(key, _): &(&String, &Value)| key.starts_with(&format!("{} ", about.kind));
    let items: Vec<&Value> = inner
        .objects
        .iter()
        .filter(of_kind)
        .map(|(_, object)| object)
        .collect();
    let version = inner.version.to_string();
    axum::Json(json!({"metadata": {"resourceVersion": version}, "items": items})).into_response()
}

fn refusal(code: StatusCode, reason: &str) -> Response {
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "reason": reason, "message": reason, "code": code.as_u16()});
    (code, axum::Json(status)).into_response()
}
