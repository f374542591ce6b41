//! `capstan stack publish`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use registry::Artifact;
use registry::oci::Oci;
use release::ReleaseName;
use release::hashes::{self, Hashes};
use release::metadata::Metadata;
use release::next::NothingChanged;
use serde::Serialize;

use super::package::{Package, package};
use super::source::{CSCTL, Source};
use super::{Publish, build, print};

#[derive(Serialize)]
struct Published {
    release: String,
    reference: String,
    digest: String,
    kubernetes: String,
    new: bool,
}

/// The command.
pub async fn command(publish: &Publish) -> Result<()> {
    let oci = publish.connection.connect(&publish.reference)?;
    let published = if publish.folder.join(CSCTL).exists() {
        let source =
            Source::read(&publish.folder).with_context(|| publish.folder.display().to_string())?;
        match build::versions(&publish.versions, &source, Some(&oci)).await {
            Ok(versions) => release(&oci, package(&source, &versions)?).await?,
            Err(error) => unchanged(&oci, &source, &error.downcast()?).await?,
        }
    } else {
        let package = built(publish).with_context(|| publish.folder.display().to_string())?;
        release(&oci, package).await?
    };
    let Published {
        reference, digest, ..
    } = &published;
    let line = if published.new {
        format!("published {reference}@{digest}")
    } else {
        format!("unchanged {reference}@{digest}")
    };
    print(publish.output, &published, &line)
}

/// Publishes the release, unless the registry has it.
async fn release(oci: &Oci, package: Package) -> Result<Published> {
    let tag = package.name.tag();
    let mut artifact = Artifact::new(package.files.clone(), annotations(&package)?)?;
    let new = match oci.fetch(&tag).await {
        Ok(there) if there.files == package.files => {
            artifact = there;
            false
        }
        Ok(_) => bail!(
            "{}:{tag} is there already with other files; a release never changes, build the next one",
            oci.place()
        ),
        Err(registry::Error::NotFound { .. }) => {
            oci.publish(&tag, &artifact).await?;
            true
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Published {
        reference: format!("{}:{tag}", oci.place()),
        release: tag,
        digest: artifact.digest,
        kubernetes: package.kubernetes,
        new,
    })
}

/// The newest release, which this folder has become already. It is not packaged again to be compared: whoever made it
/// may have written the same files in other archives.
async fn unchanged(oci: &Oci, source: &Source, since: &NothingChanged) -> Result<Published> {
    let name = ReleaseName {
        stack: source.stack.clone(),
        version: since.cluster_stack.clone(),
    };
    let tag = name.tag();
    Ok(Published {
        reference: format!("{}:{tag}", oci.place()),
        digest: oci.fetch(&tag).await?.digest,
        release: tag,
        kubernetes: source.kubernetes.clone(),
        new: false,
    })
}

/// A release that `build` made.
fn built(publish: &Publish) -> Result<Package> {
    let files = registry::folder::read(&publish.folder)?;
    let metadata = files.get(release::files::METADATA);
    let metadata =
        metadata.context("neither a stack (no csctl.yaml) nor a release (no metadata.yaml)")?;
    let metadata = Metadata::read(std::str::from_utf8(metadata)?)?;
    let name = publish.folder.canonicalize()?;
    let name = name
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let name: ReleaseName = name
        .parse()
        .context("the folder of a release is named like it")?;
    if name.version != metadata.versions.cluster_stack {
        bail!(
            "metadata.yaml says version {}, the folder {}",
            metadata.versions.cluster_stack,
            name.version
        );
    }
    Ok(Package {
        name,
        kubernetes: metadata.versions.kubernetes,
        files,
    })
}

/// Annotations of the artifact; `SOURCE_DATE_EPOCH` makes them reproducible too.
fn annotations(package: &Package) -> Result<BTreeMap<String, String>> {
    let created = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(seconds) => jiff::Timestamp::from_second(seconds.parse().context("SOURCE_DATE_EPOCH")?)?,
        Err(_) => jiff::Timestamp::from_second(jiff::Timestamp::now().as_second())?,
    };
    let hashes = package
        .files
        .get(release::files::HASHES)
        .map(|content| serde_json::from_slice::<Hashes>(content));
    let hashes = hashes.transpose()?.unwrap_or_default();
    Ok(BTreeMap::from([
        ("kubernetesVersion".to_owned(), package.kubernetes.clone()),
        ("hash".to_owned(), hashes::short(&hashes.cluster_stack)),
        (
            "org.opencontainers.image.created".to_owned(),
            created.to_string(),
        ),
    ]))
}
