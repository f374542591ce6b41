//! Either provider, as far as one takes the place of the other.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use scenarios::Scenario;
use tokio::time::sleep;

use crate::manager::Capo;
use crate::shape::Shape;

/// For whatever is waited for.
pub const DEADLINE: Duration = Duration::from_secs(240);
/// Longer than CAPO waits between two looks at anything that is on its way.
const QUIET: Duration = Duration::from_secs(17);
/// On our clock: every wait of our provider has passed once.
const A_WHILE: Duration = Duration::from_secs(120);
/// Our clock, when CAPO does not run.
const FAST: u32 = 20;

#[derive(Clone, Copy, PartialEq)]
pub enum Provider {
    Capo,
    Ours,
}

pub enum Running {
    Capo(Capo),
    Ours,
}

impl Provider {
    /// Starts it. The log of the cloud has its calls alone.
    pub async fn start(self, scenario: &Scenario) -> Result<Running> {
        scenario.cloud.log().take();
        scenario.set_speed(if self == Self::Ours { FAST } else { 1 });
        if self == Self::Capo {
            return Ok(Running::Capo(Capo::start(scenario).await?));
        }
        scenario.start()?;
        Ok(Running::Ours)
    }

    /// Starts it and waits until it has seen everything and waits for nothing.
    pub async fn takes_over(self, scenario: &Scenario, shape: &Shape) -> Result<Running> {
        let running = self.start(scenario).await?;
        running.rests(scenario, shape).await?;
        Ok(running)
    }
}

impl Running {
    /// Waits until it has seen everything, all is ready, and it waits for nothing.
    pub async fn rests(&self, scenario: &Scenario, shape: &Shape) -> Result<()> {
        let (servers, machines) = (shape.servers(), shape.machines.len());
        match self {
            Self::Capo(_) => {
                quiet(scenario).await?;
                let looked = scenario.cloud.log().count("compute GET /servers/{id}");
                ensure!(looked >= servers, "CAPO has looked at {looked} servers");
            }
            Self::Ours => {
                for (controller, objects) in [
                    ("openstackcluster", 1),
                    ("openstackmachine", machines),
                    ("openstackserver", servers),
                ] {
                    scenario.reconciled(controller, objects as u64).await?;
                }
            }
        }
        scenario.cluster.provisioned().await?;
        scenario.cluster.machines_ready(&shape.machines).await?;
        if matches!(self, Self::Ours) {
            scenario.pass(A_WHILE).await;
        }
        Ok(())
    }

    /// Ends it at once.
    pub async fn stop(self, scenario: &Scenario) -> Result<()> {
        match self {
            Self::Capo(capo) => capo.stop(),
            Self::Ours => scenario.crash().await?,
        }
        Ok(())
    }
}

/// Waits until CAPO has asked the cloud for something, and then for nothing for so long that it waits for nothing.
async fn quiet(scenario: &Scenario) -> Result<()> {
    let deadline = Instant::now() + DEADLINE;
    let (mut seen, mut since) = (0, Instant::now());
    loop {
        let total = scenario.cloud.log().total();
        if total != seen {
            (seen, since) = (total, Instant::now());
        } else if seen > 0 && since.elapsed() > QUIET {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("CAPO is never quiet");
        }
        sleep(Duration::from_millis(100)).await;
    }
}
