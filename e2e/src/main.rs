//! `cargo lab`: everything that Capstan meets in production, real, on one machine and without an uplink.

mod agent;
mod cache;
mod checks;
mod clean;
mod flows;
mod image;
mod lab;
mod limits;
mod netns;
mod openstack;
mod order;
mod part;
mod parts;
mod pki;
mod prerequisites;
mod probe;
mod process;
mod progress;
mod shell;
mod status;
mod tools;
mod up;

use std::{
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

use crate::{lab::Lab, status::Format};

/// The lab: a real OpenStack, a real Kubernetes API with Cluster API, real machines, a registry and Capstan,
/// in a network namespace of its own on this machine.
#[derive(Parser)]
#[command(name = "cargo lab", bin_name = "cargo lab", version, after_help = EXAMPLES)]
struct Cli {
    /// Which lab: several can run side by side (1 to 10 characters of a-z and 0-9)
    #[arg(long, global = true, default_value = "default", env = "CAPSTAN_LAB")]
    name: String,
    #[command(subcommand)]
    command: Action,
}

const EXAMPLES: &str = "\
First steps:
  cargo lab demo                    everything up, a cluster stack published, a cluster made from it
  cargo lab shell                   a shell inside: kubectl, helm and openstack know where to go
  cargo lab shell -- kubectl get clusters -A
  cargo lab status                  what runs, where, and how much memory it takes
  cargo lab logs capstan -f         follow the operator
  cargo lab down                    stop; the next start is quick, because its files stay
  cargo lab down --purge            stop and remove its files as well

While developing:
  cargo lab up management capi      only some parts, and what they need
  cargo lab test upgrade            the checks and the flows whose names contain 'upgrade'
  cargo lab --name b up             a second lab beside the first

State lies in $CAPSTAN_LAB_DIR (~/.local/state/capstan-lab), what is downloaded and built in ~/.cache/capstan-lab
until nobody has used it for two weeks.
Needs root on Debian 12, and an uplink for the first start.";

#[derive(Subcommand)]
enum Action {
    /// Bring up all parts, or these and what they need; parts that run already stay as they are
    Up {
        /// Names as in `cargo lab status`
        parts: Vec<String>,
    },
    /// Each part: state, address, memory, since when
    Status {
        /// Instead of a table
        #[arg(short, long, value_enum)]
        output: Option<Format>,
    },
    /// What the processes of a part have written
    Logs {
        /// Name as in `cargo lab status`
        part: String,
        /// Go on as more is written
        #[arg(short, long)]
        follow: bool,
    },
    /// Everything up, then from a published cluster stack to Ready nodes, with a table at the end
    Demo,
    /// Static checks and unit tests, then the end-to-end flows
    Test {
        /// Only checks and flows whose names contain this
        filter: Option<String>,
    },
    /// A shell, or one command, in the lab's network namespace with kubectl, helm and openstack set up
    Shell {
        /// Command and arguments; without one, $SHELL
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Stop everything and leave no process, namespace, mount, cgroup or link behind
    Down {
        /// Remove the lab's files as well; what is downloaded and built stays in the cache until nobody has used it for two
        /// weeks
        #[arg(long)]
        purge: bool,
    },
    /// Run the node agent (the part `agent` does)
    #[command(hide = true, subcommand)]
    Agent(agent::Command),
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let lab = Lab::open(&cli.name)?;
    if !matches!(cli.command, Action::Logs { .. }) && !nix::unistd::geteuid().is_root() {
        bail!("the lab makes network namespaces, mounts and cgroups: run it as root");
    }
    match cli.command {
        Action::Up { parts } => {
            let _lock = lab.lock()?;
            up::up(&lab, &parts)?;
            status::print(&lab, None)
        }
        Action::Status { output } => status::print(&lab, output),
        Action::Logs { part, follow } => logs(&lab, &part, follow),
        Action::Demo => {
            let _lock = lab.lock()?;
            up::up(&lab, &[])?;
            flows::demo(&lab)
        }
        Action::Test { filter } => {
            let _lock = lab.lock()?;
            checks::test(&lab, filter.as_deref())
        }
        Action::Shell { command } => shell::run(&lab, &command),
        Action::Down { purge } => {
            let _lock = lab.lock()?;
            clean::down(&lab, purge)
        }
        Action::Agent(command) => agent::command(&lab, &command),
    }
}

fn logs(lab: &Lab, part: &str, follow: bool) -> Result<()> {
    let part = parts::find(part)?;
    let logs = lab.logs(part.name());
    if logs.is_empty() {
        bail!(
            "{}: nothing written yet, `cargo lab up {0}` starts it",
            part.name()
        );
    }
    let mut tail = Command::new("tail");
    tail.args(["-n", "200"])
        .args(follow.then_some("-F"))
        .args(logs);
    Err(tail.exec().into())
}
