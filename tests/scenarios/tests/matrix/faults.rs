//! A call goes wrong, in each way that a cloud has.

use simulator::{Effect, Fault};

use crate::trial::{self, Trial};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_goes_wrong_changes_nothing_in_the_end() {
    let (wanted, calls) = trial::reference("faults-reference").await.unwrap();
    let trials = calls.iter().flat_map(|(operation, &count)| {
        let effects = effects().into_iter().enumerate();
        // Another call of its kind for each way.
        effects.map(move |(at, (name, effect))| {
            let k = 1 + at % count;
            Trial {
                name: format!("{operation} {k} {name}"),
                fault: Fault::new(operation, effect).nth(k as u64),
                crash: false,
            }
        })
    });
    let trials = trial::chosen("faults", trials.collect());
    trial::run("faults", trials, &wanted).await;
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
