//! The root file system of a machine: Debian by debootstrap, then the pinned tools and the files of `e2e/image/`.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::mirror;
use crate::{cache, lab::Lab, tools};

/// Where the tools go.
const PROGRAMS: &[(&str, &[&str])] = &[
    ("usr/bin", &["kubelet", "kubeadm", "kubectl"]),
    (
        "usr/local/bin",
        &["containerd", "containerd-shim-runc-v2", "ctr"],
    ),
    ("opt/cni/bin", tools::CNI_PLUGINS),
];

/// Units that run, besides Debian's own.
const UNITS: &[&str] = &["containerd.service", "kubelet.service"];

/// What apt has downloaded, a fifth of the whole, and of no use in a machine.
const CLEARED: &[&str] = &["var/cache/apt/archives", "var/lib/apt/lists"];

/// See [`super::rootfs`].
pub fn rootfs(lab: &Lab) -> Result<PathBuf> {
    let sources = lab.repo.join("e2e/image");
    let packages = lines(&sources.join("packages"))?;
    let mut hash = Sha256::new();
    hash.update(packages.join("\n"));
    hash.update(mirror::SUITE);
    hash.update(CLEARED.join("\n"));
    let debian = hex::encode(hash.clone().finalize());
    hash.update(include_str!("machine.rs"));
    hash.update(lines(&sources.join("masked-units"))?.join("\n"));
    for (path, executable) in files(&sources.join("root"))? {
        hash.update(format!("{} {executable}\n", path.display()));
        hash.update(fs::read(sources.join("root").join(&path))?);
    }
    for tool in PROGRAMS.iter().flat_map(|(_, tools)| *tools) {
        hash.update(format!("{tool} {}\n", tools::digest(lab, tool)?));
    }
    let digest = hex::encode(hash.finalize());
    kept(
        lab,
        &format!("machine-{}", &digest[..16]),
        "machine image",
        |to| {
            let base = kept(
                lab,
                &format!("debian-{}", &debian[..16]),
                "Debian for machines",
                |to| debootstrap(lab, &packages, to),
            )?;
            let mut copy = Command::new("cp");
            copy.args(["--archive", "--reflink=auto", "--no-target-directory"])
                .arg(&base)
                .arg(to);
            run(copy, "coreutils")?;
            furnish(lab, &sources, to)
        },
    )
}

/// `<cache>/image/<name>`, made by `make` if it is not there: under another name first, so that an interrupted one is
/// never taken for whole.
pub fn kept(
    lab: &Lab,
    name: &str,
    what: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = lab.cache.join("image");
    let done = dir.join(name);
    if done.exists() {
        cache::used(&done)?;
        return Ok(done);
    }
    fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    // Parts are prepared side by side, and other labs may want the same.
    let lock = File::create(dir.join(format!("{name}.lock")))
        .with_context(|| format!("lock of {name}"))?;
    lock.lock().with_context(|| format!("lock of {name}"))?;
    if !done.exists() {
        let partial = dir.join(format!("{name}.partial"));
        remove(&partial)?;
        lab.step(what, || make(&partial))?;
        fs::rename(&partial, &done).with_context(|| done.display().to_string())?;
    }
    Ok(done)
}

/// Packages and their dependencies, unpacked and configured. What it mounts is gone with its namespace, whatever
/// happens to it.
fn debootstrap(lab: &Lab, packages: &[String], to: &Path) -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("machine image: debootstrap needs root");
    }
    let debs = lab.cache.join("image/debs");
    fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--propagation",
        "private",
        "debootstrap",
        "--variant=minbase",
    ]);
    command.arg(format!("--cache-dir={}", debs.display()));
    command.arg(format!("--include={}", packages.join(",")));
    command.arg(mirror::SUITE).arg(to).arg(mirror::uri()?);
    if let Some(proxy) = mirror::proxy() {
        command.env("http_proxy", proxy);
    }
    run(command, "debootstrap")?;
    for folder in CLEARED {
        remove(&to.join(folder))?;
        fs::create_dir(to.join(folder)).with_context(|| folder.to_owned())?;
    }
    Ok(())
}

/// Tools, files and units.
fn furnish(lab: &Lab, sources: &Path, root: &Path) -> Result<()> {
    for (folder, names) in PROGRAMS {
        for name in *names {
            place(
                &tools::built(lab, name)?,
                &root.join(folder).join(name),
                true,
            )?;
        }
    }
    // Debian's own settings of cloud-init would come after ours.
    let defaults = root.join("etc/cloud/cloud.cfg.d");
    remove(&defaults)?;
    fs::create_dir(&defaults)?;
    for (path, executable) in files(&sources.join("root"))? {
        place(
            &sources.join("root").join(&path),
            &root.join(&path),
            executable,
        )?;
    }
    let units = root.join("etc/systemd/system");
    for unit in lines(&sources.join("masked-units"))? {
        link("/dev/null", &units.join(unit))?;
    }
    for unit in UNITS {
        link(
            &format!("../{unit}"),
            &units.join("multi-user.target.wants").join(unit),
        )?;
    }
    link(
        "/lib/systemd/system/multi-user.target",
        &units.join("default.target"),
    )?;
    // Empty: a machine gets its own when it boots.
    fs::write(root.join("etc/machine-id"), "")?;
    link("/etc/machine-id", &root.join("var/lib/dbus/machine-id"))?;
    for folder in [
        "etc/kubernetes/manifests",
        "etc/cni/net.d",
        "var/lib/containerd",
        "var/lib/etcd",
        "var/lib/kubelet",
    ] {
        fs::create_dir_all(root.join(folder)).with_context(|| folder.to_owned())?;
    }
    Ok(())
}

/// Lines of a list without comments.
fn lines(path: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .map(str::to_owned)
        .collect())
}

/// All files below `dir`, relative to it and in order, and whether they are executable.
fn files(dir: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let executable = entry.metadata()?.permissions().mode() & 0o100 != 0;
                found.push((entry.path().strip_prefix(dir)?.to_owned(), executable));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn place(from: &Path, to: &Path, executable: bool) -> Result<()> {
    let copy = || -> std::io::Result<()> {
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        // A link in its place would be followed, perhaps out of the image.
        if to.symlink_metadata().is_ok() {
            fs::remove_file(to)?;
        }
        fs::copy(from, to)?;
        fs::set_permissions(
            to,
            fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }),
        )
    };
    copy().with_context(|| format!("copy {} to {}", from.display(), to.display()))
}

fn link(target: &str, at: &Path) -> Result<()> {
    let make = || -> std::io::Result<()> {
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder)?;
        }
        if at.symlink_metadata().is_ok() {
            fs::remove_file(at)?;
        }
        symlink(target, at)
    };
    make().with_context(|| format!("link {}", at.display()))
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

/// Runs it; the error holds the end of what it said.
fn run(mut command: Command, package: &str) -> Result<()> {
    let shown = command.get_program().display().to_string();
    let out = command
        .output()
        .with_context(|| format!("run {shown} (Debian package {package})"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<_> = said.lines().rev().take(8).collect();
    bail!(
        "{package}: {}",
        last.into_iter().rev().collect::<Vec<_>>().join("\n")
    )
}
