//! `config/rbac/`: who the operator is and what it may do.

use serde_json::{Value, json};

use crate::names::{Documents, NAMESPACE, OPERATOR, cluster_wide, labels, namespaced};

const INFRASTRUCTURE: &str = crds::openstack::names::GROUP;
const IPAM: &str = crds::capi::names::IPAM_GROUP;
const STACKS: &str = crds::stacks::names::GROUP;
const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_V1: &str = "rbac.authorization.k8s.io/v1";

const READ: &str = "get list watch";
/// Server-side apply asks for `create` too where the object is not there yet.
const APPLY: &str = "create delete get patch";

pub fn documents() -> Documents {
    let operator = vec![
        json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": NAMESPACE,
                "labels": {
                    "app.kubernetes.io/name": OPERATOR,
                    crds::capi::names::PROVIDER_LABEL: crds::openstack::names::PROVIDER,
                    "pod-security.kubernetes.io/enforce": "restricted",
                },
            },
        }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": namespaced(OPERATOR) }),
        json!({
            "apiVersion": RBAC_V1,
            "kind": "ClusterRole",
            "metadata": cluster_wide(OPERATOR),
            "rules": rules(),
        }),
        binding("ClusterRoleBinding", cluster_wide(OPERATOR), "ClusterRole"),
        json!({
            "apiVersion": RBAC_V1,
            "kind": "Role",
            "metadata": namespaced(OPERATOR),
            "rules": [rule("coordination.k8s.io", "leases", "create get list patch update watch")],
        }),
        binding("RoleBinding", namespaced(OPERATOR), "Role"),
    ];
    vec![
        ("rbac/operator.yaml".into(), operator),
        ("rbac/cluster-api.yaml".into(), vec![cluster_api()]),
    ]
}

fn binding(kind: &str, metadata: Value, role_kind: &str) -> Value {
    json!({
        "apiVersion": RBAC_V1,
        "kind": kind,
        "metadata": metadata,
        "roleRef": { "apiGroup": RBAC, "kind": role_kind, "name": OPERATOR },
        "subjects": [{ "kind": "ServiceAccount", "name": OPERATOR, "namespace": NAMESPACE }],
    })
}

/// What Cluster API's managers may do with our kinds: their own roles take in every role with
/// these labels.
fn cluster_api() -> Value {
    let mut metadata = cluster_wide("capstan-cluster-api");
    let mut with = labels();
    for prefix in ["cluster.x-k8s.io", "kubeadm.controlplane.cluster.x-k8s.io"] {
        with[format!("{prefix}/aggregate-to-manager")] = "true".into();
    }
    metadata["labels"] = with;
    let kinds =
        "openstackclusters openstackclustertemplates openstackmachines openstackmachinetemplates";
    let verbs = "create delete get list patch update watch";
    json!({
        "apiVersion": RBAC_V1,
        "kind": "ClusterRole",
        "metadata": metadata,
        "rules": [rule(INFRASTRUCTURE, kinds, verbs)],
    })
}

/// Resources and verbs as words.
fn rule(group: &str, resources: &str, verbs: &str) -> Value {
    let words = |text: &str| text.split_whitespace().map(Value::from).collect::<Vec<_>>();
    json!({ "apiGroups": [group], "resources": words(resources), "verbs": words(verbs) })
}

fn rules() -> Vec<Value> {
    [provider(), stacks(), shared()].concat()
}

fn provider() -> Vec<Value> {
    let own = "openstackclusters openstackfloatingippools openstackmachines openstackservers";
    let status = "openstackclusters/status openstackfloatingippools/status openstackmachines/status openstackmachinetemplates/status openstackservers/status";
    vec![
        rule(INFRASTRUCTURE, own, READ),
        rule(INFRASTRUCTURE, "openstackmachinetemplates", READ),
        // finalizers, the API endpoint, the provider ID
        rule(INFRASTRUCTURE, own, "patch"),
        rule(INFRASTRUCTURE, status, "patch"),
        // credentials that namespaces share
        rule(INFRASTRUCTURE, "openstackclusteridentities", READ),
        // the servers of machines and bastions
        rule(INFRASTRUCTURE, "openstackservers", "create delete"),
        // a server's claim on a pool, and the pool's answer
        rule(IPAM, "ipaddressclaims ipaddresses", READ),
        rule(IPAM, "ipaddressclaims ipaddresses", "create patch"),
        rule(IPAM, "ipaddressclaims/status", "patch"),
        // images that specs refer to; read only where they exist
        rule("openstack.k-orc.cloud", "images", READ),
    ]
}

