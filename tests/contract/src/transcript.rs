//! What was asked and what form the answers had, so that two clouds can be compared.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A request and the form of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// What is tried; unique with the operation.
    pub what: String,
    /// `POST network /ports`, with `{id}` for ids.
    pub operation: String,
    /// HTTP status.
    pub status: u16,
    /// Type of each field of the answer by its path: `port.fixed_ips[].subnet_id`.
    pub fields: BTreeMap<String, String>,
}

/// Exchanges in their order.
#[derive(Clone, Debug, Default)]
pub struct Transcript(pub Vec<Exchange>);

/// Fields below these have keys that are data (names of networks, of metadata), or are nobody's concern.
const DATA: [&str; 10] = [
    "addresses",
    "metadata",
    "links",
    "extra_specs",
    "extensions[]",
    "quota",
    "quota_set",
    "image_metadata",
    "volume_image_metadata",
    "catalog",
];

impl Transcript {
    pub(crate) fn push(&mut self, what: &str, operation: &str, status: u16, body: &Value) {
        let mut fields = BTreeMap::new();
        forms(String::new(), body, &mut fields);
        self.0.push(Exchange {
            what: what.to_owned(),
            operation: operation.to_owned(),
            status,
            fields,
        });
    }

    /// Reads what was recorded.
    ///
    /// # Errors
    /// When it is not a transcript.
    pub fn read(lines: &str) -> Result<Self> {
        let lines = lines.lines().filter(|line| !line.is_empty());
        Ok(Self(
            lines
                .map(serde_json::from_str)
                .collect::<serde_json::Result<_>>()?,
        ))
    }

    /// A line for each exchange.
    ///
    /// # Errors
    /// Never, in fact.
    pub fn write(&self) -> Result<String> {
        let mut text = String::new();
        for exchange in &self.0 {
            text += &serde_json::to_string(exchange)?;
            text.push('\n');
        }
        Ok(text)
    }

    /// What is different from `other`, in words; `known` says which differences are meant.
    #[must_use]
    pub fn differences(
        &self,
        other: &Self,
        known: impl Fn(&Exchange, &str) -> bool,
    ) -> Vec<String> {
        let mut found = Vec::new();
        let key = |exchange: &Exchange| (exchange.what.clone(), exchange.operation.clone());
        let mut theirs: BTreeMap<_, &Exchange> = other
            .0
            .iter()
            .map(|exchange| (key(exchange), exchange))
            .collect();
        for ours in &self.0 {
            let name = format!("{} ({})", ours.what, ours.operation);
            let Some(theirs) = theirs.remove(&key(ours)) else {
                found.push(format!("{name}: not in the other"));
                continue;
            };
            if ours.status != theirs.status {
                found.push(format!(
                    "{name}: status {} and {}",
                    ours.status, theirs.status
                ));
            }
            found.extend(
                fields(ours, theirs, &known)
                    .into_iter()
                    .map(|what| format!("{name}: {what}")),
            );
        }
        let missed = theirs
            .into_keys()
            .map(|(what, operation)| format!("{what} ({operation}): only in the other"));
        found.extend(missed);
        found
    }
}

fn fields(
    ours: &Exchange,
    theirs: &Exchange,
    known: impl Fn(&Exchange, &str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    for (path, form) in &ours.fields {
        match theirs.fields.get(path) {
            Some(other) if other == form || form == "null" || other == "null" => {}
            Some(other) => found.push(format!("`{path}` is {form} and {other}")),
            None if has_parent(path, &theirs.fields) && !known(ours, path) => {
                found.push(format!("`{path}` is not in the other"));
            }
            None => {}
        }
    }
    for path in theirs.fields.keys() {
        if !ours.fields.contains_key(path) && has_parent(path, &ours.fields) && !known(ours, path) {
            found.push(format!("`{path}` is only in the other"));
        }
    }
    found
}

/// Whether the object that a field is in is known: an empty list or null says nothing of its content.
fn has_parent(path: &str, fields: &BTreeMap<String, String>) -> bool {
    if path.ends_with("[]") {
        return false;
    }
    let Some((parent, _)) = path.rsplit_once('.') else {
        return true;
    };
    fields.keys().any(|other| {
        other
            .strip_prefix(parent)
            .is_some_and(|rest| rest.starts_with('.'))
    })
}

fn forms(path: String, value: &Value, into: &mut BTreeMap<String, String>) {
    let form = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    let is_data = DATA
        .iter()
        .any(|data| path == *data || path.ends_with(&format!(".{data}")));
    match value {
        Value::Object(fields) if !is_data => {
            for (name, field) in fields {
                // A dot in a name would look like a path.
                let name = name.replace('.', "·");
                let path = if path.is_empty() {
                    name
                } else {
                    format!("{path}.{name}")
                };
                forms(path, field, into);
            }
        }
        Value::Array(items) if !is_data => {
            for item in items {
                forms(format!("{path}[]"), item, into);
            }
        }
        _ => {}
    }
    // Of the items of a list the one that says most counts.
    let known = into.entry(path).or_insert_with(|| form.to_owned());
    if known == "null" {
        form.clone_into(known);
    }
}

/// A path with `{id}` for ids, and the names of query parameters in their alphabetical order without values.
#[must_use]
pub fn path_of(path: &str) -> String {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_id = |segment: &str| {
        let digits: Vec<char> = segment.chars().filter(|c| *c != '-').collect();
        digits.len() == 32 && digits.iter().all(char::is_ascii_hexdigit)
    };
    let segments = path
        .split('/')
        .map(|segment| if is_id(segment) { "{id}" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    let mut keys: Vec<&str> = query
        .split('&')
        .filter_map(|pair| pair.split('=').next())
        .filter(|key| !key.is_empty())
        .collect();
    // Services put those of a link to the next page in any order.
    keys.sort_unstable();
    if keys.is_empty() {
        path
    } else {
        format!("{path}?{}", keys.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(body: Value) -> Transcript {
        let mut transcript = Transcript::default();
        transcript.push("a port", "GET network /ports/{id}", 200, &body);
        transcript
    }

    #[test]
    fn a_field_too_many_too_few_or_of_another_form_is_found() {
        let real = one(
            json!({"port": {"id": "x", "mtu": 1, "tags": [], "ips": [{"a": 1}], "owner": null}}),
        );
        let differences = |body| one(body).differences(&real, |_, _| false);
        let same = json!({"port": {"id": "y", "mtu": 2, "tags": ["a"], "ips": [], "owner": "z"}});
        assert_eq!(differences(same), [] as [String; 0]);
        let other =
            json!({"port": {"id": "y", "mtu": "2", "ips": [{"b": 1}], "owner": "z", "more": 1}});
        let found = differences(other).join("\n");
        for what in [
            "`port.mtu` is text and number",
            "`port.more` is not in",
            "`port.tags` is only in",
            "ips[].b",
            "ips[].a",
        ] {
            assert!(found.contains(what), "{what}: {found}");
        }
    }

    #[test]
    fn a_transcript_survives_its_file() {
        let transcript = one(json!({"port": {"id": "x"}}));
        let read = Transcript::read(&transcript.write().unwrap()).unwrap();
        assert_eq!(read.0, transcript.0);
    }

    #[test]
    fn ids_and_values_are_left_out_of_paths() {
        let path = "/ports/0fd2e1b6-0c5b-4a3e-a1f0-aabbccddeeff?name=x&limit=1";
        assert_eq!(path_of(path), "/ports/{id}?limit&name");
    }
}
