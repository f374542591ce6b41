//! OpenStackMachine: immutable but for what the provider writes itself, the credentials and the
//! address pairs of its ports.

use serde_json::json;

use super::{Rules, Violation, change};
use crate::openstack::v1beta2::{
    AdditionalBlockDevice, OpenStackMachine, OpenStackMachineSpec, PortOpts, RootVolume,
};

/// Suffix of the root volume's name, which no other disk may have.
const ROOT: &str = "root";

impl Rules for OpenStackMachine {
    fn on_create(&self) -> Vec<Violation> {
        of_spec("spec", &self.spec)
    }

    fn on_update(&self, old: &Self) -> Vec<Violation> {
        let mut allowed = old.spec.clone();
        allowed.provider_id.clone_from(&self.spec.provider_id);
        allowed.identity_ref.clone_from(&self.spec.identity_ref);
        change::allow_address_pairs(&mut allowed.ports, &self.spec.ports);
        change::refused("spec", &allowed, &self.spec, |_| {
            "a server is never changed: change the template that machines are made from, and \
             Cluster API replaces them"
        })
    }
}

/// What contradicts itself in the spec of a machine, which stands at `at`.
pub(super) fn of_spec(at: &str, spec: &OpenStackMachineSpec) -> Vec<Violation> {
    let disks = disks(
        at,
        spec.root_volume.as_ref(),
        &spec.additional_block_devices,
    );
    disks.chain(ports(at, &spec.ports)).collect()
}

/// Disks whose volume would get the name of the root volume.
pub(super) fn disks(
    at: &str,
    root: Option<&RootVolume>,
    disks: &[AdditionalBlockDevice],
) -> impl Iterator<Item = Violation> {
    let taken = disks
        .iter()
        .enumerate()
        .filter(move |(_, disk)| root.is_some() && disk.name == ROOT);
    taken.map(move |(n, disk)| Violation {
        field: format!("{at}.additionalBlockDevices[{n}].name"),
        value: Some(json!(disk.name)),
        problem: "is the name of the root volume, which rootVolume asks for".into(),
        way_out: "give the disk another name, or leave rootVolume out".into(),
    })
}

/// Ports with security groups that Neutron would not enforce.
pub(super) fn ports(at: &str, ports: &[PortOpts]) -> impl Iterator<Item = Violation> {
    let contradictory = ports.iter().enumerate().filter(|(_, port)| {
        port.enable_port_security == Some(false) && !port.security_groups.is_empty()
    });
    contradictory.map(move |(n, port)| Violation {
        field: format!("{at}.ports[{n}].securityGroups"),
        value: Some(json!(port.security_groups)),
        problem: "a port with enablePortSecurity: false has no security groups".into(),
        way_out: "leave securityGroups out, or enablePortSecurity".into(),
    })
}
