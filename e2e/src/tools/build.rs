//! Builds one tool. A build that is interrupted leaves nothing that looks like a result.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use anyhow::{Context, Result, anyhow, bail};
use sha2::{Digest, Sha256};

use super::catalogue::{Module, Source, Tool};
use crate::{cache, lab::Lab};

/// One build at a time: each uses all cores, and several links of this size at once need much memory.
static TURN: Mutex<()> = Mutex::new(());

/// The tool's binary: the one in the cache, or a new one.
pub fn built(lab: &Lab, module: &Module, tool: &Tool) -> Result<PathBuf> {
    let source = folder(lab, module);
    let kept = lab.cache.join("tools").join(digest(&source)?);
    let bin = kept.join("bin");
    let binary = bin.join(tool.name);
    if binary.exists() {
        cache::used(&kept)?;
        return Ok(binary);
    }
    let _turn = TURN.lock().map_err(|_| anyhow!("a build panicked"))?;
    fs::create_dir_all(&bin).with_context(|| format!("create {}", bin.display()))?;
    // Another lab may build as well.
    let lock = File::create(lab.cache.join("tools/lock")).context("lock of the tools")?;
    lock.lock().context("lock of the tools")?;
    if !binary.exists() {
        lab.step(format_args!("build {}", tool.name), || {
            let partial = bin.join(format!(".{}.partial", tool.name));
            match tool.source {
                Source::Go(package) => build_go(&source, module, package, &partial)?,
                Source::C(file) => build_c(&source, module, file, &partial)?,
            }
            fs::rename(&partial, &binary).with_context(|| binary.display().to_string())
        })?;
    }
    Ok(binary)
}

/// Directory of a module in Go's module cache, downloaded if it is not there.
pub fn module_dir(lab: &Lab, module: &Module, path: &str) -> Result<PathBuf> {
    cached_dir(&folder(lab, module), path)
}

/// Digest of what fixes every dependency of a folder: go.mod and go.sum.
pub fn digest(folder: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    for name in ["go.mod", "go.sum"] {
        let path = folder.join(name);
        hash.update(fs::read(&path).with_context(|| path.display().to_string())?);
    }
    Ok(hex::encode(hash.finalize()))
}

/// Folder of a module in the workspace.
pub fn folder(lab: &Lab, module: &Module) -> PathBuf {
    lab.repo.join("e2e/tools").join(module.folder)
}

/// Version that go.mod requires of the upstream module, as `v1.2.3`.
pub fn version(folder: &Path, upstream: &str) -> Result<String> {
    let path = folder.join("go.mod");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut words = text.lines().map(|line| {
        line.trim()
            .trim_start_matches("require ")
            .split_whitespace()
    });
    words
        .find_map(|mut w| {
            if w.next() == Some(upstream) {
                w.next().map(str::to_owned)
            } else {
                None
            }
        })
        .with_context(|| format!("{} requires no {upstream}", path.display()))
}

fn build_go(folder: &Path, module: &Module, package: &str, to: &Path) -> Result<()> {
    let version = version(folder, module.upstream)?;
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (
        numbers.next().unwrap_or_default(),
        numbers.next().unwrap_or_default(),
    );
    let mut flags = String::from("-s -w");
    for (variable, value) in module.stamps {
        let value = value
            .replace("{version}", &version)
            .replace("{major}", major)
            .replace("{minor}", minor);
        flags.push_str(&format!(" -X {variable}={value}"));
    }
    let mut go = go(folder);
    // The linker drops symbols of debuggers anyway: not to make them saves an eighth of the time.
    go.args([
        "build",
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        "-gcflags=all=-dwarf=false",
        "-ldflags",
        &flags,
        "-o",
    ])
    .arg(to)
    .arg(package);
    run(go).map(|_| ())
}

fn build_c(folder: &Path, module: &Module, file: &str, to: &Path) -> Result<()> {
    let source = cached_dir(folder, module.upstream)?.join(file);
    let mut cc = Command::new("cc");
    cc.args(["-Os", "-static", "-s", "-o"]).arg(to).arg(&source);
    // Only `pause -v` shows it.
    cc.arg(format!("-DVERSION={}", version(folder, module.upstream)?));
    run(cc).map(|_| ())
}

fn cached_dir(folder: &Path, path: &str) -> Result<PathBuf> {
    let list = || -> Result<String> {
        let mut go = go(folder);
        go.args(["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path]);
        Ok(run(go)?.trim().to_owned())
    };
    let mut dir = list()?;
    if dir.is_empty() {
        let mut go = go(folder);
        go.args(["mod", "download", path]);
        run(go)?;
        dir = list()?;
    }
    if dir.is_empty() {
        bail!("{path} is not in Go's module cache after its download, see `go env GOMODCACHE`");
    }
    Ok(PathBuf::from(dir))
}

fn go(folder: &Path) -> Command {
    let mut go = Command::new("go");
    go.current_dir(folder)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env_remove("GOFLAGS");
    go
}

/// Runs it; the error holds what it said and, where that is known, what to do.
fn run(mut command: Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let out = command
        .output()
        .map_err(|e| match (e.kind(), program.as_str()) {
            (std::io::ErrorKind::NotFound, "go") => {
                anyhow!("go is missing: install Go 1.26 or newer and put its bin folder on PATH")
            }
            (std::io::ErrorKind::NotFound, _) => {
                anyhow!("{program} is missing: install the Debian package gcc")
            }
            _ => anyhow!("run {program}: {e}"),
        })?;
    if out.status.success() {
        return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&out.stderr);
    let last: Vec<_> = said.lines().rev().take(12).collect();
    let said = last.into_iter().rev().collect::<Vec<_>>().join("\n");
    if offline(&said) {
        bail!(
            "the Go module proxy cannot be reached (`go env GOPROXY` says which one it is); \
             modules that were downloaded once need no network: run `cargo lab up` again with one\n{said}"
        );
    }
    bail!(
        "{program} failed in {}:\n{said}",
        command
            .get_current_dir()
            .unwrap_or(Path::new("."))
            .display()
    )
}

/// Does a message of go mean that there is no way to the proxy?
fn offline(said: &str) -> bool {
    [
        "dial tcp",
        "no such host",
        "network is unreachable",
        "module lookup disabled",
        "i/o timeout",
        "TLS handshake",
    ]
    .iter()
    .any(|sign| said.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_in_go_mod() -> Result<()> {
        let dir = tempfile::tempdir()?;
        fs::write(
            dir.path().join("go.mod"),
            "module m\n\nrequire (\n\ta.b/c v1.2.3 // indirect\n\ta.b/c/d v2.0.0\n)\nrequire e.f/g v0.1.0\n",
        )?;
        assert_eq!(version(dir.path(), "a.b/c")?, "v1.2.3");
        assert_eq!(version(dir.path(), "e.f/g")?, "v0.1.0");
        assert!(
            version(dir.path(), "h.i/j")
                .is_err_and(|e| e.to_string().contains("requires no h.i/j"))
        );
        Ok(())
    }

    #[test]
    fn a_missing_network_is_told_from_a_broken_build() {
        assert!(offline(
            "Get \"https://example.org/m.zip\": dial tcp: lookup example.org: no such host"
        ));
        assert!(!offline("main.go:3:2: undefined: x"));
    }
}
