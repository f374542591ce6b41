//! Tags of resources in the cloud.

use std::collections::BTreeSet;

/// The tags to set, each once and in order; `None` when the resource carries all of them already.
///
/// Neutron replaces the whole set of tags, so setting them takes foreign tags away, as CAPO does.
/// Tags that somebody adds beside a complete set are left alone.
pub fn missing(want: &[String], have: &[String]) -> Option<Vec<String>> {
    let want: BTreeSet<&String> = want.iter().collect();
    let complete = want.iter().all(|tag| have.contains(tag));
    (!complete).then(|| want.into_iter().cloned().collect())
}

/// Several lists of tags as one, each tag once, in order of first appearance.
pub fn merged<'a>(lists: impl IntoIterator<Item = &'a [String]>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    lists
        .into_iter()
        .flatten()
        .filter(|tag| seen.insert(*tag))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(list: &[&str]) -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_an_incomplete_set_is_replaced() {
        assert_eq!(missing(&tags(&["b", "a", "b"]), &tags(&["a", "b"])), None);
        assert_eq!(
            missing(&tags(&["b", "a"]), &tags(&["a", "c"])),
            Some(tags(&["a", "b"]))
        );
        assert_eq!(missing(&tags(&["a"]), &tags(&["a", "foreign"])), None);
        assert_eq!(missing(&[], &tags(&["foreign"])), None);
    }

    #[test]
    fn merged_tags_appear_once() {
        let (machine, cluster) = (tags(&["m", "x"]), tags(&["x", "c"]));
        assert_eq!(
            merged([machine.as_slice(), cluster.as_slice()]),
            tags(&["m", "x", "c"])
        );
    }
}
