//! Lives that are disturbed, many at a time.

use std::collections::BTreeMap;
use std::env;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use anyhow::{Context, Result};
use futures::StreamExt;
use scenarios::Scenario;
use scenarios::scenario::Pace;
use simulator::Fault;
use tokio::sync::OnceCell;

use crate::life::{Life, Pictures};

/// One disturbance of one life.
#[derive(Clone, Debug)]
pub struct Trial {
    /// Says what it is, and finds it again.
    pub name: String,
    /// Whose calls.
    pub life: Life,
    /// What befalls the calls.
    pub fault: Fault,
    /// Whether the provider crashes, and starts again, at a call that the fault holds.
    pub crash: bool,
}

/// How a trial ended.
struct Outcome {
    name: String,
    /// Whether the call was ever made.
    reached: bool,
    result: Result<()>,
}

impl Outcome {
    /// Says at once what failed: the whole matrix takes long.
    fn tell(&self, what: &str) {
        if let Err(error) = &self.result {
            println!("{what}: FAILED at {}: {error:#}", self.name);
        }
    }
}

/// A life without disturbance.
pub struct Reference {
    /// Which one.
    pub life: Life,
    /// What is to be seen.
    pub pictures: Pictures,
    /// How often each operation is called.
    pub calls: BTreeMap<String, usize>,
}

/// Each life without disturbance, lived once for all matrices.
pub async fn references() -> &'static [Reference] {
    static LIVED: OnceCell<Vec<Reference>> = OnceCell::const_new();
    let live = || async {
        let lives = Life::ALL.map(reference);
        futures::future::try_join_all(lives).await
    };
    LIVED.get_or_try_init(live).await.unwrap()
}

async fn reference(life: Life) -> Result<Reference> {
    let scenario = Scenario::open(&format!("reference-{life}"), &Pace::default()).await?;
    scenario.start()?;
    let pictures = life.undisturbed(&scenario).await?;
    let calls = scenario.cloud.log().counts();
    println!(
        "{life}: {} calls in an undisturbed life",
        calls.values().sum::<usize>()
    );
    Ok(Reference {
        life,
        pictures,
        calls,
    })
}

/// What only reads is no change.
pub fn is_change(operation: &str) -> bool {
    !operation.contains(" GET ")
}

/// Those trials that the environment chooses, `SCENARIOS_POINTS` of them.
pub fn chosen(what: &str, mut trials: Vec<Trial>) -> Vec<Trial> {
    println!("{what}: {} points in all", trials.len());
    if let Ok(only) = env::var("SCENARIOS_ONLY") {
        trials.retain(|trial| trial.name.contains(&only));
        return trials;
    }
    let seed = number("SCENARIOS_SEED", 1);
    trials.sort_by_key(|trial| {
        let mut hasher = DefaultHasher::new();
        (seed, &trial.name).hash(&mut hasher);
        hasher.finish()
    });
    trials.drain(..count("SCENARIOS_SKIP", 0).min(trials.len()));
    if env::var("SCENARIOS_POINTS").as_deref() != Ok("all") {
        trials.truncate(count("SCENARIOS_POINTS", 30));
    }
    trials
}

fn count(variable: &str, default: u64) -> usize {
    usize::try_from(number(variable, default)).expect("a number of points")
}

fn number(variable: &str, default: u64) -> u64 {
    let Ok(text) = env::var(variable) else {
        return default;
    };
    text.parse()
        .unwrap_or_else(|_| panic!("{variable}={text}: no number"))
}

/// Lives all of them and fails if any did not end as `wanted`.
pub async fn run(what: &str, trials: Vec<Trial>, references: &[Reference]) {
    let (begun, total) = (Instant::now(), trials.len());
    let lives = trials
        .into_iter()
        .enumerate()
        .map(|(at, trial)| one(format!("{what}-{at}"), trial, references));
    let outcomes: Vec<Outcome> = futures::stream::iter(lives)
        .buffer_unordered(count("SCENARIOS_PARALLEL", 8))
        .inspect(|outcome| outcome.tell(what))
        .collect()
        .await;
    let missed: Vec<&str> = outcomes
        .iter()
        .filter(|o| !o.reached)
        .map(|o| o.name.as_str())
        .collect();
    let failed = outcomes.iter().filter(|o| o.result.is_err()).count();
    println!(
        "{what}: {total} points, seed {}, {} never reached {missed:?}, {failed} failed, {:.0} s",
        number("SCENARIOS_SEED", 1),
        missed.len(),
        begun.elapsed().as_secs_f64()
    );
    assert_eq!(failed, 0, "of {total} failed, see above");
    // Whether a read is needed depends on which answer came first; a change is made in every life.
    let changes = missed.iter().filter(|name| is_change(name));
    assert!(
        changes.count() * 20 <= total,
        "too many changes are never made"
    );
}

async fn one(namespace: String, trial: Trial, references: &[Reference]) -> Outcome {
    let name = trial.name.clone();
    let reference = references.iter().find(|lived| lived.life == trial.life);
    let wanted = &reference.expect("every life was lived").pictures;
    match disturbed(&namespace, trial, wanted).await {
        Ok((reached, result)) => Outcome {
            name,
            reached,
            result,
        },
        Err(error) => Outcome {
            name,
            reached: true,
            result: Err(error),
        },
    }
}

async fn disturbed(namespace: &str, trial: Trial, wanted: &Pictures) -> Result<(bool, Result<()>)> {
    let life = trial.life;
    let scenario = Scenario::open(namespace, &Pace::default()).await?;
    scenario.cloud.faults().add(trial.fault);
    scenario.start()?;
    let crashes = async {
        if trial.crash {
            scenario.cloud.faults().wait_held(1).await;
            scenario.crash().await?;
            scenario.start()?;
        }
        std::future::pending::<Result<()>>().await
    };
    let result = tokio::select! {
        lived = life.disturbed(&scenario, wanted) => lived,
        crashed = crashes => crashed.context("crash"),
    };
    let reached = scenario
        .cloud
        .log()
        .all()
        .iter()
        .any(|call| call.fault.is_some());
    // Whatever it does now is of no interest any more.
    scenario.crash().await?;
    Ok((reached, result))
}
