//! The bastion: made last, changed, switched off, and gone first.

use crds::capi::names::WATCH_FILTER_LABEL;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use plan::cluster::{Action, Decision, Gone, Seen, Want, delete, plan};
use plan::conditions::is_true;
use plan::step::Step;
use plan::world::Port;
use serde_json::{Value, json};

use super::balancing::settle;
use super::cloud::Cloud;
use super::properties::converge;
use super::shapes::{bastion_spec, cloud, cluster, gone, owner, want};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn spec() -> Value {
    json!({
        "managedSubnets": [{"cidr": "10.6.0.0/24"}],
        "apiServer": {"enableFloatingIP": false, "fixedIP": "10.6.0.10"},
        "managedSecurityGroups": {},
        "tags": ["ours"],
        "bastion": bastion_spec(),
    })
}

/// The cloud after the cluster was made.
fn made() -> Cloud {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    cloud
}

fn without() -> Value {
    let mut spec = spec();
    spec["bastion"]["enabled"] = json!(false);
    spec
}

/// Everything that is done until there is nothing to do.
fn journal(cloud: &mut Cloud, plan: impl Fn(&Seen) -> Decision) -> Vec<String> {
    let done = std::cell::RefCell::new(Vec::new());
    converge(cloud, |seen| {
        let decision = plan(seen);
        if let Step::Do(actions) = &decision.step {
            let names = actions.iter().map(|action| action.name().to_string());
            done.borrow_mut().extend(names);
        }
        decision
    });
    done.into_inner()
}

fn address(cloud: &Cloud) -> Option<String> {
    let bastion = cloud.holds.status.bastion.as_ref()?;
    bastion.floating_ip.clone()
}

/// Where the floating IP with this address leads.
fn leads_to<'a>(cloud: &'a Cloud, address: &str) -> Option<&'a str> {
    let mut ips = cloud.holds.floating_ips.iter();
    ips.find(|ip| ip.address == address)?.port_id.as_deref()
}

fn bastion_port(cloud: &Cloud) -> &Port {
    let mut ports = cloud.holds.ports.iter();
    ports.find(|port| port.name == "bastion-0").expect("a port")
}

#[test]
fn it_comes_when_the_cluster_is_ready() {
    let (want, mut cloud) = (want(spec()), cloud());
    for _ in 0..30 {
        let decision = plan(&want, &cloud.holds, NOW);
        cloud.holds.status = decision.status.status.clone();
        let Step::Do(actions) = &decision.step else {
            panic!("{:?}", decision.step);
        };
        let creates = |action: &&Action| action.name() == "CreateOpenStackServer";
        if let Some(Action::ForBastion(create)) = actions.iter().find(creates) {
            let status = &decision.status.status;
            assert!(is_true(&status.conditions, "Ready"));
            let provisioned = status.initialization.as_ref().and_then(|i| i.provisioned);
            assert_eq!(provisioned, Some(true));
            return is_that_of_capo(create, &cloud);
        }
        for action in actions {
            cloud.apply(action).expect("accepted");
        }
    }
    panic!("no bastion");
}

fn is_that_of_capo(create: &Action, cloud: &Cloud) {
    let Action::CreateServerObject(object) = create else {
        panic!("{create}");
    };
    let status = &cloud.holds.status;
    let network = status.network.as_ref().map(|network| &network.id);
    let group = status
        .bastion_security_group
        .as_ref()
        .map(|group| &group.id);
    assert!(network.is_some() && group.is_some());
    assert_eq!(
        serde_json::to_value(object).expect("JSON"),
        json!({
            "apiVersion": "infrastructure.cluster.x-k8s.io/v1alpha1",
            "kind": "OpenStackServer",
            "metadata": {
                "name": "demo-bastion",
                "namespace": "default",
                "labels": {"cluster.x-k8s.io/cluster-name": "demo"},
                "ownerReferences": [{
                    "apiVersion": "infrastructure.cluster.x-k8s.io/v1beta2",
                    "kind": "OpenStackCluster",
                    "name": "demo",
                    "uid": "",
                }],
            },
            "spec": {
                "identityRef": {"name": "cloud", "cloudName": "openstack"},
                "flavor": "small",
                "image": {"filter": {"name": "ubuntu"}},
                "sshKeyName": "key",
                "ports": [{"network": {"id": network}, "securityGroups": [{"id": group}]}],
                "tags": ["ours"],
            },
        })
    );
}

