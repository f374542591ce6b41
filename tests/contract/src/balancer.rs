//! A load balancer with a listener, a pool, a monitor and a member.

use anyhow::{Context, Result, ensure};
use cloud::loadbalancer::{
    ListenerCreate, LoadBalancerCreate, MemberCreate, MonitorCreate, PoolCreate, ProvisioningStatus,
};
use cloud::{ErrorKind, Kind};

use crate::Contract;
use crate::network::Net;

impl Contract {
    pub async fn load_balancer(&mut self, net: &Net) -> Result<()> {
        let view = self.view.clone();
        let octavia = view.cloud().load_balancer();
        let name = self.name.clone();
        let balancer = octavia
            .create_load_balancer(&LoadBalancerCreate {
                name: name.clone(),
                vip_network_id: net.network.clone(),
                vip_subnet_id: Some(net.subnet.clone()),
                tags: vec!["contract".to_owned()],
                ..Default::default()
            })
            .await?;
        let id = balancer.id.clone();
        self.balancer_ready(&id).await?;
        self.step("load balancer active");
        let listener = octavia
            .create_listener(&ListenerCreate {
                name: name.clone(),
                loadbalancer_id: id.clone(),
                protocol: "TCP".to_owned(),
                protocol_port: 6443,
                allowed_cidrs: Some(vec!["10.0.0.0/8".to_owned()]),
                ..Default::default()
            })
            .await?;
        self.balancer_ready(&id).await?;
        octavia
            .set_allowed_cidrs(&listener.id, &["10.8.0.0/24".to_owned()])
            .await?;
        self.balancer_ready(&id).await?;
        self.step("listener, allowed CIDRs");
        let pool = self.pool(&id, &listener.id).await?;
        let members = view.snapshot(&[Kind::Pools]).await?;
        let members = &members
            .pools
            .get(&pool)
            .context("the pool is not in the view")?
            .members;
        ensure!(
            members.len() == 1 && members[0].address == "10.8.0.77",
            "{members:?}"
        );
        self.shrink(&id, &listener.id, &pool).await?;
        octavia.delete_load_balancer(&id).await?;
        self.until(&[Kind::LoadBalancers], &[&id], |seen| {
            seen.load_balancers.get(&id).is_none().then_some(())
        })
        .await?;
        self.step("load balancer deleted with its children");
        Ok(())
    }

    async fn pool(&mut self, balancer: &str, listener: &str) -> Result<String> {
        let view = self.view.clone();
        let octavia = view.cloud().load_balancer();
        let pool = octavia
            .create_pool(&PoolCreate {
                name: self.name.clone(),
                listener_id: listener.to_owned(),
                protocol: "TCP".to_owned(),
                lb_algorithm: "ROUND_ROBIN".to_owned(),
                ..Default::default()
            })
            .await?;
        self.balancer_ready(balancer).await?;
        octavia
            .create_monitor(&MonitorCreate {
                name: self.name.clone(),
                pool_id: pool.id.clone(),
                kind: "TCP".to_owned(),
                delay: 10,
                timeout: 5,
                max_retries: 5,
                max_retries_down: 3,
                ..Default::default()
            })
            .await?;
        self.balancer_ready(balancer).await?;
        octavia
            .create_member(
                &pool.id,
                &MemberCreate {
                    name: self.name.clone(),
                    address: "10.8.0.77".to_owned(),
                    protocol_port: 6443,
                    ..Default::default()
                },
            )
            .await?;
        let busy = octavia.delete_pool(&pool.id).await;
        ensure!(
            busy.is_err_and(|error| error.kind == ErrorKind::Conflict),
            "pending is a conflict"
        );
        self.balancer_ready(balancer).await?;
        self.step("pool, monitor, member");
        Ok(pool.id)
    }

    /// Takes the children away one by one; what is gone already is as good.
    async fn shrink(&mut self, balancer: &str, listener: &str, pool: &str) -> Result<()> {
        let view = self.view.clone();
        let octavia = view.cloud().load_balancer();
        let monitor = view.snapshot(&[Kind::Pools]).await?;
        let monitor = monitor
            .pools
            .get(pool)
            .and_then(|pool| pool.healthmonitor_id.clone());
        let monitor = monitor.context("the pool has no monitor")?;
        let delay = serde_json::json!({"delay": 11});
        let changed = octavia.update_monitor(&monitor, &delay).await?;
        ensure!(changed.delay == 11, "{changed:?}");
        self.balancer_ready(balancer).await?;
        for member in octavia.members(pool).await? {
            octavia.delete_member(pool, &member.id).await?;
            self.balancer_ready(balancer).await?;
            octavia.delete_member(pool, &member.id).await?;
        }
        octavia.delete_monitor(&monitor).await?;
        self.balancer_ready(balancer).await?;
        octavia.delete_pool(pool).await?;
        self.balancer_ready(balancer).await?;
        octavia.delete_listener(listener).await?;
        self.balancer_ready(balancer).await?;
        octavia.delete_listener(listener).await?;
        self.step("monitor changed; member, monitor, pool, listener deleted");
        Ok(())
    }

    async fn balancer_ready(&mut self, id: &str) -> Result<()> {
        let status = self
            .until(&[Kind::LoadBalancers], &[id], |seen| {
                let status = &seen.load_balancers.get(id)?.provisioning_status;
                (!status.is_pending()).then(|| status.clone())
            })
            .await?;
        ensure!(
            status == ProvisioningStatus::Active,
            "the load balancer is {status}"
        );
        Ok(())
    }
}
