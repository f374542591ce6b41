//! Doing what a plan says, all actions at once: those of one step do not depend on each other.

use futures::future::join_all;

use crate::Error;

/// An action that was refused.
pub struct Refused<A> {
    pub action: A,
    pub error: Error,
}

/// Does `one` for all of `actions` at once; that some fail stops no other.
///
/// # Errors
/// The first of `actions` that was refused.
pub async fn all<'a, A, F>(
    actions: &'a [A],
    one: impl Fn(&'a A) -> F,
) -> Result<(), Box<Refused<A>>>
where
    A: Clone,
    F: Future<Output = Result<(), Error>>,
{
    let results = join_all(actions.iter().map(&one)).await;
    let refused = |(action, result): (&A, Result<(), Error>)| {
        result.map_err(|error| {
            Box::new(Refused {
                action: action.clone(),
                error,
            })
        })
    };
    actions.iter().zip(results).try_for_each(refused)
}
