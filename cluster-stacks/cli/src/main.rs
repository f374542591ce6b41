//! `capstan`: what a cloud provider builds and publishes cluster stacks with.

mod stack;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Build and publish cluster stacks.
#[derive(Parser)]
#[command(name = "capstan", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Cluster stacks: a ClusterClass and the add-ons of its clusters, as one versioned artifact
    #[command(subcommand)]
    Stack(stack::Command),
}

const EXAMPLES: &str = "\
Examples:
  capstan stack build providers/openstack/scs/1-36
      the next release, into .release/openstack-scs-1-36-v1/
  capstan stack publish .release/openstack-scs-1-36-v1 registry.example.com/stacks
      as registry.example.com/stacks:openstack-scs-1-36-v1
  capstan stack publish providers/openstack/scs/1-36 registry.example.com/stacks
      builds what comes after the newest release there, and publishes it

Credentials come from OCI_USERNAME and OCI_PASSWORD, or from OCI_ACCESS_TOKEN.";

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Another provider cannot be installed this early, so this cannot fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match cli.command {
        Command::Stack(command) => stack::run(command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("capstan: {error:#}");
            ExitCode::FAILURE
        }
    }
}
