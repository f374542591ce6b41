//! What exists around a pool: claims and addresses in the management cluster, floating IPs in the
//! cloud.

use std::sync::Arc;
use std::time::Duration;

use cloud::network::TAGS;
use cloud::view::Tables;
use cloud::{Kind, View};
use crds::capi::{self, IPAddress, IPAddressClaim};
use crds::openstack::names::DELETE_FLOATING_IP_FINALIZER;
use crds::openstack::v1alpha1::OpenStackFloatingIPPool;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use plan::floating_ip_pool::{Action, Address, Claim, Seen, Want};
use plan::step::Step;
use plan::world::Network;
use runtime::{Key, Requeue};

use super::{Pools, is_ours};
use crate::lookup::find;
use crate::problems::Problems;
use crate::wake::Waiter;
use crate::{Error, arrival, world};

/// What was observed.
pub struct Observed {
    pub view: View,
    pub plan: Seen,
    tables: Arc<Tables>,
}

impl Pools {
    /// Looks at the cloud, and at claims and addresses as they are now: the watches only say that
    /// something changed. By what they have seen until now an address could be given twice.
    pub async fn observe(
        &self,
        pool: &OpenStackFloatingIPPool,
        want: &Want,
    ) -> Result<Observed, Error> {
        let context = &self.context;
        let view = context
            .view(&want.namespace, &want.spec.identity_ref, want.deleting)
            .await?;
        let mut kinds = vec![Kind::FloatingIps];
        if want.needs_networks() {
            kinds.push(Kind::Networks);
        }
        let arrived = pool.status.is_none().then(|| arrival::of(&pool.metadata));
        let key = Key::new(&want.namespace, &want.name);
        let since = arrived.max(self.problems.since(&key, want.generation));
        let mut tables = view.snapshot_since(&kinds, since).await?;
        if want.needs_networks() && !want.finds_network(&networks(&tables)) {
            tables = view.snapshot_after_miss(&kinds).await?;
        }
        let namesakes = self.pools.list(|other| {
            other.name_any() == want.name
                && other.namespace().as_deref() != Some(want.namespace.as_str())
        });
        let plan = Seen {
            claims: self.claims(want).await?,
            addresses: self.addresses(want).await?,
            floating_ips: tables.floating_ips.iter().map(world::floating_ip).collect(),
            networks: networks(&tables),
            alone: namesakes.is_empty(),
            tagging: view.has_extension(TAGS).await?,
        };
        Ok(Observed { view, plan, tables })
    }

    async fn claims(&self, want: &Want) -> Result<Vec<Claim>, kube::Error> {
        let client = &self.context.client;
        let api = Api::<IPAddressClaim>::namespaced(client.clone(), &want.namespace);
        let all = api.list(&ListParams::default()).await?;
        let mine = all.items.into_iter().filter(|claim| {
            let pool = &claim.spec.pool_ref;
            is_ours(pool) && pool.name == want.name
        });
        let mut claims = Vec::new();
        for object in mine {
            let key = Key::new(&want.namespace, cluster_name(&object));
            let cluster = find(client, &self.clusters, &key).await?;
            claims.push(Claim {
                paused: capi::is_paused(cluster.as_ref(), &object.metadata),
                ..claim(object)
            });
        }
        Ok(claims)
    }

    async fn addresses(&self, want: &Want) -> Result<Vec<Address>, kube::Error> {
        let api = Api::<IPAddress>::namespaced(self.context.client.clone(), &want.namespace);
        let all = api.list(&ListParams::default()).await?;
        let mine = all.items.into_iter().filter(|address| {
            let pool = &address.spec.pool_ref;
            is_ours(pool) && pool.name == want.name
        });
        Ok(mine.map(address).collect())
    }
}

fn networks(tables: &Tables) -> Vec<Network> {
    tables.networks.iter().map(world::network).collect()
}

/// The Cluster that the address is for; empty when the claim says none.
fn cluster_name(claim: &IPAddressClaim) -> &str {
    match claim.spec.cluster_name.as_str() {
        "" => capi::cluster_name(&claim.metadata).unwrap_or_default(),
        name => name,
    }
}

fn claim(object: IPAddressClaim) -> Claim {
    let answer = object.status.address_ref.as_ref();
    Claim {
        answered: answer.is_some_and(|answer| !answer.name.is_empty()),
        name: object.name_any(),
        uid: object.uid().unwrap_or_default(),
        created: object.creation_timestamp(),
        deleting: object.metadata.deletion_timestamp.is_some(),
        paused: false,
    }
}

fn address(object: IPAddress) -> Address {
    let mut finalizers = object.finalizers().iter();
    let moved = capi::has_moved_away(&object.metadata);
    Address {
        held: finalizers.any(|one| one == DELETE_FLOATING_IP_FINALIZER),
        name: object.name_any(),
        deleting: object.metadata.deletion_timestamp.is_some() && !moved,
        address: object.spec.address,
    }
}

/// Tells the view what the pool is about, and the controller when to come back.
pub fn requeue(
    seen: &Observed,
    problems: &Problems,
    key: &Key,
    want: &Want,
    step: &Step<Action>,
) -> Requeue {
    let given = |ip: &&plan::world::FloatingIp| {
        let mut addresses = seen.plan.addresses.iter();
        addresses.any(|address| address.address == ip.address)
    };
    let follows = seen.plan.floating_ips.iter().filter(given);
    let ids = follows.map(|ip| ip.id.clone());
    // What was made twice shows up late.
    let follows: Vec<String> = ids.chain([want.description()]).collect();
    let waiter = Waiter::FloatingIpPool.key(key);
    seen.view.follow(&waiter, follows, &seen.tables);
    if let Some(later) = problems.tell(key, step.problem(), want.generation) {
        return later;
    }
    match step {
        Step::Do(_) => Requeue::After(Duration::ZERO),
        Step::Blocked(_) | Step::Wait(_) | Step::Done => Requeue::OnChange,
    }
}
