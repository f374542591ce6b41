//! The node agent: plays the hypervisor and the data path of the network.
//!
//! OpenStack's Nova has a fake hypervisor here and its Neutron no agents: a server turns ACTIVE and nothing boots, a
//! floating IP is associated and no packet moves. The agent sees that as administrator and does it: observe, plan,
//! execute. A server is booted for real ([`real`]) or played ([`played`]).

pub mod cloud_controller;
mod execute;
mod firewall;
mod machine;
pub mod network;
mod observe;
mod plan;
mod played;
pub mod prove;
mod real;
pub mod status;
mod user_data;
mod world;

use std::{
    env, fmt, fs,
    path::PathBuf,
    process::Command as Program,
    sync::Mutex,
    thread,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, bail};
use clap::Subcommand;

use self::{cloud_controller::Shared, execute::Executor, observe::Observer, status::Status};
use crate::{
    image,
    lab::Lab,
    netns,
    openstack::client::Client,
    part::Part,
    process::{self, Daemon},
};

/// The part `agent`.
pub struct Agent;

/// What this program is when it is not typed by anybody.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Observe, plan, execute, for ever
    Run,
    /// Leave the host and start pid 1 of a machine
    Launch(real::init::Spec),
    /// Become pid 1 of a machine
    Init(real::init::Spec),
}

/// Time between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// A status older than this comes from an agent that hangs.
const STALE: Duration = Duration::from_secs(60);

/// Runs a hidden subcommand.
pub fn command(lab: &Lab, command: &Command) -> Result<()> {
    match command {
        Command::Run => run(lab),
        Command::Launch(spec) => real::init::launch(spec),
        Command::Init(spec) => real::init::init(spec),
    }
}

/// Never returns while it is well.
fn run(lab: &Lab) -> Result<()> {
    netns::require_inside(lab)?;
    let mut observer = Observer::new(Client::admin(lab)?);
    let shared = Mutex::new(Shared::default());
    thread::scope(|scope| {
        scope.spawn(|| cloud_controller::run(&shared));
        let mut executor = Executor::new(lab, scope);
        let mut said = String::new();
        loop {
            let problem = match observer.observe() {
                Ok(seen) => {
                    let world = executor.world();
                    let ranges =
                        cloud_controller::exchange(&shared, &seen, kubeconfigs(lab, &world));
                    for action in plan::plan(&seen, &ranges, &world) {
                        executor.execute(action);
                    }
                    String::new()
                }
                Err(e) => format!("{e:#}"),
            };
            if problem != said {
                log(if problem.is_empty() {
                    "OpenStack answers"
                } else {
                    &problem
                });
                said.clone_from(&problem);
            }
            if let Err(e) = Status::of(&executor, problem).write(lab) {
                log(format_args!("{e:#}"));
            }
            thread::sleep(ROUND);
        }
    })
}

/// Administrators' kubeconfigs of all clusters that have a running control plane machine.
fn kubeconfigs(lab: &Lab, world: &world::World) -> Vec<PathBuf> {
    let machines = world.machines.values().filter(|m| m.running());
    machines
        .map(|m| machine::admin_conf(lab, &m.id))
        .filter(|path| path.exists())
        .collect()
}

/// One line in the agent's log.
pub fn log(line: impl fmt::Display) {
    eprintln!("{} {line}", jiff::Timestamp::now().strftime("%H:%M:%S%.3f"));
}

impl Part for Agent {
    fn name(&self) -> &'static str {
        "agent"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["openstack", "registry"]
    }

    fn prepare(&self, lab: &Lab) -> Result<()> {
        image::rootfs(lab)?;
        played::prepare(lab)
    }

    fn up(&self, lab: &Lab) -> Result<()> {
        // Its machines run on while it does not.
        if lab.outdated("agent", "agent") {
            lab.kill("agent", "agent")?;
        }
        let mut command = Program::new(env::current_exe().context("path of this program")?);
        command.args(["--name", &lab.name, "agent", "run"]);
        lab.start(Daemon {
            part: "agent",
            name: "agent".to_owned(),
            command,
        })
    }

    fn address(&self, _: &Lab) -> Option<String> {
        None
    }

    fn check(&self, lab: &Lab) -> Result<()> {
        if !lab.alive("agent", "agent") {
            bail!(
                "the node agent does not run, see {}",
                lab.log("agent", "agent").display()
            );
        }
        process::wait_for(
            "first round of the node agent",
            Duration::from_secs(30),
            || {
                let path = status::path(lab);
                let written = fs::metadata(&path)
                    .and_then(|m| m.modified())
                    .context("no status yet")?;
                if SystemTime::now()
                    .duration_since(written)
                    .is_ok_and(|age| age > STALE)
                {
                    bail!(
                        "{} is older than {} s: the node agent hangs",
                        path.display(),
                        STALE.as_secs()
                    );
                }
                match Status::read(lab)?.problem {
                    problem if problem.is_empty() => Ok(()),
                    problem => bail!("the node agent cannot observe OpenStack: {problem}"),
                }
            },
        )
    }

    /// The agent's own and that of all machines.
    fn memory(&self, lab: &Lab) -> u64 {
        let agent = process::memory(lab, self.name());
        agent
            + machine::processes(lab)
                .into_iter()
                .filter_map(process::pss)
                .sum::<u64>()
    }

    fn down(&self, lab: &Lab) -> Result<()> {
        lab.stop("agent", "agent")?;
        execute::remove_everything(lab)
    }
}
