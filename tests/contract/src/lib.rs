//! The contract that the provider needs a cloud to keep. The same code runs against the simulator
//! (`cargo test -p contract`) and against a real OpenStack (the binary `contract`), so that the
//! simulator cannot drift from the real thing.
//!
//! It makes a network, a server and a load balancer, sees them change through a view, deletes them,
//! and fails unless the project is then as it was. The project must have an external network, an
//! image and a flavor. It prints each step with its time and the requests that it took.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use cloud::{
    Auth, Cloud, Credentials, ErrorKind, Kind, Metrics, Redacted, Row, Tables, View, WakeReceiver,
    wakes,
};

mod balancer;
mod lists;
mod network;
pub mod probes;
mod server;
pub mod transcript;
mod wire;

const DEADLINE: Duration = Duration::from_secs(120);
const KEY: &str = "contract";

struct Contract {
    view: View,
    wakes: WakeReceiver,
    metrics: Arc<Metrics>,
    name: String,
    since: Instant,
    requests: u64,
}

/// Keeps a cloud to the contract, as the provider sees it: through its client and views.
///
/// # Errors
/// What the cloud did otherwise; what was made is then deleted as far as possible.
pub async fn run(credentials: Credentials) -> Result<()> {
    refusals(&credentials).await?;
    let mut contract = Contract::new(credentials).await?;
    let result = contract.run().await;
    if result.is_err() {
        contract.sweep().await?;
    }
    result
}

/// The errors by which a tenant finds out what is wrong with the credentials.
async fn refusals(credentials: &Credentials) -> Result<()> {
    let refused = async |credentials: Credentials, kind: ErrorKind| -> Result<()> {
        match Cloud::connect(credentials, Arc::default()).await {
            Err(error) if error.kind == kind => {
                println!("     refused as it should be: {error}");
                Ok(())
            }
            Err(error) => bail!("expected {kind}, got {error}"),
            Ok(_) => bail!("expected {kind}, but was let in"),
        }
    };
    if credentials.ca.is_some() {
        refused(
            Credentials {
                ca: None,
                ..credentials.clone()
            },
            ErrorKind::Certificate,
        )
        .await?;
    }
    if let Auth::Password { user, .. } = &credentials.auth {
        let auth = Auth::Password {
            user: user.clone(),
            password: Redacted("wrong".to_owned()),
        };
        refused(
            Credentials {
                auth,
                ..credentials.clone()
            },
            ErrorKind::Unauthorized,
        )
        .await?;
    }
    Ok(())
}

