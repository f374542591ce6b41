//! What objects say of themselves, in lines for people.

use serde_json::Value;

use super::kubernetes::Kind;

/// Conditions that are good when they are False.
const NEGATIVE: [&str; 11] = [
    "Paused",
    "Deleting",
    "RollingOut",
    "Updating",
    "ScalingUp",
    "ScalingDown",
    "Remediating",
    "MemoryPressure",
    "DiskPressure",
    "PIDPressure",
    "NetworkUnavailable",
];

/// An object with its kind.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// All of it.
    pub value: Value,
}

impl Object {
    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.value["metadata"]["name"])
    }

    /// One of its conditions.
    pub fn condition(&self, type_: &str) -> Option<&Value> {
        condition(&self.value, type_)
    }

    /// Is it as it should be: `Ready` and `Available` True, whichever it has? One that knows neither complains of
    /// nothing.
    pub fn is_well(&self) -> bool {
        let said: Vec<_> = ["Ready", "Available"]
            .iter()
            .filter_map(|t| self.condition(t))
            .collect();
        if said.is_empty() {
            self.complaints().is_empty()
        } else {
            said.iter().all(|c| c["status"] == "True")
        }
    }

    /// A line for each condition that is not as it should be; one line if it has none at all.
    pub fn complaints(&self) -> Vec<String> {
        let about = format!("{} {}", self.kind, self.name());
        let conditions = conditions(&self.value);
        if conditions.is_empty() {
            return vec![format!("{about}: says nothing yet")];
        }
        let bad = conditions.iter().filter(|c| {
            let negative = NEGATIVE.contains(&text(&c["type"]));
            c["status"] != if negative { "False" } else { "True" }
        });
        let line = |c: &Value| {
            let message = text(&c["message"]).split_whitespace().collect::<Vec<_>>();
            format!(
                "{about}: {}={} {}: {}",
                text(&c["type"]),
                text(&c["status"]),
                text(&c["reason"]),
                message.join(" ")
            )
        };
        bad.map(line).collect()
    }
}

/// A condition of an object.
pub fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    conditions(object).iter().find(|c| c["type"] == type_)
}

/// Is this condition True?
pub fn holds(object: &Value, type_: &str) -> bool {
    condition(object, type_).is_some_and(|c| c["status"] == "True")
}

fn conditions(object: &Value) -> &[Value] {
    object["status"]["conditions"]
        .as_array()
        .map_or(&[], Vec::as_slice)
}

/// A string, or `""`.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::flows::kubernetes::MACHINE;

    fn machine(ready: &str, deleting: &str) -> Object {
        let condition = |type_: &str, status: &str| json!({"type": type_, "status": status, "reason": "R", "message": "a\n b"});
        Object {
            kind: MACHINE,
            value: json!({
                "metadata": {"name": "m"},
                "status": {"conditions": [condition("Ready", ready), condition("Deleting", deleting)]},
            }),
        }
    }

    #[test]
    fn only_what_is_wrong_is_complained_of() {
        let well = machine("True", "False");
        assert!(well.is_well());
        assert!(well.complaints().is_empty());
        let ill = machine("False", "False");
        assert!(!ill.is_well());
        assert_eq!(ill.complaints(), ["Machine m: Ready=False R: a b"]);
        assert_eq!(machine("True", "True").complaints().len(), 1);
    }
}
