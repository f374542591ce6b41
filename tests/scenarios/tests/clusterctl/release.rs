//! What `clusterctl` installs, in a folder as it wants it, and the program itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use scenarios::{api_server, crds};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

/// The version that is built here.
pub const VERSION: &str = concat!("v", env!("CARGO_PKG_VERSION"));
/// The one after it, which has the same components.
pub const NEXT: &str = concat!(
    "v",
    env!("CARGO_PKG_VERSION_MAJOR"),
    ".",
    env!("CARGO_PKG_VERSION_MINOR"),
    ".99"
);
/// As clusterctl calls the provider.
pub const PROVIDER: &str = "infrastructure-openstack";
/// The operator's image.
pub const IMAGE: &str = "registry.example/capstan/operator:v7";
/// As it calls Cluster API.
const CORE: &str = "cluster-api";
/// Nobody listens: whatever does not go to this machine fails at once.
const NOWHERE: &str = "http://127.0.0.1:1";

/// `clusterctl` with a configuration of its own and releases of ours and of Cluster API on disk.
pub struct Clusterctl {
    program: PathBuf,
    folder: TempDir,
}

impl Clusterctl {
    /// Lays the releases out.
    ///
    /// # Errors
    /// No program, or no folder of Cluster API.
    pub fn new() -> Result<Self> {
        let clusterctl = Self {
            program: api_server::program("clusterctl")?,
            folder: tempfile::tempdir()?,
        };
        let files = generate::files()?;
        let metadata = files.get(Path::new("clusterctl/metadata.yaml"));
        let (metadata, components) = (metadata.context("metadata")?, generate::components(IMAGE)?);
        for version in [VERSION, NEXT] {
            clusterctl.release(PROVIDER, version, metadata, &components)?;
        }
        let module = crds::cluster_api()?;
        let version = module.to_str().and_then(|path| path.rsplit_once('@'));
        let version = version
            .context("Go's module cache has folders NAME@VERSION")?
            .1;
        let metadata = read(&module.join("metadata.yaml"))?;
        clusterctl.release(CORE, version, &metadata, &core(&module)?)?;
        let provider = |name: &str, of: &str, label: &str, version: &str| {
            let url = clusterctl.file(label, version, file_name(label));
            json!({ "name": name, "type": of, "url": url })
        };
        let config = json!({ "providers": [
            provider("openstack", "InfrastructureProvider", PROVIDER, VERSION),
            provider(CORE, "CoreProvider", CORE, version),
        ] });
        fs::write(clusterctl.config(), config.to_string())?;
        Ok(clusterctl)
    }

    /// What it prints.
    ///
    /// # Errors
    /// What it complains about.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let home = self.folder.path();
        let output = Command::new(&self.program)
            .args(arguments)
            .arg("--config")
            .arg(self.config())
            .env_clear()
            .envs([("HOME", home), ("XDG_CONFIG_HOME", home)])
            .env("CLUSTERCTL_DISABLE_VERSIONCHECK", "true")
            .env("GOPROXY", "off")
            .envs([("HTTP_PROXY", NOWHERE), ("HTTPS_PROXY", NOWHERE)])
            .env("NO_PROXY", "127.0.0.1")
            .output()
            .await
            .with_context(|| self.program.display().to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "clusterctl {}: {}",
            arguments.join(" "),
            said.trim()
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("clusterctl.yaml")
    }

    fn file(&self, label: &str, version: &str, name: &str) -> PathBuf {
        self.folder.path().join(label).join(version).join(name)
    }

    fn release(&self, label: &str, version: &str, metadata: &str, components: &str) -> Result<()> {
        for (name, text) in [("metadata.yaml", metadata), (file_name(label), components)] {
            let file = self.file(label, version, name);
            fs::create_dir_all(file.parent().unwrap_or(&file))?;
            fs::write(&file, text).with_context(|| file.display().to_string())?;
        }
        Ok(())
    }
}

/// The components in a release, as clusterctl calls them.
fn file_name(label: &str) -> &'static str {
    match label {
        CORE => "core-components.yaml",
        _ => "infrastructure-components.yaml",
    }
}

/// The kinds of Cluster API without its controllers: what its release has of them, but for the conversions, which
/// nobody serves here.
fn core(module: &Path) -> Result<String> {
    let mut text = json!({
        "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "capi-system" },
    })
    .to_string();
    for file in crds::of_core(module)? {
        text += &format!("\n---\n{}", read(&file)?.trim_start_matches("---\n"));
    }
    Ok(text)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| file.display().to_string())
}
