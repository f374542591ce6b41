//! Text that is the same for the same value, whoever builds it.

use anyhow::Result;
use serde_json::Value;

/// The first line of every generated file.
pub const HEADER: &str = "# Written by `cargo generate`: change the source, not this file.\n";

/// A file of several documents.
pub fn file(documents: Vec<Value>) -> Result<String> {
    let mut text = String::from(HEADER);
    for document in documents {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&sorted(document))?);
    }
    Ok(text)
}

/// The same with every map in alphabetical order, whether or not `serde_json` keeps the order
/// of insertion: a feature that any crate of a build can switch on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        Value::Array(values) => values.into_iter().map(sorted).collect(),
        scalar => scalar,
    }
}
