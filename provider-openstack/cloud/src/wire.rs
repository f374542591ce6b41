//! How answers are read: tolerantly, for a field we do not know must never hide a resource.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// A text that Debug does not show.
#[derive(Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Redacted(pub String);

impl Redacted {
    /// `message` without it: some proxies answer with the request that they did not like.
    pub(crate) fn remove_from(&self, message: &str) -> String {
        // What is shorter could be part of any word.
        const SHORTEST: usize = 4;
        if self.0.len() < SHORTEST {
            return message.to_owned();
        }
        message.replace(&self.0, "***")
    }
}

impl std::fmt::Debug for Redacted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "\"\"" } else { "\"***\"" })
    }
}

/// An id inside an object, as in `"pools": [{"id": "…"}]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ref {
    /// Id of the resource that is meant.
    #[serde(default)]
    pub id: String,
}

/// Reads a JSON value with `null` meaning the same as an absent field.
pub(crate) fn decode<T: DeserializeOwned>(mut value: Value) -> serde_json::Result<T> {
    drop_nulls(&mut value);
    serde_json::from_value(value)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => {
            items.retain(|item| !item.is_null());
            items.iter_mut().for_each(drop_nulls);
        }
        _ => {}
    }
}

/// An enum of a service's own words; a word that we do not know is kept as `Other`.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A word that we do not know; empty when the cloud gave none.
            Other(String),
        }

        impl $name {
            /// The word on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)*
                    Self::Other(word) => word,
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::Other(String::new())
            }
        }

        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() {
                    $($word => Self::$variant,)*
                    _ => Self::Other(word),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    words! {
        /// A test.
        Light {
            /// Go.
            Green = "GREEN",
        }
    }

    #[test]
    fn an_unknown_word_is_kept() {
        let lights: Vec<Light> = decode(serde_json::json!(["GREEN", "N/A"])).unwrap();
        assert_eq!(lights, [Light::Green, Light::Other("N/A".to_owned())]);
        assert_eq!(
            serde_json::to_string(&lights).unwrap(),
            r#"["GREEN","N/A"]"#
        );
    }

    #[test]
    fn null_is_the_same_as_absent() {
        #[derive(serde::Deserialize, Default)]
        #[serde(default)]
        struct Row {
            name: String,
            tags: Vec<String>,
        }
        let row: Row = decode(serde_json::json!({"name": null, "tags": [null, "a"]})).unwrap();
        assert_eq!(
            (row.name.as_str(), row.tags.as_slice()),
            ("", &["a".to_owned()][..])
        );
    }

    #[test]
    fn a_redacted_text_is_not_shown() {
        assert_eq!(format!("{:?}", Redacted("secret".into())), "\"***\"");
    }
}
