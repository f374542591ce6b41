//! Who may connect to the API load balancer.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The user's list together with the cluster's own addresses, each once and in order. Empty, and
/// so open to everybody, when the user lists nobody. Only IPv4 counts, as in CAPO.
pub(super) fn canonical(users: &[String], own: impl Iterator<Item = String>) -> Vec<String> {
    if users.is_empty() {
        return Vec::new();
    }
    let all: Vec<String> = users
        .iter()
        .cloned()
        .chain(own)
        .filter_map(|entry| ipv4(&entry))
        .collect();
    sorted(&all)
}

/// Entries of the user's list that [`canonical`] leaves out.
pub(super) fn unusable(users: &[String]) -> impl Iterator<Item = &String> {
    users.iter().filter(|entry| ipv4(entry).is_none())
}

pub(super) fn sorted(cidrs: &[String]) -> Vec<String> {
    cidrs
        .iter()
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

fn ipv4(entry: &str) -> Option<String> {
    match entry.parse::<Ipv4Addr>() {
        Ok(address) => Some(format!("{address}/32")),
        Err(_) => entry.parse::<Ipv4Net>().ok().map(|net| net.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_clusters_own_addresses_are_let_in_only_beside_others() {
        let own = || list(&["10.6.0.0/24", "172.29.1.2"]).into_iter();
        assert_eq!(canonical(&[], own()), list(&[]));
        assert_eq!(
            canonical(
                &list(&["192.0.2.1", "nonsense", "2001:db8::/32", "192.0.2.1/32"]),
                own()
            ),
            list(&["10.6.0.0/24", "172.29.1.2/32", "192.0.2.1/32"])
        );
        assert_eq!(
            unusable(&list(&["192.0.2.1", "nonsense", "::1"])).count(),
            2
        );
    }
}
