//! The folder of a stack, as people write it.

use std::path::Path;

use anyhow::{Context, Result, bail};
use chart::archive::Files;
use release::hashes::{self, Hashes};
use release::name::{Minor, Stack};
use release::stages::{Action, Hook, Stages};
use serde::Deserialize;

/// A stack's folder, in memory.
pub struct Source {
    /// What it is a stack of.
    pub stack: Stack,
    /// Kubernetes, `v1.36.3`.
    pub kubernetes: String,
    /// All files.
    pub files: Files,
    /// What they hash to.
    pub hashes: Hashes,
}

#[derive(Deserialize)]
struct Csctl {
    config: Config,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    kubernetes_version: String,
    cluster_stack_name: String,
    provider: Provider,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(rename = "type")]
    type_: String,
}

/// Name of the file that makes a folder a stack.
pub const CSCTL: &str = "csctl.yaml";

impl Source {
    /// Reads and checks the folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files = Files::new();
        walk(folder, "", &mut files)?;
        let csctl: Csctl = chart::yaml::read(text(&files, CSCTL)?).context(CSCTL)?;
        let Config {
            kubernetes_version,
            cluster_stack_name,
            provider,
        } = csctl.config;
        let minor: Minor = kubernetes_version
            .parse()
            .with_context(|| format!("{CSCTL}: config.kubernetesVersion"))?;
        if kubernetes_version.matches('.').count() != 2 || !kubernetes_version.starts_with('v') {
            bail!(
                "{CSCTL}: config.kubernetesVersion is {kubernetes_version:?}, should read as in v1.36.3"
            );
        }
        if cluster_stack_name.is_empty()
            || provider.type_.is_empty()
            || provider.type_.contains('-')
        {
            bail!(
                "{CSCTL}: config.clusterStackName and config.provider.type must be set, and the type holds no dash"
            );
        }
        let stack = Stack {
            provider: provider.type_,
            name: cluster_stack_name,
            kubernetes: minor,
        };
        let source = Self {
            stack,
            kubernetes: kubernetes_version,
            hashes: hashes_of(&files),
            files,
        };
        source.check()?;
        Ok(source)
    }

    /// Whether add-ons come in stages.
    pub fn is_multi_stage(&self) -> bool {
        self.files.contains_key(release::files::CLUSTER_ADDON)
    }

    /// A file as text.
    pub fn text(&self, path: &str) -> Result<&str> {
        text(&self.files, path)
    }

    /// The files below `folder/`, without it.
    pub fn below(&self, folder: &str) -> Files {
        below(&self.files, folder)
    }

    fn check(&self) -> Result<()> {
        self.text("cluster-class/Chart.yaml")?;
        if self.is_multi_stage() {
            let stages = Stages::read(self.text(release::files::CLUSTER_ADDON)?)?;
            for hook in [
                Hook::AfterControlPlaneInitialized,
                Hook::BeforeClusterUpgrade,
                Hook::AfterClusterUpgrade,
            ] {
                for stage in stages
                    .of(hook)
                    .iter()
                    .filter(|stage| stage.action == Action::Apply)
                {
                    self.vendored(&format!("cluster-addon/{}", stage.name))
                        .with_context(|| {
                            format!("clusteraddon.yaml: {hook}: stage {}", stage.name)
                        })?;
                }
            }
            return Ok(());
        }
        self.vendored("cluster-addon")
    }

    /// A release holds all that it needs: nothing is fetched when a cluster is made.
    fn vendored(&self, chart: &str) -> Result<()> {
        #[derive(Deserialize)]
        struct Chart {
            #[serde(default)]
            dependencies: Vec<Dependency>,
        }
        #[derive(Deserialize)]
        struct Dependency {
            name: String,
        }
        let path = format!("{chart}/Chart.yaml");
        let read: Chart = chart::yaml::read(self.text(&path)?).with_context(|| path.clone())?;
        for Dependency { name } in read.dependencies {
            let folder = format!("{chart}/charts/{name}");
            let there = |path: &String| {
                path.starts_with(&format!("{folder}/"))
                    || (path.starts_with(&format!("{folder}-")) && path.ends_with(".tgz"))
            };
            if !self.files.keys().any(there) {
                bail!(
                    "{path}: dependency {name} is not in {chart}/charts; run `helm dependency update {chart}` first"
                );
            }
        }
        Ok(())
    }
}

fn hashes_of(files: &Files) -> Hashes {
    let folder = |prefix: &str| {
        let below = below(files, prefix);
        if below.is_empty() {
            String::new()
        } else {
            hash(&below)
        }
    };
    let values = files.get(release::files::CLUSTER_ADDON_VALUES);
    let values = values.map(|content| {
        hashes::folder([(release::files::CLUSTER_ADDON_VALUES, content.as_slice())])
    });
    Hashes {
        cluster_stack: hash(files),
        cluster_addon_dir: folder("cluster-addon"),
        cluster_addon_values: values.unwrap_or_default(),
        node_image_dir: folder("node-image"),
        cluster_class: folder("cluster-class"),
    }
}

fn hash(files: &Files) -> String {
    hashes::folder(
        files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_slice())),
    )
}

fn below(files: &Files, folder: &str) -> Files {
    let prefix = format!("{folder}/");
    files
        .iter()
        .filter_map(|(path, content)| {
            Some((path.strip_prefix(&prefix)?.to_owned(), content.clone()))
        })
        .collect()
}

fn text<'a>(files: &'a Files, path: &str) -> Result<&'a str> {
    let content = files
        .get(path)
        .with_context(|| format!("{path} is missing"))?;
    std::str::from_utf8(content).with_context(|| format!("{path} is not UTF-8"))
}

/// Reads a folder; links are refused, because what they lead to is not part of the stack.
fn walk(folder: &Path, prefix: &str, files: &mut Files) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            bail!("{}: its name is not UTF-8", path.display())
        };
        let type_ = entry.file_type()?;
        if type_.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), files)?;
        } else if type_.is_file() {
            let content = std::fs::read(&path).with_context(|| path.display().to_string())?;
            files.insert(format!("{prefix}{name}"), content);
        } else {
            bail!(
                "{}: only files and folders can be part of a stack",
                path.display()
            );
        }
    }
    Ok(())
}
