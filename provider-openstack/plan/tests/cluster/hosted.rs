//! Control planes that run elsewhere: the endpoint comes later, and from others.

use jiff::Timestamp;
use plan::cluster::{Decision, plan};
use plan::conditions::is_true;
use plan::step::Step;
use serde_json::{Value, json};

use super::balancing::settle;
use super::cloud::Cloud;
use super::shapes::{bastion_spec, cloud, want};

const ELSEWHERE: (&str, u16) = ("198.51.100.7", 30443);

fn hosted() -> Value {
    json!({
        "managedSubnets": [{"cidr": "10.6.0.0/24"}],
        "managedSecurityGroups": {},
        "apiServer": {"enableFloatingIP": false},
    })
}

/// Until nothing but the endpoint is missing.
fn blocked(spec: &Value, cloud: &mut Cloud) -> Decision {
    let want = want(spec.clone());
    for _ in 0..30 {
        let decision = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH);
        cloud.holds.status = decision.status.status.clone();
        match &decision.step {
            Step::Do(actions) => actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("accepted")),
            Step::Blocked(_) => return decision,
            Step::Wait(_) | Step::Done => panic!("{:?}", decision.step),
        }
    }
    panic!("does not come to rest");
}

#[test]
fn everything_but_the_endpoint_is_there_before_it_is_known() {
    let mut empty = hosted();
    empty["apiServer"]["fixedIP"] = json!("");
    for spec in [hosted(), empty] {
        let decision = blocked(&spec, &mut cloud());
        let status = decision.status.status;
        assert_eq!(decision.status.endpoint, None);
        assert_eq!(status.initialization, None);
        for part in ["NetworkReady", "RouterReady", "SecurityGroupsReady"] {
            assert!(is_true(&status.conditions, part), "{part}");
        }
        let mut conditions = status.conditions.iter();
        let endpoint = conditions.find(|known| known.type_ == "APIEndpointReady");
        let endpoint = endpoint.expect("said");
        assert_eq!(
            (endpoint.status.as_str(), endpoint.reason.as_str()),
            ("False", "APIEndpointConfigFailed")
        );
        assert!(endpoint.message.contains("Cluster"), "{}", endpoint.message);
    }
}

#[test]
fn the_endpoint_is_taken_from_wherever_it_is_said() {
    let (host, port) = ELSEWHERE;
    let mut by_fixed_ip = hosted();
    by_fixed_ip["apiServer"]["fixedIP"] = json!(host);
    by_fixed_ip["apiServer"]["port"] = json!(port);
    for (later, by_cluster) in [(by_fixed_ip, false), (hosted(), true)] {
        let mut cloud = cloud();
        blocked(&hosted(), &mut cloud);
        let before = cloud.inventory();
        if by_cluster {
            cloud.holds.cluster_endpoint = Some((host.into(), port));
        }
        let decision = settle(&later, &mut cloud);
        assert_eq!(decision.status.endpoint, Some((host.into(), port)));
        assert!(is_true(&decision.status.status.conditions, "Ready"));
        assert_eq!(cloud.inventory(), before, "nothing is made for it");
    }
}

/// Nobody would use it: kubeconfigs and nodes know the other one.
#[test]
fn no_floating_ip_is_made_beside_the_endpoint_of_the_cluster() {
    let (host, port) = ELSEWHERE;
    let mut spec = hosted();
    spec["apiServer"] = json!({});
    let mut cloud = cloud();
    cloud.holds.cluster_endpoint = Some((host.into(), port));
    let before = cloud.holds.floating_ips.clone();
    let decision = settle(&spec, &mut cloud);
    assert_eq!(decision.status.endpoint, Some((host.into(), port)));
    assert_eq!(cloud.holds.floating_ips, before);
}

/// Made because nobody had said yet that the control plane runs elsewhere.
#[test]
fn a_floating_ip_made_before_the_endpoint_of_the_cluster_came_is_given_back() {
    let (host, port) = ELSEWHERE;
    let mut spec = hosted();
    spec["apiServer"] = json!({});
    let mut bastion = spec.clone();
    bastion["bastion"] = bastion_spec();
    for (spec, given_back) in [(&spec, true), (&bastion, false)] {
        let (want, mut cloud) = (want(spec.clone()), cloud());
        let before = cloud.holds.floating_ips.clone();
        while cloud.holds.floating_ips == before {
            let Step::Do(actions) = plan(&want, &cloud.holds, Timestamp::UNIX_EPOCH).step else {
                panic!("no floating IP");
            };
            for action in &actions {
                cloud.apply(action).expect("accepted");
            }
        }
        cloud.holds.cluster_endpoint = Some((host.into(), port));
        let decision = settle(spec, &mut cloud);
        assert_eq!(decision.status.endpoint, Some((host.into(), port)));
        if given_back {
            assert_eq!(cloud.holds.floating_ips, before);
            continue;
        }
        // The bastion has a use for it.
        let published = cloud.holds.status.bastion.expect("a bastion");
        assert_eq!(cloud.holds.floating_ips.len(), before.len() + 1);
        let made = cloud.holds.floating_ips.last().map(|ip| ip.address.clone());
        assert_eq!(published.floating_ip, made);
    }
}

#[test]
fn the_endpoint_of_the_object_and_a_load_balancer_come_before_that_of_the_cluster() {
    let (host, port) = ELSEWHERE;
    let mut given = hosted();
    given["controlPlaneEndpoint"] = json!({"host": "api.example.org", "port": 443});
    let mut balanced = hosted();
    balanced["apiServer"]["managedLoadBalancer"] = json!({});
    for (spec, expected) in [(given, None), (balanced, Some(("10.6.0.10".into(), 6443)))] {
        let mut cloud = cloud();
        cloud.holds.cluster_endpoint = Some((host.into(), port));
        assert_eq!(settle(&spec, &mut cloud).status.endpoint, expected);
    }
}
