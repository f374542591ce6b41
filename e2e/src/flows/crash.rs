//! `capstan-operator` is killed again and again while it creates and while it deletes a cluster.

use std::{env, thread, time::Duration};

use anyhow::{Context, Result};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    audit, demo,
    kubernetes::CLUSTER,
    stack,
    tenant::{Cluster, Machines, Tenant},
};
use crate::{lab::Lab, parts::capstan};

const NAME: &str = "crash";
const KILLS: usize = 10;
/// Longest life of an operator between two kills.
const LONGEST: Duration = Duration::from_secs(4);
/// A number here repeats the moments of an earlier run.
const SEED: &str = "CAPSTAN_LAB_SEED";

/// See the module. It converges, and nothing is left in the cloud.
pub fn run(lab: &Lab) -> Result<()> {
    let seed = match env::var(SEED) {
        Ok(seed) => seed
            .parse()
            .with_context(|| format!("{SEED}={seed}: no number"))?,
        Err(_) => rand::random(),
    };
    lab.say(format_args!("{SEED}={seed}"));
    let mut moments = StdRng::seed_from_u64(seed);
    let before = audit::take(lab)?;
    let tenant = Tenant::open(lab, NAME)?;
    let class = demo::subscribe(&tenant, &stack::own(lab))?;
    let cluster = Cluster::new(NAME, class, Machines::Played, 2);

    tenant.apply(&cluster)?;
    kill(lab, &mut moments)?;
    demo::follow(&tenant, &cluster)?;

    tenant.api.delete(CLUSTER, &tenant.namespace, NAME)?;
    kill(lab, &mut moments)?;
    tenant.delete(NAME)?;
    audit::clean_since(lab, &before)
}

/// Kills it ten times, each at a random moment of its life.
fn kill(lab: &Lab, moments: &mut StdRng) -> Result<()> {
    for number in 1..=KILLS {
        let life = moments.random_range(Duration::ZERO..LONGEST);
        thread::sleep(life);
        lab.kill(capstan::NAME, capstan::PROCESS)?;
        lab.say(format_args!(
            "kill {number}, {:.2} s after it was ready",
            life.as_secs_f64()
        ));
        capstan::restart(lab)?;
    }
    Ok(())
}
