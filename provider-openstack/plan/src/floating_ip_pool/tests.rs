use crds::openstack::v1alpha1::ReclaimPolicy;
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

const CAPO: &str = "Created by cluster-api-provider-openstack OpenStackFloatingIPPool pool";
const CAPO_TAG: &str = "cluster-api-provider-openstack-fip-pool-pool";

/// The cloud and the management cluster.
#[derive(Clone, Debug, Default)]
struct Model {
    claims: Vec<Claim>,
    addresses: Vec<Address>,
    floating_ips: Vec<FloatingIp>,
    alone: bool,
    ids: usize,
}

impl Model {
    fn seen(&self) -> Seen {
        Seen {
            claims: self.claims.clone(),
            addresses: self.addresses.clone(),
            floating_ips: self.floating_ips.clone(),
            networks: networks(),
            alone: self.alone,
            tagging: true,
        }
    }

    fn add(&mut self, address: &str, description: &str, tags: &[&str]) {
        self.floating_ips.push(FloatingIp {
            id: format!("id-{address}"),
            address: address.into(),
            description: description.into(),
            tags: tags.iter().map(ToString::to_string).collect(),
            ..FloatingIp::default()
        });
    }

    fn claim(&mut self, name: &str) {
        self.claims.push(Claim {
            name: name.into(),
            ..Claim::default()
        });
    }

    /// The claim and, as the garbage collector does it, its address begin to go.
    fn unclaim(&mut self, name: &str) {
        self.claims.retain(|claim| claim.name != name);
        for address in self.addresses.iter_mut().filter(|one| one.name == name) {
            address.deleting = true;
        }
    }

    fn apply(&mut self, action: &Action) {
        match action {
            Action::CreateFloatingIp(new) => {
                self.ids += 1;
                self.floating_ips.push(FloatingIp {
                    id: format!("made-{}", self.ids),
                    address: format!("192.0.2.{}", 100 + self.ids),
                    description: new.description.clone(),
                    network_id: new.network_id.clone(),
                    ..FloatingIp::default()
                });
            }
            Action::TagFloatingIp { id, tags } => {
                for ip in self.floating_ips.iter_mut().filter(|ip| ip.id == *id) {
                    ip.tags.clone_from(tags);
                }
            }
            Action::DeleteFloatingIp { id, .. } => self.floating_ips.retain(|ip| ip.id != *id),
            Action::CreateAddress(new) => {
                let address = Address {
                    name: new.metadata.name.clone().expect("named"),
                    address: new.spec.address.clone(),
                    deleting: false,
                    held: true,
                };
                let taken = |one: &Address| one.address == address.address;
                assert!(!self.addresses.iter().any(taken), "given twice");
                self.addresses.push(address);
            }
            Action::Answer(name) => {
                for claim in self.claims.iter_mut().filter(|claim| claim.name == *name) {
                    claim.answered = true;
                }
            }
            Action::ReleaseAddress(name) => self.addresses.retain(|one| one.name != *name),
        }
    }
}

fn networks() -> Vec<Network> {
    let network = |id: &str, external| Network {
        id: id.into(),
        name: id.into(),
        external,
        ..Network::default()
    };
    vec![network("nodes", false), network("public", true)]
}

fn want(policy: ReclaimPolicy) -> Want {
    let spec = OpenStackFloatingIPPoolSpec {
        reclaim_policy: policy,
        ..OpenStackFloatingIPPoolSpec::default()
    };
    Want {
        namespace: "ns".into(),
        name: "pool".into(),
        spec,
        ..Want::default()
    }
}

/// One reconcile of which only `most` actions are done, and whose status may be lost.
fn reconcile(model: &mut Model, want: &mut Want, most: usize, publish: bool) -> Step<Action> {
    let decision = plan(want, &model.seen(), Timestamp::UNIX_EPOCH);
    if let Step::Do(actions) = &decision.step {
        assert!(!actions.is_empty());
        for action in actions.iter().take(most) {
            model.apply(action);
        }
    }
    if publish {
        want.status = decision.status;
    }
    decision.step
}

fn settle(model: &mut Model, want: &mut Want) -> Step<Action> {
    for _ in 0..40 {
        match reconcile(model, want, usize::MAX, true) {
            Step::Do(_) => {}
            end => return end,
        }
    }
    panic!("does not settle: {model:?}")
}

fn addresses(model: &Model) -> Vec<&str> {
    let all = model.floating_ips.iter();
    all.map(|ip| ip.address.as_str()).collect()
}

fn reason(want: &Want) -> &str {
    &want.status.conditions[0].reason
}

