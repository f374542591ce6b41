//! Layers of OCI images: tar archives of given files, of Debian's programs with the libraries that they need, and
//! of texts. The same input gives the same bytes.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use tar::{Builder, EntryType, Header};

/// What a layer holds, by its path without the leading slash.
#[derive(Default)]
pub struct Layer(BTreeMap<PathBuf, Entry>);

enum Entry {
    Folder { mode: u32 },
    Link(PathBuf),
    Text { text: String, mode: u32 },
    File { source: PathBuf, mode: u32 },
}

/// Debian's folders that are links into /usr.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64"];

impl Layer {
    /// What every image has: users, name services, folders for temporary files.
    pub fn base() -> Self {
        let mut layer = Self::default();
        layer.text(
            "etc/passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
        );
        layer.text("etc/group", "root:x:0:\nnogroup:x:65534:\n");
        layer.text(
            "etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        );
        layer.folder("tmp", 0o1777);
        layer.folder("root", 0o700);
        layer.folder("run", 0o755);
        layer.folder("var", 0o755);
        for name in MERGED {
            layer.link(name, &format!("usr/{name}"));
            layer.folder(&format!("usr/{name}"), 0o755);
        }
        layer
    }

    /// A folder.
    pub fn folder(&mut self, path: &str, mode: u32) {
        self.put(Path::new(path), Entry::Folder { mode });
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.put(Path::new(path), Entry::Link(target.into()));
    }

    /// A file that all can read.
    pub fn text(&mut self, path: &str, text: &str) {
        self.put(
            Path::new(path),
            Entry::Text {
                text: text.to_owned(),
                mode: 0o644,
            },
        );
    }

    /// A program.
    pub fn program(&mut self, path: &str, source: PathBuf) {
        self.put(
            Path::new(path),
            Entry::File {
                source,
                mode: 0o755,
            },
        );
    }

    /// Paths of a Debian root: folders with all that is in them, links with what they lead to, programs with their
    /// shared libraries.
    ///
    /// # Errors
    /// A path that is not there.
    pub fn debian(&mut self, root: &Path, paths: &[&str]) -> Result<()> {
        let mut open: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        while let Some(path) = open.pop() {
            let path = merged(&path);
            if self
                .0
                .get(&path)
                .is_some_and(|e| !matches!(e, Entry::Folder { .. }))
            {
                continue;
            }
            let source = root.join(&path);
            let meta = source
                .symlink_metadata()
                .with_context(|| source.display().to_string())?;
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_symlink() {
                let target = fs::read_link(&source)?;
                open.push(follow(&path, &target));
                self.put(&path, Entry::Link(target));
            } else if meta.is_dir() {
                for entry in fs::read_dir(&source)? {
                    open.push(path.join(entry?.file_name()));
                }
                self.put(&path, Entry::Folder { mode });
            } else {
                if is_elf(&source)? {
                    open.extend(libraries(root, &path)?);
                }
                self.put(&path, Entry::File { source, mode });
            }
        }
        Ok(())
    }

    /// Writes the archive, in the order of paths.
    pub fn write(&self, to: impl Write) -> Result<()> {
        let mut tar = Builder::new(to);
        for (path, entry) in &self.0 {
            let mut header = Header::new_gnu();
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            header.set_size(0);
            match entry {
                Entry::Folder { mode } => {
                    header.set_entry_type(EntryType::Directory);
                    header.set_mode(*mode);
                    tar.append_data(&mut header, path, std::io::empty())?;
                }
                Entry::Link(target) => {
                    header.set_entry_type(EntryType::Symlink);
                    header.set_mode(0o777);
                    tar.append_link(&mut header, path, target)?;
                }
                Entry::Text { text, mode } => {
                    header.set_mode(*mode);
                    header.set_size(text.len() as u64);
                    tar.append_data(&mut header, path, text.as_bytes())?;
                }
                Entry::File { source, mode } => {
                    let file = File::open(source).with_context(|| source.display().to_string())?;
                    header.set_mode(*mode);
                    header.set_size(file.metadata()?.len());
                    tar.append_data(&mut header, path, file)?;
                }
            }
        }
        tar.finish()?;
        Ok(())
    }

    /// With the folders that it lies in.
    fn put(&mut self, path: &Path, entry: Entry) {
        let above = path
            .ancestors()
            .skip(1)
            .filter(|p| !p.as_os_str().is_empty());
        for folder in above {
            self.0
                .entry(folder.to_owned())
                .or_insert(Entry::Folder { mode: 0o755 });
        }
        self.0.insert(path.to_owned(), entry);
    }
}

/// A path as it is behind the links of [`MERGED`], relative to the root.
fn merged(path: &Path) -> PathBuf {
    let path = path.strip_prefix("/").unwrap_or(path);
    match path.components().next() {
        Some(Component::Normal(first)) if MERGED.iter().any(|m| first == *m) => {
            Path::new("usr").join(path)
        }
        _ => path.to_owned(),
    }
}

/// Where a link at `path` leads, relative to the root.
fn follow(path: &Path, target: &Path) -> PathBuf {
    let mut at = path.parent().map(Path::to_owned).unwrap_or_default();
    for part in target.components() {
        match part {
            Component::RootDir => at = PathBuf::new(),
            Component::ParentDir => {
                at.pop();
            }
            Component::Normal(name) => at.push(name),
            Component::CurDir | Component::Prefix(_) => {}
        }
    }
    at
}

fn is_elf(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(4).read_to_end(&mut start)?;
    Ok(start == *b"\x7fELF")
}

/// Shared libraries of a program, as the root's own loader finds them.
fn libraries(root: &Path, program: &Path) -> Result<Vec<PathBuf>> {
    let out = Command::new("chroot")
        .arg(root)
        .arg("ldd")
        .arg(Path::new("/").join(program))
        .output();
    let out = out.context("run chroot (Debian package coreutils)")?;
    let text = String::from_utf8_lossy(&out.stdout);
    if text.contains("not found") {
        bail!("{}: a library is missing: {text}", program.display());
    }
    // `name => /path (address)`, or `/path (address)` for the loader. A static program has none.
    let paths = text
        .lines()
        .filter_map(|l| l.split_whitespace().find(|word| word.starts_with('/')));
    Ok(paths.map(PathBuf::from).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_where_they_do_in_the_root() {
        let follow = |path: &str, target: &str| super::follow(Path::new(path), Path::new(target));
        assert_eq!(follow("usr/bin/sh", "dash"), Path::new("usr/bin/dash"));
        assert_eq!(
            follow("usr/bin/nc", "/etc/alternatives/nc"),
            Path::new("etc/alternatives/nc")
        );
        assert_eq!(
            follow("usr/lib64/ld.so", "../lib/x/ld.so"),
            Path::new("usr/lib/x/ld.so")
        );
        assert_eq!(
            merged(Path::new("/lib64/ld.so")),
            Path::new("usr/lib64/ld.so")
        );
        assert_eq!(merged(Path::new("/library")), Path::new("library"));
    }

    #[test]
    fn a_layer_is_the_same_bytes_every_time() -> Result<()> {
        let root = tempfile::tempdir()?;
        fs::create_dir_all(root.path().join("usr/bin"))?;
        fs::write(root.path().join("usr/bin/dash"), "#!shell")?;
        symlink("dash", root.path().join("usr/bin/sh"))?;
        let bytes = || -> Result<Vec<u8>> {
            let mut layer = Layer::base();
            layer.debian(root.path(), &["/bin/sh"])?;
            let mut out = Vec::new();
            layer.write(&mut out)?;
            Ok(out)
        };
        let first = bytes()?;
        assert_eq!(first, bytes()?);
        let mut archive = tar::Archive::new(first.as_slice());
        let names: Vec<_> = archive
            .entries()?
            .map(|e| Ok(e?.path()?.display().to_string()))
            .collect::<Result<_>>()?;
        assert!(names.is_sorted());
        for name in ["bin", "etc/passwd", "usr/bin/dash", "usr/bin/sh"] {
            assert!(
                names.iter().any(|n| n.trim_end_matches('/') == name),
                "{name} in {names:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn a_path_that_is_not_there_is_named() -> Result<()> {
        let root = tempfile::tempdir()?;
        let error = Layer::base().debian(root.path(), &["/usr/bin/gone"]);
        assert!(error.is_err_and(|e| e.to_string().ends_with("usr/bin/gone")));
        Ok(())
    }
}
