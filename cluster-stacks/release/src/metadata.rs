//! `metadata.yaml` of a release: which versions are in it.

use serde::{Deserialize, Serialize};

use crate::version::Version;

/// The only `apiVersion` there is.
pub const API_VERSION: &str = "metadata.clusterstack.x-k8s.io/v1alpha1";

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// [`API_VERSION`].
    pub api_version: String,
    /// What is in the release.
    pub versions: Versions,
}

/// Versions of the parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Versions {
    /// The release itself.
    pub cluster_stack: Version,
    /// Kubernetes, with the `v`: `v1.36.3`.
    pub kubernetes: String,
    /// The parts.
    pub components: Components,
}

/// Versions of the parts that change on their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Components {
    /// The add-ons.
    pub cluster_addon: Version,
    /// The node images. The original's operator refuses a release without it, its publishing tool
    /// leaves it out; we read both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_image: Option<Version>,
}

/// Why the file cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the YAML that it should be.
    #[error("metadata.yaml: {0}")]
    Yaml(String),
    /// A version that Cluster API would not accept.
    #[error(
        "metadata.yaml: versions.kubernetes is {0:?}, should read v<major>.<minor>.<patch> as in v1.36.3"
    )]
    Kubernetes(String),
}

impl Metadata {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// When a field is missing or wrong, naming it.
    pub fn read(yaml: &str) -> Result<Self, Error> {
        let metadata: Self =
            serde_saphyr::from_str(yaml).map_err(|error| Error::Yaml(error.to_string()))?;
        let kubernetes = &metadata.versions.kubernetes;
        match kubernetes.strip_prefix('v').map(semver::Version::parse) {
            Some(Ok(_)) => Ok(metadata),
            _ => Err(Error::Kubernetes(kubernetes.clone())),
        }
    }

    /// The file.
    ///
    /// # Errors
    /// Never for what [`Metadata::read`] accepts.
    pub fn write(&self) -> Result<String, Error> {
        serde_saphyr::to_string(self).map_err(|error| Error::Yaml(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: metadata.clusterstack.x-k8s.io/v1alpha1
versions:
  clusterStack: v3
  kubernetes: v1.36.3
  components:
    clusterAddon: v2
";

    #[test]
    fn a_file_is_read_and_written() {
        let metadata = Metadata::read(FILE).expect("read");
        assert_eq!(metadata.versions.cluster_stack, Version::stable(3));
        assert_eq!(metadata.versions.components.node_image, None);
        assert_eq!(
            Metadata::read(&metadata.write().expect("written")).expect("read again"),
            metadata
        );
    }

    #[test]
    fn errors_name_the_field() {
        let error = Metadata::read(&FILE.replace("v1.36.3", "1.36.3"))
            .expect_err("no v")
            .to_string();
        assert!(
            error.contains("versions.kubernetes") && error.contains("1.36.3"),
            "{error}"
        );
        let error = Metadata::read(&FILE.replace("v3", "three"))
            .expect_err("no version")
            .to_string();
        assert!(error.contains("three"), "{error}");
        assert!(Metadata::read("versions: {}").is_err());
    }
}
