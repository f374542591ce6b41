//! Functions of Helm and Sprig that charts of cluster stacks use. Those that would need a clock, a
//! random number, the network or the disk are left out on purpose: a render depends on its input
//! alone. A template that calls another one fails and names it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use gotmpl::{FuncMap, TemplateError, Value, is_true};

use crate::yaml;

type Result = gotmpl::Result<Value>;
type Function = fn(&[Value]) -> Result;

/// All functions by name.
#[must_use]
pub fn all() -> FuncMap {
    let functions = text()
        .into_iter()
        .chain(choices())
        .chain(collections())
        .chain(formats())
        .chain(numbers());
    functions
        .map(|(name, function)| (name.to_owned(), Arc::new(function) as _))
        .collect()
}

fn text() -> Vec<(&'static str, Function)> {
    vec![
        ("quote", |args| {
            Ok(joined(
                args.iter()
                    .filter(|arg| !nil(arg))
                    .map(|arg| quoted(&string(arg))),
            ))
        }),
        ("squote", |args| {
            Ok(joined(
                args.iter()
                    .filter(|arg| !nil(arg))
                    .map(|arg| format!("'{}'", string(arg))),
            ))
        }),
        ("upper", |args| {
            one(args).map(|text| new(text.to_uppercase()))
        }),
        ("lower", |args| {
            one(args).map(|text| new(text.to_lowercase()))
        }),
        ("trim", |args| one(args).map(|text| new(text.trim()))),
        ("trimSuffix", |args| {
            two(args).map(|(suffix, text)| new(text.strip_suffix(&suffix).unwrap_or(&text)))
        }),
        ("trimPrefix", |args| {
            two(args).map(|(prefix, text)| new(text.strip_prefix(&prefix).unwrap_or(&text)))
        }),
        ("contains", |args| {
            two(args).map(|(part, text)| Value::Bool(text.contains(&part)))
        }),
        ("hasPrefix", |args| {
            two(args).map(|(prefix, text)| Value::Bool(text.starts_with(&prefix)))
        }),
        ("hasSuffix", |args| {
            two(args).map(|(suffix, text)| Value::Bool(text.ends_with(&suffix)))
        }),
        ("replace", |args| {
            let [from, to, text] = at(args)?;
            Ok(new(string(text).replace(&string(from), &string(to))))
        }),
        ("trunc", |args| {
            let [length, text] = at(args)?;
            let (length, text) = (integer(length)?, string(text));
            let count = text.chars().count();
            let wanted = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
            let skip = if length < 0 {
                count.saturating_sub(wanted)
            } else {
                0
            };
            Ok(new(text
                .chars()
                .skip(skip)
                .take(wanted)
                .collect::<String>()))
        }),
        ("repeat", |args| {
            let [count, text] = at(args)?;
            let count = usize::try_from(integer(count)?).unwrap_or(0).min(10_000);
            Ok(new(string(text).repeat(count)))
        }),
        ("indent", |args| indented(args).map(new)),
        ("nindent", |args| {
            indented(args).map(|text| new(format!("\n{text}")))
        }),
        ("toString", |args| one(args).map(new)),
    ]
}

fn choices() -> Vec<(&'static str, Function)> {
    vec![
        ("default", |args| {
            let [fallback, value] = at(args)?;
            Ok(if is_true(value) { value } else { fallback }.clone())
        }),
        ("coalesce", |args| {
            Ok(args
                .iter()
                .find(|arg| is_true(arg))
                .cloned()
                .unwrap_or(Value::Nil))
        }),
        ("empty", |args| Ok(Value::Bool(!is_true(at::<1>(args)?[0])))),
        ("ternary", |args| {
            let [yes, no, which] = at(args)?;
            Ok(if is_true(which) { yes } else { no }.clone())
        }),
        ("required", |args| {
            let [message, value] = at(args)?;
            match value {
                Value::Nil => Err(TemplateError::Exec(string(message))),
                Value::String(text) if text.is_empty() => Err(TemplateError::Exec(string(message))),
                value => Ok(value.clone()),
            }
        }),
        ("fail", |args| Err(TemplateError::Exec(one(args)?))),
    ]
}

