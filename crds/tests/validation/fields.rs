//! Specs with every field of a schema, and what else each field could hold.

use std::ops::Range;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::{Value, json};

/// A field that holds no other fields.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// As in messages, for example `spec.ports[0].tags[0]`.
    pub field: String,
    /// Without the places in lists, for example `spec.ports[].tags[]`.
    pub pattern: String,
    /// JSON pointer inside the spec.
    pub pointer: String,
    /// It may be absent.
    pub optional: bool,
    /// Another value.
    pub other: Value,
}

/// The spec of a kind with every field of its schema set and one entry in every list.
pub struct Full {
    pub spec: Value,
    pub leaves: Vec<Leaf>,
}

/// `left_out`: patterns of fields that would break a rule beside the others.
pub fn full(definition: &CustomResourceDefinition, version: &str, left_out: &[&str]) -> Full {
    let versions = &definition.spec.versions;
    let version = versions
        .iter()
        .find(|v| v.name == version)
        .expect("version");
    let schema = version.schema.as_ref().expect("schema");
    let schema = schema.open_api_v3_schema.as_ref().expect("schema");
    let spec = &schema.properties.as_ref().expect("properties")["spec"];
    let mut leaves = Vec::new();
    let place = Place {
        field: "spec".into(),
        pattern: "spec".into(),
        pointer: String::new(),
        optional: false,
    };
    let spec = build(spec, place, left_out, &mut leaves);
    Full { spec, leaves }
}

#[derive(Clone)]
struct Place {
    field: String,
    pattern: String,
    pointer: String,
    optional: bool,
}

fn build(schema: &JSONSchemaProps, at: Place, left_out: &[&str], all: &mut Vec<Leaf>) -> Value {
    if let Some(properties) = &schema.properties {
        let required = schema.required.clone().unwrap_or_default();
        let build = |(name, schema): (&String, &JSONSchemaProps)| {
            let place = Place {
                field: format!("{}.{name}", at.field),
                pattern: format!("{}.{name}", at.pattern),
                pointer: format!("{}/{name}", at.pointer),
                optional: !required.contains(name),
            };
            let wanted = !left_out.contains(&place.pattern.as_str());
            wanted.then(|| (name.clone(), build(schema, place, left_out, all)))
        };
        return Value::Object(properties.iter().filter_map(build).collect());
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        let place = Place {
            field: format!("{}[0]", at.field),
            pattern: format!("{}[]", at.pattern),
            pointer: format!("{}/0", at.pointer),
            optional: false,
        };
        return json!([build(items, place, left_out, all)]);
    }
    let [value, other] = values(schema, &at.pattern);
    all.push(Leaf {
        field: at.field,
        pattern: at.pattern,
        pointer: at.pointer,
        optional: at.optional,
        other,
    });
    value
}

fn values(schema: &JSONSchemaProps, pattern: &str) -> [Value; 2] {
    if let Some(values) = &schema.enum_ {
        return [values[0].0.clone(), values[values.len() - 1].0.clone()];
    }
    let last = pattern.rsplit('.').next().unwrap_or_default();
    match (schema.type_.as_deref(), last) {
        (Some("integer"), _) => [json!(1), json!(2)],
        (Some("boolean"), _) => [json!(true), json!(false)],
        (Some("string"), "cidr") => [json!("10.6.0.0/24"), json!("10.7.0.0/24")],
        (Some("string"), "start" | "end" | "dnsNameservers[]") => {
            [json!("10.6.0.1"), json!("10.6.0.2")]
        }
        // unlike the floating IP, which may be set to the host
        (Some("string"), "host") => [json!("192.0.2.10"), json!("192.0.2.11")],
        (Some("string"), _) => [json!("a"), json!("b")],
        (other, _) => panic!("{pattern} is of type {other:?}"),
    }
}

impl Full {
    /// The spec with other values in `leaves`.
    pub fn changed<'l>(&self, leaves: impl IntoIterator<Item = &'l Leaf>) -> Value {
        let mut spec = self.spec.clone();
        for leaf in leaves {
            *spec.pointer_mut(&leaf.pointer).expect("a leaf") = leaf.other.clone();
        }
        spec
    }

    /// The spec without one of its fields.
    pub fn without(&self, leaf: &Leaf) -> Value {
        let mut spec = self.spec.clone();
        let (parent, name) = leaf.pointer.rsplit_once('/').expect("a pointer");
        let parent = spec.pointer_mut(parent).expect("a parent");
        parent.as_object_mut().expect("an object").remove(name);
        spec
    }

    pub fn indexes(&self) -> Range<usize> {
        0..self.leaves.len()
    }
}
