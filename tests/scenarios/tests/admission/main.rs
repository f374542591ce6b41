//! What the API server refuses in the name of the provider: its validating webhooks, as they are
//! shipped, and the CEL rules of its CRDs.

mod cel;
mod life;
mod webhooks;

use std::path::Path;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams, TypeMeta,
};
use kube::core::Status;
use scenarios::ApiServer;
use scenarios::cluster_api::Cluster;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(30);
const SHIPPED: &str = "../../config/webhook/validating.yaml";

/// What the API server says to a request.
type Answer = Result<(), Box<Status>>;

/// A namespace whose objects the webhooks are asked about.
struct Admission {
    api: &'static ApiServer,
    cluster: Cluster,
    /// The server runs until this is dropped.
    stop: watch::Sender<bool>,
}

impl Admission {
    /// An empty namespace, of which nobody is asked yet.
    async fn open(namespace: &str) -> Self {
        let client = ApiServer::get().await.unwrap().client().unwrap();
        let cluster = Cluster::open(client, namespace, "clouds: {}", DEADLINE);
        Self::of(cluster.await.unwrap()).await
    }

    /// The namespace of a cluster.
    async fn of(cluster: Cluster) -> Self {
        Self {
            api: ApiServer::get().await.unwrap(),
            cluster,
            stop: watch::Sender::new(false),
        }
    }

