//! Where the management cluster connects from, so that no restriction of an API shuts it out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::str::FromStr;

use ipnet::IpNet;

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
