//! Processes that outlive the command that started them: each is recorded with its PID and start time,
//! so that a later `cargo lab` finds exactly these again and never somebody else's.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, getsid},
};
use serde::{Deserialize, Serialize};

use crate::{lab::Lab, netns};

/// A process to start: in the lab's network namespace, in a session of its own,
/// its output appended to `<dir>/<part>/log/<name>.log`.
pub struct Daemon {
    /// The part it belongs to.
    pub part: &'static str,
    /// Unique within the part.
    pub name: String,
    /// Program, arguments, environment and folder; standard streams are replaced.
    pub command: Command,
}

/// What is known of a started process: `<dir>/<part>/run/<name>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Also its session, because it leads one.
    pub pid: i32,
    /// Clock ticks between boot and its start: with the PID it names one process only.
    pub started: u64,
    /// The boot that the ticks count from.
    pub boot: String,
    /// When it was started.
    pub since: jiff::Timestamp,
}

/// Time between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(100);

impl Lab {
    /// Starts `daemon`, unless it runs already.
    ///
    /// # Errors
    /// A program that cannot be run, or a caller outside the lab's network namespace.
    pub fn start(&self, daemon: Daemon) -> Result<()> {
        let Daemon {
            part,
            name,
            command,
        } = daemon;
        if self.alive(part, &name) {
            return Ok(());
        }
        netns::require_inside(self)?;
        let log = self.log(part, &name);
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .with_context(|| log.display().to_string())?;
        let child = in_session(&command)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| {
                format!("{part}: start {name} ({})", command.get_program().display())
            })?;
        let pid = i32::try_from(child.id())?;
        let started = start_time(pid)
            .with_context(|| format!("{part}: {name} ended at once, see {}", log.display()))?;
        let record = Record {
            pid,
            started,
            boot: boot_id(),
            since: jiff::Timestamp::now(),
        };
        let path = self.record_path(part, &name);
        fs::write(&path, serde_json::to_vec(&record)?)
            .with_context(|| path.display().to_string())?;
        // The child is reaped here if it ends while this command still runs.
        thread::spawn(move || {
            let mut child = child;
            let _ = child.wait();
        });
        Ok(())
    }

    /// Does the process of this name run?
    pub fn alive(&self, part: &str, name: &str) -> bool {
        self.record(part, name).is_some_and(|r| r.alive())
    }

    /// Does it run a program that has been built anew since?
    pub fn outdated(&self, part: &str, name: &str) -> bool {
        let record = self.record(part, name).filter(Record::alive);
        let program = record.and_then(|r| fs::read_link(format!("/proc/{}/exe", r.pid)).ok());
        // How the kernel shows the path of a file that has been replaced.
        program.is_some_and(|p| p.to_string_lossy().ends_with(" (deleted)"))
    }

    /// Stops it and its whole session: SIGTERM, 20 s, SIGKILL. One that does not run is no error.
    pub fn stop(&self, part: &str, name: &str) -> Result<()> {
        let path = self.record_path(part, name);
        if let Some(record) = self.record(part, name) {
            record.end(Signal::SIGTERM)?;
            if record.wait_gone(GRACE).is_err() {
                self.say(format_args!(
                    "{part}: {name} (PID {}) ignores SIGTERM, killed",
                    record.pid
                ));
                record.end(Signal::SIGKILL)?;
                record.wait_gone(GRACE)?;
            }
        }
        match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(e).with_context(|| path.display().to_string())
            }
            _ => Ok(()),
        }
    }

    /// Waits until `f` says that a started process does its work.
    ///
    /// # Errors
    /// After `deadline`, or at once if the process has ended: with the end of its log.
    pub fn wait_for<T>(
        &self,
        part: &str,
        name: &str,
        deadline: Duration,
        mut f: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        let begun = Instant::now();
        loop {
            let alive = self.alive(part, name);
            let failure = match f() {
                Ok(done) => return Ok(done),
                Err(e) => e,
            };
            if !alive {
                bail!("{part}: {name} has ended:\n{}", tail(&self.log(part, name)));
            }
            if begun.elapsed() >= deadline {
                return Err(
                    failure.context(format!("{name}: not ready after {} s", deadline.as_secs()))
                );
            }
            thread::sleep(POLL);
        }
    }

    /// SIGKILL at once, as a crash would: the record stays.
    pub fn kill(&self, part: &str, name: &str) -> Result<()> {
        let record = self
            .record(part, name)
            .ok_or_else(|| anyhow!("{part}: {name} was never started"))?;
        record.end(Signal::SIGKILL)?;
        record.wait_gone(GRACE)
    }

    /// Stops all recorded processes of a part, in parallel.
    pub fn stop_all(&self, part: &str) -> Result<()> {
        thread::scope(|scope| {
            let stops: Vec<_> = self
                .records(part)
                .into_iter()
                .map(|(name, _)| scope.spawn(move || self.stop(part, &name)))
                .collect();
            stops
                .into_iter()
                .try_for_each(|s| s.join().map_err(|_| anyhow!("{part}: stop panicked"))?)
        })
    }

    /// Log files of a part, by name.
    pub fn logs(&self, part: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.dir.join(part).join("log"))
            .into_iter()
            .flatten();
        let mut logs: Vec<_> = files
            .filter_map(|f| Some(f.ok()?.path()))
            .filter(|p| p.is_file())
            .collect();
        logs.sort();
        logs
    }

    /// Log file of a process.
    pub fn log(&self, part: &str, name: &str) -> PathBuf {
        self.part_dir(&format!("{part}/log"))
            .join(format!("{name}.log"))
    }

    /// What was recorded when it started.
    pub fn record(&self, part: &str, name: &str) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.record_path(part, name)).ok()?).ok()
    }

    /// All records of a part, by name.
    pub fn records(&self, part: &str) -> Vec<(String, Record)> {
        let Ok(files) = fs::read_dir(self.dir.join(part).join("run")) else {
            return vec![];
        };
        let mut found: Vec<_> = files
            .filter_map(|f| {
                f.ok()?
                    .file_name()
                    .into_string()
                    .ok()?
                    .strip_suffix(".json")
                    .map(str::to_owned)
            })
            .filter_map(|name| self.record(part, &name).map(|r| (name, r)))
            .collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    }

    fn record_path(&self, part: &str, name: &str) -> PathBuf {
        self.part_dir(&format!("{part}/run"))
            .join(format!("{name}.json"))
    }
}

