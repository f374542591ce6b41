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
    use serde_json::{Value, json};

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

    /// Whether the filter that says `value` of `field` means `row`, and that one which says another.
    fn counts<F: serde::de::DeserializeOwned, T>(
        matches: fn(&F, &T) -> bool,
        row: &T,
        fields: &[(&str, Value, Value)],
    ) {
        let filter = |field: &str, value: &Value| -> F {
            serde_json::from_value(json!({ field: value })).expect("a filter")
        };
        for (field, right, wrong) in fields {
            assert!(matches(&filter(field, right), row), "{field}: {right}");
            assert!(!matches(&filter(field, wrong), row), "{field}: {wrong}");
        }
    }

    /// What all filters of Neutron have: the field, and a right and a wrong value.
    fn fields() -> [(&'static str, Value, Value); 7] {
        [
            ("name", json!("n"), json!("x")),
            ("description", json!("d"), json!("x")),
            ("projectID", json!("p"), json!("x")),
            ("tags", json!(["a", "b"]), json!(["a", "x"])),
            ("tagsAny", json!(["a", "x"]), json!(["x"])),
            ("notTags", json!(["a", "x"]), json!(["a", "b"])),
            ("notTagsAny", json!(["x"]), json!(["a", "x"])),
        ]
    }

    #[test]
    fn each_field_of_a_filter_counts() {
        let (name, description) = ("n".to_string(), "d".to_string());
        let (project_id, tags) = ("p".to_string(), tags(&["a", "b"]));
        let fields = fields();
        let net = Network {
            name: name.clone(),
            description: description.clone(),
            project_id: project_id.clone(),
            tags: tags.clone(),
            ..Network::default()
        };
        counts(network, &net, &fields);
        let gateway = Router {
            name: name.clone(),
            description: description.clone(),
            project_id: project_id.clone(),
            tags: tags.clone(),
            ..Router::default()
        };
        counts(router, &gateway, &fields);
        let group = SecurityGroup {
            name: name.clone(),
            description: description.clone(),
            project_id: project_id.clone(),
            tags: tags.clone(),
            ..SecurityGroup::default()
        };
        counts(security_group, &group, &fields);
        let ubuntu = Image {
            name: name.clone(),
            tags: tags.clone(),
            ..Image::default()
        };
        counts(image, &ubuntu, &[fields[0].clone(), fields[3].clone()]);
    }

    #[test]
    fn each_field_of_a_subnet_s_filter_counts() {
        let six = Subnet {
            id: "s".into(),
            name: "n".into(),
            description: "d".into(),
            tags: tags(&["a", "b"]),
            project_id: "p".into(),
            network_id: "net".into(),
            cidr: "fd00::/64".parse().expect("a CIDR"),
            gateway_ip: Some("fd00::1".into()),
            dns_nameservers: Vec::new(),
            ipv6_address_mode: Some("slaac".into()),
            ipv6_ra_mode: Some("dhcpv6-stateless".into()),
        };
        counts(subnet, &six, &fields());
        let of_subnets = [
            ("ipVersion", json!(6), json!(4)),
            ("cidr", json!("fd00::/64"), json!("fd00::/65")),
            ("gatewayIP", json!("fd00::1"), json!("fd00::2")),
            ("ipv6AddressMode", json!("slaac"), json!("dhcpv6-stateful")),
            ("ipv6RAMode", json!("dhcpv6-stateless"), json!("slaac")),
        ];
        counts(subnet, &six, &of_subnets);
    }
}
