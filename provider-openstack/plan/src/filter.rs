//! Which resources a filter of the API means, by Neutron's and Glance's rules: every field that is
//! set must match, names match exactly, and an empty filter matches everything.

use crds::openstack::v1beta2::{
    FilterByNeutronTags, ImageFilter, NetworkFilter, RouterFilter, SecurityGroupFilter,
    SubnetFilter,
};

use crate::world::{Image, Network, Router, SecurityGroup, Subnet};

/// Whether `filter` means `network`.
pub fn network(filter: &NetworkFilter, network: &Network) -> bool {
    is(&filter.name, &network.name)
        && is(&filter.description, &network.description)
        && is(&filter.project_id, &network.project_id)
        && tagged(&filter.by_tags, &network.tags)
}

/// Whether `filter` means `subnet`.
pub fn subnet(filter: &SubnetFilter, subnet: &Subnet) -> bool {
    let version = if subnet.cidr.addr().is_ipv4() { 4 } else { 6 };
    is(&filter.name, &subnet.name)
        && is(&filter.description, &subnet.description)
        && is(&filter.project_id, &subnet.project_id)
        && filter.ip_version.is_none_or(|wanted| wanted == version)
        && is(&filter.cidr, &subnet.cidr.to_string())
        && may_be(&filter.gateway_ip, subnet.gateway_ip.as_deref())
        && may_be(
            &filter.ipv6_address_mode,
            subnet.ipv6_address_mode.as_deref(),
        )
        && may_be(&filter.ipv6_ra_mode, subnet.ipv6_ra_mode.as_deref())
        && tagged(&filter.by_tags, &subnet.tags)
}

/// Whether `filter` means `group`.
pub fn security_group(filter: &SecurityGroupFilter, group: &SecurityGroup) -> bool {
    is(&filter.name, &group.name)
        && is(&filter.description, &group.description)
        && is(&filter.project_id, &group.project_id)
        && tagged(&filter.by_tags, &group.tags)
}

/// Whether `filter` means `router`.
pub fn router(filter: &RouterFilter, router: &Router) -> bool {
    is(&filter.name, &router.name)
        && is(&filter.description, &router.description)
        && is(&filter.project_id, &router.project_id)
        && tagged(&filter.by_tags, &router.tags)
}

/// Whether `filter` means `image`.
pub fn image(filter: &ImageFilter, image: &Image) -> bool {
    is(&filter.name, &image.name) && filter.tags.iter().all(|tag| image.tags.contains(tag))
}

fn is(wanted: &Option<String>, value: &str) -> bool {
    wanted.as_deref().is_none_or(|wanted| wanted == value)
}

fn may_be(wanted: &Option<String>, value: Option<&str>) -> bool {
    wanted.as_deref().is_none_or(|wanted| Some(wanted) == value)
}

/// Neutron's four ways to filter by tags.
fn tagged(filter: &FilterByNeutronTags, have: &[String]) -> bool {
    let has = |tag: &String| have.contains(tag);
    filter.tags.iter().all(has)
        && (filter.tags_any.is_empty() || filter.tags_any.iter().any(has))
        && (filter.not_tags.is_empty() || !filter.not_tags.iter().all(has))
        && !filter.not_tags_any.iter().any(has)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_field_that_is_set_must_match() {
        let net = Network {
            name: "net".into(),
            tags: tags(&["a", "b"]),
            ..Network::default()
        };
        let by_name = |name: &str| NetworkFilter {
            name: Some(name.into()),
            ..NetworkFilter::default()
        };
        assert!(network(&NetworkFilter::default(), &net));
        assert!(network(&by_name("net"), &net));
        assert!(!network(&by_name("ne"), &net));
        let mut by_tags = by_name("net");
        by_tags.by_tags.tags = tags(&["a", "c"]);
        assert!(!network(&by_tags, &net));
    }

    #[test]
    fn tags_filter_as_in_neutron() {
        let have = tags(&["a", "b"]);
        let accept = |all: &[&str], any: &[&str], not_all: &[&str], not_any: &[&str]| {
            let filter = FilterByNeutronTags {
                tags: tags(all),
                tags_any: tags(any),
                not_tags: tags(not_all),
                not_tags_any: tags(not_any),
            };
            tagged(&filter, &have)
        };
        assert!(accept(&["a", "b"], &[], &[], &[]));
        assert!(!accept(&["a", "c"], &[], &[], &[]));
        assert!(accept(&[], &["c", "b"], &[], &[]));
        assert!(!accept(&[], &["c"], &[], &[]));
        assert!(accept(&[], &[], &["a", "c"], &[]));
        assert!(!accept(&[], &[], &["a", "b"], &[]));
        assert!(!accept(&[], &[], &[], &["b", "c"]));
    }
}
