//! The API server has objects converted by the webhook, as it is shipped: reads, writes and
//! server-side apply in both versions.

use std::path::Path;
use std::time::Duration;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::client::Client;
use scenarios::ApiServer;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, watch};
use tokio::time::{Instant, sleep};

const DEADLINE: Duration = Duration::from_secs(30);
const GROUP: &str = "infrastructure.cluster.x-k8s.io";
const ANNOTATION: &str = "cluster.x-k8s.io/conversion-data";

/// An API server whose kinds with two versions are converted by our webhook.
async fn converting() -> Client {
    static READY: OnceCell<()> = OnceCell::const_new();
    let server = ApiServer::get().await.unwrap();
    let ready = READY.get_or_init(async || {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        // a thread of its own: the runtime of the test that came first ends with that test
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let (_run, stopped) = watch::channel(false);
            let routes = provider_openstack::conversion::routes();
            let served = runtime::serve::https(address, &server.certificate, routes, stopped);
            runtime.block_on(served).unwrap();
        });
        install(&server.client().unwrap(), server, address.port()).await;
    });
    ready.await;
    server.client().unwrap()
}

/// Gives the CRDs the conversion that they are shipped with, at our port.
async fn install(client: &Client, server: &ApiServer, port: u16) {
    let crds: Api<DynamicObject> = Api::all_with(
        client.clone(),
        &resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    );
    let ca = std::fs::read_to_string(server.certificate.join("tls.crt")).unwrap();
    let mut installed = 0;
    for file in Path::new("../../config/crd").read_dir().unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let shipped: Value = serde_saphyr::from_str(&text).unwrap();
        let mut conversion = shipped["spec"]["conversion"].clone();
        if conversion["strategy"] != "Webhook" {
            continue;
        }
        let path = conversion["webhook"]["clientConfig"]["service"]["path"]
            .as_str()
            .unwrap();
        let config = json!({
            "url": format!("https://127.0.0.1:{port}{path}"),
            "caBundle": k8s_openapi::ByteString(ca.clone().into_bytes()),
        });
        conversion["webhook"]["clientConfig"] = config;
        let name = shipped["metadata"]["name"].as_str().unwrap();
        let patch = Patch::Merge(json!({ "spec": { "conversion": conversion } }));
        crds.patch(name, &PatchParams::default(), &patch)
            .await
            .unwrap();
        installed += 1;
    }
    assert_eq!(installed, 4);
    let probe = json!({ "template": { "spec": machine(&json!({ "flavor": "m1" })) } });
    let old = api(client, "v1beta1", "OpenStackMachineTemplate");
    let new = api(client, "v1beta2", "OpenStackMachineTemplate");
    let template = object("v1beta1", "OpenStackMachineTemplate", "probe", &probe);
    // The API server follows its CRDs with a delay. Without conversion the flavor stays a text.
    let deadline = Instant::now() + DEADLINE;
    loop {
        let created = old.create(&PostParams::default(), &template).await;
        let seen = new.get("probe").await;
        new.delete("probe", &Default::default()).await.ok();
        if created.is_ok()
            && seen.is_ok_and(|t| t.data["spec"]["template"]["spec"]["flavor"].is_object())
        {
            return;
        }
        assert!(Instant::now() < deadline, "nobody asks the webhook");
        sleep(Duration::from_millis(50)).await;
    }
}

fn resource(group: &str, version: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

fn api(client: &Client, version: &str, kind: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), "default", &resource(GROUP, version, kind))
}

fn object(version: &str, kind: &str, name: &str, spec: &Value) -> DynamicObject {
    serde_json::from_value(json!({
        "apiVersion": format!("{GROUP}/{version}"), "kind": kind,
        "metadata": { "name": name }, "spec": spec,
    }))
    .unwrap()
}

