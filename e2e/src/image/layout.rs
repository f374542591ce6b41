//! An OCI image layout in a folder: <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::layer::Layer;

/// Media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const NAME: &str = "org.opencontainers.image.ref.name";

/// Type, digest and size of a blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type.
    pub media_type: String,
    /// `sha256:…`
    pub digest: String,
    /// In bytes.
    pub size: u64,
    /// In index.json: the image's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<Value>,
}

/// The part of a manifest that lists blobs.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    schema_version: u8,
    media_type: String,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    schema_version: u8,
    manifests: Vec<Descriptor>,
}

/// A layout in a folder.
pub struct Layout {
    dir: PathBuf,
    images: Vec<Descriptor>,
}

impl Layout {
    /// A new one without images.
    pub fn create(dir: &Path) -> Result<Self> {
        let blobs = dir.join("blobs/sha256");
        fs::create_dir_all(&blobs).with_context(|| format!("create {}", blobs.display()))?;
        fs::write(dir.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(Self {
            dir: dir.to_owned(),
            images: vec![],
        })
    }

    /// One that is there.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join("index.json");
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        let index: Index =
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        Ok(Self {
            dir: dir.to_owned(),
            images: index.manifests,
        })
    }

    /// Adds an image under a name like `repository:tag`. `run` is the part of its configuration that says what is run.
    pub fn add(&mut self, name: &str, layers: &[&Layer], run: &Value) -> Result<()> {
        let layers: Vec<_> = layers
            .iter()
            .map(|l| self.layer(l))
            .collect::<Result<_>>()?;
        let digests: Vec<_> = layers.iter().map(|l| &l.digest).collect();
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "config": run,
            "rootfs": {"type": "layers", "diff_ids": digests},
        });
        let config = self.blob(CONFIG, &serde_json::to_vec(&config)?)?;
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config,
            layers,
        };
        let mut image = self.blob(MANIFEST, &serde_json::to_vec(&manifest)?)?;
        image.annotations = Some(json!({ NAME: name }));
        self.images.push(image);
        Ok(())
    }

    /// Writes the index, which makes it whole.
    pub fn finish(self) -> Result<()> {
        let index = Index {
            schema_version: 2,
            manifests: self.images,
        };
        let path = self.dir.join("index.json");
        fs::write(&path, serde_json::to_vec(&index)?).with_context(|| path.display().to_string())
    }

    /// Names and manifests of all images.
    pub fn images(&self) -> impl Iterator<Item = (&str, &Descriptor)> {
        self.images
            .iter()
            .filter_map(|i| Some((i.annotations.as_ref()?.get(NAME)?.as_str()?, i)))
    }

    /// File of a blob.
    pub fn path(&self, blob: &Descriptor) -> PathBuf {
        self.dir.join("blobs").join(blob.digest.replace(':', "/"))
    }

    fn layer(&self, layer: &Layer) -> Result<Descriptor> {
        let partial = self.dir.join("blobs/partial");
        let file = File::create(&partial).with_context(|| partial.display().to_string())?;
        let mut out = Hashing {
            to: BufWriter::with_capacity(1 << 20, file),
            hash: Sha256::new(),
            size: 0,
        };
        layer.write(&mut out)?;
        out.flush()?;
        let blob = Descriptor::new(LAYER, out.hash, out.size);
        fs::rename(&partial, self.path(&blob))?;
        Ok(blob)
    }

    fn blob(&self, media_type: &str, content: &[u8]) -> Result<Descriptor> {
        let blob = Descriptor::new(
            media_type,
            Sha256::new_with_prefix(content),
            content.len() as u64,
        );
        let path = self.path(&blob);
        fs::write(&path, content).with_context(|| path.display().to_string())?;
        Ok(blob)
    }
}

impl Descriptor {
    fn new(media_type: &str, hash: Sha256, size: u64) -> Self {
        let digest = format!("sha256:{}", hex::encode(hash.finalize()));
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            annotations: None,
        }
    }
}

/// This machine's, as OCI names it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Counts and hashes what goes through.
struct Hashing<W> {
    to: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.hash.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_found_again() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let mut layout = Layout::create(dir.path())?;
        layout.add("lab/check:v1", &[&Layer::base()], &json!({"Cmd": ["sh"]}))?;
        layout.finish()?;
        let layout = Layout::open(dir.path())?;
        let (name, image) = layout.images().next().context("an image")?;
        assert_eq!(name, "lab/check:v1");
        let content = fs::read(layout.path(image))?;
        assert_eq!(
            format!("sha256:{}", hex::encode(Sha256::digest(&content))),
            image.digest
        );
        let manifest: Manifest = serde_json::from_slice(&content)?;
        for blob in manifest.layers.iter().chain([&manifest.config]) {
            assert_eq!(fs::metadata(layout.path(blob))?.len(), blob.size);
        }
        Ok(())
    }
}
