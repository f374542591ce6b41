//! `config/clusterctl/`: what `clusterctl` reads of a release.

use serde_json::json;

use crate::names::Documents;

pub fn documents() -> Documents {
    let metadata = json!({
        "apiVersion": "clusterctl.cluster.x-k8s.io/v1alpha3",
        "kind": "Metadata",
        "releaseSeries": [{ "major": 0, "minor": 1, "contract": crds::capi::names::VERSION }],
    });
    vec![("clusterctl/metadata.yaml".into(), vec![metadata])]
}
