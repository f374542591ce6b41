//! A folder with a release in each sub-folder, as `capstan stack build` makes them: for tests, and
//! for networks without a registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::{Artifact, Error};

/// A folder of releases.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// For messages.
    #[must_use]
    pub fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Names of the releases.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn tags(&self) -> Result<Vec<String>, Error> {
        let mut tags = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(disk(&self.path))? {
            let entry = entry.map_err(disk(&self.path))?;
            if entry.path().is_dir() {
                tags.extend(entry.file_name().into_string());
            }
        }
        tags.sort();
        Ok(tags)
    }

    /// The release of this name.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn fetch(&self, tag: &str) -> Result<Artifact, Error> {
        let path = self.path.join(tag);
        if tag.contains('/') || !path.is_dir() {
            return Err(Error::NotFound {
                release: tag.to_owned(),
                place: self.place(),
            });
        }
        Artifact::new(read(&path)?, BTreeMap::new())
    }
}

/// The files of a folder, without sub-folders.
///
/// # Errors
/// When one cannot be read.
pub fn read(path: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path).map_err(disk(path))? {
        let file = entry.map_err(disk(path))?.path();
        if let (true, Some(name)) = (
            file.is_file(),
            file.file_name().and_then(|name| name.to_str()),
        ) {
            files.insert(name.to_owned(), std::fs::read(&file).map_err(disk(&file))?);
        }
    }
    Ok(files)
}

/// Makes an error of a file's.
pub(crate) fn disk(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |source| Error::Disk {
        path: path.clone(),
        source,
    }
}