fn collections() -> Vec<(&'static str, Function)> {
    vec![
        ("list", |args| Ok(Value::List(args.into()))),
        ("dict", |args| {
            let pairs = args.chunks(2).map(|pair| {
                (
                    string(&pair[0]).into(),
                    pair.get(1).cloned().unwrap_or(new("")),
                )
            });
            Ok(Value::Map(Arc::new(pairs.collect())))
        }),
        ("get", |args| {
            let [map, key] = at(args)?;
            Ok(map.field(&string(key)).cloned().unwrap_or_else(|| new("")))
        }),
        ("hasKey", |args| {
            let [map, key] = at(args)?;
            Ok(Value::Bool(map.field(&string(key)).is_some()))
        }),
        ("keys", |args| match at::<1>(args)? {
            [Value::Map(map)] => Ok(Value::List(
                map.keys().map(|key| Value::String(key.clone())).collect(),
            )),
            [other] => Err(TemplateError::TypeMismatch {
                expected: "map",
                got: other.type_name(),
            }),
        }),
        ("join", |args| {
            let [mark, list] = at(args)?;
            let parts: Vec<String> = items(list)?.iter().map(string).collect();
            Ok(new(parts.join(&string(mark))))
        }),
        ("splitList", |args| {
            two(args).map(|(mark, text)| Value::List(text.split(mark.as_str()).map(new).collect()))
        }),
        ("first", |args| {
            Ok(items(at::<1>(args)?[0])?
                .first()
                .cloned()
                .unwrap_or(Value::Nil))
        }),
        ("last", |args| {
            Ok(items(at::<1>(args)?[0])?
                .last()
                .cloned()
                .unwrap_or(Value::Nil))
        }),
        ("has", |args| {
            let [wanted, list] = at(args)?;
            Ok(Value::Bool(
                items(list)?
                    .iter()
                    .any(|item| string(item) == string(wanted)),
            ))
        }),
        ("merge", |args| {
            let mut merged = BTreeMap::new();
            for arg in args.iter().rev() {
                if let Value::Map(map) = arg {
                    merged.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
                }
            }
            Ok(Value::Map(Arc::new(merged)))
        }),
    ]
}

fn formats() -> Vec<(&'static str, Function)> {
    vec![
        ("toYaml", |args| {
            let text = yaml::write(&to_json(at::<1>(args)?[0]))
                .map_err(|error| TemplateError::Exec(error.to_string()))?;
            Ok(new(text.trim_end()))
        }),
        ("fromYaml", |args| {
            let value: serde_json::Value =
                yaml::read(&one(args)?).map_err(|error| TemplateError::Exec(error.to_string()))?;
            Ok(from_json(&value))
        }),
        ("toJson", |args| {
            Ok(new(to_json(at::<1>(args)?[0]).to_string()))
        }),
        ("b64enc", |args| {
            one(args).map(|text| new(BASE64_STANDARD.encode(text)))
        }),
        ("b64dec", |args| {
            let wrong = |error: String| TemplateError::Exec(format!("b64dec: {error}"));
            let bytes = BASE64_STANDARD
                .decode(one(args)?)
                .map_err(|error| wrong(error.to_string()))?;
            String::from_utf8(bytes)
                .map(new)
                .map_err(|error| wrong(error.to_string()))
        }),
        ("kindOf", |args| Ok(new(at::<1>(args)?[0].type_name()))),
    ]
}

fn numbers() -> Vec<(&'static str, Function)> {
    vec![
        ("int", |args| {
            Ok(Value::Int(integer(at::<1>(args)?[0]).unwrap_or(0)))
        }),
        ("int64", |args| {
            Ok(Value::Int(integer(at::<1>(args)?[0]).unwrap_or(0)))
        }),
        ("add", |args| {
            let sum = args.iter().map(integer).try_fold(0i64, |sum, next| {
                Ok::<_, TemplateError>(sum.saturating_add(next?))
            });
            sum.map(Value::Int)
        }),
        ("sub", |args| {
            let [a, b] = at(args)?;
            Ok(Value::Int(integer(a)?.saturating_sub(integer(b)?)))
        }),
        ("mul", |args| {
            let product = args.iter().map(integer).try_fold(1i64, |product, next| {
                Ok::<_, TemplateError>(product.saturating_mul(next?))
            });
            product.map(Value::Int)
        }),
    ]
}

/// JSON as templates see it. Whole numbers stay whole, so that `80` never becomes `80.0`.
#[must_use]
pub fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, float) => Value::Float(float.unwrap_or_default()),
        },
        serde_json::Value::String(text) => new(text.as_str()),
        serde_json::Value::Array(items) => Value::List(items.iter().map(from_json).collect()),
        serde_json::Value::Object(map) => Value::Map(Arc::new(
            map.iter()
                .map(|(key, value)| (key.as_str().into(), from_json(value)))
                .collect(),
        )),
    }
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(bool) => (*bool).into(),
        Value::Int(number) => (*number).into(),
        Value::Uint(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.as_ref().into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => serde_json::Value::Object(
            map.iter()
                .map(|(key, value)| (key.to_string(), to_json(value)))
                .collect(),
        ),
        _ => serde_json::Value::Null,
    }
}

