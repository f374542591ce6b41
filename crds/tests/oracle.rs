//! Compares our CustomResourceDefinitions with those of CAPO and the Cluster Stack Operator,
//! field by field. Each difference that we want stands in `INTENDED` with its reason; any other
//! one fails, and so does an entry of the list that no longer differs.
//!
//! The other side's definitions are read from `reference/crds` in the folder that the environment
//! variable `CAPSTAN_SHARED` names, or else in `shared` beside the repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// (where, what, why): the end of a path, the facet that differs, and the reason.
const INTENDED: &[(&str, &str, &str)] = &[
    (
        "/v1beta2.spec",
        "required",
        "an object without it says nothing",
    ),
    (
        "/v1beta1.spec",
        "required",
        "an object without it says nothing",
    ),
    (
        "/v1alpha1.spec",
        "required",
        "an object without it says nothing",
    ),
    (
        ".managedLoadBalancer.memberPort",
        "extra",
        "API servers need not listen on the port of the endpoint",
    ),
    (
        ".apiServerLoadBalancer.memberPort",
        "extra",
        "API servers need not listen on the port of the endpoint",
    ),
    (
        ".status.capacity{}",
        "anyOf",
        "int-or-string alone means the same",
    ),
    (
        ".status.stages[].message",
        "extra",
        "why a stage does not go on",
    ),
    (
        ".status.run",
        "extra",
        "lets a restart go on with the same stages",
    ),
    (
        ".spec.managedSubnets",
        "maxItems",
        "a second subnet, of the other IP version: dual stack",
    ),
    (
        ".managedSubnets[].ipv6Mode",
        "extra",
        "without router advertisements an IPv6 subnet is of no use",
    ),
    (
        ".status.kubernetesVersion",
        "extra",
        "spares reading the old release",
    ),
];

/// The facets of each field, by path.
type Facets = BTreeMap<String, BTreeMap<String, Value>>;

#[test]
fn definitions_are_those_of_upstream() {
    let ours = facets(our_definitions());
    let theirs = facets(their_definitions());
    let mut unused: BTreeSet<usize> = (0..INTENDED.len()).collect();
    let mut unexpected = Vec::new();
    for (path, facet, difference) in differences(&ours, &theirs) {
        let intended = INTENDED
            .iter()
            .position(|(at, what, _)| path.ends_with(at) && facet == *what);
        match intended {
            Some(entry) => drop(unused.remove(&entry)),
            None => unexpected.push(format!("{path} {facet}: {difference}")),
        }
    }
    assert!(
        unexpected.is_empty(),
        "differences from upstream:\n{}",
        unexpected.join("\n")
    );
    let unused: Vec<_> = unused.into_iter().map(|entry| INTENDED[entry]).collect();
    assert!(unused.is_empty(), "no longer a difference: {unused:?}");
}

fn our_definitions() -> Vec<Value> {
    let all = [crds::definitions::openstack(), crds::definitions::stacks()].concat();
    all.iter()
        .map(|d| serde_json::to_value(d).unwrap())
        .collect()
}

fn their_definitions() -> Vec<Value> {
    let folder = reference_folder();
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| {
        panic!(
            "{}: {e}. Point CAPSTAN_SHARED at the folder that holds reference/crds",
            folder.display()
        )
    });
    let ours = ["infrastructure.cluster.x-k8s.io", "clusterstack.x-k8s.io"];
    entries
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .map(|text| serde_saphyr::from_str(&text).unwrap())
        .filter(|d: &Value| ours.iter().any(|group| d["spec"]["group"] == *group))
        .collect()
}

fn reference_folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CAPSTAN_SHARED").map_or_else(beside, PathBuf::from);
    shared.join("reference/crds")
}

fn facets(definitions: Vec<Value>) -> Facets {
    let mut facets = Facets::new();
    for definition in definitions {
        let spec = &definition["spec"];
        let kind = spec["names"]["plural"].as_str().unwrap();
        let mut top = BTreeMap::new();
        for key in ["kind", "plural", "singular", "shortNames", "categories"] {
            top.insert(key.to_owned(), spec["names"][key].clone());
        }
        top.insert("group".into(), spec["group"].clone());
        top.insert("scope".into(), spec["scope"].clone());
        facets.insert(kind.into(), top);
        for version in spec["versions"].as_array().unwrap() {
            let path = format!("{kind}/{}", version["name"].as_str().unwrap());
            let mut top = BTreeMap::new();
            for key in ["served", "storage", "subresources"] {
                top.insert(key.to_owned(), version[key].clone());
            }
            top.insert("printer columns".into(), printer_columns(version));
            facets.insert(path.clone(), top);
            let schema = &version["schema"]["openAPIV3Schema"];
            for part in ["spec", "status"] {
                if let Some(part_schema) = schema["properties"].get(part) {
                    field(&format!("{path}.{part}"), part_schema, &mut facets);
                }
            }
            let required = schema["required"].as_array().into_iter().flatten();
            required.for_each(|name| mark_required(&path, name, &mut facets));
        }
    }
    facets
}

