//! The files of a release, and what each is called in an OCI artifact.

use crate::name::ReleaseName;
use crate::version::Version;

/// Versions of the parts.
pub const METADATA: &str = "metadata.yaml";
/// Hashes of the sources.
pub const HASHES: &str = "hashes.json";
/// Stages of the add-ons; a release that has it is multi-stage.
pub const CLUSTER_ADDON: &str = "clusteraddon.yaml";
/// Values of the add-ons of a single-stage release.
pub const CLUSTER_ADDON_VALUES: &str = "cluster-addon-values.yaml";
/// Node images to upload.
pub const NODE_IMAGES: &str = "node-images.yaml";

/// Artifact type of a release.
pub const ARTIFACT_TYPE: &str = "application/vnd.scs.cluster-stacks.v1";
/// Artifact type that the SCS release scripts write; read as well.
pub const ARTIFACT_TYPE_OF_SCRIPTS: &str = "application/vnd.clusterstack.release";
/// Media type of the empty config blob of an artifact.
pub const EMPTY_CONFIG: &str = "application/vnd.oci.empty.v1+json";
/// Layer annotation that holds the file's name.
pub const TITLE: &str = "org.opencontainers.image.title";

/// File name of the cluster-class chart.
#[must_use]
pub fn class_chart(name: &ReleaseName) -> String {
    format!("{}-cluster-class-{}.tgz", name.stack, name.version.dashed())
}

/// File name of the add-ons, whose version may be older than the release.
#[must_use]
pub fn addon_archive(name: &ReleaseName, addon: &Version) -> String {
    format!("{}-cluster-addon-{}.tgz", name.stack, addon.dashed())
}

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The cluster-class chart.
    ClassChart,
    /// The add-ons.
    AddonArchive,
    /// [`CLUSTER_ADDON`] or [`CLUSTER_ADDON_VALUES`].
    AddonConfig,
    /// [`METADATA`].
    Metadata,
    /// [`HASHES`].
    Hashes,
    /// [`NODE_IMAGES`].
    NodeImages,
    /// A node image build folder.
    NodeImageArchive,
    /// Anything else.
    Other,
}

impl Kind {
    /// What the file `name` is.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let archive = name.ends_with(".tgz");
        match name {
            METADATA => Self::Metadata,
            HASHES => Self::Hashes,
            CLUSTER_ADDON | CLUSTER_ADDON_VALUES => Self::AddonConfig,
            NODE_IMAGES => Self::NodeImages,
            _ if archive && name.contains("-cluster-class-") => Self::ClassChart,
            _ if archive && name.contains("-cluster-addon-") => Self::AddonArchive,
            _ if archive && name.contains("-node-image-") => Self::NodeImageArchive,
            _ => Self::Other,
        }
    }

    /// Media type of the layer that holds it.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::ClassChart => "application/vnd.scs.cluster-class.v1.tar+gzip",
            Self::AddonArchive => "application/vnd.scs.cluster-addon.layer.v1.tar+gzip",
            Self::AddonConfig => "application/vnd.scs.cluster-addon.config.layer.v1+yaml",
            Self::Metadata => "application/vnd.scs.metadata.layer.v1+yaml",
            Self::Hashes => "application/vnd.scs.hashes.layer.v1+yaml",
            Self::NodeImages => "application/vnd.scs.node-image.config.layer.v1+yaml",
            Self::NodeImageArchive => "application/vnd.scs.node-image.layer.v1.tar+gzip",
            Self::Other => "application/vnd.oci.image.layer.v1.tar",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_kinds() {
        let name: ReleaseName = "openstack-scs-1-36-v0-sha-abc1234".parse().expect("name");
        let chart = class_chart(&name);
        assert_eq!(chart, "openstack-scs-1-36-cluster-class-v0-sha-abc1234.tgz");
        assert_eq!(Kind::of(&chart), Kind::ClassChart);
        let addon = addon_archive(&name, &Version::stable(2));
        assert_eq!(addon, "openstack-scs-1-36-cluster-addon-v2.tgz");
        assert_eq!(Kind::of(&addon), Kind::AddonArchive);
        for (file, kind) in [
            (METADATA, Kind::Metadata),
            (HASHES, Kind::Hashes),
            (CLUSTER_ADDON, Kind::AddonConfig),
            ("README.md", Kind::Other),
        ] {
            assert_eq!(Kind::of(file), kind, "{file}");
        }
    }
}