#[test]
fn a_claim_gets_a_preallocated_address_first_and_then_a_new_one() {
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Delete);
    want.spec.pre_allocated_floating_ips = vec!["192.0.2.1".into(), "192.0.2.2".into()];
    model.add("192.0.2.1", "mine", &[]);
    model.claim("a");
    model.claim("b");
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(want.status.claimed_ips, ["192.0.2.1", "192.0.2.101"]);
    // It does not exist, and is not forgotten: it may yet.
    assert_eq!(want.status.failed_ips, ["192.0.2.2"]);
    assert!(model.claims.iter().all(|claim| claim.answered));
    let network = want.status.floating_ip_network.as_ref().expect("found");
    assert_eq!(network.id, "public");
    assert_eq!(model.floating_ips[1].tags, [CAPO_TAG]);
}

#[test]
fn reclaim_deletes_what_the_pool_made_and_keeps_what_was_there() {
    for (policy, left) in [
        (ReclaimPolicy::Delete, vec!["192.0.2.1"]),
        (ReclaimPolicy::Retain, vec!["192.0.2.1", "192.0.2.101"]),
    ] {
        let mut model = Model::default();
        let mut want = want(policy);
        want.spec.pre_allocated_floating_ips = vec!["192.0.2.1".into()];
        model.add("192.0.2.1", "mine", &[]);
        model.claim("a");
        model.claim("b");
        settle(&mut model, &mut want);
        model.unclaim("a");
        model.unclaim("b");
        assert_eq!(settle(&mut model, &mut want), Step::Done);
        assert_eq!(
            (addresses(&model), model.addresses.len()),
            (left.clone(), 0)
        );
        assert_eq!(want.status.available_ips, left);
        // The pool gives back what it made, and nothing else.
        want.deleting = true;
        assert_eq!(settle(&mut model, &mut want), Step::Done);
        assert_eq!(addresses(&model), ["192.0.2.1"]);
    }
}

/// `clusterctl move` brings a claim first, without its status, and its address a moment later.
#[test]
fn a_claim_of_a_paused_cluster_waits() {
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Delete);
    model.claim("a");
    model.claims[0].paused = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.floating_ips, []);
    model.claims[0].paused = false;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert!(model.claims[0].answered);
}

#[test]
fn no_more_than_the_limit_are_made() {
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Delete);
    want.spec.max_ips = Some(1);
    model.claim("a");
    model.claim("b");
    assert!(matches!(settle(&mut model, &mut want), Step::Wait(_)));
    assert_eq!(
        (reason(&want), model.floating_ips.len()),
        ("MaxIPsReached", 1)
    );
    model.unclaim("a");
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!((reason(&want), model.floating_ips.len()), ("Ready", 1));
    assert_eq!(model.addresses[0].name, "b");
}

/// CAPO's tag and description lack the namespace, so that it takes the addresses of a pool of the
/// same name in another namespace.
#[test]
fn a_pool_of_the_same_name_elsewhere_keeps_its_addresses() {
    let other = "Created by cluster-api-provider-openstack OpenStackFloatingIPPool other/pool";
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Delete);
    model.add("192.0.2.1", other, &[CAPO_TAG]);
    model.add("192.0.2.2", CAPO, &[CAPO_TAG]);
    model.claim("a");
    settle(&mut model, &mut want);
    assert_eq!(want.status.claimed_ips, ["192.0.2.101"]);
    model.unclaim("a");
    want.deleting = true;
    settle(&mut model, &mut want);
    assert_eq!(addresses(&model), ["192.0.2.1", "192.0.2.2"]);
}

#[test]
fn a_pool_of_capo_is_taken_over() {
    let mut model = Model {
        alone: true,
        ..Model::default()
    };
    let mut want = want(ReclaimPolicy::Delete);
    // Claimed, available, and one whose answer CAPO lost.
    model.add("192.0.2.1", CAPO, &[CAPO_TAG]);
    model.add("192.0.2.2", CAPO, &[CAPO_TAG]);
    model.addresses.push(Address {
        name: "a".into(),
        address: "192.0.2.1".into(),
        deleting: false,
        held: true,
    });
    model.claims.push(Claim {
        name: "a".into(),
        answered: true,
        ..Claim::default()
    });
    let before = model.clone();
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(model.floating_ips, before.floating_ips);
    assert_eq!(want.status.available_ips, ["192.0.2.2"]);
    model.unclaim("a");
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert!(model.floating_ips.is_empty());
}

#[test]
fn an_address_in_use_is_not_given() {
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Retain);
    want.spec.pre_allocated_floating_ips = vec!["192.0.2.1".into()];
    model.add("192.0.2.1", "mine", &[]);
    model.floating_ips[0].port_id = Some("of-somebody".into());
    model.claim("a");
    settle(&mut model, &mut want);
    assert_eq!(want.status.claimed_ips, ["192.0.2.101"]);
}

