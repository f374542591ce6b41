//! What a cluster costs in requests to the cloud: counted by the operator and by the cloud's front end.

use std::{env, fmt::Write as _, fs, thread, time::Duration};

use anyhow::{Context, Result, ensure};

use super::{
    audit, demo, stack,
    tenant::{Cluster, Machines, Tenant},
    wait,
};
use crate::{
    lab::Lab,
    openstack::requests::{self, Mark},
    parts::capstan,
    probe,
};

const NAME: &str = "requests";
/// Numbers of workers that are compared, or what this names, as in `3,20`, of which are the published figures.
const DEFAULT_SIZES: [usize; 2] = [3, 12];
const SIZES: &str = "CAPSTAN_LAB_SIZES";
/// How many workers more when scaled.
const STEP: usize = 2;
/// Seconds without a change that are measured; the published figures come from 600.
const IDLE: &str = "CAPSTAN_LAB_IDLE";
/// Where the table is written to when this names a file.
const TABLE: &str = "CAPSTAN_LAB_COSTS";
/// Of the operator, and of nobody else in the lab.
const USER_AGENT: &str = "capstan/";
const METRIC: &str = "capstan_openstack_requests_total";
/// The design allows this many in ten idle minutes, whatever the number of machines.
const IDLE_BOUND: f64 = 40.0;
/// Time for requests that are on their way to be logged on both sides.
const AGREE: Duration = Duration::from_secs(20);

/// What one cluster cost.
struct Costs {
    workers: usize,
    create: usize,
    idle: usize,
    scale: usize,
    delete: usize,
}

/// Measures both sizes, and compares.
pub fn run(lab: &Lab) -> Result<()> {
    let idle = match env::var(IDLE) {
        Ok(seconds) => seconds
            .parse()
            .with_context(|| format!("{IDLE}={seconds}: no number"))?,
        // Two rounds of what is asked for most often.
        Err(_) => 60,
    };
    let idle = Duration::from_secs(idle);
    let before = audit::take(lab)?;
    let tenant = Tenant::open(lab, NAME)?;
    let class = demo::subscribe(&tenant, &stack::own(lab))?;
    let mut all = Vec::new();
    for workers in sizes()? {
        all.push(measure(&tenant, &class, workers, idle)?);
    }
    audit::clean_since(lab, &before)?;
    let table = table(&all, idle);
    lab.say(&table);
    if let Ok(file) = env::var(TABLE) {
        fs::write(&file, &table).with_context(|| file)?;
    }
    judge(&all, idle)
}

fn sizes() -> Result<Vec<usize>> {
    let Ok(sizes) = env::var(SIZES) else {
        return Ok(DEFAULT_SIZES.to_vec());
    };
    let read = sizes.split(',').map(|n| n.trim().parse::<usize>());
    read.collect::<Result<_, _>>()
        .with_context(|| format!("{SIZES}={sizes}: numbers with commas wanted"))
}

/// A cluster's whole life.
fn measure(tenant: &Tenant<'_>, class: &str, workers: usize, idle: Duration) -> Result<Costs> {
    let mut cluster = Cluster::new(
        &format!("n{workers}"),
        class.to_owned(),
        Machines::Played,
        workers,
    );
    let counter = Counter::begin(tenant.lab)?;
    let create = counter.during("create", || {
        tenant.apply(&cluster)?;
        demo::follow(tenant, &cluster)
    })?;
    let idle = counter.during("idle", || {
        thread::sleep(idle);
        Ok(())
    })?;
    let scale = counter.during("scale", || {
        cluster.workers += STEP;
        tenant.apply(&cluster)?;
        demo::follow(tenant, &cluster)
    })?;
    let delete = counter.during("delete", || tenant.delete(&cluster.name).map(drop))?;
    Ok(Costs {
        workers,
        create,
        idle,
        scale,
        delete,
    })
}

/// Counts from the start of an operator: what it counted itself, and what the front end saw of it, must agree.
struct Counter<'a> {
    lab: &'a Lab,
    begin: Mark,
}

impl<'a> Counter<'a> {
    /// Starts the operator anew, for its count to begin at nothing.
    fn begin(lab: &'a Lab) -> Result<Self> {
        lab.stop(capstan::NAME, capstan::PROCESS)?;
        let begin = requests::mark(lab);
        capstan::restart(lab)?;
        Ok(Self { lab, begin })
    }

    /// Requests during `work`.
    fn during(&self, what: &str, work: impl FnOnce() -> Result<()>) -> Result<usize> {
        let before = self.total()?;
        work()?;
        let number = self.total()? - before;
        self.lab.say(format_args!("{what}: {number} requests"));
        Ok(number)
    }

    /// Requests until now. One that is on its way is waited for, because only one side may have counted it.
    fn total(&self) -> Result<usize> {
        let mut total = 0;
        wait::until("the operator and the front end agree", AGREE, || {
            total = operator()?;
            let seen = requests::since(self.lab, self.begin, USER_AGENT)?.len();
            Ok(if seen == total {
                vec![]
            } else {
                vec![format!("{METRIC} says {total}, the front end's log {seen}")]
            })
        })?;
        Ok(total)
    }
}

/// The sum of its metric.
fn operator() -> Result<usize> {
    let text = probe::http(capstan::METRICS, "/metrics")?;
    let lines = text.lines().filter(|l| l.starts_with(METRIC));
    let values = lines.filter_map(|l| l.rsplit(' ').next()?.parse::<usize>().ok());
    Ok(values.sum())
}

/// In markdown.
fn table(all: &[Costs], idle: Duration) -> String {
    let seconds = idle.as_secs();
    let mut table = format!(
        "| workers | create | {seconds} s idle | scale by {STEP} | delete |\n|---|---|---|---|---|\n"
    );
    for c in all {
        // Writing to a String does not fail.
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} |",
            c.workers, c.create, c.idle, c.scale, c.delete
        );
    }
    table
}

/// The promises: idle time costs the same whatever the number of machines, and little; each machine a few requests.
fn judge(all: &[Costs], idle: Duration) -> Result<()> {
    // Lists that are due every few minutes fall into a short window or not.
    let bound = (IDLE_BOUND * idle.as_secs_f64() / 600.0).max(10.0);
    for c in all {
        let (workers, requests) = (c.workers, c.idle);
        ensure!(
            requests as f64 <= bound,
            "{workers} workers: {requests} requests in {} idle seconds, at most {bound:.0} wanted",
            idle.as_secs()
        );
        let most = 3 * c.workers + 100;
        ensure!(
            c.create <= most,
            "{workers} workers: {} requests to create them, at most {most} wanted",
            c.create
        );
    }
    let [few, many] = all else {
        return Ok(());
    };
    let more = many.idle.saturating_sub(few.idle);
    ensure!(
        more as f64 <= bound / 2.0,
        "idle cost depends on the number of machines: {} requests with {}, {} with {}",
        few.idle,
        few.workers,
        many.idle,
        many.workers
    );
    Ok(())
}
