//! Who is to be looked at again when a cluster is no longer paused.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crds::capi;
use runtime::Key;
use runtime::controller::{Cached, Object};

/// Remembers which clusters are paused, so that other changes of a cluster, which are many, do not
/// wake all that belongs to it.
#[derive(Debug, Default)]
pub struct Unpaused(Mutex<HashSet<Key>>);

impl Unpaused {
    /// The objects with the label of `cluster`, if it was paused when it was last seen and is not
    /// any more.
    pub fn members<K: Object>(&self, cluster: &capi::Cluster, objects: &Cached<K>) -> Vec<Key> {
        let key = Key::of(cluster);
        if !self.ended(&key, cluster.spec.paused) {
            return Vec::new();
        }
        members(&key, objects, |_| true)
    }

    fn ended(&self, key: &Key, paused: bool) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if paused {
            known.insert(key.clone());
            return false;
        }
        known.remove(key)
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
    fn only_the_end_of_a_pause_counts() {
        let unpaused = Unpaused::default();
        let key = Key::new("default", "demo");
        let ended: Vec<bool> = [false, true, true, false, false]
            .map(|paused| unpaused.ended(&key, paused))
            .into();
        assert_eq!(ended, [false, false, false, true, false]);
    }
}
