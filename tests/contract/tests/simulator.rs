//! The contract, kept by the simulator.

use std::time::Duration;

use anyhow::Result;
use cloud::Credentials;
use contract::transcript::{Exchange, Transcript};
use simulator::{Options, Simulator};

#[tokio::test]
async fn the_simulator_keeps_the_contract() -> Result<()> {
    let options = Options {
        tls: true,
        ..options()
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
    let cloud = Simulator::start(options()).await?;
    let yaml = cloud.clouds_yaml();
    let [tenant, admin] =
        ["tenant", "admin"].map(|name| Credentials::parse(yaml.as_bytes(), name, None, None));
    let ours = contract::probes::run(&tenant?, Some(&admin?)).await?;
    let left = cloud.audit();
    assert!(left.is_empty(), "{left}");
    // What `contract --record` wrote at the OpenStack of the lab.
    let real = Transcript::read(include_str!("../openstack.jsonl"))?;
    // Neutron shows it of any network in the answer to its creation, later only of external ones.
    let known = |exchange: &Exchange, field: &str| {
        exchange.operation == "POST network /networks" && field == "network.is_default"
    };
    let differences = ours.differences(&real, known);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// What is refused while a load balancer is pending has to come in time, however busy the machine is.
fn options() -> Options {
    let mut options = Options::default();
    options.delays.balancer = Duration::from_millis(300);
    options
}
