//! Where releases come from.

use crate::folder::Folder;
use crate::oci::Oci;
use crate::{Artifact, Error};

/// Where releases come from.
pub enum Source {
    /// A repository of an OCI registry.
    Oci(Oci),
    /// A folder.
    Folder(Folder),
}

impl Source {
    /// Names of all releases, and whatever else is tagged there.
    ///
    /// # Errors
    /// When the source does not answer.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        match self {
            Self::Oci(oci) => oci.tags().await,
            Self::Folder(folder) => folder.tags(),
        }
    }

    /// A release, checked against its digests.
    ///
    /// # Errors
    /// When it is not there, corrupt, or the source does not answer.
    pub async fn fetch(&self, tag: &str) -> Result<Artifact, Error> {
        match self {
            Self::Oci(oci) => oci.fetch(tag).await,
            Self::Folder(folder) => folder.fetch(tag),
        }
    }

    /// For messages.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Oci(oci) => oci.place(),
            Self::Folder(folder) => folder.place(),
        }
    }
}
