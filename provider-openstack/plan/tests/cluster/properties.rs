//! What holds for every cluster, and wherever the work is interrupted.

use crds::openstack::v1beta2::OpenStackClusterStatus;
use jiff::Timestamp;
use plan::cluster::{Action, Decision, NewFloatingIp, Seen, delete, plan};
use plan::conditions::is_true;
use plan::rules::WantedRule;
use plan::step::Step;
use plan::world::Direction;
use proptest::prelude::*;
use serde_json::json;

use super::cloud::Cloud;
use super::shapes::{any_spec, crowded_cloud, gone, want};

/// More rounds than any cluster needs.
const ROUNDS: usize = 60;

/// Plans and acts until there is nothing to do; the last decision.
pub fn converge(cloud: &mut Cloud, plan: impl Fn(&Seen) -> Decision) -> Decision {
    for _ in 0..ROUNDS {
        let decision = plan(&cloud.holds);
        cloud.holds.status = decision.status.status.clone();
        match &decision.step {
            Step::Do(actions) => {
                // They are independent, so any order must do.
                for action in actions.iter().rev() {
                    cloud
                        .apply(action)
                        .unwrap_or_else(|error| panic!("{action}: {error}"));
                }
            }
            Step::Wait(_) => cloud.tick(),
            Step::Done => return decision,
            Step::Blocked(problem) => panic!("blocked: {problem}"),
        }
    }
    panic!("does not converge: {:?}", plan(&cloud.holds).step);
}

/// A creation whose answer was lost shows up late, when it was made again already.
fn late(cloud: &mut Cloud, action: &Action) {
    let unnamed = matches!(
        action,
        Action::CreateNetwork(_)
            | Action::CreateRouter(_)
            | Action::CreateSecurityGroup { .. }
            | Action::CreateLoadBalancer(_)
            | Action::CreateFloatingIp(NewFloatingIp { address: None, .. })
    );
    if unnamed {
        // The cloud may refuse by now.
        let _ = cloud.apply(action);
    }
}

/// A few rounds in which only the first `done` actions happen, `lost` forgets the status, and
/// Octavia may be slow.
fn stumble(cloud: &mut Cloud, rounds: &[(usize, bool, bool)], plan: impl Fn(&Seen) -> Decision) {
    let mut doubtful: Option<Action> = None;
    for (done, lost, slow) in rounds {
        let decision = plan(&cloud.holds);
        if let Some(action) = doubtful.take() {
            late(cloud, &action);
        }
        if let Step::Do(actions) = &decision.step {
            doubtful = actions.first().filter(|_| *lost).cloned();
            for action in actions.iter().take(*done) {
                cloud
                    .apply(action)
                    .unwrap_or_else(|error| panic!("{action}: {error}"));
            }
        }
        cloud.holds.status = if *lost {
            OpenStackClusterStatus::default()
        } else {
            decision.status.status
        };
        if !slow {
            cloud.tick();
        }
    }
}

