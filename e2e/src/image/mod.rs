//! What machines boot and what runs on them: the root file system of a machine, and the OCI images of Kubernetes and of
//! the lab, made of the pinned tools and of Debian's packages.

mod layer;
mod layout;
mod machine;
mod mirror;
mod push;
mod set;

use std::path::PathBuf;

use anyhow::Result;

pub use push::Registry;

use crate::lab::Lab;

/// Root file system of a machine, made if it is not in the cache: `<cache>/image/machine-<digest>/`.
/// It is the lower layer of running machines and never changes: a changed image is another folder.
///
/// No certificate authority is in it, for each lab has its own: whoever boots a machine puts the certificate of the
/// registry's at `/etc/containerd/certs.d/ca.crt`, and its own `/etc/hostname`, `/etc/hosts`, `/etc/resolv.conf` and
/// `/etc/machine-id` over what is there.
///
/// # Errors
/// Without root, debootstrap or a Debian mirror; a tool that cannot be built.
pub fn rootfs(lab: &Lab) -> Result<PathBuf> {
    machine::rootfs(lab)
}

/// The OCI images, as an image layout in `<cache>/image/oci-<digest>/`: those that kubeadm asks for, `lab/cni:v1` and
/// `lab/check:v1`.
///
/// # Errors
/// As [`rootfs`].
pub fn layout(lab: &Lab) -> Result<PathBuf> {
    set::layout(lab)
}
