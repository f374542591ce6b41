//! Releases in the registry that nobody should trust.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

use super::stack::{self, Stack};
use crate::{lab::Lab, parts::registry};

/// The registry's disk has another byte in the cluster-class chart than was pushed.
pub fn digest(lab: &Lab, name: &'static str) -> Result<()> {
    // What an earlier run spoilt cannot be published over; a new text makes it a new release.
    let stack = stack::copy(lab, name, name)?;
    let release = stack.build(lab)?;
    let blob = blob(lab, &sha256(&chart(&release, name))?);
    if !blob.exists() {
        stack::publish(lab, &release)?;
    }
    let mut content = fs::read(&blob).with_context(|| blob.display().to_string())?;
    let good = fs::read(chart(&release, name))?;
    ensure!(
        content.len() == good.len(),
        "{}: not the blob of the chart",
        blob.display()
    );
    let last = content.len() - 1;
    content[last] = !good[last];
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

fn built(lab: &Lab, name: &str) -> Result<PathBuf> {
    let stack: Stack = stack::copy(lab, name, name)?;
    stack.build(lab)
}

/// The cluster-class chart of a release.
fn chart(release: &Path, name: &str) -> PathBuf {
    release.join(format!("openstack-{name}-1-36-cluster-class-v1.tgz"))
}

fn sha256(path: &Path) -> Result<String> {
    use sha2::{Digest, Sha256};
    let content = fs::read(path).with_context(|| path.display().to_string())?;
    Ok(hex::encode(Sha256::digest(content)))
}

/// Where the registry keeps a blob.
fn blob(lab: &Lab, hex: &str) -> PathBuf {
    registry::data(lab)
        .join("docker/registry/v2/blobs/sha256")
        .join(&hex[..2])
        .join(hex)
        .join("data")
}