fn stacks() -> Vec<Value> {
    let own = "clusteraddons clusterstackreleases clusterstacks";
    let status = "clusteraddons/status clusterstackreleases/status clusterstacks/status";
    let templates = "openstackclustertemplates openstackmachinetemplates";
    vec![
        rule(STACKS, own, READ),
        rule(STACKS, own, "patch"),
        rule(STACKS, status, "patch"),
        rule(
            STACKS,
            "clusteraddons clusterstackreleases",
            "create delete",
        ),
        // what a cluster-class chart is made of
        rule("cluster.x-k8s.io", "clusterclasses", APPLY),
        rule(
            "controlplane.cluster.x-k8s.io",
            "kubeadmcontrolplanetemplates",
            APPLY,
        ),
        rule(
            "bootstrap.cluster.x-k8s.io",
            "kubeadmconfigtemplates",
            APPLY,
        ),
        rule(INFRASTRUCTURE, templates, APPLY),
        rule("openstack.k-orc.cloud", "images", APPLY),
        // what templates of add-on values may read: the control plane and the infrastructure
        rule("controlplane.cluster.x-k8s.io", "*", "get"),
        rule(INFRASTRUCTURE, "*", "get"),
    ]
}

fn shared() -> Vec<Value> {
    vec![
        rule(
            "cluster.x-k8s.io",
            "clusters machinedeployments machines",
            READ,
        ),
        // Credentials, user data, kubeconfigs: read by name. Listed and watched by metadata only, so
        // that changed credentials take effect at once; without these two verbs they do so later.
        rule("", "secrets", READ),
        // labels, for the namespaceSelector of cluster identities; metadata only
        rule("", "namespaces", READ),
        rule("events.k8s.io", "events", "create patch"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verbs(resource: &str) -> Vec<Value> {
        let hits = |r: &Value| {
            r["resources"]
                .as_array()
                .unwrap()
                .iter()
                .any(|name| name == resource)
        };
        rules()
            .iter()
            .filter(|r| hits(r))
            .flat_map(|r| r["verbs"].as_array().unwrap().clone())
            .collect()
    }

    /// The roles of Cluster API's managers take it in by these labels, and by nothing else.
    #[test]
    fn the_managers_of_cluster_api_may_handle_our_kinds() {
        let role = cluster_api();
        for prefix in ["cluster.x-k8s.io", "kubeadm.controlplane.cluster.x-k8s.io"] {
            let label = format!("{prefix}/aggregate-to-manager");
            assert_eq!(role["metadata"]["labels"][label], "true");
        }
        let expected = json!([{
            "apiGroups": ["infrastructure.cluster.x-k8s.io"],
            "resources": ["openstackclusters", "openstackclustertemplates", "openstackmachines", "openstackmachinetemplates"],
            "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        }]);
        assert_eq!(role["rules"], expected);
    }

    #[test]
    fn secrets_are_never_written() {
        assert_eq!(verbs("secrets"), ["get", "list", "watch"]);
    }

    /// CAPO's role has them in the core group alone, where nobody writes them any more.
    #[test]
    fn events_may_be_written_where_they_are() {
        assert_eq!(verbs("events"), ["create", "patch"]);
        let all = rules();
        let groups: Vec<_> = all
            .iter()
            .filter(|rule| rule["resources"] == json!(["events"]))
            .map(|rule| rule["apiGroups"].clone())
            .collect();
        assert_eq!(groups, [json!(["events.k8s.io"])]);
    }

    #[test]
    fn no_rule_allows_everything() {
        assert!(rules().iter().all(|r| {
            r["verbs"]
                .as_array()
                .unwrap()
                .iter()
                .all(|verb| verb != "*")
        }));
        assert_eq!(verbs("*"), ["get", "get"]);
    }
}
