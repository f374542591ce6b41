//! Security groups of a machine's ports, as nftables rules at the machine's own end of the links.
//!
//! A hypervisor filters at its own end. Here that end is a bridge, where connections cannot be tracked, so the rules
//! stand where packets enter and leave the machine: before its own address translation, and after it.

use std::{collections::BTreeMap, process::Command};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::feed;
use crate::agent::firewall::Firewall;

/// Replaces the rules of a machine in one transaction. A port without link is left out: its link is new, and the
/// next round finds it.
pub fn apply(netns: &str, firewall: &Firewall) -> Result<()> {
    let links = links(netns)?;
    feed(
        Command::new("ip").args(["netns", "exec", netns, "nft", "-f", "-"]),
        &ruleset(firewall, &links),
    )
    .with_context(|| format!("security groups in {netns} (Debian package nftables)"))
}

/// Names of links by their MAC addresses.
fn links(netns: &str) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Link {
        ifname: String,
        #[serde(default)]
        address: String,
    }
    let out = Command::new("ip")
        .args(["-n", netns, "-json", "link"])
        .output()?;
    let links: Vec<Link> =
        serde_json::from_slice(&out.stdout).with_context(|| format!("ip -n {netns} link"))?;
    Ok(links.into_iter().map(|l| (l.address, l.ifname)).collect())
}

fn ruleset(firewall: &Firewall, links: &BTreeMap<String, String>) -> String {
    let mut out =
        String::from("add table inet ports\ndelete table inet ports\ntable inet ports {\n");
    let (mut into, mut from) = (String::new(), String::new());
    for (mac, matches) in firewall {
        let Some(link) = links.get(mac) else { continue };
        // What Neutron lets through without a rule: leases, and IPv6's own neighbours and routers.
        out += &format!(
            "  chain {link}-in {{\n    udp sport 67 udp dport 68 accept\n    meta l4proto ipv6-icmp accept\n"
        );
        let accept = |text: &String| format!("    {text} accept\n");
        out.extend(matches.ingress.iter().map(accept));
        out += &format!(
            "    drop\n  }}\n  chain {link}-out {{\n    udp sport 68 udp dport 67 accept\n    meta l4proto ipv6-icmp accept\n"
        );
        out.extend(matches.egress.iter().map(accept));
        out += "    drop\n  }\n";
        into += &format!("    iifname \"{link}\" jump {link}-in\n");
        from += &format!("    oifname \"{link}\" jump {link}-out\n");
    }
    let hook = |name: &str, priority: i32, jumps: &str| {
        format!(
            "  chain {name} {{\n    type filter hook {name} priority {priority};\n    ct state established,related accept\n{jumps}  }}\n"
        )
    };
    out += &hook("prerouting", -150, &into);
    out += &hook("postrouting", 150, &from);
    out + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::firewall::Matches;

    #[test]
    fn a_port_is_filtered_where_its_link_is() {
        let matches = Matches {
            ingress: ["meta nfproto ipv4 tcp dport 6443-6443".to_owned()].into(),
            egress: ["meta nfproto ipv4".to_owned()].into(),
        };
        let firewall = [
            ("fa:16:3e:00:00:01".to_owned(), matches.clone()),
            ("fa:16:3e:00:00:02".to_owned(), matches),
        ]
        .into();
        let links = [("fa:16:3e:00:00:01".to_owned(), "ens3".to_owned())].into();
        let rules = ruleset(&firewall, &links);
        assert!(
            rules.contains("meta nfproto ipv4 tcp dport 6443-6443 accept\n    drop"),
            "{rules}"
        );
        assert!(rules.contains("iifname \"ens3\" jump ens3-in"), "{rules}");
        assert!(rules.contains("oifname \"ens3\" jump ens3-out"), "{rules}");
        assert_eq!(rules.matches(" jump ").count(), 2, "{rules}");
    }

    #[test]
    fn without_filtered_ports_everything_passes() {
        let rules = ruleset(&Firewall::new(), &BTreeMap::new());
        assert!(!rules.contains("drop"), "{rules}");
    }
}
