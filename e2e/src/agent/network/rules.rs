//! Address translation of a router, as nftables rules: floating IPs, source addresses, hairpin.

use super::super::plan::RouterWanted;

/// The whole table of a router's namespace, replaced in one transaction.
///
/// As with Neutron: a floating IP keeps the source of what comes from outside; what comes from inside and is sent
/// back inside ("hairpin") gets the router's external address as its source, also when a load balancer's VIP answers.
pub fn ruleset(router: &RouterWanted) -> String {
    let mut out =
        String::from("add table ip capstan\ndelete table ip capstan\ntable ip capstan {\n");
    let pairs = |reversed: bool| {
        let pair = |(floating, fixed)| {
            if reversed {
                format!("{fixed} : {floating}")
            } else {
                format!("{floating} : {fixed}")
            }
        };
        let pairs: Vec<_> = router.floating.iter().map(pair).collect();
        if pairs.is_empty() {
            String::new()
        } else {
            format!("elements = {{ {} }};", pairs.join(", "))
        }
    };
    out += &format!(
        "  map floating {{ type ipv4_addr : ipv4_addr; {} }}\n",
        pairs(false)
    );
    out += &format!(
        "  map fixed {{ type ipv4_addr : ipv4_addr; {} }}\n",
        pairs(true)
    );
    out += "  chain prerouting { type nat hook prerouting priority dstnat; dnat to ip daddr map @floating; }\n";
    if let Some((external, _)) = router.external {
        let own = external.addr();
        out += &format!(
            "  chain input {{ type nat hook input priority 100; iifname != \"qg-*\" ct status dnat snat to {own}; }}\n"
        );
        out += "  chain postrouting { type nat hook postrouting priority srcnat;\n";
        out +=
            &format!("    iifname != \"qg-*\" oifname != \"qg-*\" ct status dnat snat to {own};\n");
        out += "    oifname \"qg-*\" snat to ip saddr map @fixed;\n";
        out += &format!("    oifname \"qg-*\" ip saddr != {own} snat to {own};\n  }}\n");
    }
    out + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_gateway_nothing_is_translated() {
        let rules = ruleset(&RouterWanted::default());
        assert!(!rules.contains("snat"), "{rules}");
        assert!(!rules.contains("elements"), "{rules}");
    }

    #[test]
    fn a_floating_ip_goes_both_ways() {
        let router = RouterWanted {
            external: Some(("172.29.0.9/16".parse().unwrap(), None)),
            floating: [("172.29.1.1".parse().unwrap(), "10.8.0.5".parse().unwrap())].into(),
            ..RouterWanted::default()
        };
        let rules = ruleset(&router);
        assert!(rules.contains("172.29.1.1 : 10.8.0.5"), "{rules}");
        assert!(rules.contains("10.8.0.5 : 172.29.1.1"), "{rules}");
        assert!(rules.contains("snat to 172.29.0.9"), "{rules}");
    }
}
