//! `capstan stack`.

mod build;
mod package;
mod publish;
mod source;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Subcommand, ValueEnum};
use registry::oci::{Oci, Settings};
use release::Version;
use serde::Serialize;

#[derive(Subcommand)]
pub enum Command {
    /// Build a release from a stack's folder
    ///
    /// The folder holds csctl.yaml, cluster-class/ (a chart), and either clusteraddon.yaml with
    /// cluster-addon/*/ (a chart for each stage) or cluster-addon/ with cluster-addon-values.yaml.
    /// The same sources and versions give the same files, byte for byte.
    Build(Build),
    /// Publish a release to an OCI registry
    ///
    /// DIR is a release made by `build`, or a stack's folder, which then is built first. A folder
    /// that has not changed since the newest release is that release, and nothing is done. A tag
    /// that exists is left alone if it holds the same files, and refused if it holds others.
    Publish(Publish),
}

/// What the versions of a build come from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The next number for the stack and for each part that changed
    Stable,
    /// v0-sha.<hash of the sources>, for tests
    Hash,
    /// As given by --cluster-stack-version and --cluster-addon-version
    Custom,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// JSON
    Json,
    /// YAML
    Yaml,
}

#[derive(Args)]
pub struct Versions {
    /// What the versions come from
    #[arg(short, long, value_enum, default_value = "stable")]
    pub mode: Mode,
    /// Version of the release, with --mode custom
    #[arg(long, value_name = "VERSION", required_if_eq("mode", "custom"))]
    pub cluster_stack_version: Option<Version>,
    /// Version of its add-ons, with --mode custom
    #[arg(long, value_name = "VERSION", required_if_eq("mode", "custom"))]
    pub cluster_addon_version: Option<Version>,
    /// Version of its node images, with --mode custom
    #[arg(long, value_name = "VERSION")]
    pub node_image_version: Option<Version>,
}

#[derive(Args)]
pub struct Connection {
    /// PEM file of CAs to trust besides those of the system
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,
    /// Speak plain HTTP
    #[arg(long)]
    pub plain_http: bool,
}

#[derive(Args)]
pub struct Build {
    /// The stack's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where the release's folder is made
    #[arg(long, value_name = "DIR", default_value = ".release")]
    into: PathBuf,
    /// Repository of the last release, to count on from; without it this is the first one
    #[arg(long, value_name = "OCI-REFERENCE")]
    after: Option<String>,
    #[command(flatten)]
    versions: Versions,
    #[command(flatten)]
    connection: Connection,
    /// Print what was built in this form
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

#[derive(Args)]
pub struct Publish {
    /// A release, or a stack's folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// <registry>/<repository>; the tag is the name of the release
    #[arg(value_name = "OCI-REFERENCE")]
    reference: String,
    #[command(flatten)]
    versions: Versions,
    #[command(flatten)]
    connection: Connection,
    /// Print what was published in this form
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

/// Runs a command of `capstan stack`.
pub fn run(command: Command) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match command {
            Command::Build(build) => build::command(&build).await,
            Command::Publish(publish) => publish::command(&publish).await,
        }
    })
}

impl Connection {
    /// Connects to a repository with the credentials of the environment.
    pub fn connect(&self, repository: &str) -> Result<Oci> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let ca = match &self.registry_ca {
            Some(path) => Some(
                std::fs::read(path).with_context(|| format!("--registry-ca {}", path.display()))?,
            ),
            None => None,
        };
        let settings = Settings {
            repository: repository.to_owned(),
            basic: variable("OCI_USERNAME").zip(variable("OCI_PASSWORD")),
            token: variable("OCI_ACCESS_TOKEN"),
            ca,
            plain_http: self.plain_http,
        };
        Ok(Oci::new(&settings)?)
    }
}

/// Prints for a script if asked to, else the line for people.
fn print(output: Option<Output>, value: &impl Serialize, line: &str) -> Result<()> {
    match output {
        None => println!("{line}"),
        Some(Output::Json) => println!("{}", serde_json::to_string_pretty(value)?),
        Some(Output::Yaml) => print!("{}", chart::yaml::write(value)?),
    }
    Ok(())
}
