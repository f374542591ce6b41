//! Versions of cluster stacks, of their add-ons and of their node images.
//!
//! Two spellings of one version: dotted (`v3`, `v0-sha.1a2b3c4`) in charts, ClusterClasses and
//! specs; dashed (`v3`, `v0-sha-1a2b3c4`) in tags and file names.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A version: a number, and for anything but stable releases a channel word and a patch word.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    major: u32,
    suffix: Option<Suffix>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Suffix {
    channel: String,
    patch: String,
}

/// Why a text is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no version: write v<number>, or v<number>-<channel>.<patch> as in v0-sha.1a2b3c4"
)]
pub struct NotAVersion {
    text: String,
}

impl Version {
    /// The stable version `v<major>`.
    #[must_use]
    pub fn stable(major: u32) -> Self {
        Self {
            major,
            suffix: None,
        }
    }

    /// The version `v0-<channel>.<patch>`, such as `v0-sha.1a2b3c4` of a build by hash.
    ///
    /// # Errors
    /// When a word is empty or holds anything but letters, digits and `_`.
    pub fn unstable(channel: &str, patch: &str) -> Result<Self, NotAVersion> {
        format!("v0-{channel}.{patch}").parse()
    }

    /// The number after `v`.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The channel of the API: `stable`, or `custom` for every version with a suffix.
    #[must_use]
    pub fn channel(&self) -> &'static str {
        if self.suffix.is_none() {
            "stable"
        } else {
            "custom"
        }
    }

    /// As in charts, ClusterClasses and specs.
    #[must_use]
    pub fn dotted(&self) -> String {
        self.joined('.')
    }

    /// As in tags and file names.
    #[must_use]
    pub fn dashed(&self) -> String {
        self.joined('-')
    }

    /// The order within one channel word; `None` across channels, where no order means anything.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (&self.suffix, &other.suffix) {
            (None, None) => Some(self.major.cmp(&other.major)),
            (Some(a), Some(b)) if a.channel == b.channel => Some(
                self.major
                    .cmp(&other.major)
                    .then_with(|| natural(&a.patch, &b.patch)),
            ),
            _ => None,
        }
    }

    fn joined(&self, mark: char) -> String {
        match &self.suffix {
            None => format!("v{}", self.major),
            Some(Suffix { channel, patch }) => format!("v{}-{channel}{mark}{patch}", self.major),
        }
    }
}

/// Numbers by value, so that 10 comes after 9 (the original compares letters); the rest by letters.
fn natural(a: &str, b: &str) -> Ordering {
    match (a.parse::<u64>(), b.parse::<u64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.dotted())
    }
}

impl FromStr for Version {
    type Err = NotAVersion;

    /// Reads both spellings.
    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let wrong = || NotAVersion {
            text: text.to_owned(),
        };
        let rest = text.strip_prefix('v').ok_or_else(wrong)?;
        let (number, suffix) = match rest.split_once('-') {
            None => (rest, None),
            Some((number, suffix)) => (number, Some(suffix)),
        };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let major = number.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        let suffix = match suffix {
            None => None,
            Some(suffix) => {
                let (channel, patch) = suffix.split_once(['.', '-']).ok_or_else(wrong)?;
                if !word(channel) || !word(patch) {
                    return Err(wrong());
                }
                Some(Suffix {
                    channel: channel.to_owned(),
                    patch: patch.to_owned(),
                })
            }
        };
        Ok(Self { major, suffix })
    }
}

fn word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;
    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.dotted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(text: &str) -> Version {
        text.parse().expect(text)
    }

    #[test]
    fn both_spellings_are_one_version() {
        assert_eq!(v("v0-sha.abc1234"), v("v0-sha-abc1234"));
        assert_eq!(v("v0-sha-abc1234").dotted(), "v0-sha.abc1234");
        assert_eq!(v("v7").dashed(), "v7");
    }

    #[test]
    fn what_is_no_version() {
        for text in [
            "",
            "v",
            "1",
            "v-1",
            "v+1",
            "v1.",
            "v1-sha",
            "v1-sha.",
            "v1-.a",
            "v1-a.b.c",
            "v1-a-b-c",
            "v99999999999",
        ] {
            let error = text.parse::<Version>().expect_err(text).to_string();
            assert!(error.contains("v<number>"), "{error}");
        }
    }

    #[test]
    fn order_within_a_channel_only() {
        assert_eq!(v("v10").compare(&v("v9")), Some(Ordering::Greater));
        assert_eq!(
            v("v0-alpha.10").compare(&v("v0-alpha.9")),
            Some(Ordering::Greater)
        );
        assert_eq!(v("v1").compare(&v("v0-sha.a")), None);
        assert_eq!(v("v0-git.a").compare(&v("v0-sha.a")), None);
    }

    proptest! {
        #[test]
        fn reading_gives_back_what_was_written(major in 0u32.., suffix in prop::option::of(("[a-z]{1,5}", "[a-z0-9]{1,9}"))) {
            let text = match &suffix {
                None => format!("v{major}"),
                Some((channel, patch)) => format!("v{major}-{channel}.{patch}"),
            };
            let version = v(&text);
            prop_assert_eq!(version.dotted(), text);
            prop_assert_eq!(v(&version.dashed()), version);
        }
    }
}
