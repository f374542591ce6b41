//! `config/hooks/`: where Cluster API's runtime hooks are served.

use serde_json::json;

use crate::names::{CERTIFICATE, Documents, HOOK_SERVICE, NAMESPACE, cluster_wide};

/// The Cluster Stack Operator's name: there must be one registration, whoever serves it.
const EXTENSION_CONFIG: &str = "cso-hook-server-extensionconfig";

pub fn documents() -> Documents {
    let mut metadata = cluster_wide(EXTENSION_CONFIG);
    metadata["annotations"] = json!({
        "runtime.cluster.x-k8s.io/inject-ca-from-secret": format!("{NAMESPACE}/{CERTIFICATE}"),
    });
    let config = json!({
        "apiVersion": "runtime.cluster.x-k8s.io/v1beta2",
        "kind": "ExtensionConfig",
        "metadata": metadata,
        "spec": {
            "clientConfig": { "service": { "name": HOOK_SERVICE, "namespace": NAMESPACE, "port": 443 } },
        },
    });
    vec![("hooks/extensionconfig.yaml".into(), vec![config])]
}