fn machine(more: &Value) -> Value {
    let mut spec = json!({ "image": { "filter": { "name": "ubuntu" } } });
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

fn cluster(more: &Value) -> Value {
    let mut spec = json!({ "identityRef": { "type": "Secret", "name": "c", "cloudName": "c" } });
    for (name, value) in more.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_in_one_version_is_read_in_both() {
    let client = converting().await;
    let (kind, old_spec) = (
        "OpenStackCluster",
        cluster(&json!({
            "networkMTU": 1400, "disablePortSecurity": true, "apiServerPort": 443,
            "bastion": { "enabled": true, "spec": machine(&json!({ "flavor": "m1", "flavorID": "1" })) },
        })),
    );
    let (old, new) = (api(&client, "v1beta1", kind), api(&client, "v1beta2", kind));
    let created = object("v1beta1", kind, "both", &old_spec);
    let created = old.create(&PostParams::default(), &created).await.unwrap();
    assert_eq!(created.data["spec"], old_spec);
    let read = new.get("both").await.unwrap();
    let network = json!({ "mtu": 1400, "enablePortSecurity": false });
    assert_eq!(read.data["spec"]["managedNetwork"], network);
    assert_eq!(read.data["spec"]["apiServer"], json!({ "port": 443 }));
    assert_eq!(
        read.data["spec"]["bastion"]["spec"]["flavor"],
        json!({ "id": "1" })
    );
    assert_eq!(old.get("both").await.unwrap().data["spec"], old_spec);
    assert!(
        old.list(&Default::default())
            .await
            .unwrap()
            .items
            .iter()
            .any(|o| o.data["spec"] == old_spec)
    );
}

/// Two owners of one object, each by server-side apply in a version of its own, as a ClusterClass
/// of the old version and a controller of the new one.
#[tokio::test(flavor = "multi_thread")]
async fn owners_in_different_versions_leave_each_other_alone() {
    let client = converting().await;
    let kind = "OpenStackCluster";
    let apply = async |version: &str, manager: &str, spec: Value| {
        let applied = object(version, kind, "shared", &spec);
        let parameters = PatchParams::apply(manager);
        let api = api(&client, version, kind);
        api.patch("shared", &parameters, &Patch::Apply(&applied))
            .await
            .unwrap()
            .data
    };
    let class = |more: Value| cluster(&more);
    apply(
        "v1beta1",
        "topology",
        class(json!({ "networkMTU": 1400, "tags": ["class"] })),
    )
    .await;
    let status = json!({ "status": { "conditions": [{
        "type": "Ready", "status": "True", "reason": "Ready", "message": "", "observedGeneration": 1,
        "lastTransitionTime": "2026-11-21T12:00:00Z",
    }] } });
    let new = api(&client, "v1beta2", kind);
    let parameters = PatchParams::default();
    new.patch_status("shared", &parameters, &Patch::Merge(&status))
        .await
        .unwrap();
    let port =
        json!({ "apiServer": { "port": 6443 }, "managedNetwork": { "enablePortSecurity": true } });
    apply("v1beta2", "controller", port.clone()).await;

    let seen = apply(
        "v1beta1",
        "topology",
        class(json!({ "networkMTU": 1500, "tags": ["class"] })),
    )
    .await;
    assert_eq!(seen["spec"]["apiServerPort"], 6443);
    assert_eq!(seen["status"]["ready"], true);
    let now = new.get("shared").await.unwrap().data;
    let network = json!({ "mtu": 1500, "enablePortSecurity": true });
    assert_eq!(now["spec"]["managedNetwork"], network);
    assert_eq!(now["spec"]["apiServer"], json!({ "port": 6443 }));
    assert_eq!(now["spec"]["tags"], json!(["class"]));
    assert_eq!(now["status"], status["status"]);

    // What an owner no longer names goes, and nothing else.
    apply("v1beta1", "topology", class(json!({ "tags": ["class"] }))).await;
    let now = new.get("shared").await.unwrap().data;
    assert_eq!(
        now["spec"]["managedNetwork"],
        json!({ "enablePortSecurity": true })
    );
    assert_eq!(now["spec"]["apiServer"], json!({ "port": 6443 }));
    apply(
        "v1beta2",
        "controller",
        json!({ "apiServer": { "port": 6443 } }),
    )
    .await;
    let now = new.get("shared").await.unwrap().data;
    assert_eq!(now["spec"].get("managedNetwork"), None);
    assert_eq!(now["spec"]["tags"], json!(["class"]));
}

/// The original makes the object again what it once was.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_through_the_old_version_does_not_restore_what_capo_kept() {
    let client = converting().await;
    let kind = "OpenStackMachineTemplate";
    let template = |spec: Value| json!({ "template": { "spec": spec } });
    let mut stored = object(
        "v1beta2",
        kind,
        "kept",
        &template(machine(&json!({
            "flavor": { "id": "2" }, "sshKeyName": "new",
        }))),
    );
    let once = template(machine(
        &json!({ "flavor": "small", "flavorID": "1", "sshKeyName": "old" }),
    ));
    let once = json!({ "apiVersion": format!("{GROUP}/v1beta1"), "kind": kind, "spec": once });
    let annotations = stored.metadata.annotations.get_or_insert_default();
    annotations.insert(ANNOTATION.into(), once.to_string());
    let (old, new) = (api(&client, "v1beta1", kind), api(&client, "v1beta2", kind));
    new.create(&PostParams::default(), &stored).await.unwrap();

    let label = Patch::Merge(json!({ "metadata": { "labels": { "touched": "yes" } } }));
    let seen = old
        .patch("kept", &PatchParams::default(), &label)
        .await
        .unwrap();
    assert_eq!(seen.data["spec"]["template"]["spec"]["sshKeyName"], "new");
    let now = new.get("kept").await.unwrap();
    assert_eq!(now.data["spec"], stored.data["spec"]);
    assert_eq!(now.metadata.labels.unwrap()["touched"], "yes");
    assert_eq!(now.metadata.annotations, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_converted_is_refused_by_name() {
    let client = converting().await;
    let kind = "OpenStackCluster";
    let large = object(
        "v1beta1",
        kind,
        "large",
        &cluster(&json!({ "networkMTU": 3_000_000_000_u64 })),
    );
    let refused = api(&client, "v1beta1", kind)
        .create(&PostParams::default(), &large)
        .await;
    let Err(kube::Error::Api(status)) = refused else {
        panic!("not refused: {refused:?}");
    };
    for words in [
        "OpenStackCluster default/large",
        "spec.networkMTU is 3000000000",
        "2147483647",
    ] {
        assert!(
            status.message.contains(words),
            "no {words:?} in: {}",
            status.message
        );
    }
}
