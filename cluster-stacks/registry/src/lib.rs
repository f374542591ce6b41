//! Where releases come from and where they go: an OCI registry or a folder, and the local store.
//! Knows no Kubernetes.
//!
//! | module | what it does |
//! |---|---|
//! | [`artifact`] | a release as an OCI artifact: manifest, files, digests |
//! | [`oci`] | lists, fetches and publishes artifacts |
//! | [`folder`] | a folder with a release in each sub-folder, for tests and closed networks |
//! | [`source`] | either of both |
//! | [`store`] | releases on the local disk, by digest |

pub mod artifact;
pub mod folder;
pub mod oci;
pub mod source;
pub mod store;

pub use artifact::Artifact;
pub use source::Source;
pub use store::{Store, Stored};

/// Why a release cannot be had, or not be published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No answer, or none in time.
    #[error(
        "registry {registry} cannot be reached: {reason}; check the address, the network and the CA"
    )]
    Unreachable { registry: String, reason: String },
    /// It wants other credentials.
    #[error(
        "registry {registry} refuses our credentials: {reason}; check OCI_USERNAME and OCI_PASSWORD, or OCI_ACCESS_TOKEN"
    )]
    Unauthorized { registry: String, reason: String },
    /// There is no such release.
    #[error("release {release} is not in {place}")]
    NotFound { release: String, place: String },
    /// The answer cannot be used.
    #[error("registry {registry}: {reason}")]
    Registry { registry: String, reason: String },
    /// What came is not what its digest promises.
    #[error(
        "release {release}: {file} has digest {given}, its manifest says {wanted}; the artifact is corrupt"
    )]
    Digest {
        release: String,
        file: String,
        given: String,
        wanted: String,
    },
    /// It is an artifact, but not of a cluster stack.
    #[error("release {release}: {reason}")]
    Artifact { release: String, reason: String },
    /// The reference cannot be read.
    #[error("{reference:?} is no OCI reference: {reason}; write <registry>/<repository>")]
    Reference { reference: String, reason: String },
    /// The local disk.
    #[error("{path}: {source}")]
    Disk {
        path: String,
        source: std::io::Error,
    },
}
