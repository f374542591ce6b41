//! Cluster API's runtime hooks (`hooks.runtime.cluster.x-k8s.io/v1alpha1`).
//!
//! A hook is answered from the ClusterAddon alone: it notes which hook waits, and the answer to
//! `BeforeClusterUpgrade` is "go on" only when the add-ons of the class that the request names are
//! in. Nothing is kept in memory, so every replica can answer, also after a restart. The request's
//! Cluster is v1beta2 (`classRef`) from Cluster API 1.13 on, v1beta1 (`class`) before; both are
//! read.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use crds::capi::Cluster;
use crds::stacks::names::addon_name;
use crds::stacks::v1alpha1::ClusterAddon;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use release::ReleaseName;
use release::stages::Hook;
use serde::Deserialize;
use serde_json::{Value, json};

const API_VERSION: &str = "hooks.runtime.cluster.x-k8s.io/v1alpha1";
/// When Cluster API asks again.
const RETRY_SECONDS: u32 = 5;

/// The hooks, with the names of the handlers of the original's ExtensionConfig.
const HANDLERS: [(Hook, &str); 3] = [
    (Hook::BeforeClusterUpgrade, "before-cluster-upgrade"),
    (
        Hook::AfterControlPlaneInitialized,
        "after-control-plane-initialized",
    ),
    (Hook::AfterClusterUpgrade, "after-cluster-upgrade"),
];

/// All hooks, as Cluster API calls them.
pub fn routes(client: Client) -> Router {
    let mut routes = Router::new().route(&format!("/{API_VERSION}/discovery"), post(discovery));
    for (hook, handler) in HANDLERS {
        let path = format!("/{API_VERSION}/{}/{handler}", hook.as_str().to_lowercase());
        routes = routes.route(&path, post(move |state, body| called(hook, state, body)));
    }
    routes.with_state(Arc::new(client))
}

async fn discovery() -> Json<Value> {
    let handler = |(hook, name): (Hook, &str)| {
        json!({
            "name": name,
            "requestHook": {"apiVersion": API_VERSION, "hook": hook.as_str()},
            "timeoutSeconds": 10,
            "failurePolicy": "Fail",
        })
    };
    let handlers: Vec<Value> = HANDLERS.into_iter().map(handler).collect();
    Json(
        json!({"apiVersion": API_VERSION, "kind": "DiscoveryResponse", "status": "Success", "handlers": handlers}),
    )
}

#[derive(Deserialize)]
struct Request {
    cluster: Cluster,
}

/// What the hook is answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    GoOn,
    AskAgain(String),
    Failure(String),
}

/// Reads the body whatever its content type says: Cluster API sends none.
async fn called(hook: Hook, State(client): State<Arc<Client>>, body: Bytes) -> Json<Value> {
    let cluster = match serde_json::from_slice::<Request>(&body) {
        Ok(request) => request.cluster,
        Err(error) => {
            let message = format!("the request cannot be read: {error}");
            return Json(response(hook, Answer::Failure(message)));
        }
    };
    let answer = match hook {
        Hook::AfterClusterUpgrade => Answer::GoOn,
        _ => answer(hook, &client, &cluster)
            .await
            .unwrap_or_else(|error| Answer::Failure(error.to_string())),
    };
    let namespace = cluster.namespace();
    tracing::info!(%hook, namespace, cluster = cluster.name_any(), ?answer, "hook called");
    Json(response(hook, answer))
}