impl Record {
    /// Is it this very process that runs?
    pub fn alive(&self) -> bool {
        self.boot == boot_id() && start_time(self.pid) == Some(self.started)
    }

    /// The processes of its session. None if the leader has ended, for then the number may be another's.
    fn session(&self) -> Vec<Pid> {
        if !self.alive() {
            return vec![];
        }
        let leader = Pid::from_raw(self.pid);
        pids().filter(|p| getsid(Some(*p)) == Ok(leader)).collect()
    }

    /// Children last: a leader that is told first can still end them in its own way.
    fn end(&self, signal: Signal) -> Result<()> {
        let mut session = self.session();
        session.sort_by_key(|p| p.as_raw() != self.pid);
        if signal == Signal::SIGTERM {
            session.truncate(1);
        } else {
            session.reverse();
        }
        for pid in session {
            match kill(pid, signal) {
                Ok(()) | Err(nix::Error::ESRCH) => {}
                Err(e) => bail!("{signal} to PID {pid}: {e}"),
            }
        }
        Ok(())
    }

    fn wait_gone(&self, deadline: Duration) -> Result<()> {
        wait_for(&format!("end of PID {}", self.pid), deadline, || {
            if self.alive() {
                bail!("it still runs")
            } else {
                Ok(())
            }
        })
    }
}

/// Tries `f` every 100 ms until it succeeds.
///
/// # Errors
/// After `deadline`, with what the last try said.
pub fn wait_for<T>(what: &str, deadline: Duration, mut f: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    loop {
        match f() {
            Ok(done) => return Ok(done),
            Err(e) if begun.elapsed() >= deadline => {
                return Err(e)
                    .with_context(|| format!("{what}: not there after {} s", deadline.as_secs()));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

/// Memory of a part in bytes: proportional set sizes of the sessions that it recorded.
pub fn memory(lab: &Lab, part: &str) -> u64 {
    lab.records(part)
        .iter()
        .flat_map(|(_, r)| r.session())
        .map(|p| pss(p).unwrap_or(0))
        .sum()
}

/// All processes of this machine.
pub fn pids() -> impl Iterator<Item = Pid> {
    fs::read_dir("/proc").into_iter().flatten().filter_map(|e| {
        e.ok()?
            .file_name()
            .to_str()?
            .parse()
            .ok()
            .map(Pid::from_raw)
    })
}

/// This process and those that led to it, up to init.
pub fn ancestors() -> Vec<Pid> {
    let parent = |pid: Pid| -> Option<Pid> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?
            .1
            .split(' ')
            .nth(1)?
            .parse()
            .ok()
            .map(Pid::from_raw)
    };
    std::iter::successors(Some(Pid::this()), |pid| {
        parent(*pid).filter(|p| p.as_raw() > 0)
    })
    .collect()
}

/// Proportional set size of a process in bytes; None once it is gone.
pub fn pss(pid: Pid) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kib: u64 = rollup
        .lines()
        .find_map(|l| l.strip_prefix("Pss:"))?
        .split_whitespace()
        .next()?
        .parse()
        .ok()?;
    Some(kib * 1024)
}

/// `command` run by util-linux's setsid, which makes the session and then becomes the command: the PID stays.
fn in_session(command: &Command) -> Command {
    let mut wrapped = Command::new("setsid");
    wrapped.arg(command.get_program()).args(command.get_args());
    for (key, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(key, value),
            None => wrapped.env_remove(key),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        wrapped.current_dir(dir);
    }
    wrapped
}

/// Field 22 of /proc/PID/stat; None for a process that is gone or only waits to be reaped.
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    (fields.next()? != "Z").then_some(())?;
    fields.nth(18)?.parse().ok()
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}
