//! What Kubernetes wants in a schema beyond what Rust types say: list kinds,
//! property counts, and the shapes of embedded Kubernetes types.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::json;

/// A list without order or duplicates: each entry has its own owner in server-side apply.
pub(crate) fn set(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".into(), json!("set"));
}

/// A list with one owner as a whole.
pub(crate) fn atomic(schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".into(), json!("atomic"));
}

fn map_by(key: &str, schema: &mut Schema) {
    schema.insert("x-kubernetes-list-type".into(), json!("map"));
    schema.insert("x-kubernetes-list-map-keys".into(), json!([key]));
}

/// A list whose entries are told apart by `name`.
pub(crate) fn map_by_name(schema: &mut Schema) {
    map_by("name", schema);
}

/// A list whose entries are told apart by `key`.
pub(crate) fn map_by_key(schema: &mut Schema) {
    map_by("key", schema);
}

/// A list whose entries are told apart by `type`.
pub(crate) fn map_by_type(schema: &mut Schema) {
    map_by("type", schema);
}

/// An object with at least one property.
pub(crate) fn not_empty(schema: &mut Schema) {
    schema.insert("minProperties".into(), json!(1));
}

/// An object with exactly one property: `id` or `filter`, never both.
pub(crate) fn exactly_one(schema: &mut Schema) {
    not_empty(schema);
    schema.insert("maxProperties".into(), json!(1));
}

/// An integer of no said width, as Go's `int` becomes in a schema.
pub(crate) fn int(schema: &mut Schema) {
    schema.remove("format");
}

/// A list of [`int`]s.
pub(crate) fn ints(schema: &mut Schema) {
    if let Some(items) = schema.get_mut("items").and_then(|i| i.as_object_mut()) {
        items.remove("format");
    }
}

/// The conditions of Cluster API before `v1beta2`.
pub(crate) fn capi_v1beta1_conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "status", "type"],
            "properties": {
                "type": { "type": "string", "minLength": 1, "maxLength": 256 },
                "status": { "type": "string" },
                "severity": { "type": "string", "maxLength": 32 },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "reason": { "type": "string", "minLength": 1, "maxLength": 256 },
                "message": { "type": "string", "minLength": 1, "maxLength": 10240 },
            },
        },
    })
}

/// `metav1.Condition`, with the limits that Kubernetes puts on it.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    let domain = r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?";
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "type": "string",
                    "maxLength": 316,
                    "pattern": format!("^{domain}(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"),
                },
                "status": { "type": "string", "enum": ["True", "False", "Unknown"] },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": { "type": "string", "maxLength": 32768 },
                "lastTransitionTime": { "type": "string", "format": "date-time" },
                "observedGeneration": { "type": "integer", "format": "int64", "minimum": 0 },
            },
        },
    })
}

/// A list of `corev1.NodeAddress`.
pub(crate) fn node_addresses(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["address", "type"],
            "properties": {
                "type": { "type": "string" },
                "address": { "type": "string" },
            },
        },
    })
}

/// A map of resource names to quantities.
pub(crate) fn quantities(_: &mut SchemaGenerator) -> Schema {
    let number = r"(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))";
    json_schema!({
        "type": "object",
        "additionalProperties": {
            "pattern": format!(r"^(\+|-)?{number}(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?{number}))?$"),
            "x-kubernetes-int-or-string": true,
        },
    })
}

/// `corev1.ObjectReference`.
pub(crate) fn object_reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "apiVersion": { "type": "string" },
            "kind": { "type": "string" },
            "namespace": { "type": "string" },
            "name": { "type": "string" },
            "uid": { "type": "string" },
            "resourceVersion": { "type": "string" },
            "fieldPath": { "type": "string" },
        },
    })
}

/// `corev1.LocalObjectReference`.
pub(crate) fn local_object_reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": { "name": { "type": "string", "default": "" } },
    })
}

/// `corev1.TypedLocalObjectReference`.
pub(crate) fn typed_local_object_reference(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "required": ["kind", "name"],
        "properties": {
            "apiGroup": { "type": "string" },
            "kind": { "type": "string" },
            "name": { "type": "string" },
        },
    })
}

/// `metav1.LabelSelector`.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": { "type": "object", "additionalProperties": { "type": "string" } },
            "matchExpressions": {
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": { "type": "string" },
                        "operator": { "type": "string" },
                        "values": {
                            "type": "array",
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string" },
                        },
                    },
                },
            },
        },
    })
}
