//! `config/webhook/`: the requests that the API server asks the operator about.

use serde_json::{Value, json};

use crate::names::{CERTIFICATE, Documents, NAMESPACE, WEBHOOK_SERVICE, cluster_wide};

/// A validating webhook.
struct Webhook {
    group: &'static str,
    version: &'static str,
    /// Lower case.
    kind: &'static str,
    operations: &'static [&'static str],
}

/// Those that the operator serves. An entry without a server refuses every request.
const WEBHOOKS: &[Webhook] = &[
    Webhook {
        group: crds::stacks::names::GROUP,
        version: "v1alpha1",
        kind: "clusterstack",
        operations: &["CREATE", "UPDATE", "DELETE"],
    },
    Webhook {
        group: crds::stacks::names::GROUP,
        version: "v1alpha1",
        kind: "clusterstackrelease",
        operations: &["DELETE"],
    },
    openstack("v1beta2", "openstackcluster"),
    openstack("v1beta2", "openstackclustertemplate"),
    openstack("v1beta2", "openstackmachine"),
    openstack("v1beta2", "openstackmachinetemplate"),
    openstack("v1alpha1", "openstackserver"),
];

const fn openstack(version: &'static str, kind: &'static str) -> Webhook {
    Webhook {
        group: crds::openstack::names::GROUP,
        version,
        kind,
        operations: &["CREATE", "UPDATE"],
    }
}

pub fn documents() -> Documents {
    vec![(
        "webhook/validating.yaml".into(),
        vec![configuration(WEBHOOKS)],
    )]
}

fn configuration(webhooks: &[Webhook]) -> Value {
    let mut metadata = cluster_wide("capstan-validating-webhook-configuration");
    metadata["annotations"] =
        json!({ "cert-manager.io/inject-ca-from": format!("{NAMESPACE}/{CERTIFICATE}") });
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": metadata,
        "webhooks": webhooks.iter().map(entry).collect::<Vec<_>>(),
    })
}

fn entry(webhook: &Webhook) -> Value {
    let Webhook {
        group,
        version,
        kind,
        operations,
    } = webhook;
    let path = format!("/validate-{}-{version}-{kind}", group.replace('.', "-"));
    json!({
        "name": format!("validation.{kind}.{version}.{group}"),
        "admissionReviewVersions": ["v1"],
        "clientConfig": { "service": { "name": WEBHOOK_SERVICE, "namespace": NAMESPACE, "path": path } },
        "failurePolicy": "Fail",
        // requests in an older version are converted first, so one validator is enough
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "rules": [{
            "apiGroups": [group],
            "apiVersions": [version],
            "operations": operations,
            "resources": [plural(kind)],
        }],
    })
}

/// Plural of a kind: those of our groups and `cluster` are regular.
fn plural(kind: &str) -> String {
    format!("{kind}s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_resources_are_those_of_upstream() {
        let webhooks = &configuration(WEBHOOKS)["webhooks"];
        let path = "/validate-clusterstack-x-k8s-io-v1alpha1-clusterstack";
        assert_eq!(webhooks[0]["clientConfig"]["service"]["path"], path);
        assert_eq!(webhooks[0]["rules"][0]["resources"][0], "clusterstacks");
        let path = "/validate-infrastructure-cluster-x-k8s-io-v1alpha1-openstackserver";
        assert_eq!(webhooks[6]["clientConfig"]["service"]["path"], path);
        assert_eq!(
            webhooks[6]["rules"][0]["operations"],
            json!(["CREATE", "UPDATE"])
        );
    }

    /// Who cannot be asked refuses; who writes an older version is asked about as well.
    #[test]
    fn every_entry_refuses_when_nobody_answers_and_counts_for_all_versions() {
        let webhooks = configuration(WEBHOOKS)["webhooks"].clone();
        let infrastructure = "infrastructure.cluster.x-k8s.io";
        let (stacks, changes) = ("clusterstack.x-k8s.io", json!(["CREATE", "UPDATE"]));
        let expected = [
            (
                stacks,
                "v1alpha1",
                "clusterstack",
                json!(["CREATE", "UPDATE", "DELETE"]),
            ),
            (stacks, "v1alpha1", "clusterstackrelease", json!(["DELETE"])),
            (
                infrastructure,
                "v1beta2",
                "openstackcluster",
                changes.clone(),
            ),
            (
                infrastructure,
                "v1beta2",
                "openstackclustertemplate",
                changes.clone(),
            ),
            (
                infrastructure,
                "v1beta2",
                "openstackmachine",
                changes.clone(),
            ),
            (
                infrastructure,
                "v1beta2",
                "openstackmachinetemplate",
                changes.clone(),
            ),
            (infrastructure, "v1alpha1", "openstackserver", changes),
        ];
        let entries = expected.map(|(group, version, kind, operations)| {
            let path = format!("/validate-{}-{version}-{kind}", group.replace('.', "-"));
            json!({
                "name": format!("validation.{kind}.{version}.{group}"),
                "admissionReviewVersions": ["v1"],
                "clientConfig": { "service": {
                    "name": "capstan-webhook-service", "namespace": "capstan-system", "path": path,
                } },
                "failurePolicy": "Fail",
                "matchPolicy": "Equivalent",
                "sideEffects": "None",
                "timeoutSeconds": 10,
                "rules": [{
                    "apiGroups": [group], "apiVersions": [version], "operations": operations,
                    "resources": [format!("{kind}s")],
                }],
            })
        });
        assert_eq!(webhooks, Value::from_iter(entries));
    }
}
