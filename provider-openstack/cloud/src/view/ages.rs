//! How old the tables are, for the metrics.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::{Shared, locked};

/// All views of a process. Reports, for each kind, the seconds since the oldest table of it was
/// fetched that somebody is interested in.
#[derive(Clone, Debug, Default)]
pub struct Ages(Arc<Mutex<Vec<Weak<Shared>>>>);

impl Ages {
    pub(super) fn add(&self, view: &Arc<Shared>) {
        let mut views = locked(&self.0);
        views.retain(|view| view.strong_count() > 0);
        views.push(Arc::downgrade(view));
    }
}

impl Collector for Ages {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let views: Vec<_> = locked(&self.0).iter().filter_map(Weak::upgrade).collect();
        let mut oldest = BTreeMap::new();
        for (kind, age) in views.iter().flat_map(|view| view.state().ages()) {
            let seconds = age.as_secs_f64();
            let known: &mut f64 = oldest.entry(kind).or_default();
            *known = known.max(seconds);
        }
        let (name, help) = (
            "openstack_view_age_seconds",
            "Seconds since the oldest list of a kind in use",
        );
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (kind, seconds) in oldest {
            metric
                .encode_family(&[("kind", kind.as_str())])?
                .encode_gauge(&seconds)?;
        }
        Ok(())
    }
}
