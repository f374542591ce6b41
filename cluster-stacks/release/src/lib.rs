//! What a release of a cluster stack is, and every decision about releases and their add-ons.
//! Pure: no clock, no network, no disk.
//!
//! | module | what it decides |
//! |---|---|
//! | [`version`] | versions such as `v3` and `v0-sha.1a2b3c4`, dotted and dashed, and their order |
//! | [`name`] | `openstack-scs-1-36-v1`: the tag of a release, and its ClusterClass |
//! | [`metadata`] | `metadata.yaml` |
//! | [`hashes`] | `hashes.json` and the directory hash in it |
//! | [`files`] | the files of a release and their OCI media types |
//! | [`stages`] | `clusteraddon.yaml`: the stages of the add-ons |
//! | [`subscription`] | which releases a ClusterStack keeps, makes and drops |
//! | [`addon`] | what to do next for the add-ons of a cluster |
//! | [`next`] | the versions of the next release |

pub mod addon;
pub mod files;
pub mod hashes;
pub mod metadata;
pub mod name;
pub mod next;
pub mod stages;
pub mod subscription;
pub mod version;

pub use name::ReleaseName;
pub use version::Version;
