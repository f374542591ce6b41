//! The provider in this process: all its controllers, on a thread of their own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use runtime::Kit;
use runtime::health::Health;
use runtime::metrics::Metrics;
use tokio::sync::{mpsc, oneshot, watch};

use crate::ApiServer;

/// How often a fast clock is moved on.
const TICK: Duration = Duration::from_millis(10);
/// Reconciles at a time, for each controller and set of credentials.
pub const CONCURRENCY: u16 = 10;

/// How a provider is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// It handles the objects of this namespace alone.
    pub namespace: String,
    /// Seconds of its clock in a second: all that it waits for, and its timeouts, pass so much faster.
    /// Requests take as long as they take, so they seem so much slower to it. May change at any time.
    pub speed: Arc<AtomicU32>,
}

/// A running provider. Dropped, it has crashed: nothing that was begun is finished.
pub struct Provider {
    /// What its controllers counted.
    pub metrics: Metrics,
    kill: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    /// Starts a provider.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(api: &'static ApiServer, options: Options) -> Result<Self> {
        let (kill, killed) = oneshot::channel();
        let metrics = Metrics::default();
        let counted = metrics.clone();
        let main = move || run(api, options, counted, killed);
        let thread = thread::Builder::new()
            .name("provider".to_owned())
            .spawn(main)?;
        Ok(Self {
            metrics,
            kill: Some(kill),
            thread: Some(thread),
        })
    }

    /// Ends it at once, in the middle of whatever it does, and waits until it is gone.
    pub fn crash(self) {
        drop(self);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.kill.take().map(|kill| kill.send(()));
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !thread::panicking() {
            panic!("the provider panicked, see above");
        }
    }
}

/// One thread, so that the end of its runtime is the end of every task at once.
fn run(api: &'static ApiServer, options: Options, metrics: Metrics, killed: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let clock = run_clock(options.speed.clone());
        // A task of their own: they are not looked at whenever the clock moves.
        let controllers = tokio::spawn(controllers(api, options, metrics));
        tokio::select! {
            biased;
            _ = killed => {}
            () = clock => {}
            ended = controllers => panic!("the provider ended by itself: {ended:?}"),
        }
    });
    runtime.shutdown_background();
}

async fn controllers(api: &'static ApiServer, options: Options, metrics: Metrics) -> Result<()> {
    // Nobody asks it to stop: it crashes.
    let (_stop, shutdown) = watch::channel(false);
    let kit = Kit {
        client: api.counted(&metrics).context("client")?,
        namespace: Some(options.namespace),
        watch_filter: None,
        concurrency: CONCURRENCY,
        shutdown,
        health: Health::default(),
        metrics,
    };
    provider_openstack::run(
        kit,
        Arc::default(),
        None,
        provider_openstack::cluster::Management::default(),
    )
    .await;
    Ok(())
}

/// Runs the clock of this runtime `speed` times as fast.
///
/// Tokio moves a paused clock by itself whenever all tasks wait, also for an answer from another
/// process. It does not while a blocking task runs, and one does here: the one that tells the time.
async fn run_clock(speed: Arc<AtomicU32>) {
    tokio::time::pause();
    let (tick, mut ticks) = mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        let mut last = Instant::now();
        loop {
            thread::sleep(TICK);
            let now = Instant::now();
            if tick.blocking_send(now - last).is_err() {
                return;
            }
            last = now;
        }
    });
    while let Some(passed) = ticks.recv().await {
        tokio::time::advance(passed * speed.load(Ordering::Relaxed)).await;
    }
}

/// The requests to the API server that `metrics` count, by method and resource: `GET secrets`.
///
/// # Errors
/// What is counted cannot be read.
pub fn requests(metrics: &Metrics) -> Result<BTreeMap<String, u64>> {
    let text = metrics.text()?;
    let samples = text.lines().filter_map(|line| {
        let sample = line.strip_prefix("capstan_kubernetes_requests_total{method=\"")?;
        let (method, sample) = sample.split_once("\",resource=\"")?;
        let (resource, count) = sample.split_once("\"} ")?;
        Some((format!("{method} {resource}"), count))
    });
    samples
        .map(|(request, count)| Ok((request, count.parse()?)))
        .collect()
}
