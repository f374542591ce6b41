//! A router's namespace: bridges of its networks, its external leg, addresses, routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::Ipv4Addr,
    process::Command,
};

use anyhow::{Context, Result};
use ipnet::Ipv4Net;
use serde::Deserialize;

use super::{feed, inside, ip_batch, rules, short};
use crate::{agent::plan::RouterWanted, lab::Lab, netns};

/// Name of a router's namespace.
pub fn namespace(lab: &Lab, router: &str) -> String {
    format!("{}-r-{}", lab.netns(), router)
}

/// Ids of the routers that have a namespace.
pub fn existing(lab: &Lab) -> Vec<String> {
    let prefix = namespace(lab, "");
    netns::named(lab)
        .iter()
        .filter_map(|n| n.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect()
}

/// Makes a router's namespace or brings it in line; what is right already stays untouched.
pub fn ensure(lab: &Lab, router: &RouterWanted) -> Result<()> {
    let netns = namespace(lab, &router.id);
    if !existing(lab).contains(&router.id) {
        remove_external_link(&router.id);
        netns::ip(&["netns", "add", &netns])?;
    }
    inside(&netns, settings)?;
    ensure_external_link(lab, &netns, router)?;
    let links = links(&netns)?;
    ip_batch(Some(&netns), &link_commands(router, &links))?;
    let routes = routes(&netns)?;
    ip_batch(Some(&netns), &route_commands(router, &routes))?;
    let nft = feed(
        Command::new("ip").args(["netns", "exec", &netns, "nft", "-f", "-"]),
        &rules::ruleset(router),
    );
    nft.with_context(|| format!("{netns} (Debian package nftables)"))?;
    // A floating IP may have moved here from another router, whose link address the lab still remembers.
    netns::ip(&["neigh", "flush", "dev", netns::EXTERNAL_BRIDGE])
}

/// Removes a router's namespace with everything in it.
pub fn remove(lab: &Lab, router: &str) -> Result<()> {
    // The namespace itself can live on for minutes: in connections whose other side answers nothing.
    remove_external_link(router);
    netns::delete(&namespace(lab, router))
}

fn remove_external_link(router: &str) {
    // There is none without an external gateway, and none for a new router.
    let _ = netns::ip(&["link", "delete", &outside(router)]);
}

/// The end of the external leg that is in the lab's namespace.
fn outside(router: &str) -> String {
    format!("qx-{}", short(router))
}

/// Settings that every router has. Names are relative to /proc/sys/net/ipv4.
fn settings() -> Result<()> {
    let wanted = [
        ("ip_forward", "1"),
        // Pods of one node reach those of another over the router, in and out by the same bridge.
        ("conf/all/send_redirects", "0"),
        ("conf/default/send_redirects", "0"),
        ("conf/all/rp_filter", "0"),
        ("conf/default/rp_filter", "0"),
    ];
    for (name, value) in wanted {
        let path = format!("/proc/sys/net/ipv4/{name}");
        fs::write(&path, value).with_context(|| path.clone())?;
    }
    // Exists only where the machine has loaded br_netfilter; frames between nodes are not the router's to filter.
    let _ = fs::write("/proc/sys/net/bridge/bridge-nf-call-iptables", "0");
    Ok(())
}

/// A pair of links: `qg-` in the router's namespace, `qx-` at the external network's bridge.
fn ensure_external_link(lab: &Lab, netns: &str, router: &RouterWanted) -> Result<()> {
    let (outside, leg) = (
        format!("qx-{}", short(&router.id)),
        format!("qg-{}", short(&router.id)),
    );
    let exists = netns::ip(&["link", "show", &outside]).is_ok();
    if router.external.is_some() && !exists {
        ip_batch(
            None,
            &[
                format!("link add {outside} type veth peer name {leg} netns {netns}"),
                format!("link set {outside} master {} up", netns::EXTERNAL_BRIDGE),
            ],
        )
        .with_context(|| format!("external leg of router {} in lab {}", router.id, lab.name))?;
    } else if router.external.is_none() && exists {
        netns::ip(&["link", "delete", &outside])?;
    }
    Ok(())
}

/// A link as `ip -json addr` shows it.
#[derive(Clone, Debug, Default, Deserialize)]
struct Existing {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Clone, Debug, Deserialize)]
struct Address {
    family: String,
    local: String,
    prefixlen: u8,
}

fn links(netns: &str) -> Result<BTreeMap<String, BTreeSet<Ipv4Net>>> {
    let out = Command::new("ip")
        .args(["-n", netns, "-json", "addr"])
        .output()?;
    let links: Vec<Existing> =
        serde_json::from_slice(&out.stdout).with_context(|| format!("ip -n {netns} addr"))?;
    let ipv4 = |a: Address| {
        (a.family == "inet")
            .then(|| Ipv4Net::new(a.local.parse().ok()?, a.prefixlen).ok())
            .flatten()
    };
    Ok(links
        .into_iter()
        .map(|l| (l.ifname, l.addr_info.into_iter().filter_map(ipv4).collect()))
        .collect())
}

/// Destination and next hop of every route that has one.
fn routes(netns: &str) -> Result<BTreeMap<String, Ipv4Addr>> {
    #[derive(Deserialize)]
    struct Route {
        dst: String,
        gateway: Option<Ipv4Addr>,
    }
    let out = Command::new("ip")
        .args(["-n", netns, "-json", "-4", "route"])
        .output()?;
    let routes: Vec<Route> =
        serde_json::from_slice(&out.stdout).with_context(|| format!("ip -n {netns} route"))?;
    Ok(routes
        .into_iter()
        .filter_map(|r| Some((r.dst, r.gateway?)))
        .collect())
}

