//! A release as an OCI artifact.

use std::collections::BTreeMap;

use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use release::files::{ARTIFACT_TYPE, ARTIFACT_TYPE_OF_SCRIPTS, EMPTY_CONFIG, Kind, TITLE};
use sha2::{Digest, Sha256};

use crate::Error;

/// The empty config blob of every artifact.
pub const EMPTY: &[u8] = b"{}";

/// Files of a release, with the manifest that vouches for them.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The manifest, byte for byte as it was received or will be sent.
    pub manifest: Vec<u8>,
    /// Its digest: the identity of the release.
    pub digest: String,
    /// The files by name.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Artifact {
    /// An artifact of `files`. Equal files and annotations give an equal digest, so `created` is
    /// given by the caller.
    ///
    /// # Errors
    /// When a file is larger than a descriptor can say.
    pub fn new(
        files: BTreeMap<String, Vec<u8>>,
        annotations: BTreeMap<String, String>,
    ) -> Result<Self, Error> {
        let layers = files.iter().map(|(name, content)| {
            let title = BTreeMap::from([(TITLE.to_owned(), name.clone())]);
            descriptor(Kind::of(name).media_type(), content, Some(title))
        });
        let manifest = OciImageManifest {
            schema_version: 2,
            media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
            config: descriptor(EMPTY_CONFIG, EMPTY, None),
            layers: layers.collect(),
            subject: None,
            artifact_type: Some(ARTIFACT_TYPE.to_owned()),
            annotations: Some(annotations),
        };
        let wrong = |error: serde_json::Error| Error::Artifact {
            release: String::new(),
            reason: error.to_string(),
        };
        let manifest = serde_json::to_vec(&manifest).map_err(wrong)?;
        Ok(Self {
            digest: sha256(&manifest),
            manifest,
            files,
        })
    }
}

/// The layers of a manifest by file name.
///
/// # Errors
/// When it is no manifest of a cluster stack, or a name in it is not that of a plain file.
pub fn layers(release: &str, manifest: &[u8]) -> Result<BTreeMap<String, OciDescriptor>, Error> {
    let wrong = |reason: String| Error::Artifact {
        release: release.to_owned(),
        reason,
    };
    let manifest: OciImageManifest = serde_json::from_slice(manifest)
        .map_err(|error| wrong(format!("its manifest cannot be read: {error}")))?;
    let type_ = manifest
        .artifact_type
        .as_deref()
        .unwrap_or(&manifest.config.media_type);
    // Go's client writes no artifact type in the older manifest form; the file names tell enough then.
    if ![ARTIFACT_TYPE, ARTIFACT_TYPE_OF_SCRIPTS, EMPTY_CONFIG].contains(&type_) {
        return Err(wrong(format!(
            "its artifact type is {type_}, should be {ARTIFACT_TYPE}"
        )));
    }
    let mut layers = BTreeMap::new();
    for layer in manifest.layers {
        let title = layer
            .annotations
            .as_ref()
            .and_then(|annotations| annotations.get(TITLE))
            .cloned();
        let name = title
            .ok_or_else(|| wrong(format!("layer {} has no annotation {TITLE}", layer.digest)))?;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(wrong(format!(
                "layer {} is named {name:?}, which is not the name of a file",
                layer.digest
            )));
        }
        if layers.insert(name.clone(), layer).is_some() {
            return Err(wrong(format!("two layers are named {name}")));
        }
    }
    Ok(layers)
}

/// Checks that `content` is what `layer` promises.
///
/// # Errors
/// When it is not.
pub fn verify(
    release: &str,
    file: &str,
    layer: &OciDescriptor,
    content: &[u8],
) -> Result<(), Error> {
    let given = sha256(content);
    if given == layer.digest && i64::try_from(content.len()) == Ok(layer.size) {
        return Ok(());
    }
    Err(Error::Digest {
        release: release.to_owned(),
        file: file.to_owned(),
        given,
        wanted: layer.digest.clone(),
    })
}

/// `sha256:<hex>`.
#[must_use]
pub fn sha256(content: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(content)))
}

fn descriptor(
    media_type: &str,
    content: &[u8],
    annotations: Option<BTreeMap<String, String>>,
) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: sha256(content),
        size: i64::try_from(content.len()).unwrap_or(i64::MAX),
        annotations,
        ..OciDescriptor::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact() -> Artifact {
        let files = [("metadata.yaml", "a: 1"), ("x-cluster-class-v1.tgz", "tgz")];
        let files = files.map(|(name, content)| (name.to_owned(), content.as_bytes().to_vec()));
        Artifact::new(files.into(), BTreeMap::new()).expect("artifact")
    }

    #[test]
    fn the_layers_name_the_files_and_vouch_for_them() {
        let artifact = artifact();
        let layers = layers("r", &artifact.manifest).expect("layers");
        assert_eq!(
            layers["x-cluster-class-v1.tgz"].media_type,
            "application/vnd.scs.cluster-class.v1.tar+gzip"
        );
        for (name, layer) in &layers {
            verify("r", name, layer, &artifact.files[name]).expect(name);
            let error = verify("r", name, layer, b"other")
                .expect_err(name)
                .to_string();
            assert!(error.contains("corrupt") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn equal_files_give_an_equal_digest() {
        assert_eq!(artifact().digest, artifact().digest);
    }

    #[test]
    fn foreign_and_hostile_manifests_are_refused() {
        let text = String::from_utf8(artifact().manifest).expect("text");
        for (from, to, named) in [
            (ARTIFACT_TYPE, "application/vnd.other", "artifact type"),
            (
                "\"metadata.yaml\"",
                "\"../metadata.yaml\"",
                "name of a file",
            ),
            (
                "\"metadata.yaml\"",
                "\"x-cluster-class-v1.tgz\"",
                "two layers",
            ),
            (TITLE, "org.example", "no annotation"),
        ] {
            let error = layers("r", text.replacen(from, to, 1).as_bytes())
                .expect_err(named)
                .to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
