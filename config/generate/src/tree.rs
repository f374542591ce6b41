//! The generated files as they are on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::yaml::HEADER;

/// Texts by path below `config/`.
pub type Files = BTreeMap<PathBuf, String>;

/// Writes what is wanted and removes what was generated once and is wanted no more.
pub fn write(folder: &Path, wanted: &Files) -> Result<()> {
    for (path, text) in wanted {
        let path = folder.join(path);
        let parent = path.parent().context("a file has a folder")?;
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    for path in stale(folder, wanted)? {
        let path = folder.join(path);
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// What `write` would change, a line each.
pub fn drift(folder: &Path, wanted: &Files) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (path, text) in wanted {
        match fs::read_to_string(folder.join(path)) {
            Ok(now) if now == *text => {}
            Ok(_) => lines.push(format!("{} differs", path.display())),
            Err(error) => lines.push(format!("{}: {error}", path.display())),
        }
    }
    for path in stale(folder, wanted)? {
        lines.push(format!("{} is generated no more", path.display()));
    }
    Ok(lines)
}

/// Generated files in the folders one level down that are not wanted.
fn stale(folder: &Path, wanted: &Files) -> Result<BTreeSet<PathBuf>> {
    let mut stale = BTreeSet::new();
    for part in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let part = part?;
        if !part.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(part.path())? {
            let path = Path::new(&part.file_name()).join(file?.file_name());
            let is_yaml = path
                .extension()
                .is_some_and(|extension| extension == "yaml");
            if is_yaml && !wanted.contains_key(&path) {
                let text = fs::read_to_string(folder.join(&path))?;
                if text.starts_with(HEADER) {
                    stale.insert(path);
                }
            }
        }
    }
    Ok(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_names_each_file_and_write_mends_it() {
        let folder = std::env::temp_dir().join(format!("generate-{}", std::process::id()));
        fs::create_dir_all(folder.join("crd")).unwrap();
        let wanted = Files::from([("crd/a.yaml".into(), format!("{HEADER}a: 1\n"))]);
        fs::write(folder.join("crd/a.yaml"), "a: 2\n").unwrap();
        fs::write(folder.join("crd/old.yaml"), HEADER).unwrap();
        fs::write(folder.join("crd/by-hand.yaml"), "kept: true\n").unwrap();

        let drifted = drift(&folder, &wanted).unwrap();
        assert_eq!(
            drifted,
            ["crd/a.yaml differs", "crd/old.yaml is generated no more"]
        );
        write(&folder, &wanted).unwrap();
        assert!(drift(&folder, &wanted).unwrap().is_empty());
        assert!(folder.join("crd/by-hand.yaml").exists());
        fs::remove_dir_all(&folder).unwrap();
    }
}