/// Commands that turn `existing` links into the wanted ones.
fn link_commands(
    router: &RouterWanted,
    existing: &BTreeMap<String, BTreeSet<Ipv4Net>>,
) -> Vec<String> {
    let mut commands = vec!["link set lo up".to_owned()];
    for (link, wanted) in wanted_links(router) {
        let has = existing.get(&link);
        if has.is_none() && link.starts_with("qr-") {
            commands.push(format!("link add {link} type bridge forward_delay 0"));
        }
        let has = has.cloned().unwrap_or_default();
        commands.extend(
            has.difference(&wanted)
                .map(|a| format!("addr del {a} dev {link}")),
        );
        commands.extend(
            wanted
                .difference(&has)
                .map(|a| format!("addr add {a} dev {link}")),
        );
        commands.push(format!("link set {link} up"));
    }
    let wanted = wanted_links(router);
    let stale = existing
        .keys()
        .filter(|l| l.starts_with("qr-") && !wanted.contains_key(*l));
    commands.extend(stale.map(|l| format!("link delete {l}")));
    commands
}

/// Links with their addresses: a bridge for each network with the router's addresses and the VIPs in it, and the
/// external leg with the floating IPs.
fn wanted_links(router: &RouterWanted) -> BTreeMap<String, BTreeSet<Ipv4Net>> {
    let bridge = |network: &str| format!("qr-{}", short(network));
    let mut links: BTreeMap<_, BTreeSet<_>> = router
        .networks
        .iter()
        .map(|(n, addresses)| (bridge(n), addresses.iter().copied().collect()))
        .collect();
    for (network, balancer) in &router.balancers {
        links
            .entry(bridge(network))
            .or_default()
            .insert(Ipv4Net::from(balancer.vip));
    }
    if let Some((address, _)) = router.external {
        let leg = links
            .entry(format!("qg-{}", short(&router.id)))
            .or_default();
        leg.insert(address);
        leg.extend(router.floating.keys().map(|f| Ipv4Net::from(*f)));
    }
    links
}

/// Commands that turn `existing` routes into the wanted ones.
fn route_commands(router: &RouterWanted, existing: &BTreeMap<String, Ipv4Addr>) -> Vec<String> {
    let mut wanted: BTreeMap<_, _> = router
        .routes
        .iter()
        .map(|(range, node)| (range.to_string(), *node))
        .collect();
    if let Some((_, Some(gateway))) = router.external {
        wanted.insert("default".to_owned(), gateway);
    }
    let stale = existing
        .keys()
        .filter(|dst| !wanted.contains_key(*dst))
        .map(|dst| format!("route del {dst}"));
    let missing = wanted
        .iter()
        .filter(|(dst, via)| existing.get(*dst) != Some(via));
    stale
        .chain(missing.map(|(dst, via)| format!("route replace {dst} via {via}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> RouterWanted {
        RouterWanted {
            id: "11111111-2222-3333".into(),
            external: Some((
                "172.29.0.9/16".parse().unwrap(),
                Some("172.29.0.1".parse().unwrap()),
            )),
            networks: [(
                "aaaaaaaa-bbbb-cccc".into(),
                vec!["10.8.0.1/24".parse().unwrap()],
            )]
            .into(),
            floating: [("172.29.1.1".parse().unwrap(), "10.8.0.5".parse().unwrap())].into(),
            routes: [(
                "10.244.1.0/24".parse().unwrap(),
                "10.8.0.5".parse().unwrap(),
            )]
            .into(),
            ..RouterWanted::default()
        }
    }

    #[test]
    fn a_new_router_gets_bridge_addresses_and_floating_ips() {
        let leg = ("qg-11111111-22".to_owned(), BTreeSet::new());
        assert_eq!(
            link_commands(&router(), &[leg].into()),
            [
                "link set lo up",
                "addr add 172.29.0.9/16 dev qg-11111111-22",
                "addr add 172.29.1.1/32 dev qg-11111111-22",
                "link set qg-11111111-22 up",
                "link add qr-aaaaaaaa-bb type bridge forward_delay 0",
                "addr add 10.8.0.1/24 dev qr-aaaaaaaa-bb",
                "link set qr-aaaaaaaa-bb up",
            ]
        );
    }

    #[test]
    fn what_is_no_longer_wanted_goes() {
        let mut router = router();
        let existing = wanted_links(&router);
        router.floating.clear();
        router.networks.clear();
        let commands = link_commands(&router, &existing);
        assert!(
            commands.contains(&"addr del 172.29.1.1/32 dev qg-11111111-22".to_owned()),
            "{commands:?}"
        );
        assert!(
            commands.contains(&"link delete qr-aaaaaaaa-bb".to_owned()),
            "{commands:?}"
        );
    }

    #[test]
    fn routes_are_replaced_only_when_they_differ() {
        let router = router();
        assert_eq!(
            route_commands(&router, &BTreeMap::new()),
            [
                "route replace 10.244.1.0/24 via 10.8.0.5",
                "route replace default via 172.29.0.1"
            ]
        );
        let right = [
            ("10.244.1.0/24".to_owned(), "10.8.0.5".parse().unwrap()),
            ("default".to_owned(), "172.29.0.1".parse().unwrap()),
        ];
        assert!(route_commands(&router, &right.into()).is_empty());
        let old = [("10.244.9.0/24".to_owned(), "10.8.0.6".parse().unwrap())];
        assert!(
            route_commands(&router, &old.into()).contains(&"route del 10.244.9.0/24".to_owned())
        );
    }
}
