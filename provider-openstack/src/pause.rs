//! What a pause says, and who is to be looked at again when a cluster is paused or no longer is.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crds::capi;
use crds::openstack::conditions::{ConditionType, Reason};
use plan::conditions::{New, Status};
use runtime::Key;
use runtime::controller::{Cached, Object};

/// Remembers which clusters are paused, so that other changes of a cluster, which are many, do not
/// wake all that belongs to it.
#[derive(Debug, Default)]
pub struct Pauses(Mutex<HashSet<Key>>);

impl Pauses {
    /// The objects with the label of `cluster`, if it was paused or unpaused since it was last seen.
    pub fn members<K: Object>(&self, cluster: &capi::Cluster, objects: &Cached<K>) -> Vec<Key> {
        let key = Key::of(cluster);
        if !self.changed(&key, cluster.spec.paused) {
            return Vec::new();
        }
        members(&key, objects, |_| true)
    }

    /// The objects in the namespace of `cluster`, if it was paused or unpaused since it was last
    /// seen.
    pub fn neighbours<K: Object>(&self, cluster: &capi::Cluster, objects: &Cached<K>) -> Vec<Key> {
        let key = Key::of(cluster);
        if !self.changed(&key, cluster.spec.paused) {
            return Vec::new();
        }
        let is_beside = |object: &K| object.meta().namespace.as_ref() == Some(&key.namespace);
        objects.list(is_beside).iter().map(Key::of).collect()
    }

    fn changed(&self, key: &Key, paused: bool) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if paused {
            return known.insert(key.clone());
        }
        known.remove(key)
    }
}

/// The condition `Paused`, as the contract of Cluster API has it.
pub fn condition(paused: bool) -> New<'static> {
    let (status, reason) = match paused {
        true => (Status::True, Reason::Paused),
        false => (Status::False, Reason::NotPaused),
    };
    New {
        status,
        ..New::not(ConditionType::Paused.as_str(), reason.as_str(), "")
    }
}

/// The objects with the label of `cluster` that `wanted` accepts.
pub fn members<K: Object>(
    cluster: &Key,
    objects: &Cached<K>,
    wanted: impl Fn(&K) -> bool,
) -> Vec<Key> {
    let belongs = |object: &K| {
        let meta = object.meta();
        meta.namespace.as_ref() == Some(&cluster.namespace)
            && capi::cluster_name(meta) == Some(cluster.name.as_str())
            && wanted(object)
    };
    objects.list(belongs).iter().map(Key::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn begin_and_end_of_a_pause_count() {
        let pauses = Pauses::default();
        let key = Key::new("default", "demo");
        let told: Vec<bool> = [false, true, true, false, false]
            .map(|paused| pauses.changed(&key, paused))
            .into();
        assert_eq!(told, [false, true, false, true, false]);
    }
}
