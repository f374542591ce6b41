//! What holds for every object.

use crds::openstack::{v1beta1, v1beta2};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::generate::objects;
use crate::{KEPT, NEW, OLD, content, newer, object, older};

/// Objects of each kind in each version.
const CASES: u32 = 10_000;

/// What is said in one way only after conversion, because both ways mean the same.
fn normal(mut object: Value) -> Value {
    let is_old = object["apiVersion"] == OLD;
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let has_ready = ["OpenStackCluster", "OpenStackMachine"].contains(&kind.as_str());
    for path in ["/spec", "/spec/template/spec"] {
        if let Some(spec) = object.pointer_mut(path).and_then(Value::as_object_mut)
            && spec
                .get("externalRouterIPs")
                .is_some_and(|ips| *ips == json!([]))
        {
            spec.remove("externalRouterIPs");
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut)
        && is_old
        && has_ready
    {
        status.entry("ready").or_insert(false.into());
    }
    for path in ["/status/resolved/ports", "/status/bastion/resolved/ports"] {
        let ports = object.pointer_mut(path).and_then(Value::as_array_mut);
        for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
            if port.get("description").is_some_and(|text| text == "") && !is_old {
                port.remove("description");
            }
        }
    }
    object
}

/// Without empty lists and maps, which our types do not write.
fn pruned(value: &Value) -> Value {
    let full = |v: &Value| *v != json!([]) && *v != json!({});
    match value {
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(name, value)| (name.clone(), pruned(value)));
            Value::Object(fields.filter(|(_, value)| full(value)).collect())
        }
        Value::Array(values) => values.iter().map(pruned).collect(),
        scalar => scalar.clone(),
    }
}

/// The type reads the object and knows every field of it.
#[track_caller]
fn is_a<T: DeserializeOwned + Serialize>(object: &Value) {
    let read: T =
        serde_json::from_value(object.clone()).unwrap_or_else(|e| panic!("{e}: {object}"));
    let written = serde_json::to_value(read).expect("JSON");
    let mut wanted = pruned(object);
    // metadata of objects is written by k8s-openapi
    wanted["metadata"] = pruned(&written)["metadata"].clone();
    assert_eq!(pruned(&written), wanted);
}

/// Old, new, old: nothing is lost, and the new type knows all that is in between.
fn comes_back_old<New: DeserializeOwned + Serialize>(old: &Value) {
    let new = newer(old);
    is_a::<New>(&new);
    assert_eq!(content(&older(&new)), normal(old.clone()));
}

/// New, old, new.
fn comes_back_new<Old: DeserializeOwned + Serialize>(new: &Value) {
    let old = older(new);
    is_a::<Old>(&old);
    assert_eq!(content(&newer(&old)), normal(new.clone()));
}

/// An object was `once` written through the old version, and through the new one since. It stays
/// what it is when somebody writes a label through the old version: whether we or CAPO kept what
/// it was once.
fn what_is_newer_stays(kind: &str, once: &Value, now: &Value, by_capo: bool) {
    const ANNOTATION: &str = "cluster.x-k8s.io/conversion-data";
    let mut stored = object(kind, NEW, now);
    let kept = match by_capo {
        true => Some(as_capo_keeps(once)),
        false => newer(once).pointer(KEPT).cloned(),
    };
    if let Some(kept) = kept {
        stored["metadata"]["annotations"] = json!({ ANNOTATION: kept });
    }
    let mut read = older(&stored);
    for object in [&mut read, &mut stored] {
        object["metadata"]["labels"] = json!({ "touched": "yes" });
    }
    assert_eq!(content(&newer(&read)), normal(content(&stored)));
}

/// The whole object without its metadata.
fn as_capo_keeps(object: &Value) -> Value {
    let mut object = object.clone();
    object
        .as_object_mut()
        .expect("an object")
        .remove("metadata");
    object.to_string().into()
}

macro_rules! properties {
    ($($kind:ident $name:ident),* $(,)?) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..Default::default() })]
            $(
                #[test]
                fn $name(
                    old in objects(stringify!($kind), OLD),
                    new in objects(stringify!($kind), NEW),
                    by_capo: bool,
                ) {
                    comes_back_old::<v1beta2::$kind>(&old);
                    comes_back_new::<v1beta1::$kind>(&new);
                    what_is_newer_stays(stringify!($kind), &old, &new, by_capo);
                }
            )*
        }
    };
}

properties! {
    OpenStackCluster clusters,
    OpenStackClusterTemplate cluster_templates,
    OpenStackMachine machines,
    OpenStackMachineTemplate machine_templates,
}
