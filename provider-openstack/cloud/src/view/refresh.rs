//! The list of each kind.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::Shared;
use super::state::State;
use super::tables::{Changed, Stamp, Tabled};
use crate::api::Listed;
use crate::compute::Server;
use crate::loadbalancer::{Listener, LoadBalancer, Member, Monitor, Pool};
use crate::network::{FloatingIp, Network, Port, Router, SecurityGroup, Subnet, Trunk};
use crate::{Kind, Result};

/// A list of changes begins this long before the answer of the last one: the clocks of Nova's hosts
/// differ a little.
const OVERLAP: Duration = Duration::from_secs(30);

impl Shared {
    /// Makes a kind fresh, if it is not; a list that began before `since` does not count.
    pub(super) async fn ensure(&self, kind: Kind, since: Option<Instant>) -> Result<()> {
        let is_fresh = |state: &State, now| {
            state.is_fresh(kind, now) && since.is_none_or(|since| state.looked_since(kind, since))
        };
        if is_fresh(&self.state(), Instant::now()) {
            return Ok(());
        }
        let Some(flight) = self.flights.get(&kind) else {
            return Ok(());
        };
        let _flight = flight.lock().await;
        {
            let state = self.state();
            let now = Instant::now();
            if is_fresh(&state, now) {
                return Ok(());
            }
            if let Some(error) = state.recent_failure(kind, now) {
                return Err(error);
            }
        }
        self.refresh(kind).await
    }

    /// Refreshes a kind for the background task, unless a snapshot did so just now.
    pub(super) async fn refresh_due(&self, kind: Kind) {
        let Some(flight) = self.flights.get(&kind) else {
            return;
        };
        let _flight = flight.lock().await;
        if self.state().due(Instant::now()).contains(&kind) {
            // The failure is kept in the state, for those who ask.
            let _ = self.refresh(kind).await;
        }
    }

    async fn refresh(&self, kind: Kind) -> Result<()> {
        let started = Instant::now();
        let began = self.state().tables.begin_list();
        let (news, result) = match self.fetch(kind, began, started).await {
            Ok(changed) => {
                let mut state = self.state();
                state.fetched(kind, began, started, !changed.is_empty());
                (state.interest.woken_by(&changed), Ok(()))
            }
            Err(error) => {
                let mut state = self.state();
                let first = state.failed(kind, error.clone(), Instant::now());
                drop(state);
                if first {
                    tracing::warn!(%kind, %error, "cannot refresh");
                }
                // Who waits shall learn that it waits in vain.
                let in_vain = first && !error.is_transient();
                let keys = in_vain.then(|| self.state().interest.keys());
                (keys.unwrap_or_default(), Err(error))
            }
        };
        self.wakes.send(news);
        result
    }

    async fn fetch(&self, kind: Kind, began: Stamp, started: Instant) -> Result<Changed> {
        let network = self.cloud.network();
        let balancing = self.cloud.load_balancer();
        // An administrator would see all projects. Networks and subnets are wanted from everywhere:
        // external and shared ones belong to others.
        let own = [("project_id", self.cloud.project_id())];
        Ok(match kind {
            Kind::Networks => self.put(network.rows::<Network>(&[]).await?, began),
            Kind::Subnets => self.put(network.rows::<Subnet>(&[]).await?, began),
            Kind::Routers => self.put(network.rows::<Router>(&own).await?, began),
            Kind::Ports => self.put(network.rows::<Port>(&own).await?, began),
            Kind::Trunks => self.put(network.rows::<Trunk>(&own).await?, began),
            Kind::SecurityGroups => self.put(network.rows::<SecurityGroup>(&own).await?, began),
            Kind::FloatingIps => self.put(network.rows::<FloatingIp>(&own).await?, began),
            Kind::Servers => self.fetch_servers(began, started).await?,
            Kind::Volumes => self.put(self.cloud.block_storage().list().await?, began),
            Kind::LoadBalancers => self.put(balancing.rows::<LoadBalancer>(&own).await?, began),
            Kind::Listeners => self.put(balancing.rows::<Listener>(&own).await?, began),
            Kind::Pools => {
                let pools = balancing.rows::<Pool>(&own).await?;
                self.put(self.with_members(pools).await?, began)
            }
            Kind::Monitors => self.put(balancing.rows::<Monitor>(&own).await?, began),
        })
    }

    fn put<T: Tabled>(&self, listed: Listed<T>, began: Stamp) -> Changed {
        self.state().tables.apply_list(listed.items, began)
    }

    /// Only changes where that is possible; all servers now and then, which repairs whatever a list
    /// of changes cannot say.
    async fn fetch_servers(&self, began: Stamp, started: Instant) -> Result<Changed> {
        let since = self.state().changes_since(started);
        let listed = self.cloud.compute().list(since).await?;
        let (gone, present): (Vec<Server>, Vec<Server>) =
            listed.items.into_iter().partition(Server::is_gone);
        let overlap = SignedDuration::try_from(OVERLAP).unwrap_or_default();
        let next = listed.date.and_then(|date| date.checked_sub(overlap).ok());
        let mut state = self.state();
        state.listed_servers(next, since.is_none(), started);
        Ok(if since.is_some() {
            let gone: Vec<String> = gone.into_iter().map(|server| server.id).collect();
            for id in &gone {
                state.server_gone(id);
            }
            state.tables.apply_changes(present, gone, began)
        } else {
            state.tables.apply_list(present, began)
        })
    }

    /// The list of pools has only the ids of members. Members do not change but for their status, so
    /// they are read only where ids are new or one is pending. A pool that goes meanwhile is left out:
    /// it may be another cluster's, whose end must not fail this project's view.
    async fn with_members(&self, pools: Listed<Pool>) -> Result<Listed<Pool>> {
        let known = self.state().tables.pools.clone();
        let mut items = Vec::with_capacity(pools.items.len());
        for mut pool in pools.items {
            let old = known
                .get(&pool.id)
                .map(|pool| pool.members.as_slice())
                .unwrap_or_default();
            pool.members = if is_settled(old, &pool.members) {
                old.to_vec()
            } else {
                match self.cloud.load_balancer().members(&pool.id).await {
                    Err(error) if error.is_not_found() => continue,
                    members => members?,
                }
            };
            items.push(pool);
        }
        Ok(Listed { items, ..pools })
    }
}

fn is_settled(known: &[Member], listed: &[Member]) -> bool {
    let has = |id: &str| known.iter().any(|member| member.id == id);
    known.len() == listed.len()
        && listed.iter().all(|member| has(&member.id))
        && !known
            .iter()
            .any(|member| member.provisioning_status.is_pending())
}
