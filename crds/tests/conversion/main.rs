//! Conversion between `v1beta1` and `v1beta2`: no value is lost, none comes back.

mod examples;
mod generate;
mod kept;
mod properties;

use crds::openstack::conversion::convert;
use serde_json::{Value, json};

const OLD: &str = "infrastructure.cluster.x-k8s.io/v1beta1";
const NEW: &str = "infrastructure.cluster.x-k8s.io/v1beta2";
const KEPT: &str = "/metadata/annotations/cluster.x-k8s.io~1conversion-data";
const KINDS: [&str; 4] = [
    "OpenStackCluster",
    "OpenStackClusterTemplate",
    "OpenStackMachine",
    "OpenStackMachineTemplate",
];

#[track_caller]
fn newer(old: &Value) -> Value {
    convert(old.clone(), NEW).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn older(new: &Value) -> Value {
    convert(new.clone(), OLD).unwrap_or_else(|error| panic!("{error}"))
}

/// An object of `kind` with the given content.
fn object(kind: &str, version: &str, content: &Value) -> Value {
    let mut object = json!({
        "apiVersion": version,
        "kind": kind,
        "metadata": { "name": "demo", "namespace": "team" },
    });
    for part in ["spec", "status"] {
        if let Some(value) = content.get(part) {
            object[part] = value.clone();
        }
    }
    object
}

/// Everything but the annotation that keeps what cannot be said.
fn content(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().expect("metadata");
    if let Some(annotations) = metadata.get_mut("annotations") {
        let annotations = annotations.as_object_mut().expect("annotations");
        annotations.remove("cluster.x-k8s.io/conversion-data");
        if annotations.is_empty() {
            metadata.remove("annotations");
        }
    }
    object
}
