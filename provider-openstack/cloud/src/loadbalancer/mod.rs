//! Octavia.

mod types;

use reqwest::Method;
use serde_json::{Value, json};

use crate::api::{Api, Listed, Query};
use crate::change::{Change, Kind, Row};
use crate::network::{Filter, query};
use crate::{Cloud, Result, Service};

pub use types::{
    AdditionalVip, Listener, ListenerCreate, LoadBalancer, LoadBalancerCreate, LoadBalancerFlavor,
    Member, MemberCreate, Monitor, MonitorCreate, Pool, PoolCreate, Provider, ProvisioningStatus,
};

/// Octavia, through one session.
#[derive(Clone, Copy)]
pub struct LoadBalancing<'a>(Api<'a>);

impl Cloud {
    /// Octavia.
    pub fn load_balancer(&self) -> LoadBalancing<'_> {
        LoadBalancing(Api {
            cloud: self,
            service: Service::LoadBalancer,
            microversion: None,
        })
    }
}

impl LoadBalancing<'_> {
    pub(crate) async fn rows<T: Row>(&self, filter: &Filter<'_>) -> Result<Listed<T>> {
        self.0.rows(&["lbaas", T::MANY], query(filter)).await
    }

    /// The newest API version, for example `(2, 26)`; `(2, 0)` when the cloud does not say.
    pub async fn version(&self) -> Result<(u32, u32)> {
        Ok(newest_version(&self.0.versions().await?))
    }

    /// The names of the providers that the cloud offers.
    pub async fn providers(&self) -> Result<Vec<Provider>> {
        Ok(self
            .0
            .list("providers", &["lbaas", "providers"], Query::new())
            .await?
            .items)
    }

    /// The flavors that the cloud offers.
    pub async fn flavors(&self) -> Result<Vec<LoadBalancerFlavor>> {
        Ok(self
            .0
            .list("flavors", &["lbaas", "flavors"], Query::new())
            .await?
            .items)
    }

    /// Load balancers; with an administrator's credentials those of all projects, unless filtered.
    pub async fn load_balancers(&self, filter: &Filter<'_>) -> Result<Vec<LoadBalancer>> {
        Ok(self.rows(filter).await?.items)
    }

    /// The members of a pool.
    pub async fn members(&self, pool_id: &str) -> Result<Vec<Member>> {
        let path = ["lbaas", "pools", pool_id, "members"];
        Ok(self.0.list("members", &path, Query::new()).await?.items)
    }

    /// Asks for a load balancer; it is ready when its status is `ACTIVE`.
    pub async fn create_load_balancer(&self, lb: &LoadBalancerCreate) -> Result<LoadBalancer> {
        self.0.create(&["lbaas", "loadbalancers"], lb).await
    }

    /// Asks for a listener; its load balancer is pending until it is done, as with all children.
    pub async fn create_listener(&self, listener: &ListenerCreate) -> Result<Listener> {
        let created: Listener = self.0.create(&["lbaas", "listeners"], listener).await?;
        self.look_at_balancers();
        Ok(created)
    }

    /// Sets who may connect to a listener; an empty list means everybody.
    pub async fn set_allowed_cidrs(&self, id: &str, cidrs: &[String]) -> Result<Listener> {
        let body = json!({"allowed_cidrs": cidrs});
        let updated: Listener = self.0.update(&["lbaas", "listeners", id], &body).await?;
        self.look_at_balancers();
        Ok(updated)
    }

    /// Asks for a pool.
    pub async fn create_pool(&self, pool: &PoolCreate) -> Result<Pool> {
        let created: Pool = self.0.create(&["lbaas", "pools"], pool).await?;
        self.look_at_balancers();
        self.0.cloud.changed(Change::Unsure(Kind::Listeners));
        Ok(created)
    }

    /// Asks for a member.
    pub async fn create_member(&self, pool_id: &str, member: &MemberCreate) -> Result<Member> {
        let path = ["lbaas", "pools", pool_id, "members"];
        let body = json!({"member": member});
        let created: Member = self
            .0
            .write::<Pool, _>(Method::POST, "member", &path, body)
            .await?;
        let change = Change::Member(pool_id.to_owned(), Box::new(created.clone()));
        self.0.cloud.changed(change);
        self.look_at_balancers();
        Ok(created)
    }

    /// Begins to delete a member; gone already is as good.
    pub async fn delete_member(&self, pool_id: &str, member_id: &str) -> Result<()> {
        let path = ["lbaas", "pools", pool_id, "members", member_id];
        let result = self.0.request(Method::DELETE, "member", &path, None).await;
        self.0.unsure_after(Kind::Pools, &result);
        crate::error::optional(result)?;
        let change = Change::MemberEnding(pool_id.to_owned(), member_id.to_owned());
        self.0.cloud.changed(change);
        self.look_at_balancers();
        Ok(())
    }

    /// Asks for a health monitor; some providers refuse with [`crate::ErrorKind::Unsupported`].
    pub async fn create_monitor(&self, monitor: &MonitorCreate) -> Result<Monitor> {
        let created: Monitor = self.0.create(&["lbaas", "healthmonitors"], monitor).await?;
        self.look_at_balancers();
        self.0.cloud.changed(Change::Unsure(Kind::Pools));
        Ok(created)
    }

    /// Changes fields of a health monitor.
    pub async fn update_monitor(&self, id: &str, fields: &Value) -> Result<Monitor> {
        let updated: Monitor = self
            .0
            .update(&["lbaas", "healthmonitors", id], fields)
            .await?;
        self.look_at_balancers();
        Ok(updated)
    }

    /// Begins to delete a load balancer with all its children; gone already is as good. Refused with
    /// `Conflict` while it is pending.
    pub async fn delete_load_balancer(&self, id: &str) -> Result<()> {
        let path = ["lbaas", "loadbalancers", id];
        let cascade = vec![("cascade".to_owned(), "true".to_owned())];
        self.0
            .delete::<LoadBalancer>(&path, cascade, id, true)
            .await?;
        for kind in [Kind::Listeners, Kind::Pools, Kind::Monitors] {
            self.0.cloud.changed(Change::Unsure(kind));
        }
        Ok(())
    }

    /// Begins to delete a listener; gone already is as good.
    pub async fn delete_listener(&self, id: &str) -> Result<()> {
        self.delete_child::<Listener>(id).await
    }

    /// Begins to delete a pool; gone already is as good.
    pub async fn delete_pool(&self, id: &str) -> Result<()> {
        self.delete_child::<Pool>(id).await
    }

    /// Begins to delete a health monitor; gone already is as good.
    pub async fn delete_monitor(&self, id: &str) -> Result<()> {
        self.delete_child::<Monitor>(id).await
    }

    async fn delete_child<T: Row>(&self, id: &str) -> Result<()> {
        self.0
            .delete::<T>(&["lbaas", T::MANY, id], Query::new(), id, true)
            .await?;
        self.look_at_balancers();
        Ok(())
    }

    /// A change of a child makes its load balancer pending.
    fn look_at_balancers(&self) {
        self.0.cloud.changed(Change::Unsure(Kind::LoadBalancers));
    }
}

/// `{"versions": [{"id": "v2.26", …}, …]}`
fn newest_version(body: &Value) -> (u32, u32) {
    let versions = body["versions"].as_array().into_iter().flatten();
    let read = |version: &Value| {
        let (major, minor) = version["id"].as_str()?.strip_prefix('v')?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    versions.filter_map(read).max().unwrap_or((2, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let body = json!({"versions": [{"id": "v2.9"}, {"id": "v2.26"}, {"id": "v2.0"}]});
        assert_eq!(newest_version(&body), (2, 26));
        assert_eq!(newest_version(&Value::Null), (2, 0));
    }
}
