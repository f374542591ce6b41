//! `capstan stack build`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use registry::oci::Oci;
use release::ReleaseName;
use release::hashes::Hashes;
use release::metadata::Metadata;
use release::name::Stack;
use release::next::{self, Last, Versions};
use serde::Serialize;

use super::package::{Package, package};
use super::source::Source;
use super::{Build, Mode, print};

#[derive(Serialize)]
struct Built {
    release: String,
    kubernetes: String,
    folder: PathBuf,
    files: Vec<String>,
}

/// The command.
pub async fn command(build: &Build) -> Result<()> {
    let source = Source::read(&build.folder).with_context(|| build.folder.display().to_string())?;
    let after = build
        .after
        .as_deref()
        .map(|reference| build.connection.connect(reference))
        .transpose()?;
    let package = package(
        &source,
        &versions(&build.versions, &source, after.as_ref()).await?,
    )?;
    let folder = write(&package, &build.into)?;
    let line = format!(
        "{} with Kubernetes {} in {}",
        package.name,
        package.kubernetes,
        folder.display()
    );
    let built = Built {
        release: package.name.tag(),
        kubernetes: package.kubernetes,
        files: package.files.into_keys().collect(),
        folder,
    };
    print(build.output, &built, &line)
}

/// The versions of the next build; `after` is where the last release is.
pub async fn versions(
    asked: &super::Versions,
    source: &Source,
    after: Option<&Oci>,
) -> Result<Versions> {
    match (
        asked.mode,
        &asked.cluster_stack_version,
        &asked.cluster_addon_version,
    ) {
        (Mode::Custom, Some(stack), Some(addon)) => Ok(Versions {
            cluster_stack: stack.clone(),
            cluster_addon: addon.clone(),
            node_image: asked.node_image_version.clone(),
        }),
        (Mode::Hash, ..) => Ok(next::by_hash(&source.hashes)?),
        _ => {
            let last = match after {
                Some(oci) => last(oci, &source.stack).await?,
                None => None,
            };
            Ok(next::stable(&source.hashes, last.as_ref())?)
        }
    }
}

/// The newest stable release of the stack; tags that are no releases are passed over.
async fn last(oci: &Oci, stack: &Stack) -> Result<Option<Last>> {
    let tags = oci.tags().await?;
    let names = tags
        .iter()
        .filter_map(|tag| tag.parse::<ReleaseName>().ok());
    let stable = names.filter(|name| name.stack == *stack && name.version.channel() == "stable");
    let Some(newest) = stable.max_by_key(|name| name.version.major()) else {
        return Ok(None);
    };
    let artifact = oci.fetch(&newest.tag()).await?;
    let file = |name: &str| {
        let content = artifact
            .files
            .get(name)
            .with_context(|| format!("{newest}: {name} is missing"))?;
        std::str::from_utf8(content).with_context(|| format!("{newest}: {name} is not UTF-8"))
    };
    let metadata = Metadata::read(file(release::files::METADATA)?)?.versions;
    let hashes: Hashes =
        serde_json::from_str(file(release::files::HASHES)?).with_context(|| newest.tag())?;
    let versions = Versions {
        cluster_stack: metadata.cluster_stack,
        cluster_addon: metadata.components.cluster_addon,
        node_image: metadata.components.node_image,
    };
    Ok(Some(Last { versions, hashes }))
}

/// Writes the release's folder; it is there whole or not at all.
fn write(package: &Package, into: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(into).with_context(|| into.display().to_string())?;
    let new = tempfile::Builder::new().prefix(".new-").tempdir_in(into)?;
    for (name, content) in &package.files {
        std::fs::write(new.path().join(name), content)?;
    }
    let folder = into.join(package.name.tag());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    std::fs::rename(new.keep(), &folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}
