//! Where the management cluster connects from, so that no restriction of an API shuts it out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::str::FromStr;

use crds::openstack::v1beta2::OpenStackCluster;
use crds::openstack::validation::Violation;
use ipnet::IpNet;
use plan::cluster::locks_out;

/// The addresses that workload clusters see, and what is done with them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Management {
    /// Empty when nothing is known.
    pub sources: Vec<Source>,
    /// Add them to every list of `allowedCIDRs`; otherwise a list that shuts them out is refused.
    pub let_in: bool,
}

/// One address, or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Net(IpNet),
    /// The address that this process sends from. Right only where nothing on the way changes it.
    Own,
}

impl FromStr for Source {
    type Err = String;

    /// An address, a CIDR, or `auto`.
    fn from_str(text: &str) -> Result<Self, String> {
        let host = || text.parse().map(|host: IpAddr| host.into());
        match text {
            "auto" => Ok(Self::Own),
            _ => (text.parse().or_else(|_| host()).map(Self::Net))
                .map_err(|_| format!("{text} is neither an address, nor a CIDR, nor auto")),
        }
    }
}

impl Management {
    /// As a plan sees it. Our own address depends on `endpoint`, and is unknown without one.
    pub(super) fn seen(&self, endpoint: Option<&str>) -> plan::cluster::Management {
        let endpoint: Option<IpAddr> = endpoint.and_then(|endpoint| endpoint.parse().ok());
        let cidrs = self.sources.iter().filter_map(|source| match source {
            Source::Net(net) => Some(*net),
            Source::Own => own_address(endpoint?).map(IpNet::from),
        });
        plan::cluster::Management {
            cidrs: cidrs.collect(),
            let_in: self.let_in,
        }
    }

    /// What is wrong with the `allowedCIDRs` of an object that is about to be written in place of
    /// `old`. One that has its endpoint already when it is made comes from another management
    /// cluster: it may come, and its plan says what is wrong.
    pub(crate) fn refuses(
        &self,
        new: &OpenStackCluster,
        old: Option<&OpenStackCluster>,
    ) -> Option<Violation> {
        let status = old.and_then(|old| old.status.clone()).unwrap_or_default();
        let balancer = status.api_server_managed_load_balancer.as_ref();
        let published = balancer.map(|balancer| balancer.ip.as_str());
        let endpoint = new.spec.control_plane_endpoint.as_ref();
        let host = endpoint.and_then(|endpoint| endpoint.host.as_deref());
        let host = host.filter(|host| !host.is_empty());
        if old.is_none() && host.is_some() {
            return None;
        }
        let management = self.seen(published.filter(|ip| !ip.is_empty()).or(host));
        let of = |object: &OpenStackCluster| locks_out(&object.spec, &status, &management);
        let before = old.and_then(of);
        of(new).filter(|_| of(new) != before)
    }
}

/// Asks the routing table; nothing is sent.
fn own_address(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sources_are_addresses_networks_or_our_own() {
        let source = |text: &str| text.parse::<Source>();
        let net = |text: &str| Ok(Source::Net(text.parse().expect("a network")));
        assert_eq!(source("192.0.2.1"), net("192.0.2.1/32"));
        assert_eq!(source("2001:db8::/48"), net("2001:db8::/48"));
        assert_eq!(source("auto"), Ok(Source::Own));
        let refused = source("here").expect_err("refused");
        assert!(refused.contains("here is neither"), "{refused}");
    }

    fn object(allowed: &[&str], internal_ip: &str, host: &str) -> OpenStackCluster {
        let status = json!({"ready": true, "apiServerManagedLoadBalancer": {
            "name": "lb", "id": "lb", "ip": host, "internalIP": internal_ip,
        }});
        let mut object = json!({
            "metadata": {"name": "demo"},
            "spec": {
                "identityRef": {"name": "cloud", "cloudName": "openstack"},
                "managedSubnets": [{"cidr": "10.6.0.0/24"}],
                "apiServer": {"managedLoadBalancer": {"allowedCIDRs": allowed}},
                "controlPlaneEndpoint": {"host": host, "port": 6443},
            },
        });
        if !internal_ip.is_empty() {
            object["status"] = status;
        }
        serde_json::from_value(object).expect("decodes")
    }

    #[test]
    fn a_list_that_shuts_the_management_cluster_out_is_refused_where_that_is_certain() {
        let source = |text: &str| text.parse().expect("a source");
        let management = |let_in| Management {
            sources: vec![source("192.0.2.0/28"), source("2001:db8::1")],
            let_in,
        };
        let refuses = |new: &OpenStackCluster, old: Option<&OpenStackCluster>| {
            let found = management(false).refuses(new, old);
            found.map(|violation| violation.to_string())
        };
        let (in_v4, out) = (["192.0.2.0/24"], ["198.51.100.0/24"]);
        let words = "spec.apiServer.managedLoadBalancer.allowedCIDRs: Invalid value: \
            [\"198.51.100.0/24\"]: leaves out 192.0.2.0/28, where the management cluster connects \
            from, which would lose the cluster; add it";
        assert_eq!(refuses(&object(&out, "", ""), None).as_deref(), Some(words));
        assert_eq!(
            refuses(&object(&in_v4, "", ""), None),
            None,
            "the balancer has IPv4"
        );
        assert_eq!(refuses(&object(&[], "", ""), None), None, "everybody may");
        assert_eq!(management(true).refuses(&object(&out, "", ""), None), None);
        let moved = object(&out, "", "203.0.113.5");
        assert_eq!(refuses(&moved, None), None, "it comes from elsewhere");
        let lives = |allowed: &[&str]| object(allowed, "10.6.0.9", "203.0.113.5");
        let (well, locked) = (lives(&in_v4), lives(&out));
        assert_eq!(refuses(&locked, Some(&well)).as_deref(), Some(words));
        let mut tagged = locked.clone();
        tagged.spec.tags = vec!["new".into()];
        assert_eq!(refuses(&tagged, Some(&locked)), None, "it was so before");
        let ipv6 = object(&["2001:db8::/64"], "fd00::9", "");
        assert_eq!(refuses(&ipv6, Some(&object(&[], "fd00::9", ""))), None);
        let own = Management {
            sources: vec![Source::Own],
            let_in: false,
        };
        let reached = |allowed: &[&str]| object(allowed, "10.6.0.9", "127.0.0.1");
        let open = reached(&[]);
        assert_eq!(own.refuses(&reached(&["127.0.0.1"]), Some(&open)), None);
        assert!(own.refuses(&reached(&out), Some(&open)).is_some());
    }

    #[test]
    fn our_own_address_is_the_one_that_reaches_the_endpoint() {
        let management = Management {
            sources: vec![Source::Own],
            let_in: true,
        };
        let own = management.seen(Some("127.0.0.1")).cidrs;
        assert_eq!(own, ["127.0.0.1/32".parse().expect("a network")]);
        assert_eq!(management.seen(None).cidrs, []);
    }
}
