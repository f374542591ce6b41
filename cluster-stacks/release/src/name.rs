//! Names of releases: `<provider>-<stack>-<major>-<minor>-<version>`.
//!
//! The same name, with the version dashed, is the tag in the registry and the name of the
//! ClusterStackRelease; with the version dotted it is the name of the ClusterClass. Names are read
//! from their end, so that a stack's name may hold dashes, which the original cannot read.

use std::fmt;
use std::str::FromStr;

use crate::version::Version;

/// A minor version of Kubernetes, such as 1.36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minor {
    /// The 1 of 1.36.
    pub major: u32,
    /// The 36 of 1.36.
    pub minor: u32,
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Minor {
    type Err = NotAName;

    /// Reads `1.36`, `v1.36.3` and the like.
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let wrong = || NotAName {
            text: text.to_owned(),
            wanted: "<major>.<minor> as in 1.36",
        };
        let mut parts = text
            .strip_prefix('v')
            .unwrap_or(text)
            .split('.')
            .map(str::parse);
        match (parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor))) => Ok(Self { major, minor }),
            _ => Err(wrong()),
        }
    }
}

/// The stack that a release belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stack {
    /// Provider, such as `openstack`; holds no dash.
    pub provider: String,
    /// Name of the stack, such as `scs`.
    pub name: String,
    /// Kubernetes minor version.
    pub kubernetes: Minor,
}

impl fmt::Display for Stack {
    /// The part before the version: `openstack-scs-1-36`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Minor { major, minor } = self.kubernetes;
        write!(f, "{}-{}-{major}-{minor}", self.provider, self.name)
    }
}

/// A release of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReleaseName {
    /// What it is a release of.
    pub stack: Stack,
    /// Its version.
    pub version: Version,
}

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} should read {wanted}")]
pub struct NotAName {
    text: String,
    wanted: &'static str,
}

const WANTED: &str = "<provider>-<stack>-<major>-<minor>-<version> as in openstack-scs-1-36-v1";

impl ReleaseName {
    /// Tag in the registry, and name of the ClusterStackRelease.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}-{}", self.stack, self.version.dashed())
    }

    /// Name of the ClusterClass.
    #[must_use]
    pub fn class(&self) -> String {
        format!("{}-{}", self.stack, self.version.dotted())
    }
}

impl fmt::Display for ReleaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tag())
    }
}

impl FromStr for ReleaseName {
    type Err = NotAName;

    /// Reads a tag or the name of a ClusterClass.
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let parts: Vec<&str> = text.split('-').collect();
        // The version takes one, two (dotted) or three (dashed) parts at the end.
        (1..=3)
            .find_map(|length| read(&parts, length))
            .ok_or_else(|| NotAName {
                text: text.to_owned(),
                wanted: WANTED,
            })
    }
}

fn read(parts: &[&str], version_length: usize) -> Option<ReleaseName> {
    let (front, version) = parts.split_at_checked(parts.len().checked_sub(version_length)?)?;
    let version: Version = version.join("-").parse().ok()?;
    let [provider, name @ .., major, minor] = front else {
        return None;
    };
    if provider.is_empty() || name.is_empty() || name.iter().any(|part| part.is_empty()) {
        return None;
    }
    let kubernetes = Minor {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
    };
    let stack = Stack {
        provider: (*provider).to_owned(),
        name: name.join("-"),
        kubernetes,
    };
    Some(ReleaseName { stack, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_and_classes_name_the_same_release() {
        for (tag, class, stack) in [
            ("openstack-scs-1-36-v1", "openstack-scs-1-36-v1", "scs"),
            (
                "openstack-scs2-1-33-v0-sha-abc1234",
                "openstack-scs2-1-33-v0-sha.abc1234",
                "scs2",
            ),
            (
                "openstack-my-own-1-36-v12",
                "openstack-my-own-1-36-v12",
                "my-own",
            ),
        ] {
            let name: ReleaseName = tag.parse().expect(tag);
            assert_eq!((name.tag().as_str(), name.class().as_str()), (tag, class));
            assert_eq!(class.parse::<ReleaseName>().expect(class), name);
            assert_eq!(name.stack.name, stack);
        }
    }

    #[test]
    fn what_is_no_name() {
        for text in [
            "",
            "v1",
            "openstack-scs-1-v1",
            "openstack-1-36-v1",
            "openstack--1-36-v1",
            "openstack-scs-1-36",
            "sha256-0a.sig",
        ] {
            let error = text.parse::<ReleaseName>().expect_err(text).to_string();
            assert!(error.contains("openstack-scs-1-36-v1"), "{error}");
        }
    }

    #[test]
    fn minors() {
        assert_eq!(
            "v1.36.3".parse::<Minor>().expect("read"),
            Minor {
                major: 1,
                minor: 36
            }
        );
        assert!("1".parse::<Minor>().is_err());
    }
}