#[test]
fn it_gets_a_floating_ip_and_is_published() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let published = cloud.holds.status.bastion.clone().expect("published");
    assert_eq!(published.name.as_deref(), Some("demo-bastion"));
    assert_eq!(published.state.as_deref(), Some("ACTIVE"));
    assert_eq!(published.ssh_key_name.as_deref(), Some("key"));
    assert_eq!(published.ip.as_deref(), Some("10.6.0.254"));
    let floating = published.floating_ip.expect("a floating IP");
    assert_eq!(
        leads_to(&cloud, &floating),
        Some(bastion_port(&cloud).id.as_str())
    );
    // As CAPO leaves it, and with the status lost, there is nothing to do but to publish it again.
    let status = std::mem::take(&mut cloud.holds.status);
    let again = plan(&want(spec()), &cloud.holds, NOW);
    assert_eq!(again.step, Step::Done);
    assert_eq!(again.status.status.bastion, status.bastion);
}

#[test]
fn a_given_floating_ip_is_used_and_kept() {
    let mut cloud = cloud();
    let mut spec = spec();
    settle(&spec, &mut cloud);
    let made = address(&cloud).expect("made");
    spec["bastion"]["floatingIP"] = json!("203.0.113.200");
    settle(&spec, &mut cloud);
    let ips = |cloud: &Cloud| -> Vec<String> {
        let ips = cloud.holds.floating_ips.iter();
        ips.map(|ip| ip.address.clone()).collect()
    };
    assert!(
        !ips(&cloud).contains(&made),
        "the one that was made is gone"
    );
    assert_eq!(address(&cloud).as_deref(), Some("203.0.113.200"));
    assert!(leads_to(&cloud, "203.0.113.200").is_some());

    let gone = gone(spec);
    converge(&mut cloud, |seen| delete(&gone, seen, NOW));
    assert!(ips(&cloud).contains(&"203.0.113.200".to_string()));
    assert_eq!(leads_to(&cloud, "203.0.113.200"), None);
}

#[test]
fn a_given_floating_ip_that_was_made_for_the_bastion_outlives_it() {
    let mut cloud = cloud();
    let mut spec = spec();
    spec["apiServer"] = json!({});
    spec["bastion"]["floatingIP"] = json!("203.0.113.77");
    settle(&spec, &mut cloud);
    assert!(leads_to(&cloud, "203.0.113.77").is_some());
    spec["bastion"]["enabled"] = json!(false);
    settle(&spec, &mut cloud);
    let mut ips = cloud.holds.floating_ips.iter();
    assert!(
        ips.any(|ip| ip.address == "203.0.113.77"),
        "it is the user's"
    );
}

#[test]
fn a_floating_ip_that_leads_elsewhere_is_not_taken() {
    let mut cloud = cloud();
    let mut spec = spec();
    spec["bastion"]["floatingIP"] = json!("203.0.113.200");
    cloud.holds.floating_ips[0].port_id = Some("somebody's".into());
    let want = want(spec);
    for _ in 0..30 {
        let decision = plan(&want, &cloud.holds, NOW);
        cloud.holds.status = decision.status.status.clone();
        match decision.step {
            Step::Do(actions) => actions
                .iter()
                .for_each(|action| cloud.apply(action).expect("accepted")),
            Step::Wait(_) => cloud.tick(),
            Step::Blocked(problem) => {
                assert_eq!(problem.reason, "FloatingIPInUse");
                assert_eq!(problem.field, "spec.bastion.floatingIP");
                return;
            }
            Step::Done => panic!("taken"),
        }
    }
    panic!("nothing is said");
}

