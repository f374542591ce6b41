//! Keeps a real OpenStack to the contract.
//!
//! `CAPSTAN_CLOUDS=clouds.yaml CAPSTAN_CA=ca.pem contract [--record FILE]`
//!
//! The file has the clouds `tenant` and, for the quotas, `admin`. With `--record` the form of every
//! answer goes into a file (`tests/contract/openstack.jsonl`), which the simulator is compared with.

use anyhow::{Context, Result};
use cloud::Credentials;

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let clouds = std::env::var("CAPSTAN_CLOUDS").context("CAPSTAN_CLOUDS is not set")?;
    let clouds = std::fs::read(&clouds).with_context(|| clouds.clone())?;
    let ca = std::env::var("CAPSTAN_CA").ok();
    let ca = ca.map(std::fs::read).transpose()?;
    let credentials = |cloud: &str| Credentials::parse(&clouds, cloud, None, ca.as_deref());
    let tenant = credentials("tenant")?;
    contract::run(tenant.clone()).await?;
    let transcript = contract::probes::run(&tenant, credentials("admin").ok().as_ref()).await?;
    println!("{} requests were answered as expected", transcript.0.len());
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--record") {
        let file = arguments.next().context("--record needs a file")?;
        std::fs::write(&file, transcript.write()?).with_context(|| file.clone())?;
    }
    Ok(())
}
