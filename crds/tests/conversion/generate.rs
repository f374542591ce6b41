//! Objects from the schemas of our CustomResourceDefinitions, so that no field is forgotten.

use std::collections::BTreeSet;

use proptest::prelude::{Just, Rng, RngExt, Strategy};
use serde_json::{Map, Value, json};

use crate::object;

/// Objects of `kind` in `version` (the whole API version) with any content that its schema allows.
pub fn objects(kind: &'static str, version: &'static str) -> impl Strategy<Value = Value> {
    let schema = schema(kind, version);
    Just(()).prop_perturb(move |(), mut rng| object(kind, version, &value(&schema, &mut rng)))
}

/// Schema of spec and status.
pub fn schema(kind: &str, version: &str) -> Value {
    let definitions = crds::definitions::openstack();
    let definition = definitions.iter().find(|d| d.spec.names.kind == kind);
    let versions = &definition.expect("a definition of the kind").spec.versions;
    let name = version.split('/').next_back();
    let found = versions.iter().find(|v| Some(v.name.as_str()) == name);
    let schema = found.and_then(|v| v.schema.clone()).expect("a schema");
    let mut schema = serde_json::to_value(schema.open_api_v3_schema).expect("JSON");
    let properties = schema["properties"].as_object_mut().expect("properties");
    properties.retain(|name, _| ["spec", "status"].contains(&name.as_str()));
    name_storage_types(&mut schema);
    schema
}

/// The old schema takes any type of storage, but there are only two.
fn name_storage_types(schema: &mut Value) {
    if let Some(storage_type) = schema.pointer_mut("/storage/properties/type") {
        storage_type["enum"] = json!(["Local", "Volume"]);
    }
    match schema {
        Value::Object(inner) => inner.values_mut().for_each(name_storage_types),
        Value::Array(inner) => inner.iter_mut().for_each(name_storage_types),
        _ => {}
    }
}

fn value(schema: &Value, rng: &mut impl Rng) -> Value {
    if let Some(choices) = schema["enum"].as_array() {
        return choices[rng.random_range(0..choices.len())].clone();
    }
    if schema["x-kubernetes-int-or-string"] == true {
        return json!(format!("{}Gi", rng.random_range(1..100)));
    }
    match schema["type"].as_str() {
        Some("object") => fields(schema, rng).into(),
        Some("array") => list(schema, rng),
        Some("string") => text(schema, rng),
        Some("integer") => integer(schema, rng),
        Some("boolean") => rng.random::<bool>().into(),
        other => panic!("no values of type {other:?}"),
    }
}

/// Every field that is required or has a default, as the API server sets it, and each of the
/// others about one time in three.
fn fields(schema: &Value, rng: &mut impl Rng) -> Map<String, Value> {
    let values = &schema["additionalProperties"];
    if values.is_object() {
        return (0..rng.random_range(0..3))
            .map(|index| (format!("{}-{index}", word(rng)), value(values, rng)))
            .collect();
    }
    let Some(properties) = schema["properties"].as_object() else {
        return Map::new();
    };
    let required = schema["required"].as_array();
    let only_one = schema["maxProperties"] == 1;
    let any = rng.random_range(0..properties.len());
    let one_of = match properties.contains_key("flavorID") {
        // a rule of the schema
        true => Some(["flavor", "flavorID"][any % 2]),
        false if schema["minProperties"] == 1 => properties.keys().nth(any).map(String::as_str),
        false => None,
    };
    let mut object = Map::new();
    for (name, schema) in properties {
        let must = one_of == Some(name.as_str())
            || schema.get("default").is_some()
            || required.is_some_and(|required| required.iter().any(|r| r == name));
        if must || (!only_one && rng.random_bool(0.35)) {
            object.insert(name.clone(), value(schema, rng));
        }
    }
    object
}

fn list(schema: &Value, rng: &mut impl Rng) -> Value {
    let least = schema["minItems"].as_u64().unwrap_or(0);
    let most = schema["maxItems"].as_u64().unwrap_or(2).max(least);
    let count = rng.random_range(least..=most);
    let mut values: Vec<Value> = (0..count).map(|_| value(&schema["items"], rng)).collect();
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let mut seen = BTreeSet::new();
    values.retain(|value| {
        let of_key = |keys: &Vec<Value>| keys.iter().map(|k| &value[k.as_str().unwrap()]).collect();
        let told_apart: Vec<&Value> = keys.map_or_else(|| vec![value], of_key);
        seen.insert(format!("{told_apart:?}"))
    });
    values.into()
}

fn text(schema: &Value, rng: &mut impl Rng) -> Value {
    let number = rng.random::<u64>();
    let text = match schema["format"].as_str() {
        Some("uuid") => format!("00000000-0000-4000-8000-{:012x}", number & 0xffff_ffff_ffff),
        Some("ipv4") => format!("203.0.113.{}", number % 256),
        Some("date-time") => format!("2026-11-21T12:{:02}:{:02}Z", number % 60, number / 60 % 60),
        Some(other) => panic!("no texts of format {other}"),
        // all patterns in our schemas take a word
        None if schema["pattern"].is_string() => word(rng),
        None if schema["minLength"] == 1 => format!("{} {}", word(rng), word(rng)),
        None => ["", "ä/\"\\", "Ready", &word(rng)][rng.random_range(0..4)].to_owned(),
    };
    text.into()
}

fn word(rng: &mut impl Rng) -> String {
    // a few that mean something, so that they meet
    let known = [
        "Ready",
        "APIServerIngressReady",
        "APIServerIngressReadyCondition",
        "NoReasonReported",
    ];
    match rng.random_range(0..12) {
        known_word @ 0..4 => known[known_word].to_owned(),
        _ => format!("w{:x}", rng.random::<u16>()),
    }
}

fn integer(schema: &Value, rng: &mut impl Rng) -> Value {
    let bound = |name: &str| schema[name].as_f64().map(|bound| bound as i64);
    let least = bound("minimum").unwrap_or(i32::MIN.into());
    let most = bound("maximum").unwrap_or(i32::MAX.into());
    rng.random_range(least..=most).into()
}
