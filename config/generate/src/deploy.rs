//! `config/deploy/`: the operator itself.

use serde_json::{Value, json};

use crate::names::*;

/// Where no release names its own. `clusterctl` refuses a name without a registry.
pub const IMAGE: &str = "localhost/capstan-operator:dev";
/// Where certificates are mounted.
const CERTIFICATES: &str = "/certs";
/// Where releases are stored. Lost with the pod, and fetched anew.
const STORE: &str = "/var/lib/capstan";
/// Secret whose keys are the environment of the source of releases.
const SOURCE: &str = "cluster-stack-variables";

/// The operator runs from `image`.
pub fn documents(image: &str) -> Documents {
    let operator = vec![
        deployment(image),
        service(WEBHOOK_SERVICE, "webhooks"),
        service(HOOK_SERVICE, "hooks"),
    ];
    vec![
        ("deploy/operator.yaml".into(), operator),
        (
            "deploy/certificates.yaml".into(),
            vec![issuer(), certificate()],
        ),
    ]
}

fn selector() -> Value {
    json!({ "app.kubernetes.io/name": OPERATOR })
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": namespaced(OPERATOR),
        "spec": {
            "replicas": 1,
            "selector": { "matchLabels": selector() },
            "template": {
                "metadata": { "labels": labels() },
                "spec": {
                    "serviceAccountName": OPERATOR,
                    "securityContext": {
                        "runAsNonRoot": true,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "fsGroup": 65532,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "terminationGracePeriodSeconds": 30,
                    "containers": [container(image)],
                    "volumes": [
                        { "name": "certificates", "secret": { "secretName": CERTIFICATE } },
                        { "name": "store", "emptyDir": {} },
                        // charts are unpacked and rendered here
                        { "name": "tmp", "emptyDir": {} },
                    ],
                },
            },
        },
    })
}

fn container(image: &str) -> Value {
    let port =
        |name: &str, port: u16| json!({ "name": name, "containerPort": port, "protocol": "TCP" });
    let probe = |path: &str| json!({ "httpGet": { "path": path, "port": "health" } });
    json!({
        "name": "operator",
        "image": image,
        "args": [
            format!("--webhook-cert-dir={CERTIFICATES}"),
            format!("--hook-cert-dir={CERTIFICATES}"),
            format!("--health-addr=0.0.0.0:{HEALTH_PORT}"),
            format!("--metrics-addr=0.0.0.0:{METRICS_PORT}"),
            format!("--release-dir={STORE}"),
        ],
        // OCI_REGISTRY, OCI_REPOSITORY and credentials for them
        "envFrom": [{ "secretRef": { "name": SOURCE, "optional": true } }],
        "ports": [
            port("webhooks", WEBHOOK_PORT),
            port("hooks", HOOK_PORT),
            port("health", HEALTH_PORT),
            port("metrics", METRICS_PORT),
        ],
        "livenessProbe": probe("/healthz"),
        "readinessProbe": probe("/readyz"),
        "resources": {
            "requests": { "cpu": "100m", "memory": "128Mi" },
            "limits": { "memory": "512Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
        "volumeMounts": [
            { "name": "certificates", "mountPath": CERTIFICATES, "readOnly": true },
            { "name": "store", "mountPath": STORE },
            { "name": "tmp", "mountPath": "/tmp" },
        ],
    })
}

fn service(name: &str, port: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": namespaced(name),
        "spec": {
            "selector": selector(),
            "ports": [{ "name": port, "port": 443, "targetPort": port, "protocol": "TCP" }],
        },
    })
}

fn issuer() -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": namespaced("capstan-selfsigned-issuer"),
        "spec": { "selfSigned": {} },
    })
}

fn certificate() -> Value {
    let hosts = [WEBHOOK_SERVICE, HOOK_SERVICE].map(|service| {
        [
            format!("{service}.{NAMESPACE}.svc"),
            format!("{service}.{NAMESPACE}.svc.cluster.local"),
        ]
    });
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": namespaced(CERTIFICATE),
        "spec": {
            "dnsNames": hosts.concat(),
            "issuerRef": { "kind": "Issuer", "name": "capstan-selfsigned-issuer" },
            "secretName": CERTIFICATE,
        },
    })
}
