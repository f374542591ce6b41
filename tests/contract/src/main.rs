//! Keeps a real OpenStack to the contract.
//!
//! `CAPSTAN_CLOUDS=clouds.yaml CAPSTAN_CLOUD=tenant CAPSTAN_CA=ca.pem contract`

use anyhow::{Context, Result};
use cloud::Credentials;

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).init();
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let clouds_yaml = std::fs::read(variable("CAPSTAN_CLOUDS")?)?;
    let ca = std::env::var("CAPSTAN_CA")
        .ok()
        .map(std::fs::read)
        .transpose()?;
    let cloud = std::env::var("CAPSTAN_CLOUD").unwrap_or("tenant".to_owned());
    let credentials = Credentials::parse(&clouds_yaml, &cloud, None, ca.as_deref())?;
    contract::run(credentials).await
}