impl Contract {
    async fn new(credentials: Credentials) -> Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let (sender, wakes) = wakes();
        let cloud = Cloud::connect(credentials, metrics.clone()).await?;
        let name = format!("capstan-contract-{}", std::process::id());
        let view = View::new(&cloud, sender);
        let mut new = Self {
            view,
            wakes,
            metrics,
            name,
            since: Instant::now(),
            requests: 0,
        };
        new.step("login");
        Ok(new)
    }

    async fn run(&mut self) -> Result<()> {
        let before = self.everything().await?;
        self.step("list everything");
        self.facts().await?;
        let net = self.network().await?;
        self.lists().await?;
        self.trunk(&net).await?;
        self.server(&net.port).await?;
        self.volume().await?;
        self.load_balancer(&net).await?;
        self.remove(&net).await?;
        let after = self.everything().await?;
        ensure!(
            before == after,
            "left behind: {:?}",
            after.difference(&before)
        );
        self.step("nothing is left behind");
        self.table();
        Ok(())
    }

    /// Deletes what a failed run has left, as far as that is possible at once.
    async fn sweep(&self) -> Result<()> {
        let seen = self.view.snapshot(Kind::ALL).await?;
        let cloud = self.view.cloud();
        let neutron = cloud.network();
        let mut results = Vec::new();
        for server in seen.servers.named(&self.name) {
            results.push(cloud.compute().delete_server(&server.id).await);
        }
        for volume in seen.volumes.named(&self.name) {
            let storage = cloud.block_storage();
            results.push(storage.delete_volume(&volume.id).await);
        }
        for trunk in seen.trunks.named(&self.name) {
            results.push(neutron.delete_trunk(&trunk.id).await);
        }
        for balancer in seen.load_balancers.named(&self.name) {
            results.push(
                cloud
                    .load_balancer()
                    .delete_load_balancer(&balancer.id)
                    .await,
            );
        }
        for port in seen.ports.with_prefix(&self.name) {
            results.push(neutron.delete_port(&port.id).await);
        }
        for router in seen.routers.named(&self.name) {
            for subnet in seen.subnets.named(&self.name) {
                results.push(
                    neutron
                        .remove_router_interface(&router.id, &subnet.id)
                        .await,
                );
            }
            results.push(neutron.delete_router(&router.id).await);
        }
        for network in seen.networks.named(&self.name) {
            results.push(neutron.delete_network(&network.id).await);
        }
        for group in seen.security_groups.named(&self.name) {
            results.push(neutron.delete_security_group(&group.id).await);
        }
        for error in results.into_iter().filter_map(|result| result.err()) {
            eprintln!("left behind under the name {}: {error}", self.name);
        }
        Ok(())
    }

    fn step(&mut self, what: &str) {
        let total = self.total();
        let took = self.since.elapsed().as_secs_f64();
        println!("{took:6.2} s {:4} requests  {what}", total - self.requests);
        self.requests = total;
        self.since = Instant::now();
    }

    fn total(&self) -> u64 {
        self.counts().into_iter().map(|(_, count)| count).sum()
    }

    /// Requests by what was asked, read from the metrics as Prometheus would.
    fn counts(&self) -> Vec<(String, u64)> {
        let mut registry = prometheus_client::registry::Registry::default();
        self.metrics.register(&mut registry);
        let mut text = String::new();
        let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("openstack_requests_total"));
        lines
            .filter_map(|line| line.rsplit_once(' '))
            .map(|(labels, count)| (labels.to_owned(), count.parse().unwrap_or_default()))
            .collect()
    }

    fn table(&self) {
        let mut counts = self.counts();
        counts.sort();
        for (labels, count) in counts {
            println!("{count:6} {labels}");
        }
        println!("{:6} in all", self.total());
    }

    /// Ids of all that the project has; networks and subnets may be others'.
    async fn everything(&self) -> Result<BTreeSet<String>> {
        self.view.doubt(Kind::ALL);
        let all = self.view.snapshot(Kind::ALL).await?;
        fn ids<T: Row>(rows: impl Iterator<Item = T>) -> impl Iterator<Item = String> {
            rows.map(|row| format!("{} {} {}", T::KIND, row.id(), row.name()))
        }
        let network = ids(all.networks.iter().cloned())
            .chain(ids(all.subnets.iter().cloned()))
            .chain(ids(all.routers.iter().cloned()))
            .chain(ids(all.ports.iter().cloned()))
            .chain(ids(all.security_groups.iter().cloned()))
            .chain(ids(all.floating_ips.iter().cloned()));
        let others = ids(all.servers.iter().cloned())
            .chain(ids(all.volumes.iter().cloned()))
            .chain(ids(all.load_balancers.iter().cloned()))
            .chain(ids(all.listeners.iter().cloned()))
            .chain(ids(all.pools.iter().cloned()))
            .chain(ids(all.monitors.iter().cloned()));
        Ok(network.chain(others).collect())
    }

    /// Waits, as a controller does, until the tables show something.
    async fn until<T>(
        &mut self,
        kinds: &[Kind],
        ids: &[&str],
        found: impl Fn(&Tables) -> Option<T>,
    ) -> Result<T> {
        let waiting = async {
            loop {
                let seen = self.view.snapshot(kinds).await?;
                if let Some(value) = found(&seen) {
                    return Ok(value);
                }
                self.view
                    .follow(KEY, ids.iter().map(|&id| id.to_owned()), &seen);
                self.view.expect(KEY, kinds);
                self.wakes
                    .recv()
                    .await
                    .context("the stream of wakes has ended")?;
            }
        };
        let result = tokio::time::timeout(DEADLINE, waiting).await;
        self.view.forget(KEY);
        result.with_context(|| format!("{ids:?} did not get there in time"))?
    }
}
