//! What is downloaded and built lies in folders named by a digest of what it is made from, for all labs and checkouts.
//! One that nobody has used for a while belongs to no checkout any more.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};

use crate::{lab::Lab, netns};

/// Where such folders are.
const KEPT: [&str; 3] = ["tools", "image", "openstack"];
/// Two weeks.
const UNUSED: Duration = Duration::from_secs(14 * 24 * 3600);

/// Notes, in the folder's time of change, that it is used.
///
/// # Errors
/// The disk refuses.
pub fn used(folder: &Path) -> Result<()> {
    let noted = File::open(folder).and_then(|f| f.set_modified(SystemTime::now()));
    noted.with_context(|| folder.display().to_string())
}

/// Removes what nobody has used for two weeks; nothing while a lab runs, whose machines may live in it.
///
/// # Errors
/// The disk refuses.
pub fn prune(lab: &Lab) -> Result<()> {
    if netns::any_lab() {
        return Ok(());
    }
    for kind in KEPT {
        for folder in unused(&lab.cache.join(kind), SystemTime::now()) {
            lab.say(format_args!(
                "removed, because nobody has used it for two weeks: {}",
                folder.display()
            ));
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
    }
    Ok(())
}

fn unused(dir: &Path, now: SystemTime) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let old = entries.filter(|e| {
        let changed = e.metadata().ok().filter(fs::Metadata::is_dir);
        let age = changed.and_then(|m| now.duration_since(m.modified().ok()?).ok());
        age.is_some_and(|age| age > UNUSED)
    });
    old.map(|e| e.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays() -> Result<()> {
        let dir = tempfile::tempdir()?;
        for name in ["new", "old"] {
            fs::create_dir(dir.path().join(name))?;
        }
        fs::write(dir.path().join("lock"), "")?;
        let later = SystemTime::now() + UNUSED + Duration::from_secs(60);
        File::open(dir.path().join("new"))?.set_modified(later)?;
        assert_eq!(unused(dir.path(), later), [dir.path().join("old")]);
        used(&dir.path().join("old"))?;
        assert!(unused(dir.path(), SystemTime::now()).is_empty());
        Ok(())
    }
}
