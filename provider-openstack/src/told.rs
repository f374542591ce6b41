//! What people are told of an action, by an event on the object.

use kube::Resource;

use crate::{Context, Error};

/// An action that was tried.
pub struct Told {
    /// Verb and resource, such as `CreateServer`.
    pub verb: &'static str,
    /// The action in words.
    pub action: String,
}

impl Told {
    /// Writes the event: `error` says whether and why it failed. The reason is CAPO's as it reaches
    /// the wire, for example `Successfulcreateserver`.
    pub async fn on<K: Resource<DynamicType = ()>>(
        &self,
        context: &Context,
        object: &K,
        error: Option<&Error>,
    ) {
        let (reason, action) = (self.reason(error.is_some()), &self.action);
        match error {
            None => context.events.normal(object, &reason, action).await,
            Some(error) => {
                // This error names the action itself.
                let note = match error {
                    Error::Execute { source, .. } => format!("could not {action}: {source}"),
                    other => format!("could not {action}: {other}"),
                };
                context.events.warning(object, &reason, note).await;
            }
        }
    }

    fn reason(&self, failed: bool) -> String {
        let verb = match self.verb {
            // So CAPO spells it.
            "ReplaceAllAttributeTags" if failed => "ReplaceAllAttributesTags",
            verb => verb,
        };
        let outcome = if failed { "Failed" } else { "Successful" };
        format!("{outcome}{}", verb.to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_those_that_capo_s_recorder_makes_of_its_own() {
        let reason = |verb, failed| {
            let action = String::new();
            Told { verb, action }.reason(failed)
        };
        assert_eq!(
            reason("CreateFloatingIP", false),
            "Successfulcreatefloatingip"
        );
        assert_eq!(reason("DeleteServer", true), "Faileddeleteserver");
        let tags = "ReplaceAllAttributeTags";
        assert_eq!(reason(tags, false), "Successfulreplaceallattributetags");
        assert_eq!(reason(tags, true), "Failedreplaceallattributestags");
    }
}
