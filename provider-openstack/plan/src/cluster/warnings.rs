//! Wishes about the load balancer that are passed over, said at the moment when it matters.

use super::access;
use super::action::Action;
use super::balance::{Balance, NewLoadBalancer};
use super::seen::{Octavia, Seen};
use super::want::{LoadBalancer, Want};

/// Reason and text of an event. The reason is as CAPO's recorder writes it: a title of one word.
pub type Warning = (&'static str, String);

/// Warnings that go with these actions.
pub(super) fn of(actions: &[Action], want: &Want, seen: &Seen) -> Vec<Warning> {
    let Some(wanted) = &want.api.load_balancer else {
        return Vec::new();
    };
    let warnings = |action: &Action| match action {
        Action::CreateLoadBalancer(new) => not_offered(wanted, new, &seen.octavia),
        Action::Balance {
            change: Balance::CreateListener(_) | Balance::UpdateAllowedCidrs { .. },
            ..
        } => access::unusable(&wanted.allowed_cidrs)
            .map(unusable)
            .collect(),
        _ => Vec::new(),
    };
    actions.iter().flat_map(warnings).collect()
}

fn unusable(entry: &String) -> Warning {
    let text = format!("allowedCIDRs: {entry} is no address or CIDR and is left out");
    ("Failedipaddressvalidation", text)
}

fn not_offered(wanted: &LoadBalancer, new: &NewLoadBalancer, octavia: &Octavia) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let (Some(provider), None) = (&wanted.provider, &new.provider) {
        let known = octavia.providers.join(", ");
        let text =
            format!("Octavia has no provider {provider} (it has {known}); its default is used");
        warnings.push(("Octaviaprovidernotfound", text));
    }
    if let (Some(flavor), None) = (&wanted.flavor, &new.flavor) {
        let known: Vec<&str> = octavia
            .flavors
            .iter()
            .map(|(_, name)| name.as_str())
            .collect();
        let known = known.join(", ");
        let text =
            format!("Octavia has no enabled flavor {flavor} (it has {known}); its default is used");
        warnings.push(("Octaviaflavornotfound", text));
    }
    warnings
}
