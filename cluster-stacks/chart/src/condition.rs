//! Conditions of add-on stages: a CEL expression over objects of the workload cluster, each of
//! which is a variable.
//!
//! An object, or a field, that is not there yet makes the condition false and is named, so that
//! the stage waits and says for what; the original fails there and backs off without end.

use cel::{Context, ExecutionError, Program, Value as Cel};
use serde_json::Value;

/// What a condition says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not hold; with the reason, if it is that something is missing.
    NotYet(Option<String>),
}

/// Why a condition can never hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The expression is no CEL.
    #[error("condition {expression:?}: {reason}")]
    Syntax { expression: String, reason: String },
    /// It gives something else than true or false, or cannot be computed.
    #[error("condition {expression:?} gives {given}, should give true or false")]
    NotBool { expression: String, given: String },
    /// It names a variable that is no `key` of `objects`.
    #[error("condition {expression:?} names {name}, which is no key of objects")]
    Unknown { expression: String, name: String },
    /// It cannot be computed.
    #[error("condition {expression:?}: {reason}")]
    Fails { expression: String, reason: String },
}

/// Evaluates `expression`; each object is a variable, `None` when it does not exist.
///
/// # Errors
/// When waiting cannot help.
pub fn evaluate(expression: &str, objects: &[(String, Option<Value>)]) -> Result<Verdict, Error> {
    let expression_text = || expression.to_owned();
    let program = Program::compile(expression).map_err(|error| Error::Syntax {
        expression: expression_text(),
        reason: error.to_string(),
    })?;
    let mut context = Context::default();
    for (key, object) in objects {
        let Some(object) = object else {
            return Ok(Verdict::NotYet(Some(format!("{key} does not exist yet"))));
        };
        context
            .add_variable(key.as_str(), object)
            .map_err(|error| Error::Fails {
                expression: expression_text(),
                reason: format!("{key}: {error}"),
            })?;
    }
    match program.execute(&context) {
        Ok(Cel::Bool(true)) => Ok(Verdict::Holds),
        Ok(Cel::Bool(false)) => Ok(Verdict::NotYet(None)),
        Ok(other) => Err(Error::NotBool {
            expression: expression_text(),
            given: format!("{other:?}"),
        }),
        Err(ExecutionError::NoSuchKey(key)) => {
            Ok(Verdict::NotYet(Some(format!("field {key} is not set yet"))))
        }
        Err(ExecutionError::UndeclaredReference(name)) => Err(Error::Unknown {
            expression: expression_text(),
            name: name.to_string(),
        }),
        Err(error) => Err(Error::Fails {
            expression: expression_text(),
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(expression: &str, ready: Option<Value>) -> Result<Verdict, Error> {
        evaluate(expression, &[("ds".to_owned(), ready)])
    }

    #[test]
    fn conditions_hold_or_wait() {
        let ds = |ready: i64| Some(json!({"status": {"numberReady": ready}, "spec": {"n": 2}}));
        let expression = "ds.status.numberReady >= ds.spec.n";
        assert_eq!(verdict(expression, ds(2)), Ok(Verdict::Holds));
        assert_eq!(verdict(expression, ds(1)), Ok(Verdict::NotYet(None)));
    }

    #[test]
    fn what_is_missing_is_awaited_and_named() {
        let missing = |object| match verdict("ds.status.numberReady > 0", object) {
            Ok(Verdict::NotYet(Some(reason))) => reason,
            other => panic!("{other:?}"),
        };
        assert!(missing(None).contains("ds"));
        assert!(missing(Some(json!({"status": {}}))).contains("numberReady"));
    }

    #[test]
    fn what_can_never_hold_is_an_error() {
        let object = || Some(json!({}));
        assert!(matches!(
            verdict("ds.(", object()),
            Err(Error::Syntax { .. })
        ));
        assert!(matches!(
            verdict("1 + 1", object()),
            Err(Error::NotBool { .. })
        ));
        assert!(matches!(
            verdict("other == 1", object()),
            Err(Error::Unknown { .. })
        ));
    }
}
