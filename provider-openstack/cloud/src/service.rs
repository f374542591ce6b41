//! The services, their names in the catalog, and where their API begins.

/// An OpenStack service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Keystone.
    Identity,
    /// Nova.
    Compute,
    /// Neutron.
    Network,
    /// Cinder.
    BlockStorage,
    /// Glance.
    Image,
    /// Octavia.
    LoadBalancer,
}

impl Service {
    /// The value of the metric label `service`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Compute => "compute",
            Self::Network => "network",
            Self::BlockStorage => "block_storage",
            Self::Image => "image",
            Self::LoadBalancer => "load_balancer",
        }
    }

    /// Its names in catalogs, the usual one first.
    pub(crate) fn catalog_types(self) -> &'static [&'static str] {
        match self {
            Self::Identity => &["identity"],
            Self::Compute => &["compute"],
            Self::Network => &["network"],
            Self::BlockStorage => &["volumev3", "block-storage", "block-store"],
            Self::Image => &["image"],
            Self::LoadBalancer => &["load-balancer"],
        }
    }

    /// Where its API begins, given the URL of the catalog. As gophercloud does it: Nova and Cinder
    /// carry their version (and Cinder the project) in the catalog, the others get it appended.
    pub(crate) fn base(self, catalog_url: &str) -> String {
        let url = catalog_url.trim_end_matches('/');
        let version = match self {
            Self::Network | Self::LoadBalancer => "v2.0",
            Self::Image => "v2",
            Self::Identity => "v3",
            Self::Compute | Self::BlockStorage => return url.to_owned(),
        };
        let (path, last) = url.rsplit_once('/').unwrap_or((url, ""));
        let bare = if is_version(last) { path } else { url };
        format!("{bare}/{version}")
    }

    /// The header that asks for a microversion, and its value.
    pub(crate) fn microversion_header(self, version: &str) -> (&'static str, String) {
        let name = match self {
            Self::BlockStorage => "volume",
            other => other.as_str(),
        };
        ("OpenStack-API-Version", format!("{name} {version}"))
    }
}

/// `v2`, `v2.0`, …
fn is_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|number| {
        !number.is_empty() && number.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Identity => "Keystone",
            Self::Compute => "Nova",
            Self::Network => "Neutron",
            Self::BlockStorage => "Cinder",
            Self::Image => "Glance",
            Self::LoadBalancer => "Octavia",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_appended_once_where_the_catalog_has_none() {
        for (service, url, base) in [
            (Service::Network, "http://n:9696", "http://n:9696/v2.0"),
            (
                Service::Network,
                "http://n/networking/v2.0/",
                "http://n/networking/v2.0",
            ),
            (Service::LoadBalancer, "http://o/v2", "http://o/v2.0"),
            (
                Service::LoadBalancer,
                "http://h/load-balancer",
                "http://h/load-balancer/v2.0",
            ),
            (Service::Image, "http://i/image", "http://i/image/v2"),
            (Service::Compute, "http://c/v2.1/", "http://c/v2.1"),
            (Service::BlockStorage, "http://b/v3/p1", "http://b/v3/p1"),
        ] {
            assert_eq!(service.base(url), base);
        }
    }
}
