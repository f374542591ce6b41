//! Debian packages that the lab uses, and how they get here.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::lab::Lab;

/// A program, the package that brings it, and the part that wants it (empty: the lab itself).
struct Need {
    part: &'static str,
    program: &'static str,
    package: &'static str,
}

const fn need(part: &'static str, program: &'static str, package: &'static str) -> Need {
    Need {
        part,
        program,
        package,
    }
}

const NEEDS: &[Need] = &[
    need("", "ip", "iproute2"),
    need("", "setsid", "util-linux"),
    need("", "tail", "coreutils"),
    need("openstack", "mariadbd", "mariadb-server"),
    need("openstack", "rabbitmq-server", "rabbitmq-server"),
    need("openstack", "nginx", "nginx-light"),
    need("agent", "nft", "nftables"),
    need("agent", "debootstrap", "debootstrap"),
    need("registry", "debootstrap", "debootstrap"),
    need("registry", "cc", "gcc"),
];

/// Asked by dpkg before a service is started on installation: 101 means no. The lab starts its own.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Makes sure that the programs which these parts call are there.
///
/// # Errors
/// Go or a package that is missing and cannot be installed, by name.
pub fn install(lab: &Lab, parts: &[&str]) -> Result<()> {
    if find("go").is_none() {
        bail!(
            "go is missing: the tools are built from Go modules. Install Go 1.26 or newer and put its bin folder on PATH"
        );
    }
    let mut missing: Vec<_> = NEEDS
        .iter()
        .filter(|n| (n.part.is_empty() || parts.contains(&n.part)) && find(n.program).is_none())
        .map(|n| n.package)
        .collect();
    if parts.contains(&"openstack") && !makes_environments() {
        missing.push("python3-venv");
    }
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!(
        "apt-get install --no-install-recommends {}",
        missing.join(" ")
    );
    if find("apt-get").is_none() {
        bail!("missing: {}. On Debian 12: {by_hand}", missing.join(", "));
    }
    lab.step(format_args!("install {}", missing.join(" ")), || {
        if simulate(&missing).is_err() {
            apt(&["update", "-qq"])?;
        }
        // The machine's own trust store is not the lab's business.
        if simulate(&missing)?
            .lines()
            .any(|l| l.starts_with("Inst ca-certificates "))
        {
            bail!("this would replace ca-certificates; if you want that, run: {by_hand}");
        }
        without_services(|| {
            apt(&[
                &["install", "-y", "-qq", "--no-install-recommends"],
                &missing[..],
            ]
            .concat())
        })
        .with_context(|| format!("try by hand: {by_hand}"))
    })
}

/// Debian's python3 makes virtual environments only with another package beside it.
fn makes_environments() -> bool {
    let check = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output();
    check.is_ok_and(|out| out.status.success())
}

fn simulate(packages: &[&str]) -> Result<String> {
    apt(&[&["-s", "install", "--no-install-recommends"], packages].concat())
}

fn apt(args: &[&str]) -> Result<String> {
    let out = Command::new("apt-get")
        .args(args)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()?;
    if !out.status.success() {
        bail!(
            "apt-get {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&out.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// Installs without starting a MariaDB or an nginx of the machine's own.
fn without_services<T>(work: impl FnOnce() -> Result<T>) -> Result<()> {
    let ours = !Path::new(POLICY).exists();
    if ours {
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
    }
    let result = work();
    if ours {
        fs::remove_file(POLICY).with_context(|| format!("remove {POLICY}"))?;
    }
    result.map(|_| ())
}

/// A program by its name: on PATH, or where Debian keeps what only root runs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|f| f.join(program)).find(|p| p.is_file())
}