fn printer_columns(version: &Value) -> Value {
    let mut columns = version["additionalPrinterColumns"].clone();
    for column in columns.as_array_mut().into_iter().flatten() {
        column.as_object_mut().unwrap().remove("description");
    }
    columns
}

/// Everything that the schema says of a field but its texts, and the same of what is inside.
fn field(path: &str, schema: &Value, facets: &mut Facets) {
    let mut own = BTreeMap::new();
    for (key, value) in schema.as_object().unwrap() {
        match key.as_str() {
            "description" | "required" | "properties" | "items" => {}
            "additionalProperties" if value.is_object() => {}
            "enum" => drop(own.insert(key.clone(), sorted(value))),
            "x-kubernetes-validations" => drop(own.insert("rules".into(), rules(value))),
            // 0 and 0.0 are the same bound
            _ if value.is_number() => drop(own.insert(key.clone(), value.as_f64().into())),
            _ => drop(own.insert(key.clone(), value.clone())),
        }
    }
    facets.insert(path.into(), own);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        field(&format!("{path}.{name}"), inner, facets);
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        mark_required(path, name, facets);
    }
    if let Some(items) = schema.get("items") {
        field(&format!("{path}[]"), items, facets);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|v| v.is_object()) {
        field(&format!("{path}{{}}"), values, facets);
    }
}

fn mark_required(path: &str, name: &Value, facets: &mut Facets) {
    let path = format!("{path}.{}", name.as_str().unwrap());
    facets
        .entry(path)
        .or_default()
        .insert("required".into(), true.into());
}

fn sorted(values: &Value) -> Value {
    let mut values = values.as_array().unwrap().clone();
    values.sort_by_key(Value::to_string);
    values.into()
}

/// The rules without their messages, which are our own words.
fn rules(rules: &Value) -> Value {
    sorted(
        &rules
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["rule"].clone())
            .collect(),
    )
}

/// Not what merely begins with the same letters.
fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with(['.', '[', '{', '/']))
}

#[test]
fn a_field_that_begins_as_another_is_a_difference_of_its_own() {
    let all = ["a.port", "a.port[]", "a.port[].id", "a.portName", "a.same"];
    let facets = |paths: &[&str]| -> Facets {
        let field = |path: &&str| (path.to_string(), BTreeMap::new());
        paths.iter().map(field).collect()
    };
    let found = differences(&facets(&all), &facets(&["a.same"]));
    let paths: Vec<&str> = found.iter().map(|(path, ..)| path.as_str()).collect();
    assert_eq!(paths, ["a.port", "a.portName"]);
}

fn differences(ours: &Facets, theirs: &Facets) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let paths: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
    let mut lacked: Vec<&str> = Vec::new();
    for path in paths {
        // what is inside a field that one side lacks is no news
        if lacked.iter().any(|outer| is_inside(path, outer)) {
            continue;
        }
        if ours.contains_key(path) != theirs.contains_key(path) {
            lacked.push(path);
        }
        let mut report =
            |facet: &str, text: String| found.push((path.clone(), facet.to_owned(), text));
        match (ours.get(path), theirs.get(path)) {
            (None, _) => report("missing", "only upstream has it".into()),
            (_, None) => report("extra", "only we have it".into()),
            (Some(our), Some(their)) => {
                let facets: BTreeSet<_> = our.keys().chain(their.keys()).collect();
                for facet in facets.into_iter().filter(|f| our.get(*f) != their.get(*f)) {
                    let say = |v: Option<&Value>| v.map_or("-".into(), Value::to_string);
                    let (our, their) = (say(our.get(facet)), say(their.get(facet)));
                    report(facet, format!("ours {our}, upstream {their}"));
                }
            }
        }
    }
    found
}
