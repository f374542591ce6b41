//! The external network that a pool's addresses are from.

use crds::openstack::conditions::Reason;
use crds::openstack::v1beta2::NetworkStatus;

use super::Want;
use crate::step::Problem;
use crate::world::Network;
use crate::{filter, near};

/// The network that the spec means: by id or filter, or the only external one.
///
/// # Errors
/// Not exactly one external network fits.
pub fn find(want: &Want, networks: &[Network]) -> Result<NetworkStatus, Problem> {
    let param = want.spec.floating_ip_network.clone().unwrap_or_default();
    let external: Vec<&Network> = networks.iter().filter(|one| one.external).collect();
    let fits = |network: &Network| match (&param.id, &param.filter) {
        (Some(id), _) => network.id == *id,
        (None, Some(wanted)) => filter::network(wanted, network),
        (None, None) => true,
    };
    let found: Vec<&&Network> = external.iter().filter(|network| fits(network)).collect();
    let way_out = match found.as_slice() {
        [one] => {
            return Ok(NetworkStatus {
                id: one.id.clone(),
                name: one.name.clone(),
                tags: one.tags.clone(),
            });
        }
        [] => {
            let name = param
                .filter
                .as_ref()
                .and_then(|filter| filter.name.as_deref());
            let names = external.iter().map(|network| network.name.as_str());
            let hint = near::hint(name.unwrap_or_default(), "external network", names);
            format!("no such external network: {hint}")
        }
        many => {
            let names: Vec<&str> = many.iter().map(|network| network.name.as_str()).collect();
            format!(
                "{} external networks fit ({}); name one of them by id or filter",
                many.len(),
                names.join(", ")
            )
        }
    };
    Err(Problem {
        reason: Reason::UnableToFindNetwork.into(),
        object: format!("OpenStackFloatingIPPool {}/{}", want.namespace, want.name),
        field: "spec.floatingIPNetwork".to_string(),
        value: want
            .spec
            .floating_ip_network
            .as_ref()
            .map_or(String::new(), |param| {
                // The API types always serialize.
                serde_json::to_string(param).unwrap_or_default()
            }),
        way_out,
    })
}
