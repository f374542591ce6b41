//! Releases in the registry that nobody should trust.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::stack;
use crate::{
    lab::Lab,
    parts::{capstan::REPOSITORY, registry},
};

/// The registry's disk has another byte in the cluster-class chart than was pushed.
pub fn digest(lab: &Lab, name: &'static str) -> Result<()> {
    let release = built(lab, name)?;
    stack::publish(lab, &release)?;
    let chart = chart(&release, name);
    let mut content = fs::read(&chart).with_context(|| chart.display().to_string())?;
    let blob = blob(lab, &hex::encode(Sha256::digest(&content)));
    ensure!(
        blob.exists(),
        "{}: the registry keeps blobs elsewhere",
        blob.display()
    );
    if let Some(last) = content.last_mut() {
        *last = !*last;
    }
    fs::write(&blob, content).with_context(|| blob.display().to_string())
}

/// An archive with a file that leads out of it.
pub fn traversal(lab: &Lab, name: &'static str) -> Result<()> {
    let release = built(lab, name)?;
    let mut header = tar::Header::new_gnu();
    // Tar writers refuse such a name: it is put into the bytes.
    let path = b"../evil";
    header.as_gnu_mut().context("a header of GNU tar")?.name[..path.len()].copy_from_slice(path);
    header.set_size(0);
    header.set_mode(0o644);
    header.set_cksum();
    let mut archive = GzEncoder::new(Vec::new(), Compression::default());
    archive.write_all(header.as_bytes())?;
    archive.write_all(&[0; 1024])?;
    fs::write(chart(&release, name), archive.finish()?)?;
    stack::publish(lab, &release).map(drop)
}

/// Half an archive.
pub fn truncated(lab: &Lab, name: &'static str) -> Result<()> {
    let release = built(lab, name)?;
    let path = chart(&release, name);
    let whole = fs::read(&path).with_context(|| path.display().to_string())?;
    fs::write(&path, &whole[..whole.len() / 2])?;
    stack::publish(lab, &release).map(drop)
}

/// The release of a copy of the lab's stack. The registry forgets the one of an earlier run, which cannot be published
/// over.
fn built(lab: &Lab, name: &str) -> Result<PathBuf> {
    let tag = stack::release(name, "v1");
    let tags = registry::data(lab)
        .join("docker/registry/v2/repositories")
        .join(REPOSITORY)
        .join("_manifests/tags")
        .join(tag);
    if tags.exists() {
        fs::remove_dir_all(&tags).with_context(|| tags.display().to_string())?;
    }
    stack::copy(lab, name, name)?.build(lab)
}

/// The cluster-class chart of a release.
fn chart(release: &Path, name: &str) -> PathBuf {
    release.join(format!("openstack-{name}-1-36-cluster-class-v1.tgz"))
}

/// Where the registry keeps a blob.
fn blob(lab: &Lab, hex: &str) -> PathBuf {
    registry::data(lab)
        .join("docker/registry/v2/blobs/sha256")
        .join(&hex[..2])
        .join(hex)
        .join("data")
}
