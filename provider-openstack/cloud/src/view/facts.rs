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
use crate::network::{SecurityGroup, TAGS_IN_BULK_PORTS};

const KEPT: Duration = Duration::from_secs(600);
/// Who misses something may ask again after this: it could have been made just now.
pub(super) const KEPT_AFTER_MISS: Duration = Duration::from_secs(10);

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

    /// What is kept, if it `has` what is sought, else what is at most [`KEPT_AFTER_MISS`] old.
    async fn seek<F: Future<Output = Result<T>>>(
        &self,
        fetch: impl Fn() -> F,
        has: impl Fn(&T) -> bool,
    ) -> Result<Arc<T>> {
        let kept = self.get(KEPT, fetch()).await?;
        if has(&kept) {
            return Ok(kept);
        }
        self.get(KEPT_AFTER_MISS, fetch()).await
    }
}

/// One answer for each question.
type Answers<K, T> = Mutex<HashMap<K, Arc<Fact<T>>>>;

async fn fact<K: Eq + std::hash::Hash, T>(facts: &Answers<K, T>, about: K) -> Arc<Fact<T>> {
    facts.lock().await.entry(about).or_default().clone()
}

impl<T: Clone> Fact<Vec<T>> {
    /// The row with this id or, if there is none, the first of this name.
    async fn with_id_or_name<F: Future<Output = Result<Vec<T>>>>(
        &self,
        sought: &str,
        fetch: impl Fn() -> F,
        id: impl Fn(&T) -> &str,
        name: impl Fn(&T) -> &str,
    ) -> Result<Option<T>> {
        let find = |rows: &Vec<T>| {
            let by_id = rows.iter().find(|row| id(row) == sought);
            let row = by_id.or_else(|| rows.iter().find(|row| name(row) == sought));
            row.cloned()
        };
        let rows = self.seek(fetch, |rows| find(rows).is_some()).await?;
        Ok(find(&rows))
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
    images: Answers<ImageQuery, Vec<Image>>,
    images_by_id: Answers<String, Option<Image>>,
    shared_groups: Answers<String, Vec<SecurityGroup>>,
}

impl View {
    /// The flavor with this id or, if there is none, this name.
    pub async fn flavor(&self, id_or_name: &str) -> Result<Option<Flavor>> {
        let compute = self.cloud().compute();
        let flavors = &self.0.facts.flavors;
        flavors
            .with_id_or_name(
                id_or_name,
                || compute.flavors(),
                |row| &row.id,
                |row| &row.name,
            )
            .await
    }

    /// The flavors, for who has missed one.
    pub async fn flavors(&self) -> Result<Arc<Vec<Flavor>>> {
        let compute = self.cloud().compute();
        self.0.facts.flavors.get(KEPT, compute.flavors()).await
    }

    /// The images with this name (if any) and all of these tags.
    pub async fn images(&self, name: Option<&str>, tags: &[String]) -> Result<Arc<Vec<Image>>> {
        let query = (name.map(str::to_owned), tags.to_vec());
        let fact = fact(&self.0.facts.images, query).await;
        let images = self.cloud().image();
        fact.seek(|| images.images(name, tags), |found| !found.is_empty())
            .await
    }

    /// The image with this id.
    pub async fn image(&self, id: &str) -> Result<Option<Image>> {
        let fact = fact(&self.0.facts.images_by_id, id.to_owned()).await;
        let images = self.cloud().image();
        let found = fact.seek(|| images.image(id), Option::is_some).await?;
        Ok(found.as_ref().clone())
    }

    /// The availability zones for servers. None at all is Nova just starting: not kept for long.
    pub async fn availability_zones(&self) -> Result<Arc<Vec<AvailabilityZone>>> {
        let zones = &self.0.facts.zones;
        let compute = self.cloud().compute();
        zones
            .seek(|| compute.availability_zones(), |zones| !zones.is_empty())
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

    /// The server group with this id or, if there is none, this name; the first, if there are several.
    pub async fn server_group(&self, id_or_name: &str) -> Result<Option<ServerGroup>> {
        let compute = self.cloud().compute();
        let groups = &self.0.facts.server_groups;
        groups
            .with_id_or_name(
                id_or_name,
                || compute.server_groups(),
                |row| &row.id,
                |row| &row.name,
            )
            .await
    }

    /// The server groups, for who has missed one.
    pub async fn server_groups(&self) -> Result<Arc<Vec<ServerGroup>>> {
        let compute = self.cloud().compute();
        let groups = &self.0.facts.server_groups;
        groups.get(KEPT, compute.server_groups()).await
    }

    /// The security groups of another project that this one may use; one that is `sought` may have been
    /// shared just now.
    pub async fn security_groups_of(
        &self,
        project_id: &str,
        sought: impl Fn(&SecurityGroup) -> bool,
    ) -> Result<Arc<Vec<SecurityGroup>>> {
        let fact = fact(&self.0.facts.shared_groups, project_id.to_owned()).await;
        let network = self.cloud().network();
        let filter = [("project_id", project_id)];
        fact.seek(
            || network.security_groups(&filter),
            |groups| groups.iter().any(&sought),
        )
        .await
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
