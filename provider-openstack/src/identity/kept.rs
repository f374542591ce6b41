//! Credentials that were read a moment ago. Many objects use the same ones at a time, and each of
//! their reconciles would read the Secret, and what leads to it, anew. And what was read last, for
//! objects that outlive it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cloud::Credentials;
use crds::openstack::v1beta2::OpenStackIdentityReference;
use runtime::Key;
use tokio::time::Instant;

use super::changes::{Changes, Version};

/// How long they are used, if the watch does not tell before that they have changed. It is short for
/// the sake of a watch that has failed.
const KEPT: Duration = Duration::from_secs(60);
/// An object that uses them asks more often than this, or it is gone.
const LAST: Duration = Duration::from_secs(24 * 3600);

/// Namespace of an object, and its reference.
type Asked = (String, OpenStackIdentityReference);

/// What was read for each question.
#[derive(Debug, Default)]
pub struct Kept(Mutex<HashMap<Asked, Answer>>);

/// What a reference leads to, and through what.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The Secret with the credentials.
    pub secret: Key,
    /// What it says.
    pub credentials: Arc<Credentials>,
    /// All that was read on the way, each in its version.
    pub through: Vec<Version>,
    /// When the first of it was asked for.
    pub since: Instant,
}

impl Kept {
    /// What was read for this reference, if it is still so.
    pub fn get(
        &self,
        namespace: &str,
        identity: &OpenStackIdentityReference,
        changes: &Changes,
    ) -> Option<Answer> {
        let asked = (namespace.to_owned(), identity.clone());
        let answer = self.all().get(&asked).cloned()?;
        (answer.since.elapsed() < KEPT && changes.are_current(&answer.through)).then_some(answer)
    }

    /// What was read last for this reference, whatever has become of it.
    pub fn last(&self, namespace: &str, identity: &OpenStackIdentityReference) -> Option<Answer> {
        let asked = (namespace.to_owned(), identity.clone());
        self.all().get(&asked).cloned()
    }

    /// Keeps an answer, and lets go of those that nobody asks for.
    pub fn put(&self, namespace: &str, identity: &OpenStackIdentityReference, answer: Answer) {
        let mut all = self.all();
        all.retain(|_, kept| kept.since.elapsed() < LAST);
        all.insert((namespace.to_owned(), identity.clone()), answer);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Asked, Answer>> {
        // A panic elsewhere does not make what is remembered worse.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
