//! YAML as Helm and the API server read it: `0644` is 420, a later duplicate key is an error, and
//! an alias cannot blow a document up.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Why a text is not the YAML that was wanted, with line and column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Reads one document.
///
/// # Errors
/// When it is no YAML, or not of this shape.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| Error(error.to_string()))
}

/// Reads all documents of a stream; empty ones are left out.
///
/// # Errors
/// When one is no YAML, or not of this shape.
pub fn read_all<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Error> {
    serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| Error(error.to_string()))
}

/// Writes one document.
///
/// # Errors
/// When the value cannot be YAML (a map with keys that are no scalars).
pub fn write(value: &impl Serialize) -> Result<String, Error> {
    serde_saphyr::to_string(value).map_err(|error| Error(error.to_string()))
}

fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.legacy_octal_numbers = true;
    options
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    #[test]
    fn scalars_are_read_as_helm_reads_them() {
        let value: Value =
            super::read("{mode: 0644, on: yes, text: '0644', time: 12:30}").expect("read");
        assert_eq!(value["mode"], json!(420));
        assert_eq!(value["text"], json!("0644"));
    }

    #[test]
    fn empty_documents_are_left_out_and_broken_ones_are_located() {
        let all: Vec<Value> = super::read_all("---\n# nothing\n---\na: 1\n---\n").expect("read");
        assert_eq!(all, [json!({"a": 1})]);
        let error = super::read::<Value>("a: [1\nb: 2")
            .expect_err("broken")
            .to_string();
        assert!(error.contains("line"), "{error}");
    }
}
