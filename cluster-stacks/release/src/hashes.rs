//! `hashes.json` of a release: what its sources hashed to, so that the next build sees which of
//! its parts changed.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The whole file. Fields are as the original writes them, and `clusterClass`, which it lacks: a
/// change of the class alone could not be released there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hashes {
    /// The whole source folder.
    pub cluster_stack: String,
    /// The folder `cluster-addon`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_addon_dir: String,
    /// The file `cluster-addon-values.yaml`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_addon_values: String,
    /// The folder `node-image`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub node_image_dir: String,
    /// The folder `cluster-class`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub cluster_class: String,
}

/// A file of a folder: path with `/` relative to it, and content.
pub type File<'a> = (&'a str, &'a [u8]);

/// The hash of a folder as Go's module checksums have it (`h1:`): over the sorted lines
/// `<sha256 in hex>  <path>`, in base64.
#[must_use]
pub fn folder<'a>(files: impl IntoIterator<Item = File<'a>>) -> String {
    let mut files: Vec<File<'a>> = files.into_iter().collect();
    files.sort_unstable_by_key(|(path, _)| *path);
    let mut all = Sha256::new();
    for (path, content) in files {
        all.update(format!(
            "{}  {path}\n",
            hex::encode(Sha256::digest(content))
        ));
    }
    format!("h1:{}", BASE64_STANDARD.encode(all.finalize()))
}

/// The seven letters of a build by hash: of `h1:aB/c+d==...` what a version may hold, in lower case.
#[must_use]
pub fn short(hash: &str) -> String {
    let hash = hash.strip_prefix("h1:").unwrap_or(hash);
    hash.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(7)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_files_does_not_matter_their_names_and_content_do() {
        let hash = folder([("a", b"1".as_slice()), ("b/c", b"2")]);
        assert_eq!(hash, folder([("b/c", b"2".as_slice()), ("a", b"1")]));
        assert_ne!(hash, folder([("a", b"1".as_slice()), ("b/d", b"2")]));
        assert_ne!(hash, folder([("a", b"1".as_slice()), ("b/c", b"3")]));
    }

    #[test]
    fn an_empty_folder_hashes_as_in_go() {
        // The SHA-256 of nothing, which is what Go's dirhash gives for an empty list of files.
        assert_eq!(
            folder([]),
            "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
        );
    }

    #[test]
    fn a_short_hash_fits_into_a_version() {
        assert_eq!(short("h1:47DEQpj8HBSa+/TImW+5"), "47deqpj");
        assert_eq!(short("h1:a/b+c=DEFGHI"), "abcdefg");
    }
}
