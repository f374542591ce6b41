//! `config/crd/`: a file for each kind.

use anyhow::Result;

use crate::names::Documents;

pub fn documents() -> Result<Documents> {
    let definitions = crds::definitions::openstack()
        .into_iter()
        .chain(crds::definitions::stacks());
    definitions
        .map(|definition| {
            let spec = &definition.spec;
            let path = format!("crd/{}_{}.yaml", spec.group, spec.names.plural);
            Ok((path, vec![serde_json::to_value(definition)?]))
        })
        .collect()
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
        assert!(!files.is_empty());
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
