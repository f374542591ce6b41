//! One lab: its name, its folders and what it says while it works.

use std::{
    env, fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, anyhow, bail};
use nix::fcntl::{Flock, FlockArg};

use crate::progress::Progress;

/// A lab. Several can exist side by side; nothing but the cache is shared between them.
pub struct Lab {
    /// 1 to 10 lower-case letters and digits; `default` unless told otherwise.
    pub name: String,
    /// State of this lab: `$CAPSTAN_LAB_DIR`, else `$XDG_STATE_HOME` or `~/.local/state` with `/capstan-lab` added; then `/<name>`.
    pub dir: PathBuf,
    /// What all labs share and what outlives them: `$XDG_CACHE_HOME` or `~/.cache`, with `/capstan-lab` added.
    pub cache: PathBuf,
    /// Root of the workspace.
    pub repo: PathBuf,
    progress: Progress,
}

impl Lab {
    /// Names the lab and makes its folders.
    ///
    /// # Errors
    /// A name with other characters than `[a-z0-9]` or longer than 10; folders that cannot be made.
    pub fn open(name: &str) -> Result<Self> {
        // Names of links have at most 15 characters and are built from it, and `-` ends it in names of namespaces.
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if name.is_empty() || name.len() > 10 || !name.chars().all(plain) {
            bail!("--name {name:?}: a lab's name has 1 to 10 characters of a-z and 0-9");
        }
        let states = match env::var_os("CAPSTAN_LAB_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => home("XDG_STATE_HOME", ".local/state")?.join("capstan-lab"),
        };
        let lab = Self {
            name: name.to_owned(),
            dir: states.join(name),
            cache: home("XDG_CACHE_HOME", ".cache")?.join("capstan-lab"),
            repo: Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .context("the crate lies at the root of the file system")?
                .to_owned(),
            progress: Progress::new(),
        };
        for dir in [&lab.dir, &lab.cache] {
            fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        }
        Ok(lab)
    }

    /// The lab's network namespace, `capstan-<name>`. Further ones of this lab are called `capstan-<name>-<what>`,
    /// its cgroups `capstan-<name>`: `down` finds them by these names.
    pub fn netns(&self) -> String {
        format!("capstan-{}", self.name)
    }

    /// `<dir>/<part>`, made if needed.
    pub fn part_dir(&self, part: &str) -> PathBuf {
        let dir = self.dir.join(part);
        // A folder that cannot be made shows at the first write into it, with a better message than this could give.
        let _ = fs::create_dir_all(&dir);
        dir
    }

    /// Folder of the workspace's programs: where this one lies.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn programs(&self) -> Result<PathBuf> {
        let this = env::current_exe().context("path of this program")?;
        Ok(this
            .parent()
            .context("a program without a folder")?
            .to_owned())
    }

    /// Held while a command changes the lab; freed when its process ends, however that happens.
    ///
    /// # Errors
    /// Another command holds it.
    pub fn lock(&self) -> Result<Flock<File>> {
        let path = self.dir.join("lock");
        let file = File::create(&path).with_context(|| path.display().to_string())?;
        Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, e)| anyhow!("another `cargo lab` works on lab {}: {e}", self.name))
    }

    /// One line for whoever watches.
    pub fn say(&self, line: impl fmt::Display) {
        self.progress.say(&line.to_string());
    }

    /// Does `work` and says how long it took; while it runs a terminal shows a spinner.
    pub fn step<T>(&self, what: impl fmt::Display, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let what = what.to_string();
        let bar = self.progress.begin(&what);
        let begun = Instant::now();
        let result = work();
        self.progress.end(bar);
        let took = begun.elapsed().as_secs_f64();
        match &result {
            Ok(_) => self.say(format_args!("{what:<56} {took:>7.1} s")),
            Err(_) => self.say(format_args!("{what:<56} {took:>7.1} s  FAILED")),
        }
        result
    }
}

/// `$variable`, or `~/below`.
fn home(variable: &str, below: &str) -> Result<PathBuf> {
    match env::var_os(variable).filter(|v| !v.is_empty()) {
        Some(dir) => Ok(PathBuf::from(dir)),
        None => Ok(PathBuf::from(env::var_os("HOME").with_context(|| {
            format!("neither {variable} nor HOME is set: set one, or CAPSTAN_LAB_DIR")
        })?)
        .join(below)),
    }
}
