//! Objects in YAML: split, checked, ordered as Helm installs them, labelled.

use serde_json::{Map, Value};

use crate::inventory::Object;
use crate::yaml;

/// The label of everything that is applied from a release, as in the original.
pub const OWNED_LABEL: (&str, &str) = ("clusterstack.x-k8s.io/instance", "owned");

/// Helm's order of installation; kinds that are not named come last.
const ORDER: [&str; 35] = [
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "Ingress",
    "APIService",
];

/// Kinds whose pod templates carry the label too.
const WITH_PODS: [&str; 5] = [
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
];

/// Why a text is no list of objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is no YAML.
    #[error("{source_name}: {error}")]
    Yaml {
        source_name: String,
        error: yaml::Error,
    },
    /// A document without `apiVersion`, `kind` or `metadata.name`.
    #[error("{source_name}: object {number} has no {field}")]
    Field {
        source_name: String,
        number: usize,
        field: &'static str,
    },
}

/// The objects in `text`; `source_name` is the file's, for errors. The items of a `List` count as
/// objects of their own.
///
/// # Errors
/// When a document is no object.
pub fn objects(source_name: &str, text: &str) -> Result<Vec<Value>, Error> {
    let wrong = |error| Error::Yaml {
        source_name: source_name.to_owned(),
        error,
    };
    let documents: Vec<Value> = yaml::read_all(text).map_err(wrong)?;
    let documents = documents
        .into_iter()
        .filter(|document| !document.is_null())
        .flat_map(items);
    let checked = documents.enumerate().map(|(at, object)| {
        let field = match Object::of(&object) {
            Ok(_) => return Ok(object),
            Err(field) => field,
        };
        Err(Error::Field {
            source_name: source_name.to_owned(),
            number: at + 1,
            field,
        })
    });
    checked.collect()
}

fn items(mut document: Value) -> Vec<Value> {
    let is_list = document["kind"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("List"));
    match document.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) if is_list => items,
        Some(items) => {
            document["items"] = items;
            vec![document]
        }
        None => vec![document],
    }
}

/// Sorts as Helm installs, so that a namespace is there before what goes into it.
pub fn sort(objects: &mut [Value]) {
    let place = |object: &Value| {
        let kind = object["kind"].as_str().unwrap_or_default();
        ORDER
            .iter()
            .position(|ordered| *ordered == kind)
            .unwrap_or(ORDER.len())
    };
    objects.sort_by_key(place);
}

/// Puts the label on the object, and on the pods that it makes.
pub fn label(object: &mut Value) {
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    put_label(object);
    if WITH_PODS.contains(&kind.as_str())
        && let Some(template) = object.pointer_mut("/spec/template")
    {
        put_label(template);
    }
}

fn put_label(object: &mut Value) {
    let Some(object) = object.as_object_mut() else {
        return;
    };
    let metadata = object
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(metadata) = metadata.as_object_mut() else {
        return;
    };
    let labels = metadata
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    if labels.is_null() {
        *labels = Value::Object(Map::new());
    }
    if let Some(labels) = labels.as_object_mut() {
        labels.insert(OWNED_LABEL.0.to_owned(), OWNED_LABEL.1.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_and_lists_become_objects_in_helms_order() {
        let text = "apiVersion: apps/v1
kind: Deployment
metadata: {name: d}
---
# only a comment
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: ns}}
- {apiVersion: example.com/v1, kind: Thing, metadata: {name: t}}
";
        let mut objects = objects("file", text).expect("read");
        sort(&mut objects);
        let kinds: Vec<&str> = objects
            .iter()
            .filter_map(|object| object["kind"].as_str())
            .collect();
        assert_eq!(kinds, ["Namespace", "Deployment", "Thing"]);
    }

    #[test]
    fn an_object_without_a_name_is_refused() {
        let error = objects("templates/a.yaml", "{apiVersion: v1, kind: Secret}")
            .expect_err("no name")
            .to_string();
        assert!(
            error.contains("templates/a.yaml") && error.contains("metadata.name"),
            "{error}"
        );
    }

    #[test]
    fn pods_are_labelled_too() {
        let mut object = json!({"kind": "Deployment", "metadata": {"labels": null}, "spec": {"template": {"spec": {}}}});
        label(&mut object);
        for at in ["/metadata/labels", "/spec/template/metadata/labels"] {
            assert_eq!(
                object.pointer(at),
                Some(&json!({"clusterstack.x-k8s.io/instance": "owned"})),
                "{at}"
            );
        }
    }
}
