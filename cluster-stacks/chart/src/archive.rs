//! Gzipped tar archives, in memory.
//!
//! Reading trusts nothing: only plain files and folders, no path that leads out of the archive, no
//! file twice, and limits on count and size, so that a small archive cannot fill the memory.
//! Writing is reproducible: sorted, without times, owners or modes of the machine that builds.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Component, Path};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header};

/// The files of an archive: path, with `/` and without leading `./`, and content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// What an archive may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Files.
    pub files: usize,
    /// Bytes, unpacked.
    pub bytes: u64,
}

impl Default for Limits {
    /// Far above the largest published stack (some hundred files, a few MiB).
    fn default() -> Self {
        Self {
            files: 10_000,
            bytes: 256 << 20,
        }
    }
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ends too early, or is no gzipped tar.
    #[error("not a whole gzipped tar archive: {0}")]
    Damaged(#[from] std::io::Error),
    /// An entry would be written outside of its folder.
    #[error("entry {0:?} leads out of the archive")]
    Outside(String),
    /// A link, a device or the like.
    #[error("entry {path:?} is a {what}; only files and folders are allowed")]
    Special { path: String, what: String },
    /// Two entries for one file: which one counts would depend on the reader.
    #[error("entry {0:?} is there twice")]
    Twice(String),
    /// More than [`Limits`].
    #[error("more than {0}")]
    TooLarge(String),
}

/// Reads an archive.
///
/// # Errors
/// When it is damaged, hostile or too large, naming the entry.
pub fn read(tgz: &[u8], limits: Limits) -> Result<Files, Error> {
    let mut archive = Archive::new(GzDecoder::new(tgz).take(limits.bytes.saturating_mul(2)));
    let mut files = Files::new();
    let mut left = limits.bytes;
    for entry in archive.entries()? {
        let mut entry = entry?;
        let raw = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory => {
                inside(&raw)?;
                continue;
            }
            EntryType::XGlobalHeader | EntryType::XHeader => continue,
            other => {
                return Err(Error::Special {
                    path: raw,
                    what: format!("{other:?}"),
                });
            }
        }
        let path = inside(&raw)?;
        if files.len() >= limits.files {
            return Err(Error::TooLarge(format!("{} files", limits.files)));
        }
        left = left
            .checked_sub(entry.header().size()?)
            .ok_or_else(|| Error::TooLarge(format!("{} bytes", limits.bytes)))?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        if files.insert(path.clone(), content).is_some() {
            return Err(Error::Twice(path));
        }
    }
    // A cut-off archive may end between two entries; the checksum of gzip then is missing.
    let mut rest = archive.into_inner().into_inner();
    std::io::copy(&mut rest, &mut std::io::sink())?;
    Ok(files)
}

/// The path of an entry, without `.` parts.
fn inside(raw: &str) -> Result<String, Error> {
    let outside = || Error::Outside(raw.to_owned());
    let mut parts = Vec::new();
    for part in Path::new(raw).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(outside)?),
            Component::CurDir => {}
            _ => return Err(outside()),
        }
    }
    if raw.contains('\\') || raw.contains('\0') {
        return Err(outside());
    }
    Ok(parts.join("/"))
}

/// Writes an archive; the same files give the same bytes.
///
/// # Errors
/// When a path is too long for tar.
pub fn write(files: &Files) -> std::io::Result<Vec<u8>> {
    // The gzip header of this encoder holds no time and no name.
    let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for (path, content) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_mtime(0);
        builder.append_data(&mut header, path, content.as_slice())?;
    }
    let mut gzip = builder.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> Files {
        entries
            .iter()
            .map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec()))
            .collect()
    }

    fn hostile(path: &str, type_: EntryType) -> Vec<u8> {
        let mut builder = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        let mut header = Header::new_ustar();
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(type_);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, std::io::empty()).expect("entry");
        builder.into_inner().expect("tar").finish().expect("gzip")
    }

    #[test]
    fn what_is_written_is_read_and_is_the_same_every_time() {
        let files = files(&[
            ("cni/Chart.yaml", "name: cni"),
            ("cni/templates/a.yaml", "a: 1"),
        ]);
        let bytes = write(&files).expect("written");
        assert_eq!(bytes, write(&files).expect("written again"));
        assert_eq!(read(&bytes, Limits::default()).expect("read"), files);
    }

    #[test]
    fn hostile_entries_are_refused() {
        for path in ["../evil", "/etc/evil", "a/../../evil", "a\\b"] {
            let error =
                read(&hostile(path, EntryType::Regular), Limits::default()).expect_err(path);
            assert!(error.to_string().contains("leads out"), "{error}");
        }
        for type_ in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Fifo,
        ] {
            let error = read(&hostile("link", type_), Limits::default()).expect_err("special");
            assert!(error.to_string().contains("only files"), "{error}");
        }
    }

    #[test]
    fn truncated_and_oversized_archives_are_refused() {
        let bytes = write(&files(&[("a", &"x".repeat(5000)), ("b", "y")])).expect("written");
        for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
            assert!(
                read(&bytes[..length], Limits::default()).is_err(),
                "{length} of {} bytes",
                bytes.len()
            );
        }
        let limits = |files, bytes| Limits { files, bytes };
        assert!(
            read(&bytes, limits(1, 100_000))
                .expect_err("files")
                .to_string()
                .contains("1 files")
        );
        assert!(
            read(&bytes, limits(9, 4000))
                .expect_err("bytes")
                .to_string()
                .contains("4000")
        );
    }
}
