//! The versions of the next release of a stack.

use crate::hashes::{self, Hashes};
use crate::version::Version;

/// Versions of the parts of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The release.
    pub cluster_stack: Version,
    /// Its add-ons.
    pub cluster_addon: Version,
    /// Its node images, if it has a folder for them.
    pub node_image: Option<Version>,
}

/// What the last release was.
#[derive(Clone, Debug)]
pub struct Last {
    /// Its versions.
    pub versions: Versions,
    /// What its sources hashed to.
    pub hashes: Hashes,
}

/// There is nothing to release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing changed since {cluster_stack}: change the stack, or name versions with --cluster-stack-version"
)]
pub struct NothingChanged {
    /// The newest release, whose sources are the same.
    pub cluster_stack: Version,
}

/// Versions of a build by hash: all parts carry the hash of the whole folder.
///
/// # Errors
/// When the hash holds nothing that a version may hold.
pub fn by_hash(hashes: &Hashes) -> Result<Versions, crate::version::NotAVersion> {
    let version = Version::unstable("sha", &hashes::short(&hashes.cluster_stack))?;
    let node_image = has_node_images(hashes).then(|| version.clone());
    Ok(Versions {
        cluster_stack: version.clone(),
        cluster_addon: version,
        node_image,
    })
}

/// Versions of the next stable release: the stack counts up, a part only when it changed. Any
/// change of the folder counts, also one of the class alone, which the original cannot release.
///
/// # Errors
/// When nothing changed.
pub fn stable(hashes: &Hashes, last: Option<&Last>) -> Result<Versions, NothingChanged> {
    let first = Version::stable(1);
    let Some(Last {
        versions,
        hashes: before,
    }) = last
    else {
        let node_image = has_node_images(hashes).then(|| first.clone());
        return Ok(Versions {
            cluster_stack: first.clone(),
            cluster_addon: first,
            node_image,
        });
    };
    if before.cluster_stack == hashes.cluster_stack {
        return Err(NothingChanged {
            cluster_stack: versions.cluster_stack.clone(),
        });
    }
    let up =
        |version: &Version, changed: bool| Version::stable(version.major() + u32::from(changed));
    let addon_changed = before.cluster_addon_dir != hashes.cluster_addon_dir
        || before.cluster_addon_values != hashes.cluster_addon_values;
    let image = versions.node_image.as_ref().map_or(first, |image| {
        up(image, before.node_image_dir != hashes.node_image_dir)
    });
    Ok(Versions {
        cluster_stack: up(&versions.cluster_stack, true),
        cluster_addon: up(&versions.cluster_addon, addon_changed),
        node_image: has_node_images(hashes).then_some(image),
    })
}

fn has_node_images(hashes: &Hashes) -> bool {
    !hashes.node_image_dir.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(stack: &str, addon: &str) -> Hashes {
        Hashes {
            cluster_stack: stack.into(),
            cluster_addon_dir: addon.into(),
            ..Hashes::default()
        }
    }

    fn last(hashes: Hashes) -> Last {
        let versions = Versions {
            cluster_stack: Version::stable(4),
            cluster_addon: Version::stable(2),
            node_image: None,
        };
        Last { versions, hashes }
    }

    #[test]
    fn each_part_counts_up_when_it_changed() {
        let before = last(hashes("h1:a", "h1:x"));
        let versions = |hashes| {
            stable(&hashes, Some(&before))
                .map(|v| (v.cluster_stack.major(), v.cluster_addon.major()))
        };
        assert_eq!(versions(hashes("h1:b", "h1:x")), Ok((5, 2)));
        assert_eq!(versions(hashes("h1:b", "h1:y")), Ok((5, 3)));
        assert!(versions(hashes("h1:a", "h1:x")).is_err());
        assert_eq!(
            stable(&hashes("h1:a", ""), None)
                .expect("first")
                .cluster_stack,
            Version::stable(1)
        );
    }

    #[test]
    fn a_build_by_hash_carries_the_hash() {
        let versions = by_hash(&hashes("h1:AB/cdefgh", "")).expect("versions");
        assert_eq!(versions.cluster_stack.dotted(), "v0-sha.abcdefg");
    }
}
