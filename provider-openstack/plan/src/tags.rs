//! Tags of resources in the cloud.

use std::collections::BTreeSet;

/// The tags to set, each once and in order; `None` when the resource already carries exactly these.
///
/// As in CAPO, our tags replace whatever was there: the API of Neutron replaces the whole set.
/// A resource whose owner wants no tags is left alone, so that foreign tags survive there.
pub fn missing(want: &[String], have: &[String]) -> Option<Vec<String>> {
    let want: BTreeSet<&String> = want.iter().collect();
    let have: BTreeSet<&String> = have.iter().collect();
    (!want.is_empty() && want != have).then(|| want.into_iter().cloned().collect())
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
    fn tags_are_compared_as_sets() {
        assert_eq!(missing(&tags(&["b", "a", "b"]), &tags(&["a", "b"])), None);
        assert_eq!(
            missing(&tags(&["b", "a"]), &tags(&["a"])),
            Some(tags(&["a", "b"]))
        );
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