#[test]
fn one_that_is_changed_is_made_anew_and_keeps_its_address() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let (before, port) = (address(&cloud), bastion_port(&cloud).id.clone());
    assert!(before.is_some());
    let mut changed = spec();
    changed["bastion"]["spec"]["flavor"] = json!({"filter": {"name": "large"}});
    let want = want(changed);
    let done = journal(&mut cloud, |seen| plan(&want, seen, NOW));
    assert_eq!(
        done,
        [
            "DeleteOpenStackServer",
            "CreateOpenStackServer",
            "AssociateFloatingIP"
        ]
    );
    assert_eq!(address(&cloud), before);
    assert_ne!(bastion_port(&cloud).id, port);
}

/// CAPO's bastion has no such label, and who filters would neither see it run nor let it go.
#[test]
fn a_bastion_without_the_label_of_the_watch_filter_gets_it_before_all_else() {
    let filtered = |spec: Value| {
        let mut cluster = cluster(spec);
        let label = (WATCH_FILTER_LABEL.to_string(), "ours".to_string());
        cluster.metadata.labels = Some([label].into());
        cluster
    };
    let want = |spec: Value| Want::of(&filtered(spec), &owner()).expect("valid");
    let (on, off) = (want(spec()), want(without()));
    let gone = Gone::of(&filtered(spec()), &owner());
    let done = journal(&mut made(), |seen| plan(&on, seen, NOW));
    assert_eq!(done, ["LabelOpenStackServer"]);
    let mut done = journal(&mut made(), |seen| plan(&off, seen, NOW));
    done.retain(|name| !name.contains("SecurityGroup"));
    assert_eq!(
        done,
        [
            "LabelOpenStackServer",
            "DeleteFloatingIP",
            "DeleteOpenStackServer"
        ]
    );
    let done = journal(&mut made(), |seen| delete(&gone, seen, NOW));
    assert_eq!(done[..2], ["LabelOpenStackServer", "DeleteFloatingIP"]);

    let mut cloud = made();
    let object = cloud.holds.bastion.as_mut().expect("an object");
    object.metadata.owner_references = None;
    let decision = plan(&on, &cloud.holds, NOW);
    assert!(
        matches!(decision.step, Step::Blocked(_)),
        "not of this cluster"
    );
}

/// The old ones may be gone, and then it could do nothing, not even go.
#[test]
fn other_credentials_reach_the_bastion_even_when_it_goes() {
    let rotated = |spec: Value| {
        let mut cluster = cluster(spec);
        cluster.spec.identity_ref.name = "rotated".into();
        cluster
    };
    let want = |spec: Value| Want::of(&rotated(spec), &owner()).expect("valid");
    let (on, off) = (want(spec()), want(without()));
    let gone = Gone::of(&rotated(spec()), &owner());

    let mut cloud = made();
    let before = cloud.inventory();
    let done = journal(&mut cloud, |seen| plan(&on, seen, NOW));
    assert_eq!(done, ["UpdateOpenStackServer"]);
    assert_eq!(cloud.inventory(), before, "it is the same server");
    let mut done = journal(&mut made(), |seen| plan(&off, seen, NOW));
    done.retain(|name| !name.contains("SecurityGroup"));
    assert_eq!(done[0], "UpdateOpenStackServer");

    let mut cloud = made();
    let object = cloud.holds.bastion.as_mut().expect("an object");
    object.metadata.deletion_timestamp = Some(Time(NOW));
    let first = |step| match step {
        Step::Do(actions) => actions.first().map(Action::name),
        _ => None,
    };
    for decision in [
        plan(&on, &cloud.holds, NOW).step,
        delete(&gone, &cloud.holds, NOW).step,
    ] {
        assert_eq!(first(decision), Some("UpdateOpenStackServer"));
    }
}

