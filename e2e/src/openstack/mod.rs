//! The part `openstack`: the real control plane of OpenStack, on loopback behind TLS with a private CA.
//!
//! Keystone, Placement, Glance, Neutron, Nova, Cinder and Octavia come from PyPI and are stock, but for the
//! few stand-ins in `e2e/openstack/osfakes` (no hypervisor, no network agents, no amphorae, no disks).
//! Configuration lies in `e2e/openstack`, one file for each service.

pub mod client;
mod config;
mod database;
mod identity;
mod install;
pub mod prove;
pub mod requests;
mod seed;
mod services;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{lab::Lab, part::Part, process::Daemon};

const NAME: &str = "openstack";
/// Of every user here, `admin` and `tenant` too: nothing outside the lab's namespace can reach them.
pub const PASSWORD: &str = "secret";
/// Fake hypervisors, one for each of the availability zones az1, az2, ...
const HYPERVISORS: usize = 3;

/// The part.
pub struct OpenStack;

impl Part for OpenStack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    fn prepare(&self, lab: &Lab) -> Result<()> {
        install::install(lab)
    }

    fn up(&self, lab: &Lab) -> Result<()> {
        let site = Site::of(lab)?;
        if config::write(&site)? || !database::initialised(&site) {
            // Daemons of a former start know the old ones.
            services::down(lab)?;
        }
        thread::scope(|scope| {
            let queues =
                scope.spawn(|| lab.step("openstack: RabbitMQ", || database::rabbitmq(&site)));
            let identity = lab.step("openstack: MariaDB, Keystone", || {
                database::mariadb(&site)?;
                services::identity(&site)
            });
            queues
                .join()
                .map_err(|_| anyhow!("the start of RabbitMQ panicked"))?
                .and(identity)
        })?;
        lab.step("openstack: the other services", || services::up(&site))?;
        lab.step("openstack: flavors, images, networks", || seed::cloud(lab))?;
        lab.step("openstack: hypervisors in their zones", || {
            services::settle(&site)
        })
    }

    fn address(&self, _: &Lab) -> Option<String> {
        Some("https://127.0.0.1:5000/v3".to_owned())
    }

    fn check(&self, lab: &Lab) -> Result<()> {
        let site = Site::of(lab)?;
        services::running(&site)?;
        services::answering(lab)?;
        services::reported(lab)
    }

    fn down(&self, lab: &Lab) -> Result<()> {
        services::down(lab)
    }
}

/// CA certificate of the front end.
pub fn ca(lab: &Lab) -> PathBuf {
    lab.part_dir(NAME).join("tls/ca.pem")
}

/// clouds.yaml with the clouds `admin` and `tenant`.
pub fn clouds_yaml(lab: &Lab) -> PathBuf {
    lab.part_dir(NAME).join("client/clouds.yaml")
}

/// Folder with the program `openstack`, once it is installed.
pub fn commands(lab: &Lab) -> Option<PathBuf> {
    install::commands(lab).ok().filter(|dir| dir.exists())
}

/// Where one lab's OpenStack lies.
struct Site<'a> {
    lab: &'a Lab,
    /// `<dir>/openstack`.
    dir: PathBuf,
    /// The Python environment, shared by all labs.
    venv: PathBuf,
}

impl<'a> Site<'a> {
    fn of(lab: &'a Lab) -> Result<Self> {
        Ok(Self {
            lab,
            dir: lab.part_dir(NAME),
            venv: install::venv(lab)?,
        })
    }

    /// Databases, images, locks: what a restart keeps.
    fn state(&self) -> PathBuf {
        self.dir.join("state")
    }

    /// A rendered configuration file.
    fn conf(&self, name: &str) -> PathBuf {
        self.dir.join("etc").join(name)
    }

    /// A program of the Python environment.
    fn python(&self, program: &str) -> Command {
        command(self.venv.join("bin").join(program))
    }

    fn start(&self, name: &str, command: Command) -> Result<()> {
        self.lab.start(Daemon {
            part: NAME,
            name: name.to_owned(),
            command,
        })
    }

    fn alive(&self, name: &str) -> bool {
        self.lab.alive(NAME, name)
    }
}

/// `program` without the caller's settings that would break a service.
fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    // Bundles of CAs that would be trusted in place of the lab's own.
    for bundle in [
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ] {
        command.env_remove(bundle);
    }
    for proxy in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ] {
        command.env_remove(proxy);
    }
    // Without bytecode every start compiles again.
    command
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .env("PYTHONWARNINGS", "ignore");
    command
}

/// Runs to the end; the error holds the last lines of what the command said.
fn run(mut command: Command) -> Result<String> {
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    let shown = format!(
        "{} {}",
        command.get_program().display(),
        arguments.join(" ")
    );
    let out = command.output().with_context(|| format!("run {shown}"))?;
    if !out.status.success() {
        let said = [out.stdout, out.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<_> = said.trim().lines().collect();
        bail!(
            "{shown}: {}\n{}",
            out.status,
            lines[lines.len().saturating_sub(15)..].join("\n")
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
