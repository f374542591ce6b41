//! A scenario: a namespace, a cloud and a provider of its own, so that many run at a time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use runtime::metrics::{Controller, Metrics, Outcome};
use simulator::{Delays, Simulator};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::cluster_api::Cluster;
use crate::provider::{self, Options, Provider};
use crate::{ApiServer, Picture};

/// Project of the cloud that all scenarios use, and its name in clouds.yaml.
pub const PROJECT: &str = "tenant";
/// Between two looks at the simulator, which has nothing to watch.
const LOOK: Duration = Duration::from_millis(20);

/// How a scenario is run.
#[derive(Clone, Debug)]
pub struct Pace {
    /// Seconds of the provider's and the cloud's clock in a second.
    pub speed: u32,
    /// How long the cloud takes, on its clock.
    pub delays: Delays,
    /// How long anything that is waited for may take, on the real clock.
    pub deadline: Duration,
}

impl Default for Pace {
    /// A cloud as real ones are, twenty times as fast.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            speed: 20,
            delays: Delays {
                server_build: seconds(8),
                server_delete: seconds(4),
                volume_create: seconds(3),
                volume_delete: seconds(2),
                balancer: seconds(2),
            },
            deadline: seconds(120),
        }
    }
}

/// A running scenario. Dropped, all of it ends; the namespace stays, as nobody looks at it any more.
pub struct Scenario {
    /// The cloud.
    pub cloud: Simulator,
    /// The cluster, as its user and Cluster API see it.
    pub cluster: Cluster,
    /// The API server, which other scenarios use as well.
    pub api: &'static ApiServer,
    options: Options,
    provider: Mutex<Option<Provider>>,
}

impl Scenario {
    /// A cloud and an empty namespace of this name; no provider runs yet.
    ///
    /// # Errors
    /// No API server, or what it says.
    pub async fn open(namespace: &str, pace: &Pace) -> Result<Self> {
        let api = ApiServer::get().await?;
        let options = simulator::Options {
            delays: pace.delays.clone(),
            speed: f64::from(pace.speed),
            ..simulator::Options::default()
        };
        let cloud = Simulator::start(options).await?;
        let cluster = Cluster::open(
            api.client()?,
            namespace,
            &cloud.clouds_yaml(),
            pace.deadline,
        )
        .await?;
        let options = Options {
            namespace: namespace.to_owned(),
            speed: Arc::new(AtomicU32::new(pace.speed)),
        };
        Ok(Self {
            cloud,
            cluster,
            api,
            options,
            provider: Mutex::default(),
        })
    }

    /// Starts the provider.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(&self) -> Result<()> {
        let provider = Provider::start(self.api, self.options.clone())?;
        *self.provider.lock().unwrap_or_else(PoisonError::into_inner) = Some(provider);
        Ok(())
    }

    /// Ends the provider at once, in the middle of whatever it does.
    ///
    /// # Errors
    /// It had panicked.
    pub async fn crash(&self) -> Result<()> {
        let provider = self
            .provider
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        spawn_blocking(|| drop(provider))
            .await
            .context("the provider")
    }

    /// From now on the clocks of the provider and of the cloud run so fast.
    pub fn set_speed(&self, speed: u32) {
        self.options.speed.store(speed, Ordering::Relaxed);
        self.cloud.clock().set_speed(f64::from(speed));
    }

    /// Lets so much time pass on those clocks.
    pub async fn pass(&self, time: Duration) {
        sleep(time / self.options.speed.load(Ordering::Relaxed)).await;
    }

    /// Waits until a controller of this provider has reconciled so often.
    ///
    /// # Errors
    /// How often it has, at the deadline.
    pub async fn reconciled(&self, controller: &'static str, times: u64) -> Result<()> {
        let deadline = Instant::now() + self.cluster.deadline;
        let success = Outcome {
            controller,
            outcome: "success",
        };
        loop {
            let metrics = self.metrics().context("no provider runs")?;
            let done = metrics.controllers.reconciles.get_or_create(&success).get();
            if done >= times {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("{controller} has reconciled {done} times, not {times}");
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until objects of a controller wait for their turn.
    ///
    /// # Errors
    /// None do at the deadline.
    pub async fn queued(&self, controller: &'static str) -> Result<()> {
        let deadline = Instant::now() + self.cluster.deadline;
        loop {
            let metrics = self.metrics().context("no provider runs")?;
            let waiting = &metrics.controllers.waiting;
            if waiting.get_or_create(&Controller { controller }).get() > 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("no object of {controller} waits for its turn");
            }
            sleep(LOOK).await;
        }
    }

    /// Those of the provider that runs.
    /// The provider's requests to the API server since it was started, as [`provider::requests`] has them.
    ///
    /// # Errors
    /// No provider runs.
    pub fn requests(&self) -> Result<BTreeMap<String, u64>> {
        provider::requests(&self.metrics().context("no provider runs")?)
    }

    fn metrics(&self) -> Option<Metrics> {
        let provider = self.provider.lock().unwrap_or_else(PoisonError::into_inner);
        provider.as_ref().map(|provider| provider.metrics.clone())
    }

    /// What the project holds.
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.cloud
            .world(|world| Picture::of(world, &self.cluster.namespace))
    }

    /// Waits until nothing in the project is on its way, and what it holds then.
    ///
    /// # Errors
    /// What it held at the deadline.
    pub async fn settled(&self) -> Result<Picture> {
        let deadline = Instant::now() + self.cluster.deadline;
        loop {
            let picture = self.picture();
            if picture.is_settled() {
                return Ok(picture);
            }
            if Instant::now() > deadline {
                bail!(
                    "the cloud does not settle:\n{}",
                    picture.difference(&Picture::default())
                );
            }
            sleep(LOOK).await;
        }
    }

    /// Waits until the project holds what `wanted` shows.
    ///
    /// # Errors
    /// The difference at the deadline.
    pub async fn holds(&self, wanted: &Picture) -> Result<()> {
        let deadline = Instant::now() + self.cluster.deadline;
        loop {
            let difference = self.picture().difference(wanted);
            if difference.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!("the cloud holds something else:\n{difference}");
            }
            sleep(LOOK).await;
        }
    }

    /// Nothing is left in the project.
    ///
    /// # Errors
    /// What is.
    pub fn is_empty(&self) -> Result<()> {
        let audit = self.cloud.audit();
        if audit.is_empty() {
            return Ok(());
        }
        bail!("left in the cloud:\n{audit}")
    }
}
