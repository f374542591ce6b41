//! Validating webhooks under CAPO's paths. The rules are those of [`crds::openstack::validation`].

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use crds::capi::names::TOPOLOGY_DRY_RUN_ANNOTATION;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{
    OpenStackCluster, OpenStackClusterTemplate, OpenStackMachine, OpenStackMachineTemplate,
};
use crds::openstack::validation::{Rules, Violation, refusal};
use kube::Resource;
use kube::core::DynamicObject;
use runtime::admission::{Operation, Refusal, Request, Review, answered, parse};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cluster::Management;

/// Bytes of a request: the API server takes objects of up to 3 MiB, and a review holds two.
const LARGEST: usize = 8 << 20;

/// All webhooks. `management` must not be locked out of a cluster.
pub fn routes(management: Management) -> Router {
    let lock_out =
        move |new: &OpenStackCluster, old: Option<&OpenStackCluster>| management.refuses(new, old);
    let routes = Router::new();
    let routes = route(routes, lock_out);
    let routes = route(routes, nothing::<OpenStackClusterTemplate>);
    let routes = route(routes, nothing::<OpenStackMachine>);
    let routes = route(routes, nothing::<OpenStackMachineTemplate>);
    let routes = route(routes, nothing::<OpenStackServer>);
    routes.layer(DefaultBodyLimit::max(LARGEST))
}

/// What is refused beside the rules of a kind: because of how this process was started.
trait Further<K>: Fn(&K, Option<&K>) -> Option<Violation> + Clone + Send + Sync + 'static {}
impl<K, F> Further<K> for F where
    F: Fn(&K, Option<&K>) -> Option<Violation> + Clone + Send + Sync + 'static
{
}

fn nothing<K>(_: &K, _: Option<&K>) -> Option<Violation> {
    None
}

fn route<K>(routes: Router, further: impl Further<K>) -> Router
where
    K: Rules + Resource<DynamicType = ()> + DeserializeOwned + 'static,
{
    let group = K::group(&()).replace('.', "-");
    let (version, kind) = (K::version(&()), K::kind(&()).to_lowercase());
    let path = format!("/validate-{group}-{version}-{kind}");
    let review = move |review: Review| {
        let further = further.clone();
        answered(review, async move |request| check::<K>(request, &further))
    };
    routes.route(&path, post(review))
}

fn check<K>(request: &Request, further: &impl Further<K>) -> Result<(), Refusal>
where
    K: Rules + Resource<DynamicType = ()> + DeserializeOwned,
{
    let (new, old) = (request.object.as_ref(), request.old_object.as_ref());
    let violations = match request.operation {
        Operation::Create => {
            let new = parse::<K>(new)?;
            let further = further(&new, None);
            new.on_create().into_iter().chain(further).collect()
        }
        // Whatever is wrong with such a spec, its finalizers can go. This is asked before anything
        // is parsed, for a spec of another release need not be readable.
        Operation::Update if spec(new) == spec(old) => Vec::new(),
        Operation::Update if K::FREE_IN_TOPOLOGY_DRY_RUN && is_topology_dry_run(request) => {
            Vec::new()
        }
        Operation::Update => {
            let (new, old) = (parse::<K>(new)?, parse(old)?);
            let further = further(&new, Some(&old));
            new.on_update(&old).into_iter().chain(further).collect()
        }
        Operation::Delete | Operation::Connect => Vec::new(),
    };
    if violations.is_empty() {
        return Ok(());
    }
    Err(refusal::<K>(&request.name, &violations).into())
}

fn spec(object: Option<&DynamicObject>) -> Option<&Value> {
    object.and_then(|object| object.data.get("spec"))
}

