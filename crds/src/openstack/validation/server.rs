//! OpenStackServer: immutable but for the credentials and the address pairs of its ports.
//!
//! Beyond CAPO: both can change, as they can in the machines that servers are made from. CAPO
//! refuses it, so that credentials in another Secret never reach the servers that exist.

use super::{Rules, Violation, change, machine};
use crate::openstack::v1alpha1::OpenStackServer;

impl Rules for OpenStackServer {
    const FREE_IN_TOPOLOGY_DRY_RUN: bool = true;

    fn on_create(&self) -> Vec<Violation> {
        let spec = &self.spec;
        let root = spec.root_volume.as_ref();
        let disks = machine::disks("spec", root, &spec.additional_block_devices);
        disks.chain(machine::ports("spec", &spec.ports)).collect()
    }

    fn on_update(&self, old: &Self) -> Vec<Violation> {
        let mut allowed = old.spec.clone();
        allowed.identity_ref = self.spec.identity_ref.clone();
        change::allow_address_pairs(&mut allowed.ports, &self.spec.ports);
        change::refused(
            "spec",
            &allowed,
            &self.spec,
            |_| "a server is never changed: replace the OpenStackMachine or bastion that it belongs to",
        )
    }
}
