//! What a machine has, in the words of Kubernetes.

use std::collections::BTreeMap;

use crds::openstack::v1beta2::OpenStackMachineSpec;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::world::Flavor;

const MIB: i64 = 1 << 20;
const GIB: i64 = 1 << 30;

/// `cpu`, `memory`, `ephemeral-storage` and `storage`, as CAPO counts them: the disk is the root
/// volume where there is one, and what is 0 is left out.
pub fn of(spec: &OpenStackMachineSpec, flavor: &Flavor) -> BTreeMap<String, Quantity> {
    let volume = spec.root_volume.as_ref().map(|volume| volume.size_gib);
    let disk = volume.filter(|size| *size > 0).unwrap_or(flavor.disk_gib);
    let amounts = [
        ("cpu", i64::from(flavor.vcpus), flavor.vcpus.to_string()),
        (
            "memory",
            i64::from(flavor.ram_mib),
            bytes(i64::from(flavor.ram_mib) * MIB),
        ),
        (
            "ephemeral-storage",
            i64::from(flavor.ephemeral_gib),
            bytes(i64::from(flavor.ephemeral_gib) * GIB),
        ),
        ("storage", i64::from(disk), bytes(i64::from(disk) * GIB)),
    ];
    amounts
        .into_iter()
        .filter(|(_, amount, _)| *amount > 0)
        .map(|(name, _, text)| (name.to_string(), Quantity(text)))
        .collect()
}

/// With the largest unit that leaves no fraction: the canonical form, which the API server keeps.
fn bytes(mut amount: i64) -> String {
    let mut unit = "";
    for larger in ["Ki", "Mi", "Gi", "Ti", "Pi"] {
        if amount == 0 || amount % 1024 != 0 {
            break;
        }
        (amount, unit) = (amount / 1024, larger);
    }
    format!("{amount}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_the_largest_unit_without_a_fraction() {
        assert_eq!(bytes(4096 * MIB), "4Gi");
        assert_eq!(bytes(1536 * MIB), "1536Mi");
        assert_eq!(bytes(2048 * GIB), "2Ti");
        assert_eq!(bytes(0), "0");
    }
}
