//! The provider is stopped at a call: before it is sent, or when it was done but its answer was not read.

use simulator::{Effect, Fault};

use crate::life::Life;
use crate::trial::{self, Trial};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_call_changes_nothing_in_the_end() {
    let references = trial::references().await;
    let trials = references.iter().flat_map(|reference| {
        reference.calls.iter().flat_map(|(operation, &count)| {
            // What only reads leaves nothing behind: one of each will do.
            let count = if trial::is_change(operation) {
                count
            } else {
                1
            };
            (1..=count).flat_map(|k| points(reference.life, operation, k))
        })
    });
    let trials = trial::chosen("crash", trials.collect());
    trial::run("crash", trials, references).await;
}

fn points(life: Life, operation: &str, k: usize) -> [Trial; 2] {
    [("before", Effect::HoldBefore), ("after", Effect::HoldAfter)].map(|(moment, effect)| Trial {
        name: format!("{life} {operation} {k} {moment}"),
        life,
        fault: Fault::new(operation, effect).nth(k as u64),
        crash: true,
    })
}
