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

#[tokio::test]
async fn every_request_is_answered_as_expected() -> Result<()> {
    let cloud = Simulator::start(Options::default()).await?;
    let yaml = cloud.clouds_yaml();
    let [tenant, admin] =
        ["tenant", "admin"].map(|name| Credentials::parse(yaml.as_bytes(), name, None, None));
    contract::probes::run(&tenant?, Some(&admin?)).await?;
    let left = cloud.audit();
    assert!(left.is_empty(), "{left}");
    Ok(())
}
