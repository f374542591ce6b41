//! The contract, kept by the simulator.

use anyhow::Result;
use cloud::Credentials;
use simulator::{Options, Simulator};

#[tokio::test]
async fn the_simulator_keeps_the_contract() -> Result<()> {
    let options = Options {
        tls: true,
        ..Options::default()
    };
    let cloud = Simulator::start(options).await?;
    let ca = cloud.ca_pem().map(str::as_bytes);
    let credentials = Credentials::parse(cloud.clouds_yaml().as_bytes(), "tenant", None, ca)?;
    contract::run(credentials).await?;
    let left = cloud.audit();
    assert!(left.is_empty(), "{left}");
    Ok(())
}
