//! The lives of clusters that are disturbed.

mod balanced;
mod floating;

use std::fmt;
use std::slice::Iter;

use anyhow::{Context, Result, ensure};
use scenarios::cluster_api::{Cluster, Machine};
use scenarios::{Picture, Scenario};
use serde_json::{Value, json};
use simulator::Resource;

pub use balanced::{shape, worker};

/// A cluster's life, from its creation to its deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Everything that can be managed, with a load balancer: create, scale, upgrade, delete.
    Balanced,
    /// No load balancer: the floating IP of the API leads to a control plane machine, which is replaced.
    Floating,
}

/// What the cloud holds after each step but the last, after which it holds nothing.
pub type Pictures = Vec<Picture>;

impl Life {
    /// All lives.
    pub const ALL: [Self; 2] = [Self::Balanced, Self::Floating];

    /// Lives a whole life, and says what the cloud held.
    pub async fn undisturbed(self, scenario: &Scenario) -> Result<Pictures> {
        self.live(scenario, None).await
    }

    /// Lives a whole life. The cloud must come to hold exactly what is `wanted` after each step.
    pub async fn disturbed(self, scenario: &Scenario, wanted: &Pictures) -> Result<()> {
        self.live(scenario, Some(wanted.iter())).await.map(drop)
    }

    async fn live(
        self,
        scenario: &Scenario,
        wanted: Option<Iter<'_, Picture>>,
    ) -> Result<Pictures> {
        let mut steps = Steps {
            scenario,
            wanted,
            seen: Pictures::new(),
        };
        match self {
            Self::Balanced => balanced::live(&mut steps).await?,
            Self::Floating => floating::live(&mut steps).await?,
        }
        scenario.is_empty()?;
        Ok(steps.seen)
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Balanced => "balanced",
            Self::Floating => "floating",
        })
    }
}

/// The steps of a life.
struct Steps<'s> {
    scenario: &'s Scenario,
    /// Those of the steps to come.
    wanted: Option<Iter<'s, Picture>>,
    seen: Pictures,
}

impl<'s> Steps<'s> {
    fn cluster(&self) -> &'s Cluster {
        &self.scenario.cluster
    }

    /// Waits until the cloud holds what this step should have come to.
    async fn after(&mut self, step: &str) -> Result<()> {
        let scenario = self.scenario;
        let held = match &mut self.wanted {
            Some(wanted) => {
                let wanted = wanted.next().context("a step that nobody has seen")?;
                scenario.holds(wanted).await
            }
            None => scenario.settled().await.map(|held| self.seen.push(held)),
        };
        held.with_context(|| format!("after {step}"))?;
        self.endpoint_is_held()
            .await
            .with_context(|| format!("after {step}"))
    }

    /// The host of the endpoint, which never changes, is a floating IP of the project.
    async fn endpoint_is_held(&self) -> Result<()> {
        let cluster = self.cluster();
        let object = cluster.api("OpenStackCluster").get(&cluster.name).await?;
        let host = &object.data["spec"]["controlPlaneEndpoint"]["host"];
        let is_held = self.scenario.cloud.world(|world| {
            let mut floating_ips = world.all(Resource::FloatingIps);
            floating_ips.any(|ip| ip["floating_ip_address"] == *host)
        });
        ensure!(is_held, "the endpoint {host} leads nowhere");
        Ok(())
    }
}

/// The shape of the balanced life without the bastion, which is a server as well.
pub fn cluster_without_bastion() -> Value {
    let mut shape = shape();
    shape["bastion"] = json!({ "enabled": false });
    shape
}

fn machine_spec() -> Value {
    json!({
        "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
        "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
        "tags": ["blue"],
    })
}

fn machine(name: &str, control_plane: bool, spec: Value) -> Machine {
    Machine {
        name: name.to_owned(),
        control_plane,
        // Left to Nova, it would be another one each time.
        failure_domain: Some("az1".to_owned()),
        spec,
    }
}