#[test]
fn one_that_is_switched_off_leaves_nothing() {
    let mut cloud = cloud();
    let mut never = without();
    settle(&never, &mut cloud);
    let before = cloud.inventory();
    settle(&spec(), &mut cloud);
    assert_ne!(cloud.inventory(), before);
    let want = want(without());
    let done = journal(&mut cloud, |seen| plan(&want, seen, NOW));
    let place = |name: &str| done.iter().position(|have| have == name).expect("done");
    // Its floating IP must not outlive it, and its group cannot go before its port.
    assert!(
        place("DeleteFloatingIP") < place("DeleteOpenStackServer"),
        "{done:?}"
    );
    assert!(
        place("DeleteOpenStackServer") < place("DeleteSecurityGroup"),
        "{done:?}"
    );
    assert_eq!(cloud.inventory(), before);
    assert_eq!(cloud.holds.status.bastion, None);
    assert_eq!(cloud.holds.status.bastion_security_group, None);
    // To leave it out is the same as to switch it off.
    settle(&spec(), &mut cloud);
    never["bastion"] = Value::Null;
    settle(&never, &mut cloud);
    assert_eq!(cloud.inventory(), before);
}

#[test]
fn it_goes_before_the_rest() {
    let mut cloud = cloud();
    let before = cloud.inventory();
    settle(&spec(), &mut cloud);
    let gone = gone(spec());
    let done = journal(&mut cloud, |seen| delete(&gone, seen, NOW));
    assert_eq!(done[..2], ["DeleteFloatingIP", "DeleteOpenStackServer"]);
    assert_eq!(cloud.inventory(), before);
}

#[test]
fn a_group_that_cannot_go_holds_up_nothing() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let group = cloud.holds.status.bastion_security_group.clone();
    let group = group.expect("a group").id;
    let want = want(without());
    for _ in 0..30 {
        let decision = plan(&want, &cloud.holds, NOW);
        cloud.holds.status = decision.status.status.clone();
        match &decision.step {
            Step::Do(actions) => {
                for action in actions {
                    let of_group = action.name() == "DeleteSecurityGroup";
                    if of_group {
                        // The cloud refuses: the cluster is complete all the same.
                        assert_eq!(action.condition(), None);
                        assert!(is_true(&decision.status.status.conditions, "Ready"));
                        continue;
                    }
                    cloud.apply(action).expect("accepted");
                }
            }
            _ => cloud.tick(),
        }
    }
    let status = &cloud.holds.status;
    assert!(status.worker_security_group.is_some());
    assert_eq!(status.bastion_security_group, None);
    assert!(is_true(&status.conditions, "SecurityGroupsReady"));
    let refused = plan(&want, &cloud.holds, NOW).step;
    let delete = Action::DeleteSecurityGroup {
        group: group.clone(),
    };
    assert_eq!(
        refused,
        Step::Do(vec![Action::ForBastion(Box::new(delete))])
    );
    // One that is known to be in use is not even tried.
    cloud.holds.ports.push(Port {
        id: "somebody's".into(),
        security_groups: vec![group],
        ..Port::default()
    });
    assert_eq!(plan(&want, &cloud.holds, NOW).step, Step::Done);
}

#[test]
fn an_object_of_somebody_else_is_left_alone() {
    let mut cloud = cloud();
    settle(&spec(), &mut cloud);
    let mut object = cloud.holds.bastion.clone().expect("an object");
    object.metadata.owner_references = None;
    cloud.holds.bastion = Some(object.clone());
    let decision = plan(&want(spec()), &cloud.holds, NOW);
    let Step::Blocked(problem) = decision.step else {
        panic!("{:?}", decision.step);
    };
    assert_eq!(problem.reason, "BastionNameTaken");
    assert!(problem.to_string().contains("demo-bastion"), "{problem}");

    let gone = gone(without());
    cloud.holds.ports.retain(|port| port.name != "bastion-0");
    converge(&mut cloud, |seen| delete(&gone, seen, NOW));
    assert_eq!(cloud.holds.bastion, Some(object));
}
