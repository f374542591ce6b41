//! Which Clusters use which class.

use std::collections::BTreeSet;

use crds::capi::Cluster;
use kube::ResourceExt;
use release::ReleaseName;
use runtime::controller::{Cached, Key};

/// Namespace and name of the class of a Cluster.
pub fn of(cluster: &Cluster) -> Option<(String, String)> {
    let topology = cluster.spec.topology.as_ref()?;
    let name = Some(topology.class_name()).filter(|name| !name.is_empty())?;
    let namespace = match topology.class_namespace() {
        "" => cluster.namespace().unwrap_or_default(),
        other => other.to_owned(),
    };
    Some((namespace, name.to_owned()))
}

/// Classes of this namespace that Clusters use, wherever the Clusters are.
pub fn in_use(clusters: &Cached<Cluster>, namespace: &str) -> BTreeSet<String> {
    let here = |cluster: &Cluster| {
        of(cluster)
            .filter(|(class, _)| class == namespace)
            .map(|(_, name)| name)
    };
    clusters
        .list(|cluster| here(cluster).is_some())
        .iter()
        .filter_map(here)
        .collect()
}

/// A Cluster that uses the class of this release in this namespace. A class is named with a dot
/// or with a dash in its version; both mean the release.
pub fn user(clusters: &Cached<Cluster>, namespace: &str, release: &ReleaseName) -> Option<String> {
    let uses = |cluster: &Cluster| {
        of(cluster).is_some_and(|(class, name)| {
            class == namespace && name.parse().is_ok_and(|name: ReleaseName| name == *release)
        })
    };
    clusters
        .list(uses)
        .first()
        .map(|cluster| Key::of(cluster).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crds::capi::{ClassRef, Topology};

    #[test]
    fn a_class_in_another_namespace_and_a_dotted_version_are_seen() {
        let mut cluster = Cluster::default();
        cluster.metadata.namespace = Some("tenant".into());
        cluster.metadata.name = Some("c1".into());
        let class_ref = ClassRef {
            name: "openstack-scs-1-36-v0-sha.abc1234".into(),
            namespace: "stacks".into(),
        };
        cluster.spec.topology = Some(Topology {
            class_ref,
            ..Topology::default()
        });
        let clusters = Cached::fixed([cluster]);
        let release: ReleaseName = "openstack-scs-1-36-v0-sha-abc1234".parse().expect("name");
        assert_eq!(
            user(&clusters, "stacks", &release).as_deref(),
            Some("tenant/c1")
        );
        assert_eq!(user(&clusters, "tenant", &release), None);
    }
}
