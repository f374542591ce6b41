//! `config/crd/`: a file for each kind.

use anyhow::Result;
use serde_json::{Value, json};

use crate::names::{CERTIFICATE, Documents, NAMESPACE, WEBHOOK_SERVICE};

pub fn documents() -> Result<Documents> {
    let definitions = crds::definitions::openstack()
        .into_iter()
        .chain(crds::definitions::stacks());
    definitions
        .map(|definition| {
            let spec = &definition.spec;
            let path = format!("crd/{}_{}.yaml", spec.group, spec.names.plural);
            let is_converted = spec.versions.len() > 1;
            let mut document = serde_json::to_value(definition)?;
            if is_converted {
                document["spec"]["conversion"] = conversion();
                document["metadata"]["annotations"] =
                    json!({ "cert-manager.io/inject-ca-from": format!("{NAMESPACE}/{CERTIFICATE}") });
            }
            Ok((path, vec![document]))
        })
        .collect()
}

/// The operator converts.
fn conversion() -> Value {
    let path = crds::openstack::conversion::PATH;
    let service = json!({ "name": WEBHOOK_SERVICE, "namespace": NAMESPACE, "path": path });
    json!({
        "strategy": "Webhook",
        "webhook": {
            "conversionReviewVersions": ["v1"],
            "clientConfig": { "service": service },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_the_provider_name_their_contracts() {
        let infrastructure = |(path, _): &(String, _)| path.contains("/infrastructure.");
        let files: Vec<_> = documents()
            .unwrap()
            .into_iter()
            .filter(infrastructure)
            .collect();
        assert_eq!(files.len(), 7);
        for (path, documents) in files {
            let labels = &documents[0]["metadata"]["labels"];
            assert_eq!(labels["cluster.x-k8s.io/v1beta1"], "v1beta1", "{path}");
            assert_eq!(labels["cluster.x-k8s.io/v1beta2"], "v1beta2", "{path}");
            assert_eq!(
                labels["cluster.x-k8s.io/provider"], "infrastructure-openstack",
                "{path}"
            );
        }
    }

    #[test]
    fn kinds_with_two_versions_are_converted() {
        let converted: Vec<String> = documents()
            .unwrap()
            .into_iter()
            .filter(|(_, documents)| documents[0]["spec"]["conversion"]["strategy"] == "Webhook")
            .map(|(_, documents)| {
                documents[0]["spec"]["names"]["kind"]
                    .as_str()
                    .unwrap()
                    .into()
            })
            .collect();
        let wanted = [
            "OpenStackCluster",
            "OpenStackClusterTemplate",
            "OpenStackMachine",
            "OpenStackMachineTemplate",
        ];
        assert_eq!(converted, wanted);
    }

    #[test]
    fn exactly_one_version_of_a_kind_is_stored() {
        for (path, documents) in documents().unwrap() {
            let versions = documents[0]["spec"]["versions"].as_array().unwrap().clone();
            assert_eq!(
                versions.iter().filter(|v| v["storage"] == true).count(),
                1,
                "{path}"
            );
        }
    }
}