    /// Serves the webhooks, and returns when the API server asks them.
    async fn serve(&self) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let (folder, stopped) = (&self.api.certificate, self.stop.subscribe());
        let routes = provider_openstack::admission::routes(Default::default());
        tokio::spawn(async move {
            runtime::serve::https(address, folder, routes, stopped)
                .await
                .unwrap();
        });
        let configuration = self.configuration(address.port());
        let all = Api::all(self.api.client().unwrap());
        all.create(&PostParams::default(), &configuration)
            .await
            .unwrap();
        let probe =
            json!({ "rootVolume": { "sizeGiB": 1 }, "additionalBlockDevices": [disk("root")] });
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self
                .try_create("OpenStackMachine", "probe", &machine(&probe))
                .await;
            match answer {
                Err(status) if status.message.contains("denied the request") => return,
                other => assert!(
                    Instant::now() < deadline,
                    "nobody asks the webhooks: {other:?}"
                ),
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The one that is shipped, for the provider's kinds in this namespace.
    fn configuration(&self, port: u16) -> ValidatingWebhookConfiguration {
        let text = std::fs::read_to_string(Path::new(SHIPPED)).unwrap();
        let mut shipped: ValidatingWebhookConfiguration = serde_saphyr::from_str(&text).unwrap();
        let ca = std::fs::read(self.api.certificate.join("tls.crt")).unwrap();
        let namespace = &self.cluster.namespace;
        shipped.metadata.name = Some(namespace.clone());
        let webhooks = shipped.webhooks.as_mut().unwrap();
        webhooks.retain(|webhook| webhook.name.contains(".infrastructure.cluster.x-k8s.io"));
        assert_eq!(webhooks.len(), 5);
        for webhook in webhooks {
            let path = webhook.client_config.service.as_ref().unwrap().path.clone();
            webhook.client_config = WebhookClientConfig {
                url: Some(format!("https://127.0.0.1:{port}{}", path.unwrap())),
                ca_bundle: Some(ByteString(ca.clone())),
                service: None,
            };
            let label = ("kubernetes.io/metadata.name".into(), namespace.clone());
            webhook.namespace_selector = Some(LabelSelector {
                match_labels: Some([label].into()),
                ..LabelSelector::default()
            });
        }
        shipped
    }

    async fn create(&self, kind: &str, name: &str, spec: &Value) -> DynamicObject {
        let (api, object) = (self.cluster.api(kind), object(kind, name, spec));
        api.create(&PostParams::default(), &object).await.unwrap()
    }

    async fn try_create(&self, kind: &str, name: &str, spec: &Value) -> Answer {
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let answer = self
            .cluster
            .api(kind)
            .create(&dry_run, &object(kind, name, spec))
            .await;
        refusal(answer)
    }

    async fn try_create_v1beta1(&self, kind: &str, spec: &Value) -> Answer {
        let of = GroupVersionKind::gvk("infrastructure.cluster.x-k8s.io", "v1beta1", kind);
        let of = ApiResource::from_gvk(&of);
        let (client, namespace) = (self.api.client().unwrap(), &self.cluster.namespace);
        let api: Api<DynamicObject> = Api::namespaced_with(client, namespace, &of);
        let mut object = object(kind, "older", spec);
        object.types = Some(TypeMeta {
            api_version: of.api_version.clone(),
            kind: kind.to_owned(),
        });
        refusal(api.create(&PostParams::default(), &object).await)
    }

    async fn try_change(&self, kind: &str, name: &str, patch: &Value) -> Answer {
        let dry_run = PatchParams {
            dry_run: true,
            ..PatchParams::default()
        };
        refusal(
            self.cluster
                .api(kind)
                .patch(name, &dry_run, &Patch::Merge(patch))
                .await,
        )
    }

    async fn status(&self, kind: &str, name: &str, status: &Value) {
        let patch = Patch::Merge(json!({ "status": status }));
        let api = self.cluster.api(kind);
        api.patch_status(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

fn object(kind: &str, name: &str, spec: &Value) -> DynamicObject {
    let version = if kind == "OpenStackServer" {
        "v1alpha1"
    } else {
        "v1beta2"
    };
    serde_json::from_value(json!({
        "apiVersion": format!("infrastructure.cluster.x-k8s.io/{version}"), "kind": kind,
        "metadata": { "name": name }, "spec": spec,
    }))
    .unwrap()
}

fn refusal(answer: Result<DynamicObject, kube::Error>) -> Answer {
    match answer {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status),
        Err(other) => panic!("no answer of the API server: {other}"),
    }
}

fn merged(base: &Value, patch: &Value) -> Value {
    let mut merged = base.clone();
    for (key, value) in patch.as_object().unwrap() {
        merged[key] = value.clone();
    }
    merged
}

fn disk(name: &str) -> Value {
    json!({ "name": name, "sizeGiB": 1, "storage": { "type": "Local" } })
}

fn machine(patch: &Value) -> Value {
    let named = |name: &str| json!({ "filter": { "name": name } });
    merged(
        &json!({ "flavor": named("m1"), "image": named("ubuntu") }),
        patch,
    )
}

fn cluster(patch: &Value) -> Value {
    let base = json!({
        "identityRef": { "name": "cloud", "cloudName": "tenant", "region": "R" },
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "apiServer": { "managedLoadBalancer": { "provider": "amphora" } },
        "tags": ["a"],
    });
    merged(&base, patch)
}

fn server() -> Value {
    json!({ "identityRef": { "name": "cloud", "cloudName": "tenant" }, "flavor": "m1",
            "image": { "filter": { "name": "ubuntu" } }, "sshKeyName": "", "ports": [{}] })
}

/// Asserts a refusal by a webhook, and what it says.
#[track_caller]
fn refused(answer: Answer, field: &str, words: &[&str]) {
    let status = answer.expect_err("a refusal");
    assert!(status.message.contains("denied the request"), "{status:?}");
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    let causes = status.details.as_ref().map(|details| &details.causes[..]);
    let fields: Vec<&str> = causes
        .into_iter()
        .flatten()
        .map(|c| c.field.as_str())
        .collect();
    assert_eq!(fields, [field], "{}", status.message);
    says(&status, &[&[field], words].concat());
}

/// Asserts a refusal by the schema.
#[track_caller]
fn invalid(answer: Answer, words: &[&str]) {
    let status = answer.expect_err("a refusal");
    assert!(!status.message.contains("denied the request"), "{status:?}");
    says(&status, words);
}

#[track_caller]
fn says(status: &Status, words: &[&str]) {
    for word in words {
        assert!(
            status.message.contains(word),
            "no {word:?} in: {}",
            status.message
        );
    }
}
