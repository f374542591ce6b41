//! Every field of every kind, as its schema lists them: what may not change is refused by its name,
//! what may change is not.

use std::sync::LazyLock;

use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{
    OpenStackCluster, OpenStackClusterTemplate, OpenStackMachine, OpenStackMachineTemplate,
};
use crds::openstack::validation::Rules;
use kube::{CustomResourceExt, Resource};
use proptest::prelude::*;
use serde::de::DeserializeOwned;

use crate::fields::{Full, Leaf, full};
use crate::object;

/// What may change of a kind.
struct Kind {
    full: Full,
    /// Patterns of fields, with all that is in them.
    free: &'static [&'static str],
    /// Switches that are on, as they are in the full spec, unless they are turned off.
    on: &'static [&'static str],
    /// What its list of fields must hold, so that it cannot be empty by mistake.
    at_least: usize,
}

const CLUSTER: &[&str] = &[
    "spec.identityRef",
    "spec.bastion",
    "spec.primarySubnet",
    "spec.controlPlaneAvailabilityZones",
    "spec.controlPlaneOmitAvailabilityZone",
    "spec.managedSecurityGroups",
    "spec.managedSubnets[].dnsNameservers",
    "spec.apiServer.managedLoadBalancer.allowedCIDRs",
    "spec.apiServer.managedLoadBalancer.monitor",
];

/// May be set later, but not changed.
const ONCE: &str = "spec.controlPlaneEndpoint.host";

/// They contradict another field that is set.
const CONTRADICTIONS: &[&str] = &[
    "spec.managedSecurityGroups.clusterNodesSecurityGroupRules[].remoteGroupID",
    "spec.managedSecurityGroups.clusterNodesSecurityGroupRules[].remoteManagedGroups",
    "spec.managedSecurityGroups.controlPlaneNodesSecurityGroupRules[].remoteGroupID",
    "spec.managedSecurityGroups.controlPlaneNodesSecurityGroupRules[].remoteManagedGroups",
    "spec.managedSecurityGroups.workerNodesSecurityGroupRules[].remoteGroupID",
    "spec.managedSecurityGroups.workerNodesSecurityGroupRules[].remoteManagedGroups",
    "spec.bastion.spec.ports[].securityGroups",
];

/// Maps, which have no fields of their own.
const MAPS: &[&str] = &["spec.template.metadata"];

fn kind<K: CustomResourceExt>(
    version: &str,
    free: &'static [&'static str],
    at_least: usize,
) -> Kind {
    Kind {
        full: full(&K::crd(), version, &[CONTRADICTIONS, MAPS].concat()),
        free,
        on: &[],
        at_least,
    }
}

fn cluster() -> Kind {
    Kind {
        on: &[
            "spec.enableExternalNetwork",
            "spec.apiServer.enableFloatingIP",
            "spec.apiServer.managedLoadBalancer.enabled",
        ],
        ..kind::<OpenStackCluster>("v1beta2", CLUSTER, 220)
    }
}

fn cluster_template() -> Kind {
    kind::<OpenStackClusterTemplate>("v1beta2", &[], 220)
}

fn machine() -> Kind {
    let free: &[&str] = &[
        "spec.providerID",
        "spec.identityRef",
        "spec.ports[].allowedAddressPairs",
    ];
    kind::<OpenStackMachine>("v1beta2", free, 90)
}

fn machine_template() -> Kind {
    let free: &[&str] = &["spec.template.spec.ports[].allowedAddressPairs"];
    kind::<OpenStackMachineTemplate>("v1beta2", free, 90)
}

fn server() -> Kind {
    let free: &[&str] = &["spec.identityRef", "spec.ports[].allowedAddressPairs"];
    kind::<OpenStackServer>("v1alpha1", free, 90)
}

impl Kind {
    fn is_free(&self, leaf: &Leaf) -> bool {
        let is = |free: &&str| {
            leaf.pattern
                .strip_prefix(free)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.free.iter().any(is)
    }
}

/// The fields that are refused.
fn refused<K>(old: &serde_json::Value, new: &serde_json::Value) -> Vec<String>
where
    K: Rules + Resource<DynamicType = ()> + DeserializeOwned,
{
    let kind = K::kind(&());
    let found = object::<K>(&kind, new).on_update(&object(&kind, old));
    for violation in &found {
        let text = violation.to_string();
        assert!(text.starts_with(&violation.field) && !violation.way_out.is_empty());
        let value = violation.value.as_ref().map(ToString::to_string);
        assert!(value.is_none_or(|value| value.len() > 200 || text.contains(&value)));
    }
    let mut fields: Vec<String> = found.into_iter().map(|violation| violation.field).collect();
    fields.sort();
    fields
}

/// One field at a time: another value, gone, and come anew.
fn one_by_one<K>(kind: &Kind)
where
    K: Rules + Resource<DynamicType = ()> + DeserializeOwned,
{
    let full = &kind.full;
    assert!(full.leaves.len() >= kind.at_least, "{}", full.leaves.len());
    assert_eq!(refused::<K>(&full.spec, &full.spec), [""; 0]);
    for leaf in &full.leaves {
        let expected: &[&str] = if kind.is_free(leaf) {
            &[]
        } else {
            &[&leaf.field]
        };
        let changed = full.changed([leaf]);
        assert_eq!(refused::<K>(&full.spec, &changed), expected, "changed");
        if leaf.optional {
            let without = full.without(leaf);
            let expected = if kind.on.contains(&leaf.pattern.as_str()) {
                &[]
            } else {
                expected
            };
            assert_eq!(refused::<K>(&full.spec, &without), expected, "removed");
            let expected = if leaf.pattern == ONCE { &[] } else { expected };
            assert_eq!(refused::<K>(&without, &full.spec), expected, "set later");
        }
    }
}

#[test]
fn a_cluster_changes_only_where_the_provider_can_follow() {
    one_by_one::<OpenStackCluster>(&cluster());
}

#[test]
fn a_cluster_template_never_changes() {
    one_by_one::<OpenStackClusterTemplate>(&cluster_template());
}

#[test]
fn a_machine_changes_only_in_what_is_written_into_it() {
    one_by_one::<OpenStackMachine>(&machine());
}

#[test]
fn a_machine_template_changes_only_in_address_pairs() {
    one_by_one::<OpenStackMachineTemplate>(&machine_template());
}

#[test]
fn a_server_changes_only_where_its_machine_does() {
    one_by_one::<OpenStackServer>(&server());
}

static CLUSTERS: LazyLock<Kind> = LazyLock::new(cluster);

proptest! {
    /// Many changes at once: exactly those are named that may not be.
    #[test]
    fn of_many_changes_exactly_the_forbidden_ones_are_named(
        picked in proptest::collection::btree_set(CLUSTERS.full.indexes(), 0..12)
    ) {
        let kind = &*CLUSTERS;
        let leaves: Vec<&Leaf> = picked.iter().map(|n| &kind.full.leaves[*n]).collect();
        let new = kind.full.changed(leaves.iter().copied());
        let forbidden = leaves.iter().filter(|leaf| !kind.is_free(leaf));
        let mut forbidden: Vec<String> = forbidden.map(|leaf| leaf.field.clone()).collect();
        forbidden.sort();
        prop_assert_eq!(refused::<OpenStackCluster>(&kind.full.spec, &new), forbidden);
    }
}
