//! What labels, annotations and owner references say about an object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::{Cluster, names};

/// The owner of the given kind of Cluster API's group, whatever the version.
fn owner<'a>(meta: &'a ObjectMeta, kind: &str) -> Option<&'a OwnerReference> {
    let is_capi = |api_version: &str| {
        api_version
            .split_once('/')
            .is_some_and(|(group, _)| group == names::GROUP)
    };
    meta.owner_references
        .iter()
        .flatten()
        .find(|o| o.kind == kind && is_capi(&o.api_version))
}

/// Name of the Cluster that owns the object, in the same namespace.
pub fn owner_cluster_name(meta: &ObjectMeta) -> Option<&str> {
    owner(meta, "Cluster").map(|o| o.name.as_str())
}

/// Name of the Machine that owns the object, in the same namespace.
pub fn owner_machine(meta: &ObjectMeta) -> Option<&str> {
    owner(meta, "Machine").map(|o| o.name.as_str())
}

/// Name of the Cluster that the object is labelled with.
pub fn cluster_name(meta: &ObjectMeta) -> Option<&str> {
    label(meta, names::CLUSTER_NAME_LABEL)
}

/// The object is of the control plane.
pub fn is_control_plane(meta: &ObjectMeta) -> bool {
    label(meta, names::CONTROL_PLANE_LABEL).is_some()
}

/// Nothing of the object is to be changed: by its annotation, by its Cluster, or because it has
/// moved away.
pub fn is_paused(cluster: Option<&Cluster>, meta: &ObjectMeta) -> bool {
    annotation(meta, names::PAUSED_ANNOTATION).is_some()
        || has_moved_away(meta)
        || cluster.is_some_and(|c| c.spec.paused)
}

/// Controllers of another management cluster handle the object now. That it is deleted here ends
/// nothing in the cloud.
pub fn has_moved_away(meta: &ObjectMeta) -> bool {
    annotation(meta, names::DELETE_FOR_MOVE_ANNOTATION).is_some()
}

/// Something else provides the infrastructure.
pub fn is_externally_managed(meta: &ObjectMeta) -> bool {
    annotation(meta, names::MANAGED_BY_ANNOTATION).is_some()
}

/// The object is ours to handle. Without a filter, every object is.
pub fn matches_watch_filter(meta: &ObjectMeta, filter: Option<&str>) -> bool {
    filter.is_none_or(|filter| label(meta, names::WATCH_FILTER_LABEL) == Some(filter))
}

fn label<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.labels.as_ref()?.get(key).map(String::as_str)
}

fn annotation<'a>(meta: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(key).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned_by(api_version: &str, kind: &str) -> ObjectMeta {
        ObjectMeta {
            owner_references: Some(vec![OwnerReference {
                api_version: api_version.into(),
                kind: kind.into(),
                name: "demo".into(),
                ..Default::default()
            }]),
            ..Default::default()
        }
    }

    #[test]
    fn an_owner_of_any_version_counts() {
        for version in ["v1beta1", "v1beta2", "v1"] {
            let meta = owned_by(&format!("cluster.x-k8s.io/{version}"), "Cluster");
            assert_eq!(owner_cluster_name(&meta), Some("demo"));
        }
    }

    #[test]
    fn an_owner_of_another_group_or_kind_does_not() {
        assert_eq!(
            owner_cluster_name(&owned_by("example.org/v1", "Cluster")),
            None
        );
        assert_eq!(
            owner_machine(&owned_by("cluster.x-k8s.io/v1beta2", "Cluster")),
            None
        );
    }

    #[test]
    fn a_cluster_pauses_what_is_part_of_it() {
        let mut cluster = Cluster::default();
        assert!(!is_paused(Some(&cluster), &ObjectMeta::default()));
        cluster.spec.paused = true;
        assert!(is_paused(Some(&cluster), &ObjectMeta::default()));
    }

    #[test]
    fn what_has_moved_away_is_paused() {
        let moved = [(names::DELETE_FOR_MOVE_ANNOTATION.into(), String::new())];
        let meta = ObjectMeta {
            annotations: Some(moved.into()),
            ..ObjectMeta::default()
        };
        assert!(has_moved_away(&meta) && is_paused(None, &meta));
    }

    #[test]
    fn without_a_filter_every_object_is_ours() {
        let meta = ObjectMeta::default();
        assert!(matches_watch_filter(&meta, None));
        assert!(!matches_watch_filter(&meta, Some("blue")));
    }
}
