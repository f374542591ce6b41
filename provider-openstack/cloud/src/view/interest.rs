//! Who waits for what.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::Kind;

/// The keys that follow rows or expect kinds to change. No I/O, no clock.
#[derive(Debug, Default)]
pub(crate) struct Interest {
    follows: HashMap<String, HashSet<String>>,
    followers: HashMap<String, BTreeSet<String>>,
    expects: HashMap<String, BTreeSet<Kind>>,
    /// How many keys expect a kind.
    expected: HashMap<Kind, usize>,
}

impl Interest {
    /// Replaces what `key` follows: ids, or names of rows that need not exist yet.
    pub fn follow(&mut self, key: &str, ids: impl IntoIterator<Item = String>) {
        self.unfollow(key);
        let ids: HashSet<String> = ids.into_iter().filter(|id| !id.is_empty()).collect();
        for id in &ids {
            self.followers
                .entry(id.clone())
                .or_default()
                .insert(key.to_owned());
        }
        self.follows.insert(key.to_owned(), ids);
    }

    fn unfollow(&mut self, key: &str) {
        for id in self.follows.remove(key).unwrap_or_default() {
            if let Some(keys) = self.followers.get_mut(&id) {
                keys.remove(key);
                if keys.is_empty() {
                    self.followers.remove(&id);
                }
            }
        }
    }

    /// Replaces what `key` expects to change soon.
    pub fn expect(&mut self, key: &str, kinds: &[Kind]) {
        self.settled(key);
        let kinds: BTreeSet<Kind> = kinds.iter().copied().collect();
        for &kind in &kinds {
            *self.expected.entry(kind).or_default() += 1;
        }
        self.expects.insert(key.to_owned(), kinds);
    }

    /// `key` expects nothing any more.
    pub fn settled(&mut self, key: &str) {
        for kind in self.expects.remove(key).unwrap_or_default() {
            if let Some(count) = self.expected.get_mut(&kind) {
                *count -= 1;
            }
        }
    }

    /// `key` is gone.
    pub fn forget(&mut self, key: &str) {
        self.unfollow(key);
        self.settled(key);
    }

    /// Whether anybody expects this kind to change.
    pub fn is_expected(&self, kind: Kind) -> bool {
        self.expected.get(&kind).is_some_and(|&count| count > 0)
    }

    /// Whether anybody follows the row with this id or name.
    pub fn is_followed(&self, id: &str) -> bool {
        self.followers.contains_key(id)
    }

    /// Whether nobody is interested in anything.
    pub fn is_empty(&self) -> bool {
        self.follows.is_empty() && self.expects.is_empty()
    }

    /// The keys to wake when these ids and names have changed.
    pub fn woken_by(&self, changed: &[String]) -> BTreeSet<String> {
        changed
            .iter()
            .filter_map(|id| self.followers.get(id))
            .flatten()
            .cloned()
            .collect()
    }

    /// Every key.
    pub fn keys(&self) -> BTreeSet<String> {
        self.follows
            .keys()
            .chain(self.expects.keys())
            .cloned()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_woken_by_what_it_follows_now() {
        let mut interest = Interest::default();
        interest.follow("a", ["1".to_owned(), "2".to_owned()]);
        interest.follow("b", ["2".to_owned()]);
        let woken = |interest: &Interest, id: &str| -> Vec<String> {
            interest.woken_by(&[id.to_owned()]).into_iter().collect()
        };
        assert_eq!(woken(&interest, "2"), ["a", "b"]);
        interest.follow("a", ["3".to_owned()]);
        assert_eq!(woken(&interest, "2"), ["b"]);
        interest.forget("b");
        assert!(woken(&interest, "2").is_empty());
    }

    #[test]
    fn a_kind_is_expected_until_the_last_key_has_settled() {
        let mut interest = Interest::default();
        interest.expect("a", &[Kind::Ports, Kind::Servers]);
        interest.expect("b", &[Kind::Servers, Kind::Servers]);
        interest.expect("b", &[Kind::Servers]);
        interest.settled("a");
        interest.settled("a");
        assert!(!interest.is_expected(Kind::Ports) && interest.is_expected(Kind::Servers));
        interest.forget("b");
        assert!(interest.is_empty() && !interest.is_expected(Kind::Servers));
    }
}
