//! From a stack's folder and versions to the files of a release.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use chart::archive::{self, Files};
use release::ReleaseName;
use release::files::{self, CLUSTER_ADDON, CLUSTER_ADDON_VALUES, HASHES, METADATA};
use release::metadata::{API_VERSION, Components, Metadata, Versions as MetadataVersions};
use release::next::Versions;

use super::source::Source;

/// A release that is not published yet.
pub struct Package {
    /// Its name.
    pub name: ReleaseName,
    /// Its Kubernetes version.
    pub kubernetes: String,
    /// Its files.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Makes the files of the release.
pub fn package(source: &Source, versions: &Versions) -> Result<Package> {
    let name = ReleaseName {
        stack: source.stack.clone(),
        version: versions.cluster_stack.clone(),
    };
    let class = chart(
        source,
        "cluster-class",
        versions,
        &versions.cluster_stack.dotted(),
    )?;
    let addon = if source.is_multi_stage() {
        fill_all(&source.below("cluster-addon"), versions)
    } else {
        chart(
            source,
            "cluster-addon",
            versions,
            &versions.cluster_addon.dotted(),
        )?
    };
    let mut out = BTreeMap::from([
        (files::class_chart(&name), archive::write(&class)?),
        (
            files::addon_archive(&name, &versions.cluster_addon),
            archive::write(&addon)?,
        ),
        (
            METADATA.to_owned(),
            metadata(source, versions).write()?.into_bytes(),
        ),
        (
            HASHES.to_owned(),
            serde_json::to_vec_pretty(&source.hashes)?,
        ),
    ]);
    if let Some(stages) = source.files.get(CLUSTER_ADDON) {
        out.insert(CLUSTER_ADDON.to_owned(), stages.clone());
    } else if let Some(values) = source.files.get(CLUSTER_ADDON_VALUES) {
        out.insert(CLUSTER_ADDON_VALUES.to_owned(), fill(values, versions));
    }
    if let Some(images) = source.files.get(files::NODE_IMAGES) {
        out.insert(files::NODE_IMAGES.to_owned(), fill(images, versions));
    }
    Ok(Package {
        name,
        kubernetes: source.kubernetes.clone(),
        files: out,
    })
}

fn metadata(source: &Source, versions: &Versions) -> Metadata {
    Metadata {
        api_version: API_VERSION.to_owned(),
        versions: MetadataVersions {
            cluster_stack: versions.cluster_stack.clone(),
            kubernetes: source.kubernetes.clone(),
            components: Components {
                cluster_addon: versions.cluster_addon.clone(),
                node_image: versions.node_image.clone(),
            },
        },
    }
}

/// A chart as `helm package` lays it out: one folder of the chart's name, its version set.
fn chart(source: &Source, folder: &str, versions: &Versions, version: &str) -> Result<Files> {
    let path = format!("{folder}/Chart.yaml");
    let mut about: serde_json::Value =
        chart::yaml::read(source.text(&path)?).with_context(|| path.clone())?;
    let name = about["name"]
        .as_str()
        .with_context(|| format!("{path}: name is missing"))?
        .to_owned();
    about["version"] = version.into();
    let mut files = fill_all(&source.below(folder), versions);
    files.insert(
        "Chart.yaml".to_owned(),
        chart::yaml::write(&about)?.into_bytes(),
    );
    Ok(files
        .into_iter()
        .map(|(path, content)| (format!("{name}/{path}"), content))
        .collect())
}

fn fill_all(files: &Files, versions: &Versions) -> Files {
    files
        .iter()
        .map(|(path, content)| (path.clone(), fill(content, versions)))
        .collect()
}

/// Fills in the versions. Only these exact tags are touched, so that a shell's `<< EOF` and binary
/// files stay as they are, which the original's template pass spoils.
fn fill(content: &[u8], versions: &Versions) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(content) else {
        return content.to_vec();
    };
    let image = versions
        .node_image
        .as_ref()
        .unwrap_or(&versions.cluster_stack);
    text.replace(
        "<< .ClusterClassVersion >>",
        &versions.cluster_stack.dotted(),
    )
    .replace(
        "<< .ClusterAddonVersion >>",
        &versions.cluster_addon.dotted(),
    )
    .replace("<< .NodeImageVersion >>", &image.dotted())
    .into_bytes()
}