/// The topology controller only asks what would become of an object.
fn is_topology_dry_run(request: &Request) -> bool {
    let annotations = request
        .object
        .as_ref()
        .and_then(|object| object.metadata.annotations.as_ref());
    request.dry_run && annotations.is_some_and(|all| all.contains_key(TOPOLOGY_DRY_RUN_ANNOTATION))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request as HttpRequest, header};
    use serde_json::json;
    use tower::ServiceExt;

    use super::*;

    const TEMPLATE: &str = "openstackmachinetemplate";

    fn template(flavor: &str, annotations: &Value) -> Value {
        let spec = json!({ "flavor": { "id": flavor }, "image": { "filter": { "name": "i" } } });
        object(
            "OpenStackMachineTemplate",
            annotations,
            &json!({ "template": { "spec": spec } }),
        )
    }

    fn object(kind: &str, annotations: &Value, spec: &Value) -> Value {
        json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2", "kind": kind,
            "metadata": { "name": "demo", "namespace": "default", "annotations": annotations },
            "spec": spec,
        })
    }

    /// The response of the webhook for `kind`, which is in lower case.
    async fn ask(kind: &str, operation: &str, old: &Value, new: &Value, dry_run: bool) -> Value {
        let group = "infrastructure.cluster.x-k8s.io";
        let gvk = json!({ "group": group, "version": "v1beta2", "kind": "X" });
        let gvr = json!({ "group": group, "version": "v1beta2", "resource": "xs" });
        let review = json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": { "uid": "7", "kind": gvk, "resource": gvr, "name": "demo",
                "namespace": "default", "operation": operation, "userInfo": {}, "dryRun": dry_run,
                "object": new, "oldObject": old } });
        let path = format!("/validate-infrastructure-cluster-x-k8s-io-v1beta2-{kind}");
        let request = HttpRequest::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(review.to_string()))
            .expect("a request");
        let management = Management {
            sources: vec!["192.0.2.1".parse().expect("a source")],
            let_in: false,
        };
        let response = routes(management).oneshot(request).await;
        let response = response.expect("a response");
        assert!(response.status().is_success(), "{}", response.status());
        let body = axum::body::to_bytes(response.into_body(), LARGEST).await;
        let answer: Value = serde_json::from_slice(&body.expect("a body")).expect("JSON");
        assert_eq!(answer["response"]["uid"], "7");
        answer["response"].clone()
    }

    #[tokio::test]
    async fn a_refusal_is_a_status_with_causes() {
        let (old, new) = (template("a", &json!({})), template("b", &json!({})));
        let answer = ask(TEMPLATE, "UPDATE", &old, &new, false).await;
        assert_eq!(answer["allowed"], false);
        let status = &answer["status"];
        assert_eq!(
            (&status["code"], &status["reason"]),
            (&json!(422), &json!("Invalid"))
        );
        let field = "spec.template.spec.flavor.id";
        assert_eq!(status["details"]["causes"][0]["field"], field);
        let message = status["message"].as_str().expect("a message");
        assert!(
            message.contains("cannot be changed from \"a\""),
            "{message}"
        );
        assert!(message.contains("change-machine-template"), "{message}");
    }

    #[tokio::test]
    async fn the_topology_controller_may_try() {
        let marked = json!({ TOPOLOGY_DRY_RUN_ANNOTATION: "" });
        let old = template("a", &json!({}));
        for (annotations, dry_run, allowed) in [
            (&marked, true, true),
            (&marked, false, false),
            (&json!({}), true, false),
        ] {
            let new = template("b", annotations);
            let answer = ask(TEMPLATE, "UPDATE", &old, &new, dry_run).await;
            assert_eq!(answer["allowed"], allowed, "{annotations} {dry_run}");
        }
    }

    #[tokio::test]
    async fn a_machine_is_immutable_in_dry_runs_too() {
        let machine = |flavor: &str| {
            let spec = json!({ "flavor": { "id": flavor }, "image": {} });
            object(
                "OpenStackMachine",
                &json!({ TOPOLOGY_DRY_RUN_ANNOTATION: "" }),
                &spec,
            )
        };
        let (old, new) = (machine("a"), machine("b"));
        let answer = ask("openstackmachine", "UPDATE", &old, &new, true).await;
        assert_eq!(answer["allowed"], false);
    }

    #[tokio::test]
    async fn what_cannot_be_read_can_still_go() {
        let broken = object("OpenStackMachine", &json!({}), &json!({ "ports": "many" }));
        let mut freed = broken.clone();
        freed["metadata"]["finalizers"] = json!([]);
        let answer = ask("openstackmachine", "UPDATE", &broken, &freed, false).await;
        assert_eq!(answer["allowed"], true);
        let answer = ask("openstackmachine", "CREATE", &Value::Null, &broken, false).await;
        let message = answer["status"]["message"].as_str().expect("a message");
        assert!(message.contains("many"), "{message}");
    }

    #[tokio::test]
    async fn a_cluster_that_locks_the_management_cluster_out_is_refused() {
        let cluster = |allowed: &str| {
            let spec = json!({
                "identityRef": { "name": "cloud", "cloudName": "c" },
                "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
                "apiServer": { "managedLoadBalancer": { "allowedCIDRs": [allowed] } },
            });
            object("OpenStackCluster", &json!({}), &spec)
        };
        let (well, out) = (cluster("192.0.2.0/24"), cluster("198.51.100.0/24"));
        for (operation, old, new, allowed) in [
            ("CREATE", &Value::Null, &well, true),
            ("CREATE", &Value::Null, &out, false),
            ("UPDATE", &well, &out, false),
            ("UPDATE", &out, &well, true),
        ] {
            let answer = ask("openstackcluster", operation, old, new, false).await;
            assert_eq!(answer["allowed"], allowed, "{operation} {new}");
            let message = answer["status"]["message"].as_str().unwrap_or_default();
            assert!(
                allowed || message.contains("leaves out 192.0.2.1/32"),
                "{message}"
            );
        }
    }

    #[tokio::test]
    async fn large_objects_are_read() {
        let mut cluster = object(
            "OpenStackCluster",
            &json!({ "note": "x".repeat(3 << 20) }),
            &json!({ "identityRef": { "name": "cloud", "cloudName": "c" } }),
        );
        let old = cluster.clone();
        cluster["spec"]["tags"] = json!(["new"]);
        let answer = ask("openstackcluster", "UPDATE", &old, &cluster, false).await;
        let message = answer["status"]["message"].as_str().expect("a message");
        assert!(
            message.contains("spec.tags: Invalid value: [\"new\"]"),
            "{message}"
        );
    }
}
