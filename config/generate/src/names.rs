//! Names that several files agree on.

use serde_json::{Value, json};

/// Namespace of the operator.
pub const NAMESPACE: &str = "capstan-system";
/// Name of the Deployment, the ServiceAccount, the roles.
pub const OPERATOR: &str = "capstan-operator";
/// Service in front of the webhooks.
pub const WEBHOOK_SERVICE: &str = "capstan-webhook-service";
/// Service in front of the runtime hooks.
pub const HOOK_SERVICE: &str = "capstan-hook-service";
/// cert-manager Certificate of both servers, and the Secret that it is kept in.
pub const CERTIFICATE: &str = "capstan-serving-cert";

/// Ports of the operator.
pub const WEBHOOK_PORT: u16 = 9443;
pub const HOOK_PORT: u16 = 9442;
pub const HEALTH_PORT: u16 = 9440;
pub const METRICS_PORT: u16 = 8080;

/// The files of one part: path below `config/`, documents.
pub type Documents = Vec<(String, Vec<Value>)>;

/// Metadata of an object in the operator's namespace.
pub fn namespaced(name: &str) -> Value {
    json!({ "name": name, "namespace": NAMESPACE, "labels": labels() })
}

/// Metadata of an object of the whole cluster.
pub fn cluster_wide(name: &str) -> Value {
    json!({ "name": name, "labels": labels() })
}

/// Labels of everything but the CRDs of cluster stacks: `clusterctl` asks for them.
pub fn labels() -> Value {
    json!({
        "app.kubernetes.io/name": OPERATOR,
        crds::capi::names::PROVIDER_LABEL: crds::openstack::names::PROVIDER,
    })
}
