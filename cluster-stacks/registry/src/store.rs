//! Releases on the local disk, by digest.
//!
//! A release is written beside its place and then renamed, so that it is there whole or not at
//! all; what a crash left half-written is swept at the next start. Files are checked against the
//! manifest each time they are read: a disk that changes them is noticed.
//!
//! ```text
//! <root>/sha256-<hex>/manifest.json, files/...    a release
//! <root>/tags/<tag>                               digest of the release of this name
//! <root>/new-*                                    being written
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use oci_client::manifest::OciDescriptor;

use crate::Error;
use crate::artifact::{self, Artifact};
use crate::folder::disk;

/// The store.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// A release in the store.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Name of the release.
    pub tag: String,
    /// Digest of its manifest.
    pub digest: String,
    files: PathBuf,
    layers: BTreeMap<String, OciDescriptor>,
}

impl Store {
    /// Opens the store at `root`, and sweeps what was being written when the last process ended.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, Error> {
        let store = Self { root: root.into() };
        let tags = store.root.join("tags");
        std::fs::create_dir_all(&tags).map_err(disk(&tags))?;
        for entry in std::fs::read_dir(&store.root)
            .map_err(disk(&store.root))?
            .flatten()
        {
            if entry.file_name().to_string_lossy().starts_with("new-") {
                std::fs::remove_dir_all(entry.path()).map_err(disk(&entry.path()))?;
            }
        }
        Ok(store)
    }

    /// The release of this name, if it is here.
    ///
    /// # Errors
    /// When the disk refuses, or what it holds is damaged.
    pub fn get(&self, tag: &str) -> Result<Option<Stored>, Error> {
        let path = self.root.join("tags").join(tag);
        match std::fs::read_to_string(&path) {
            Ok(digest) => self.stored(tag, digest.trim()).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(disk(&path)(error)),
        }
    }

    /// Puts a release in.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&self, tag: &str, artifact: &Artifact) -> Result<Stored, Error> {
        let place = self.place(&artifact.digest);
        if !place.exists() {
            let new = tempfile::Builder::new()
                .prefix("new-")
                .tempdir_in(&self.root)
                .map_err(disk(&self.root))?;
            write(new.path(), artifact)?;
            let new = new.keep();
            match std::fs::rename(&new, &place) {
                Ok(()) => {}
                // Somebody else put the same release in meanwhile; ours is one too many.
                Err(_) if place.exists() => std::fs::remove_dir_all(&new).map_err(disk(&new))?,
                Err(error) => return Err(disk(&place)(error)),
            }
        }
        let tags = self.root.join("tags");
        let mut name = tempfile::NamedTempFile::new_in(&tags).map_err(disk(&tags))?;
        std::io::Write::write_all(&mut name, artifact.digest.as_bytes()).map_err(disk(&tags))?;
        name.persist(tags.join(tag))
            .map_err(|error| disk(&tags)(error.error))?;
        self.stored(tag, &artifact.digest)
    }

    /// Takes a release out, unless another name shares it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, tag: &str) -> Result<(), Error> {
        let Some(stored) = self.get(tag)? else {
            return Ok(());
        };
        let tags = self.root.join("tags");
        std::fs::remove_file(tags.join(tag)).map_err(disk(&tags))?;
        let others = std::fs::read_dir(&tags).map_err(disk(&tags))?.flatten();
        let shared = others
            .filter_map(|other| std::fs::read_to_string(other.path()).ok())
            .any(|digest| digest == stored.digest);
        if !shared {
            let place = self.place(&stored.digest);
            std::fs::remove_dir_all(&place).map_err(disk(&place))?;
        }
        Ok(())
    }

    fn stored(&self, tag: &str, digest: &str) -> Result<Stored, Error> {
        let place = self.place(digest);
        let path = place.join("manifest.json");
        let manifest = std::fs::read(&path).map_err(disk(&path))?;
        let given = artifact::sha256(&manifest);
        if given != digest {
            let (release, file) = (tag.to_owned(), "manifest.json".to_owned());
            return Err(Error::Digest {
                release,
                file,
                given,
                wanted: digest.to_owned(),
            });
        }
        let layers = artifact::layers(tag, &manifest)?;
        Ok(Stored {
            tag: tag.to_owned(),
            digest: digest.to_owned(),
            files: place.join("files"),
            layers,
        })
    }

    fn place(&self, digest: &str) -> PathBuf {
        self.root.join(digest.replace(':', "-"))
    }
}

fn write(place: &Path, artifact: &Artifact) -> Result<(), Error> {
    let files = place.join("files");
    std::fs::create_dir(&files).map_err(disk(&files))?;
    for (name, content) in &artifact.files {
        let path = files.join(name);
        std::fs::write(&path, content).map_err(disk(&path))?;
    }
    let path = place.join("manifest.json");
    std::fs::write(&path, &artifact.manifest).map_err(disk(&path))
}

impl Stored {
    /// Names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.layers.keys().map(String::as_str)
    }

    /// Digest of a file, if the release has it.
    #[must_use]
    pub fn digest_of(&self, name: &str) -> Option<&str> {
        self.layers.get(name).map(|layer| layer.digest.as_str())
    }

    /// A file, checked against its digest; `None` when the release has none of this name.
    ///
    /// # Errors
    /// When the disk refuses or has damaged it.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(layer) = self.layers.get(name) else {
            return Ok(None);
        };
        let path = self.files.join(name);
        let content = std::fs::read(&path).map_err(disk(&path))?;
        artifact::verify(&self.tag, name, layer, &content)?;
        Ok(Some(content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(content: &str) -> Artifact {
        let files = [("metadata.yaml".to_owned(), content.as_bytes().to_vec())];
        Artifact::new(files.into(), BTreeMap::new()).expect("artifact")
    }

    fn store() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().expect("folder");
        let store = Store::open(root.path()).expect("store");
        (root, store)
    }

    #[test]
    fn what_is_put_is_got_and_can_be_removed() {
        let (root, store) = store();
        assert!(store.get("a").expect("get").is_none());
        store.put("a", &artifact("1")).expect("put");
        store.put("b", &artifact("1")).expect("put");
        store.remove("a").expect("remove");
        let stored = store.get("b").expect("get").expect("there");
        assert_eq!(
            stored.read("metadata.yaml").expect("read").as_deref(),
            Some(b"1".as_slice())
        );
        assert!(stored.read("other").expect("read").is_none());
        store.remove("b").expect("remove");
        let left = std::fs::read_dir(root.path()).expect("list").count();
        assert_eq!(left, 1, "only the folder of tags");
    }

    #[test]
    fn damage_is_noticed_and_a_half_written_release_is_swept() {
        let (root, store) = store();
        let stored = store.put("a", &artifact("1")).expect("put");
        std::fs::write(stored.files.join("metadata.yaml"), "2").expect("damage");
        assert!(matches!(
            stored.read("metadata.yaml"),
            Err(Error::Digest { .. })
        ));
        std::fs::create_dir(root.path().join("new-x")).expect("half-written");
        Store::open(root.path()).expect("opened again");
        assert!(!root.path().join("new-x").exists());
    }
}
