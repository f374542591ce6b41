//! Which releases a ClusterStack keeps, makes and drops.
//!
//! Kept: the newest ready one (clusters can be made of it while a newer one is still on its way),
//! the newest of the source when it subscribes, those named in `versions`, and every one that a
//! Cluster uses. Everything else goes. A source that does not answer changes nothing.

use std::collections::BTreeSet;

use crate::name::{ReleaseName, Stack};
use crate::version::Version;

/// What a ClusterStack asks for.
#[derive(Clone, Debug)]
pub struct Want {
    /// The stack.
    pub stack: Stack,
    /// `stable` or `custom`.
    pub channel: String,
    /// Versions that it names.
    pub versions: Vec<Version>,
    /// Whether it follows the newest release of the source.
    pub auto_subscribe: bool,
}

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its releases in the cluster, with whether each is ready.
    pub releases: Vec<(ReleaseName, bool)>,
    /// Tags of the source; `None` when it did not answer.
    pub available: Option<Vec<String>>,
    /// ClusterClasses that Clusters use, in any namespace.
    pub classes_in_use: BTreeSet<String>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Releases to make.
    pub create: Vec<ReleaseName>,
    /// Releases that stay.
    pub keep: Vec<ReleaseName>,
    /// Releases that nobody needs any more.
    pub delete: Vec<ReleaseName>,
    /// The newest release that is ready.
    pub latest_ready: Option<ReleaseName>,
}

/// Decides. Tags of the source that are no names of releases (signatures, for example) are passed
/// over, and so are those of other stacks and channels.
#[must_use]
pub fn plan(want: &Want, seen: &Seen) -> Plan {
    let newest_ready = newest(
        seen.releases
            .iter()
            .filter(|(_, ready)| *ready)
            .map(|(name, _)| name.clone()),
    );
    let newest_there = if want.auto_subscribe {
        newest(offered(want, seen))
    } else {
        None
    };
    let named = want.versions.iter().map(|version| ReleaseName {
        stack: want.stack.clone(),
        version: version.clone(),
    });
    let mut wanted: Vec<ReleaseName> = Vec::new();
    for name in named.chain(newest_there) {
        if !wanted.contains(&name) {
            wanted.push(name);
        }
    }
    // While the source is silent nobody knows what is newest, so what is here stays.
    let silent = want.auto_subscribe && seen.available.is_none();
    let mut plan = Plan {
        latest_ready: newest_ready.clone(),
        ..Plan::default()
    };
    for (name, _) in &seen.releases {
        let kept = silent
            || wanted.contains(name)
            || newest_ready.as_ref() == Some(name)
            || in_use(name, seen);
        let list = if kept {
            &mut plan.keep
        } else {
            &mut plan.delete
        };
        list.push(name.clone());
    }
    wanted.retain(|name| !seen.releases.iter().any(|(have, _)| have == name));
    plan.create = wanted;
    plan
}

/// Whether a Cluster uses the release. Dots and dashes are folded: a class is named with either.
#[must_use]
pub fn in_use(name: &ReleaseName, seen: &Seen) -> bool {
    seen.classes_in_use
        .iter()
        .any(|class| class.parse::<ReleaseName>().is_ok_and(|used| used == *name))
}

fn offered(want: &Want, seen: &Seen) -> impl Iterator<Item = ReleaseName> {
    let tags = seen.available.iter().flatten();
    tags.filter_map(|tag| tag.parse::<ReleaseName>().ok())
        .filter(|name| name.stack == want.stack && name.version.channel() == want.channel)
}

/// The newest; among versions without an order (two channel words) the first stays.
fn newest(names: impl Iterator<Item = ReleaseName>) -> Option<ReleaseName> {
    names.reduce(|best, name| {
        let newer = name
            .version
            .compare(&best.version)
            .is_some_and(std::cmp::Ordering::is_gt);
        if newer { name } else { best }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(version: &str) -> ReleaseName {
        format!("openstack-scs-1-36-{version}")
            .parse()
            .expect("name")
    }

    fn want(auto_subscribe: bool, versions: &[&str]) -> Want {
        let versions = versions
            .iter()
            .map(|text| text.parse().expect("version"))
            .collect();
        Want {
            stack: name("v1").stack,
            channel: "stable".into(),
            versions,
            auto_subscribe,
        }
    }

    fn seen(releases: &[(&str, bool)], available: Option<&[&str]>, in_use: &[&str]) -> Seen {
        let tag = |version: &&str| name(version).tag();
        Seen {
            releases: releases
                .iter()
                .map(|(version, ready)| (name(version), *ready))
                .collect(),
            available: available.map(|tags| tags.iter().map(tag).collect()),
            classes_in_use: in_use.iter().map(|version| name(version).class()).collect(),
        }
    }

    #[test]
    fn the_newest_is_made_and_the_ready_one_stays_until_then() {
        let plan = plan(
            &want(true, &[]),
            &seen(&[("v9", true)], Some(&["v9", "v10", "v2"]), &[]),
        );
        assert_eq!(
            (plan.create, plan.keep, plan.delete),
            (vec![name("v10")], vec![name("v9")], vec![])
        );
    }

    #[test]
    fn what_is_used_stays_also_on_a_custom_channel() {
        let plan = plan(
            &want(false, &["v3"]),
            &seen(
                &[("v3", true), ("v2", true), ("v0-sha.abc1234", false)],
                None,
                &["v0-sha.abc1234"],
            ),
        );
        assert_eq!(plan.keep, [name("v3"), name("v0-sha.abc1234")]);
        assert_eq!(plan.delete, [name("v2")]);
    }

    #[test]
    fn a_silent_source_drops_nothing() {
        let plan = plan(
            &want(true, &[]),
            &seen(&[("v1", false), ("v2", true)], None, &[]),
        );
        assert!(plan.delete.is_empty() && plan.create.is_empty());
    }

    #[test]
    fn foreign_tags_are_passed_over() {
        let mut seen = seen(&[], Some(&["v0-sha.abc1234"]), &[]);
        seen.available
            .as_mut()
            .expect("tags")
            .extend(["sha256-00.sig".into(), "docker-scs-1-36-v7".into()]);
        assert!(plan(&want(true, &[]), &seen).create.is_empty());
    }

    proptest! {
        #[test]
        fn it_settles_and_never_drops_what_is_used(
            have in prop::collection::btree_map(1u32..9, any::<bool>(), 0..6),
            there in prop::option::of(prop::collection::vec(1u32..9, 0..6)),
            used in prop::collection::btree_set(1u32..9, 0..4),
            named in prop::collection::vec(1u32..9, 0..3),
            auto in any::<bool>(),
        ) {
            let text = |major: &u32| format!("v{major}");
            let named: Vec<String> = named.iter().map(text).collect();
            let want = want(auto, &named.iter().map(String::as_str).collect::<Vec<_>>());
            let mut seen = Seen {
                releases: have.iter().map(|(major, ready)| (name(&text(major)), *ready)).collect(),
                available: there.map(|tags| tags.iter().map(|major| name(&text(major)).tag()).collect()),
                classes_in_use: used.iter().map(|major| name(&text(major)).class()).collect(),
            };
            let first = plan(&want, &seen);
            prop_assert!(first.delete.iter().all(|name| !in_use(name, &seen)));
            seen.releases.retain(|(name, _)| !first.delete.contains(name));
            seen.releases.extend(first.create.into_iter().map(|name| (name, false)));
            let second = plan(&want, &seen);
            prop_assert!(second.create.is_empty() && second.delete.is_empty());
        }
    }
}
