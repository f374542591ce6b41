//! What `clusterctl` reads of a release: `config/clusterctl/metadata.yaml`, and
//! `infrastructure-components.yaml`, which `cargo generate --components` writes.

use anyhow::Result;
use serde_json::{Value, json};

use crate::names::Documents;
use crate::{crd, deploy, rbac, webhook};

pub fn documents() -> Documents {
    let metadata = json!({
        "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
        "kind": "Metadata",
        "releaseSeries": [{ "major": 0, "minor": 1, "contract": crds::capi::names::VERSION }],
    });
    vec![("clusterctl/metadata.yaml".into(), vec![metadata])]
}

/// Everything but the runtime hooks: where the feature gate `RuntimeSDK` is off, Cluster API
/// refuses them, and `clusterctl init` would fail.
pub fn components(image: &str) -> Result<Vec<Value>> {
    let files = [
        rbac::documents(),
        crd::documents()?,
        deploy::documents(image),
        webhook::documents(),
    ];
    Ok(files
        .concat()
        .into_iter()
        .flat_map(|(_, documents)| documents)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use deploy::IMAGE;

    fn of_kind(kind: &str) -> Vec<Value> {
        let mut found = components(IMAGE).unwrap();
        found.retain(|document| document["kind"] == kind);
        found
    }

    #[test]
    fn components_start_with_the_namespace_and_hold_the_operator() {
        assert_eq!(components(IMAGE).unwrap()[0]["kind"], "Namespace");
        assert_eq!(of_kind("CustomResourceDefinition").len(), 10);
        for kind in ["Deployment", "ServiceAccount", "Certificate"] {
            assert_eq!(of_kind(kind).len(), 1, "{kind}");
        }
        assert!(of_kind("ExtensionConfig").is_empty());
    }

    /// `clusterctl` puts the values of variables in place of `${NAME}`.
    #[test]
    fn components_hold_no_variable() {
        let text = serde_json::to_string(&components(IMAGE).unwrap()).unwrap();
        assert!(!text.contains("${"));
    }

    #[test]
    fn everything_names_the_provider_but_the_kinds_of_stacks() {
        for document in components(IMAGE).unwrap() {
            let name = document["metadata"]["name"].as_str().unwrap();
            let label = &document["metadata"]["labels"]["cluster.x-k8s.io/provider"];
            let is_stacks = name.ends_with(crds::stacks::names::GROUP);
            let wanted = if is_stacks {
                Value::Null
            } else {
                "infrastructure-openstack".into()
            };
            assert_eq!(*label, wanted, "{} {name}", document["kind"]);
        }
    }
}
