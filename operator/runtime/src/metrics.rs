//! The metrics of the process, in the OpenMetrics text format, and what every controller counts.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// The registry of the process; all names begin with `capstan_`.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// What every controller counts.
    pub controllers: Controllers,
}

/// What every controller counts, by controller (and outcome).
#[derive(Clone)]
pub struct Controllers {
    /// Finished reconciles.
    pub reconciles: Family<Outcome, Counter>,
    /// Seconds that reconciles took.
    pub seconds: Family<Controller, Histogram>,
    /// Objects that wait for their turn.
    pub waiting: Family<Controller, Gauge>,
    /// Objects whose last reconcile failed, and that wait to be tried again.
    pub failing: Family<Controller, Gauge>,
}

impl Controllers {
    pub(crate) fn queues(&self, controller: &'static str, waiting: usize, failing: usize) {
        let set = |family: &Family<Controller, Gauge>, count: usize| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            family.get_or_create(&Controller { controller }).set(count);
        };
        set(&self.waiting, waiting);
        set(&self.failing, failing);
    }
}

/// Labels of a finished reconcile; `outcome` is `success`, `error`, `conflict` (the object changed
/// meanwhile) or `undecodable`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Outcome {
    /// Name of the controller.
    pub controller: &'static str,
    /// How it ended.
    pub outcome: &'static str,
}

/// Label of a controller.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Controller {
    /// Name of the controller.
    pub controller: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("capstan");
        let controllers = Controllers {
            reconciles: Family::default(),
            seconds: Family::new_with_constructor(|| {
                Histogram::new([0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0])
            }),
            waiting: Family::default(),
            failing: Family::default(),
        };
        registry.register(
            "reconciles",
            "Finished reconciles",
            controllers.reconciles.clone(),
        );
        registry.register(
            "reconcile_seconds",
            "Seconds that a reconcile took",
            controllers.seconds.clone(),
        );
        registry.register(
            "reconciles_waiting",
            "Objects that wait for their turn",
            controllers.waiting.clone(),
        );
        registry.register(
            "reconciles_failing",
            "Objects whose last reconcile failed, and that wait to be tried again",
            controllers.failing.clone(),
        );
        Self {
            registry: Arc::new(Mutex::new(registry)),
            controllers,
        }
    }
}

impl Metrics {
    /// Adds a metric of another crate; counters get the suffix `_total` by themselves.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.lock().register(name, help, metric);
    }

    /// Lets another crate register what it counts.
    pub fn with_registry<T>(&self, add: impl FnOnce(&mut Registry) -> T) -> T {
        add(&mut self.lock())
    }

    /// All metrics, as text.
    ///
    /// # Errors
    /// When a metric cannot be written, which only a broken `Metric` can cause.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.lock())?;
        Ok(text)
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