fn rounds() -> impl Strategy<Value = Vec<(usize, bool, bool)>> {
    prop::collection::vec((0..6usize, any::<bool>(), any::<bool>()), 0..25)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// Whether a decision lets everybody in to the API server or to another port of its load balancer.
fn opens_the_api(decision: &Decision) -> bool {
    let Step::Do(actions) = &decision.step else {
        return false;
    };
    let is_open = |wanted: &WantedRule| {
        let (rule, ports) = (&wanted.rule, [Some(8443), Some(9000)]);
        rule.direction == Direction::Ingress
            && ports.contains(&rule.port_min)
            && rule.remote_ip_prefix.is_none()
            && rule.remote_group_id.is_none()
    };
    actions.iter().any(
        |action| matches!(action, Action::CreateRules { rules, .. } if rules.iter().any(is_open)),
    )
}

/// Takes away what `hidden` says, and has some things twice, as when Neutron answers in part.
fn disturb(cloud: &mut Cloud, hidden: [bool; 8]) {
    let holds = &mut cloud.holds;
    let [
        subnets,
        networks,
        routers,
        ports,
        balancers,
        listeners,
        status,
        twins,
    ] = hidden;
    if twins {
        let mut twins = holds.load_balancers.clone();
        twins.iter_mut().for_each(|twin| twin.id += "-twin");
        holds.load_balancers.extend(twins);
    }
    let mut hide = |is_hidden: bool, hide: fn(&mut Seen)| {
        if is_hidden {
            hide(holds);
        }
    };
    hide(subnets, |seen| seen.subnets.clear());
    hide(networks, |seen| {
        seen.networks.retain(|network| network.external)
    });
    hide(routers, |seen| seen.routers.clear());
    hide(ports, |seen| seen.ports.clear());
    hide(balancers && !twins, |seen| seen.load_balancers.clear());
    hide(listeners, |seen| seen.listeners.clear());
    hide(status, |seen| {
        seen.status = OpenStackClusterStatus::default()
    });
}

proptest! {
    /// OVN has no lists of its own: what the security group lets in gets in.
    #[test]
    fn an_api_for_some_is_never_opened_to_everybody(
        spec in any_spec(), made in rounds(), hidden in prop::array::uniform8(any::<bool>()), locked_out: bool,
    ) {
        let mut spec = spec;
        spec["managedSecurityGroups"] = json!({});
        spec["apiServer"]["managedLoadBalancer"] =
            json!({"provider": "ovn", "allowedCIDRs": ["192.0.2.0/24"], "additionalPorts": [9000]});
        let (want, mut cloud) = (want(spec), crowded_cloud());
        if locked_out {
            cloud.holds.management.cidrs = vec!["198.51.100.9/32".parse().expect("a CIDR")];
        }
        let plan = |seen: &Seen| {
            let decision = plan(&want, seen, at(1));
            assert!(!opens_the_api(&decision), "{:?}", decision.step);
            decision
        };
        stumble(&mut cloud, &made, plan);
        disturb(&mut cloud, hidden);
        plan(&cloud.holds);
    }

    #[test]
    fn a_cluster_comes_about_and_then_rests(spec in any_spec()) {
        let (want, mut cloud) = (want(spec), crowded_cloud());
        let done = converge(&mut cloud, |seen| plan(&want, seen, at(1)));
        prop_assert!(is_true(&done.status.status.conditions, "Ready"));
        prop_assert_eq!(done.status.status.initialization.as_ref().and_then(|i| i.provisioned), Some(true));
        prop_assert!(done.status.endpoint.as_ref().is_some_and(|(_, port)| *port == 8443));
        prop_assert_eq!(done.status.status.failure_domains.len(), 2);

        let again = plan(&want, &cloud.holds, at(2));
        prop_assert_eq!(&again.step, &Step::Done);
        prop_assert_eq!(again.status.status, cloud.holds.status);
    }

    #[test]
    fn an_interrupted_cluster_comes_about_all_the_same(spec in any_spec(), rounds in rounds()) {
        let (want, mut smooth) = (want(spec), crowded_cloud());
        let mut rough = smooth.clone();
        converge(&mut smooth, |seen| plan(&want, seen, at(1)));
        stumble(&mut rough, &rounds, |seen| plan(&want, seen, at(1)));
        converge(&mut rough, |seen| plan(&want, seen, at(1)));
        prop_assert_eq!(rough.inventory(), smooth.inventory());
    }

    #[test]
    fn deletion_leaves_what_was_there_before(spec in any_spec(), made in rounds(), unmade in rounds()) {
        let (want, gone, mut cloud) = (want(spec.clone()), gone(spec), crowded_cloud());
        let before = cloud.inventory();
        stumble(&mut cloud, &made, |seen| plan(&want, seen, at(1)));
        stumble(&mut cloud, &unmade, |seen| delete(&gone, seen, at(2)));
        converge(&mut cloud, |seen| delete(&gone, seen, at(3)));
        prop_assert_eq!(cloud.inventory(), before);
    }

    #[test]
    fn what_somebody_takes_away_comes_back(spec in any_spec(), victim in any::<prop::sample::Index>()) {
        let (want, mut cloud) = (want(spec), crowded_cloud());
        let foreign = cloud.clone();
        converge(&mut cloud, |seen| plan(&want, seen, at(1)));
        let whole = cloud.inventory();
        let holds = &mut cloud.holds;
        match victim.index(5) {
            0 => holds.security_groups.iter_mut().for_each(|group| group.rules.truncate(1)),
            1 => holds.monitors.clear(),
            2 => cloud.lose_bastion(),
            3 => holds.floating_ips.retain(|ip| foreign.holds.floating_ips.iter().any(|known| known.id == ip.id)),
            _ => holds.ports.retain(|port| {
                port.device_owner != "network:router_interface" || foreign.holds.ports.contains(port)
            }),
        }
        converge(&mut cloud, |seen| plan(&want, seen, at(2)));
        prop_assert_eq!(cloud.inventory(), whole);
    }
}