fn new(text: impl Into<String>) -> Value {
    Value::String(text.into().into())
}

fn nil(value: &Value) -> bool {
    matches!(value, Value::Nil)
}

fn string(value: &Value) -> String {
    match value {
        Value::Nil => String::new(),
        Value::String(text) => text.to_string(),
        other => other.to_string(),
    }
}

fn quoted(text: &str) -> String {
    // JSON's quoting is what Go's %q gives for everything that is printable.
    serde_json::Value::from(text).to_string()
}

fn joined(parts: impl Iterator<Item = String>) -> Value {
    new(parts.collect::<Vec<_>>().join(" "))
}

fn indented(args: &[Value]) -> gotmpl::Result<String> {
    let [width, text] = at(args)?;
    let pad = " ".repeat(usize::try_from(integer(width)?).unwrap_or(0).min(1000));
    Ok(string(text)
        .split('\n')
        .map(|line| format!("{pad}{line}"))
        .collect::<Vec<_>>()
        .join("\n"))
}

fn integer(value: &Value) -> gotmpl::Result<i64> {
    let whole = |text: &str| text.trim().parse().ok();
    let number = match value {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        Value::Float(number) => Some(*number as i64),
        Value::Bool(bool) => Some(i64::from(*bool)),
        Value::String(text) => whole(text),
        _ => None,
    };
    number.ok_or(TemplateError::TypeMismatch {
        expected: "number",
        got: value.type_name(),
    })
}

fn items(value: &Value) -> gotmpl::Result<&[Value]> {
    match value {
        Value::List(items) => Ok(items),
        Value::Nil => Ok(&[]),
        other => Err(TemplateError::TypeMismatch {
            expected: "list",
            got: other.type_name(),
        }),
    }
}

fn at<const N: usize>(args: &[Value]) -> gotmpl::Result<[&Value; N]> {
    let all: Vec<&Value> = args.iter().collect();
    all.try_into()
        .map_err(|_| TemplateError::Exec(format!("{} arguments given, {N} wanted", args.len())))
}

fn one(args: &[Value]) -> gotmpl::Result<String> {
    Ok(string(at::<1>(args)?[0]))
}

fn two(args: &[Value]) -> gotmpl::Result<(String, String)> {
    let [a, b] = at(args)?;
    Ok((string(a), string(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotmpl::Template;
    use serde_json::json;

    fn render(template: &str) -> std::result::Result<String, TemplateError> {
        let data = json!({"a": "text", "n": 3, "none": null, "list": ["x", "y"], "map": {"k": [1, {"z": true}]}});
        Template::new("t")
            .funcs(all())
            .parse(template)?
            .execute_to_string(&from_json(&data))
    }

    #[test]
    fn functions_give_what_sprig_gives() {
        for (template, want) in [
            ("{{ .a | quote }} {{ squote .n }}", "\"text\" '3'"),
            (
                "{{ .none | default \"d\" }}{{ .a | default \"d\" }}",
                "dtext",
            ),
            (
                "{{ .list | join \",\" }} {{ first .list }} {{ has \"y\" .list }}",
                "x,y x true",
            ),
            (
                "a:{{ .map | toYaml | nindent 2 }}",
                "a:\n  k:\n  - 1\n  - z: true",
            ),
            ("{{ trunc 2 .a }}{{ trunc -2 .a }}", "text"),
            ("{{ ternary 1 2 true }}{{ add 1 .n }}{{ sub .n 1 }}", "142"),
            (
                "{{ \"abc\" | b64enc | b64dec | upper | replace \"B\" \"-\" }}",
                "A-C",
            ),
            (
                "{{ (dict \"k\" .n) | toJson }}{{ get (dict \"k\" 1) \"no\" }}",
                "{\"k\":3}",
            ),
            (
                "{{ trimSuffix \"xt\" .a }} {{ hasPrefix \"te\" .a }} {{ contains \"ex\" .a }}",
                "te true true",
            ),
        ] {
            assert_eq!(render(template).expect(template), want, "{template}");
        }
    }

    #[test]
    fn failures_say_why() {
        for (template, named) in [
            ("{{ required \"give a name\" .none }}", "give a name"),
            ("{{ fail \"no way\" }}", "no way"),
            ("{{ now }}", "now"),
            ("{{ join .list }}", "arguments"),
        ] {
            let error = render(template).expect_err(template).to_string();
            assert!(error.contains(named), "{template}: {error}");
        }
    }
}
