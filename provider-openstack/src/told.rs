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
        let (verb, action) = (self.verb.to_lowercase(), &self.action);
        match error {
            None => {
                context
                    .events
                    .normal(object, &format!("Successful{verb}"), action)
                    .await
            }
            Some(error) => {
                // This error names the action itself.
                let note = match error {
                    Error::Execute { source, .. } => format!("could not {action}: {source}"),
                    other => format!("could not {action}: {other}"),
                };
                context
                    .events
                    .warning(object, &format!("Failed{verb}"), note)
                    .await;
            }
        }
    }
}