/// When a request was done twice. Nothing tells such a one from one that is kept for later.
#[test]
fn an_address_made_twice_is_told_of_given_to_the_next_claim_and_goes_with_the_pool() {
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Delete);
    model.claim("a");
    settle(&mut model, &mut want);
    model.add("192.0.2.50", &want.description(), &[CAPO_TAG]);
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert_eq!(want.status.available_ips, ["192.0.2.50"]);
    model.claim("b");
    settle(&mut model, &mut want);
    assert_eq!(want.status.claimed_ips, ["192.0.2.101", "192.0.2.50"]);
    model.add("192.0.2.51", &want.description(), &[CAPO_TAG]);
    for claim in ["a", "b"] {
        model.unclaim(claim);
    }
    want.deleting = true;
    assert_eq!(settle(&mut model, &mut want), Step::Done);
    assert!(model.floating_ips.is_empty());
}

#[test]
fn a_pool_waits_for_its_last_address() {
    let mut model = Model::default();
    let mut want = want(ReclaimPolicy::Delete);
    model.claim("a");
    settle(&mut model, &mut want);
    want.deleting = true;
    assert!(matches!(settle(&mut model, &mut want), Step::Wait(_)));
    assert_eq!((reason(&want), model.floating_ips.len()), ("Deleting", 1));
}

#[test]
fn a_network_that_is_not_external_or_not_the_only_one_is_refused() {
    let mut want = want(ReclaimPolicy::Delete);
    let mut seen = Model::default().seen();
    let problem = |want: &Want, seen: &Seen| match plan(want, seen, Timestamp::UNIX_EPOCH).step {
        Step::Blocked(problem) => problem.to_string(),
        other => panic!("not blocked: {other:?}"),
    };
    want.spec.floating_ip_network = Some(crds::openstack::v1beta2::NetworkParam {
        id: Some("nodes".into()),
        filter: None,
    });
    assert_eq!(
        problem(&want, &seen),
        "OpenStackFloatingIPPool ns/pool: spec.floatingIPNetwork = {\"id\":\"nodes\"}: no such external network: there are public"
    );
    want.spec.floating_ip_network = None;
    seen.networks.push(Network {
        id: "public-2".into(),
        name: "public-2".into(),
        external: true,
        ..Network::default()
    });
    assert!(problem(&want, &seen).contains("2 external networks fit (public, public-2)"));
}

proptest! {
    /// Whatever is cut off or forgotten on the way: each claim has an address of its own, nothing is
    /// left over beyond what calls were in flight, and in the end nothing is left.
    #[test]
    fn claims_are_answered_once_and_nothing_leaks(
        claims in 1..5usize,
        preallocated in any::<bool>(),
        retain in any::<bool>(),
        faults in prop::collection::vec((0..4usize, any::<bool>()), 0..12),
        unclaimed in 0..3usize,
    ) {
        let mut model = Model::default();
        let mut want = want(if retain { ReclaimPolicy::Retain } else { ReclaimPolicy::Delete });
        model.add("198.51.100.1", "foreign", &[]);
        if preallocated {
            want.spec.pre_allocated_floating_ips = vec!["192.0.2.1".into()];
            model.add("192.0.2.1", "mine", &[]);
        }
        let kept = model.floating_ips.clone();
        for index in 0..claims {
            model.claim(&format!("claim-{index}"));
        }
        for (most, publish) in &faults {
            reconcile(&mut model, &mut want, *most, *publish);
        }
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert!(model.claims.iter().all(|claim| claim.answered));
        prop_assert_eq!(model.addresses.len(), claims);
        prop_assert_eq!(model.floating_ips.len(), 1 + claims.max(usize::from(preallocated)));
        let idle = want.status.clone();
        reconcile(&mut model, &mut want, usize::MAX, true);
        prop_assert_eq!(&want.status, &idle);

        for index in 0..unclaimed.min(claims) {
            model.unclaim(&format!("claim-{index}"));
        }
        for (most, publish) in &faults {
            reconcile(&mut model, &mut want, *most, *publish);
        }
        settle(&mut model, &mut want);
        for index in 0..claims {
            model.unclaim(&format!("claim-{index}"));
        }
        want.deleting = true;
        for (most, publish) in faults {
            reconcile(&mut model, &mut want, most, publish);
        }
        prop_assert_eq!(settle(&mut model, &mut want), Step::Done);
        prop_assert!(model.addresses.is_empty());
        prop_assert_eq!(model.floating_ips, kept);
    }
}
