//! Where this machine gets its Debian packages from.

use std::{env, process::Command};

use anyhow::{Context, Result, bail};

/// The release that machines run: its systemd still knows control groups v1.
pub const SUITE: &str = "bookworm";

/// URI of a mirror that has [`SUITE`]: `$CAPSTAN_DEBIAN_MIRROR`, else the one of apt's own configuration.
///
/// # Errors
/// A machine whose apt knows no Debian mirror.
pub fn uri() -> Result<String> {
    if let Some(uri) = env::var("CAPSTAN_DEBIAN_MIRROR")
        .ok()
        .filter(|uri| !uri.is_empty())
    {
        return Ok(uri);
    }
    let apt = Command::new("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ])
        .output()
        .context(
            "run apt-get; without apt, set CAPSTAN_DEBIAN_MIRROR to the URI of a Debian mirror",
        )?;
    match choose(&String::from_utf8_lossy(&apt.stdout)) {
        Some(uri) => Ok(uri),
        None => bail!(
            "apt of this machine is not configured for a Debian mirror with {SUITE}, of which machines are made: \
             set CAPSTAN_DEBIAN_MIRROR to the URI of one"
        ),
    }
}

/// The proxy that apt uses for http, for debootstrap does not read apt's configuration.
pub fn proxy() -> Option<String> {
    let out = Command::new("apt-config")
        .args(["shell", "proxy", "Acquire::http::Proxy"])
        .output()
        .ok()?;
    let line = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    let value = line.strip_prefix("proxy='")?.strip_suffix('\'')?;
    (!value.is_empty() && value != "DIRECT").then(|| value.to_owned())
}

/// Of lines `URI release component`, the first that names the suite itself or, on another release of Debian, any with
/// main and contrib of Debian's naming: a mirror holds all releases.
fn choose(targets: &str) -> Option<String> {
    let lines = || targets.lines().map(|l| l.split(' ').collect::<Vec<_>>());
    let exact = lines()
        .find(|w| matches!(w[..], [_, SUITE, "main"]))
        .map(|w| w[0].to_owned());
    let archive = || {
        lines().find_map(|w| match w[..] {
            [uri, _, "main"] if uri.trim_end_matches('/').ends_with("/debian") => {
                Some(uri.to_owned())
            }
            _ => None,
        })
    };
    exact.or_else(archive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_of_machines_goes_first() {
        let targets = "http://a/debian-security/ bookworm-security main\nhttp://a/debian/ trixie main\nhttp://b/debian/ bookworm main\n";
        assert_eq!(choose(targets).as_deref(), Some("http://b/debian/"));
    }

    #[test]
    fn any_mirror_of_debian_has_all_releases() {
        let targets =
            "http://a/debian-security/ trixie-security main\nhttp://a/debian/ trixie main\n";
        assert_eq!(choose(targets).as_deref(), Some("http://a/debian/"));
        assert_eq!(choose("http://a/ubuntu/ noble main\n"), None);
    }
}
