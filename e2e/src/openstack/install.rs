//! OpenStack from PyPI, in a Python environment that all labs share.

use std::{
    fs::{self, File},
    io::ErrorKind,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use super::run;
use crate::{cache, lab::Lab};

/// Installs the rest; from PyPI.
const UV: &str = "uv==0.13.8";

/// Makes the Python environment if it is not there.
pub fn install(lab: &Lab) -> Result<()> {
    let venv = venv(lab)?;
    let done = venv.join("complete");
    let home = venv
        .parent()
        .context("a Python environment without a folder")?;
    if done.exists() {
        return cache::used(home);
    }
    fs::create_dir_all(home).with_context(|| home.display().to_string())?;
    let lock = File::create(home.join("lock"))?;
    let _held = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, e)| e)
        .context("lock the Python environment")?;
    if done.exists() {
        return Ok(());
    }
    lab.step("openstack: packages from PyPI", || packages(lab, &venv))
}

/// Folder with the program `openstack` and nothing else, for a PATH.
pub fn commands(lab: &Lab) -> Result<PathBuf> {
    Ok(venv(lab)?.with_file_name("bin"))
}

/// Path of the Python environment: its folder is named by the digest of all that is installed into it.
pub fn venv(lab: &Lab) -> Result<PathBuf> {
    let sources = lab.repo.join("e2e/openstack");
    let mut digest = Sha256::new();
    for file in files(&sources.join("constraints.txt"))?
        .into_iter()
        .chain(files(&sources.join("osfakes"))?)
    {
        digest.update(file.strip_prefix(&sources)?.as_os_str().as_encoded_bytes());
        digest.update(fs::read(&file).with_context(|| file.display().to_string())?);
    }
    Ok(lab
        .cache
        .join("openstack")
        .join(&hex::encode(digest.finalize())[..16])
        .join("venv"))
}

/// An environment cannot be moved, so it is made in its place, and `complete` is written at the end.
fn packages(lab: &Lab, venv: &Path) -> Result<()> {
    match fs::remove_dir_all(venv) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(e).with_context(|| venv.display().to_string());
        }
        _ => {}
    }
    // As the caller is: these talk to PyPI, not to the lab.
    let mut make = Command::new("python3");
    make.args(["-m", "venv"]).arg(venv);
    run(make).context("Debian's python3 makes environments only with the package python3-venv")?;
    let bin = venv.join("bin");
    let mut pip = Command::new(bin.join("pip"));
    pip.args(["install", "--quiet", UV]);
    run(pip)?;
    let sources = lab.repo.join("e2e/openstack");
    let mut uv = Command::new(bin.join("uv"));
    uv.args([
        "pip",
        "install",
        "--quiet",
        "--compile-bytecode",
        "--python",
    ])
    .arg(bin.join("python"));
    uv.arg("-r")
        .arg(sources.join("constraints.txt"))
        .arg(sources.join("osfakes"));
    uv.env_remove("PYTHONDONTWRITEBYTECODE");
    run(uv)?;
    let commands = venv.with_file_name("bin");
    fs::create_dir_all(&commands).with_context(|| commands.display().to_string())?;
    match symlink(bin.join("openstack"), commands.join("openstack")) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => {
            return Err(e).context("link the command openstack");
        }
        _ => {}
    }
    fs::write(venv.join("complete"), "").context("mark the Python environment complete")
}

/// The file, or all files below the folder, in order; without what Python leaves behind.
fn files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
    let mut below: Vec<_> = entries.map(|e| Ok(e?.path())).collect::<Result<_>>()?;
    below.retain(|p| !p.ends_with("__pycache__"));
    below.sort();
    Ok(below
        .iter()
        .map(|p| files(p))
        .collect::<Result<Vec<_>>>()?
        .concat())
}
