//! The provider is stopped at a call: before it is sent, or when it was done but its answer was not read.

use simulator::{Effect, Fault};

use crate::trial::{self, Trial};

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_at_any_call_changes_nothing_in_the_end() {
    let (wanted, calls) = trial::reference("crash-reference").await.unwrap();
    println!(
        "crash: {} calls in an undisturbed life",
        calls.values().sum::<usize>()
    );
    let trials = calls.iter().flat_map(|(operation, &count)| {
        // What only reads leaves nothing behind: one of each will do.
        let count = if operation.contains(" GET ") {
            1
        } else {
            count
        };
        (1..=count).flat_map(move |k| points(operation, k))
    });
    let trials = trial::chosen("crash", trials.collect());
    trial::run("crash", trials, &wanted).await;
}

fn points(operation: &str, k: usize) -> [Trial; 2] {
    [("before", Effect::HoldBefore), ("after", Effect::HoldAfter)].map(|(moment, effect)| Trial {
        name: format!("{operation} {k} {moment}"),
        fault: Fault::new(operation, effect).nth(k as u64),
        crash: true,
    })
}
