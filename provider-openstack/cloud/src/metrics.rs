//! What is counted of the calls to all clouds.

use std::time::Duration;

use crate::view::Ages;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Counts every HTTP request that is sent to a cloud, retries and logins included, so that the sum
/// agrees with what a proxy in front of the cloud sees.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Requests by service, operation and outcome.
    pub requests: Family<RequestLabels, Counter>,
    /// Seconds until the answer was there.
    pub seconds: Family<OperationLabels, Histogram>,
    /// Requests that wait for their answer.
    pub in_flight: Family<ServiceLabels, Gauge>,
    /// The views, whose age is looked at when somebody asks.
    pub(crate) ages: Ages,
}

/// Label of the requests in flight.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct ServiceLabels {
    /// For example `network`.
    pub service: &'static str,
}

/// A request on its way; dropping it says that it is over, also when nobody waits any more.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Labels of a finished request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RequestLabels {
    /// For example `network`.
    pub service: &'static str,
    /// Method and resource, for example `POST port`.
    pub operation: String,
    /// `success`, or the name of the error's kind.
    pub outcome: &'static str,
}

/// Labels of the duration of a request.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct OperationLabels {
    /// For example `network`.
    pub service: &'static str,
    /// Method and resource, for example `POST port`.
    pub operation: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(|| {
                Histogram::new([0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0])
            }),
            in_flight: Family::default(),
            ages: Ages::default(),
        }
    }
}

impl Metrics {
    /// Makes the metrics visible as `openstack_requests_total`, `openstack_request_seconds`,
    /// `openstack_requests_in_flight` and `openstack_view_age_seconds`.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "openstack_requests",
            "Requests sent to OpenStack",
            self.requests.clone(),
        );
        registry.register(
            "openstack_request_seconds",
            "Seconds until OpenStack answered",
            self.seconds.clone(),
        );
        registry.register(
            "openstack_requests_in_flight",
            "Requests that wait for the answer of OpenStack",
            self.in_flight.clone(),
        );
        registry.register_collector(Box::new(self.ages.clone()));
    }

    pub(crate) fn sent(&self, service: &'static str) -> InFlight {
        let gauge = self.in_flight.get_or_create(&ServiceLabels { service });
        let gauge = gauge.clone();
        gauge.inc();
        InFlight(gauge)
    }

    pub(crate) fn count(
        &self,
        service: &'static str,
        operation: &str,
        outcome: &'static str,
        took: Duration,
    ) {
        let operation = operation.to_owned();
        let request = RequestLabels {
            service,
            operation: operation.clone(),
            outcome,
        };
        self.requests.get_or_create(&request).inc();
        self.seconds
            .get_or_create(&OperationLabels { service, operation })
            .observe(took.as_secs_f64());
    }
}