async fn answer(hook: Hook, client: &Client, cluster: &Cluster) -> Result<Answer, kube::Error> {
    let namespace = cluster.namespace().unwrap_or_default();
    let api: Api<ClusterAddon> = Api::namespaced(client.clone(), &namespace);
    let name = addon_name(&cluster.name_any());
    let addon = api.get_opt(&name).await?;
    let answer = decide(hook, cluster.class_name(), addon.as_ref());
    if let (Answer::AskAgain(_), Some(addon)) = (&answer, &addon)
        && addon.spec.hook.as_deref() != Some(hook.as_str())
    {
        let patch = json!({"spec": {"hook": hook.as_str()}});
        api.patch(&name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
    }
    // This hook does not wait for an answer: it only tells that there is an API to apply to.
    Ok(if hook == Hook::AfterControlPlaneInitialized {
        Answer::GoOn
    } else {
        answer
    })
}

/// The answer, from what the ClusterAddon says about the class of the request.
fn decide(hook: Hook, class: &str, addon: Option<&ClusterAddon>) -> Answer {
    let Ok(wanted) = class.parse::<ReleaseName>() else {
        return Answer::GoOn;
    };
    let Some(addon) = addon else {
        return match hook {
            // A Cluster whose class only looks like ours has no ClusterAddon, and never will.
            Hook::BeforeClusterUpgrade => Answer::GoOn,
            _ => Answer::AskAgain("its ClusterAddon is not there yet".to_owned()),
        };
    };
    let applied = addon
        .spec
        .cluster_stack
        .as_deref()
        .and_then(|class| class.parse::<ReleaseName>().ok());
    let ready = addon.status.as_ref().is_some_and(|status| status.ready);
    if applied.as_ref() == Some(&wanted) && ready {
        return Answer::GoOn;
    }
    Answer::AskAgain(format!(
        "the add-ons of {wanted} are not applied yet; see ClusterAddon {}",
        addon.name_any()
    ))
}

fn response(hook: Hook, answer: Answer) -> Value {
    let kind = format!("{hook}Response");
    let (status, message, retry) = match answer {
        Answer::GoOn => ("Success", String::new(), 0),
        Answer::AskAgain(message) => ("Success", message, RETRY_SECONDS),
        Answer::Failure(message) => ("Failure", message, 0),
    };
    let mut response =
        json!({"apiVersion": API_VERSION, "kind": kind, "status": status, "message": message});
    if hook == Hook::BeforeClusterUpgrade {
        response["retryAfterSeconds"] = retry.into();
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use tower::ServiceExt;

    use crds::stacks::v1alpha1::{ClusterAddonSpec, ClusterAddonStatus};

    const CLASS: &str = "openstack-lab-1-36-v2";

    fn addon(class: &str, ready: bool) -> ClusterAddon {
        let spec = ClusterAddonSpec {
            cluster_stack: Some(class.to_owned()),
            ..ClusterAddonSpec::default()
        };
        let status = ClusterAddonStatus {
            ready,
            ..ClusterAddonStatus::default()
        };
        ClusterAddon {
            status: Some(status),
            ..ClusterAddon::new("cluster-addon-c", spec)
        }
    }

    #[test]
    fn an_upgrade_goes_on_only_when_the_add_ons_of_its_class_are_in() {
        let before = Hook::BeforeClusterUpgrade;
        assert_eq!(
            decide(before, CLASS, Some(&addon(CLASS, true))),
            Answer::GoOn
        );
        for behind in [addon(CLASS, false), addon("openstack-lab-1-36-v1", true)] {
            assert!(matches!(
                decide(before, CLASS, Some(&behind)),
                Answer::AskAgain(_)
            ));
        }
    }

    #[test]
    fn foreign_clusters_are_not_held_up() {
        assert_eq!(
            decide(Hook::BeforeClusterUpgrade, "quick-start", None),
            Answer::GoOn
        );
        assert_eq!(
            decide(Hook::BeforeClusterUpgrade, CLASS, None),
            Answer::GoOn
        );
    }

    #[test]
    fn requests_of_both_contract_versions_name_the_class() {
        for topology in [
            json!({"classRef": {"name": CLASS}}),
            json!({"class": CLASS}),
        ] {
            let request: Request = serde_json::from_value(
                json!({"cluster": {"metadata": {"name": "c"}, "spec": {"topology": topology}}}),
            )
            .expect("request");
            assert_eq!(request.cluster.class_name(), CLASS);
        }
    }

    #[test]
    fn only_a_blocking_hook_says_when_to_ask_again() {
        let wait = || Answer::AskAgain("x".into());
        assert_eq!(
            response(Hook::BeforeClusterUpgrade, wait())["retryAfterSeconds"],
            5
        );
        assert_eq!(
            response(Hook::AfterControlPlaneInitialized, wait())["retryAfterSeconds"],
            Value::Null
        );
    }

    #[tokio::test]
    async fn a_call_without_a_content_type_is_answered() {
        // An API server that has nothing.
        let empty = tower::service_fn(|_: http::Request<kube::client::Body>| async {
            let body =
                json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404});
            let response = http::Response::builder()
                .status(404)
                .body(Body::from(body.to_string()));
            response.map_err(axum::Error::new)
        });
        let routes = routes(Client::new(empty, "default"));
        let path = format!("/{API_VERSION}/beforeclusterupgrade/before-cluster-upgrade");
        let cluster = json!({"cluster": {"metadata": {"name": "c", "namespace": "n"}}});
        let request = http::Request::post(path).body(Body::from(cluster.to_string()));
        let answer = routes
            .oneshot(request.expect("request"))
            .await
            .expect("answer");
        let body = axum::body::to_bytes(answer.into_body(), 10_000)
            .await
            .expect("body");
        let answer: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(
            (&answer["status"], &answer["retryAfterSeconds"]),
            (&json!("Success"), &json!(0))
        );
    }
}
