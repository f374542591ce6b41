//! Quotas of all services, which an administrator sets and takes back.

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Place, Probes};
use crate::wire::{BALANCER, COMPUTE, NETWORK, Service, VOLUME};

/// A limit, and what it refuses.
struct Limit {
    service: Service,
    /// Path of the quotas of the project, and the key of their body.
    path: String,
    key: &'static str,
    resource: &'static str,
    /// What is asked for.
    ask: &'static str,
    body: Value,
    refused: u16,
}

impl Probes {
    pub(super) async fn quotas(&mut self, place: &Place) -> Result<()> {
        if self.admin.is_none() {
            return Ok(());
        }
        for limit in self.limits(place).await? {
            self.limit(limit).await?;
        }
        Ok(())
    }

    async fn limits(&self, place: &Place) -> Result<Vec<Limit>> {
        let project = &self.wire.project_id;
        let server = json!({"name": self.name, "flavorRef": self.flavor().await?, "imageRef": self.image().await?,
            "networks": [{"uuid": place.network}]});
        let nova = |resource| Limit {
            service: COMPUTE,
            path: format!("/os-quota-sets/{project}"),
            key: "quota_set",
            resource,
            ask: "/servers",
            body: json!({"server": server}),
            refused: 403,
        };
        let neutron = |resource, ask, body| Limit {
            service: NETWORK,
            path: format!("/quotas/{project}"),
            key: "quota",
            resource,
            ask,
            body,
            refused: 409,
        };
        let cinder = |resource| Limit {
            service: VOLUME,
            path: format!("/os-quota-sets/{project}"),
            key: "quota_set",
            resource,
            ask: "/volumes",
            body: json!({"volume": {"size": 1}}),
            refused: 413,
        };
        let balancer = json!({"loadbalancer": {"vip_subnet_id": place.subnet}});
        Ok(vec![
            neutron(
                "port",
                "/ports",
                json!({"port": {"network_id": place.network}}),
            ),
            neutron(
                "network",
                "/networks",
                json!({"network": {"name": self.name}}),
            ),
            neutron(
                "security_group",
                "/security-groups",
                json!({"security_group": {"name": self.name}}),
            ),
            neutron(
                "floatingip",
                "/floatingips",
                json!({"floatingip": {"floating_network_id": place.external}}),
            ),
            neutron("router", "/routers", json!({"router": {"name": self.name}})),
            nova("instances"),
            nova("cores"),
            nova("ram"),
            cinder("volumes"),
            cinder("gigabytes"),
            Limit {
                service: BALANCER,
                path: format!("/lbaas/quotas/{project}"),
                key: "quota",
                resource: "load_balancer",
                ask: "/lbaas/loadbalancers",
                body: balancer,
                refused: 403,
            },
        ])
    }

    async fn limit(&mut self, limit: Limit) -> Result<()> {
        let Some(admin) = &self.admin else {
            return Ok(());
        };
        let mut none = json!({ limit.key: { limit.resource: 0 } });
        if limit.service == NETWORK {
            // Else Neutron takes no limit below what is used.
            none[limit.key]["force"] = json!(true);
        }
        let set = admin
            .ask(Method::PUT, limit.service, &limit.path, &none)
            .await?;
        anyhow::ensure!(
            set.status < 300,
            "{} {}: {} {}",
            limit.service,
            limit.path,
            set.status,
            set.body
        );
        let what = format!("above the quota of {}", limit.resource);
        let answer = self
            .wire
            .post(&what, limit.service, limit.ask, limit.body, limit.refused)
            .await;
        admin
            .ask(Method::DELETE, limit.service, &limit.path, &Value::Null)
            .await?;
        answer.map(drop)
    }
}
