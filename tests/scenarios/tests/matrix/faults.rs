//! A call goes wrong, in each way that a cloud has.

use simulator::{Effect, Fault};

use crate::life::Life;
use crate::trial::{self, Trial};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_goes_wrong_changes_nothing_in_the_end() {
    let references = trial::references().await;
    let trials = references.iter().flat_map(|reference| {
        let calls = reference.calls.iter();
        calls.flat_map(|(operation, &count)| points(reference.life, operation, count))
    });
    let trials = trial::chosen("faults", trials.collect());
    trial::run("faults", trials, references).await;
}

/// Each way on another call of its kind; of what is done twice each.
fn points(life: Life, operation: &str, count: usize) -> Vec<Trial> {
    let ways = effects().into_iter().enumerate();
    let wrong = ways.map(|(at, (name, effect))| (1 + at % count, name, effect));
    // As when a client or a proxy loses the first answer, and sends the request again.
    let repeats = trial::is_change(operation);
    let twice = (1..=count)
        .filter(|&k| repeats && !is_stock(life, operation, k))
        .map(|k| (k, "twice", Effect::Duplicate));
    wrong
        .chain(twice)
        .map(|(k, name, effect)| Trial {
            name: format!("{life} {operation} {k} {name}"),
            life,
            fault: Fault::new(operation, effect).nth(k as u64),
            crash: false,
        })
        .collect()
}

/// A floating IP that a pool has made twice is one that it has in hand for the next claim. Those
/// of the API and the bastion come first.
fn is_stock(life: Life, operation: &str, k: usize) -> bool {
    life == Life::Balanced && operation == "network POST /floatingips" && k > 2
}

fn effects() -> Vec<(&'static str, Effect)> {
    let fail = |status| Effect::fail(status, "by the plan of the test");
    vec![
        ("401", fail(401)),
        ("403", fail(403)),
        ("404", fail(404)),
        ("409", fail(409)),
        ("413", fail(413)),
        ("429", Effect::too_many_requests(3)),
        ("500", fail(500)),
        ("503", fail(503)),
        ("quota", Effect::fail(403, "Quota exceeded")),
        ("time-out, not done", Effect::HoldBefore),
        ("time-out, done", Effect::HoldAfter),
        ("connection lost, not done", Effect::DropBefore),
        ("connection lost, done", Effect::DropAfter),
        ("half an answer", Effect::HalfAnswer),
        ("no JSON", Effect::NotJson),
    ]
}
