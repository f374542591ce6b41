//! What hardly ever changes: kept for ten minutes, or until somebody looks for what is not there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::View;
use crate::Result;
use crate::compute::{AvailabilityZone, Flavor, ServerGroup};
use crate::image::Image;
use crate::loadbalancer::{LoadBalancerFlavor, Provider};
use crate::network::TAGS_IN_BULK_PORTS;

const KEPT: Duration = Duration::from_secs(600);
/// Who misses something may ask again after this: it could have been made just now.
const KEPT_AFTER_MISS: Duration = Duration::from_secs(10);

/// One kept answer. The lock is held during the call, so that one call serves all who wait.
#[derive(Debug)]
struct Fact<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Fact<T> {
    async fn get(
        &self,
        max_age: Duration,
        fetch: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        let mut kept = self.0.lock().await;
        if let Some((at, value)) = &*kept
            && at.elapsed() < max_age
        {
            return Ok(value.clone());
        }
        let value = Arc::new(fetch.await?);
        *kept = Some((Instant::now(), value.clone()));
        Ok(value)
    }
}

/// A name (or id) and tags.
type ImageQuery = (Option<String>, Vec<String>);

#[derive(Debug, Default)]
pub(super) struct Facts {
    flavors: Fact<Vec<Flavor>>,
    zones: Fact<Vec<AvailabilityZone>>,
    extensions: Fact<Vec<String>>,
    server_groups: Fact<Vec<ServerGroup>>,
    providers: Fact<Vec<Provider>>,
    balancer_flavors: Fact<Vec<LoadBalancerFlavor>>,
    balancer_version: Fact<(u32, u32)>,
    images: Mutex<HashMap<ImageQuery, Arc<Fact<Vec<Image>>>>>,
    images_by_id: Mutex<HashMap<String, Arc<Fact<Option<Image>>>>>,
}

impl View {
    /// The flavor with this id or, if there is none, this name.
    pub async fn flavor(&self, id_or_name: &str) -> Result<Option<Flavor>> {
        let fits = |flavors: &[Flavor]| {
            let by_id = flavors.iter().find(|flavor| flavor.id == id_or_name);
            by_id
                .or(flavors.iter().find(|flavor| flavor.name == id_or_name))
                .cloned()
        };
        let facts = &self.0.facts.flavors;
        let compute = self.cloud().compute();
        if let Some(found) = fits(&facts.get(KEPT, compute.flavors()).await?) {
            return Ok(Some(found));
        }
        Ok(fits(&facts.get(KEPT_AFTER_MISS, compute.flavors()).await?))
    }

    /// The images with this name (if any) and all of these tags.
    pub async fn images(&self, name: Option<&str>, tags: &[String]) -> Result<Arc<Vec<Image>>> {
        let query = (name.map(str::to_owned), tags.to_vec());
        let fact = self
            .0
            .facts
            .images
            .lock()
            .await
            .entry(query)
            .or_default()
            .clone();
        let images = self.cloud().image();
        let found = fact.get(KEPT, images.images(name, tags)).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        fact.get(KEPT_AFTER_MISS, images.images(name, tags)).await
    }

    /// The image with this id.
    pub async fn image(&self, id: &str) -> Result<Option<Image>> {
        let fact = self
            .0
            .facts
            .images_by_id
            .lock()
            .await
            .entry(id.to_owned())
            .or_default()
            .clone();
        let images = self.cloud().image();
        if let Some(found) = &*fact.get(KEPT, images.image(id)).await? {
            return Ok(Some(found.clone()));
        }
        Ok(fact
            .get(KEPT_AFTER_MISS, images.image(id))
            .await?
            .as_ref()
            .clone())
    }

    /// The availability zones for servers. None at all is Nova just starting: not kept for long.
    pub async fn availability_zones(&self) -> Result<Arc<Vec<AvailabilityZone>>> {
        let facts = &self.0.facts.zones;
        let compute = self.cloud().compute();
        let zones = facts.get(KEPT, compute.availability_zones()).await?;
        if !zones.is_empty() {
            return Ok(zones);
        }
        facts
            .get(KEPT_AFTER_MISS, compute.availability_zones())
            .await
    }

    /// Whether Neutron has this extension.
    pub async fn has_extension(&self, alias: &str) -> Result<bool> {
        let network = self.cloud().network();
        let known = self
            .0
            .facts
            .extensions
            .get(KEPT, network.extensions())
            .await?;
        Ok(known.iter().any(|name| name == alias))
    }

    /// Whether ports can be created with their tags, which saves a request for each.
    pub async fn ports_take_tags(&self) -> Result<bool> {
        self.has_extension(TAGS_IN_BULK_PORTS).await
    }

    /// The server group with this name; the first, if there are several.
    pub async fn server_group(&self, name: &str) -> Result<Option<ServerGroup>> {
        let facts = &self.0.facts.server_groups;
        let compute = self.cloud().compute();
        for max_age in [KEPT, KEPT_AFTER_MISS] {
            let groups = facts.get(max_age, compute.server_groups()).await?;
            if let Some(found) = groups.iter().find(|group| group.name == name) {
                return Ok(Some(found.clone()));
            }
        }
        Ok(None)
    }

    /// The providers of load balancers.
    pub async fn load_balancer_providers(&self) -> Result<Arc<Vec<Provider>>> {
        self.0
            .facts
            .providers
            .get(KEPT, self.cloud().load_balancer().providers())
            .await
    }

    /// The flavors of load balancers.
    pub async fn load_balancer_flavors(&self) -> Result<Arc<Vec<LoadBalancerFlavor>>> {
        self.0
            .facts
            .balancer_flavors
            .get(KEPT, self.cloud().load_balancer().flavors())
            .await
    }

    /// The newest version of Octavia's API, for example `(2, 26)`.
    pub async fn load_balancer_version(&self) -> Result<(u32, u32)> {
        let balancing = self.cloud().load_balancer();
        Ok(*self
            .0
            .facts
            .balancer_version
            .get(KEPT, balancing.version())
            .await?)
    }
}
