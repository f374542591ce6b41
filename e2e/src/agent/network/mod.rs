//! The data path: one network namespace for each Neutron router, as Neutron's own L3 agent would make it.

pub mod balancer;
pub mod filter;
pub mod link;
pub mod octavia;
pub mod router;
pub mod rules;

use std::{
    io::Write,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::netns;

/// Shortened as Neutron shortens it for names of links, which have at most 15 characters.
pub fn short(id: &str) -> &str {
    id.get(..11).unwrap_or(id)
}

/// Runs `work` on a thread of its own inside a named network namespace: sockets and settings below
/// /proc/sys/net belong to the namespace that the thread is in.
pub fn inside<T: Send>(netns: &str, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            netns::enter_named(netns)?;
            work()
        });
        inside
            .join()
            .map_err(|_| anyhow!("a thread in network namespace {netns} panicked"))?
    })
}

/// Runs `ip` with one command a line, in a named network namespace or (None) in the lab's.
pub fn ip_batch(netns: Option<&str>, commands: &[String]) -> Result<()> {
    if commands.is_empty() {
        return Ok(());
    }
    let mut ip = Command::new("ip");
    if let Some(netns) = netns {
        ip.args(["-n", netns]);
    }
    feed(ip.args(["-batch", "-"]), &commands.join("\n"))
        .with_context(|| format!("ip {}: {}", netns.unwrap_or_default(), commands.join("; ")))
}

/// Runs a command with `input`; the error holds what it said.
pub fn feed(command: &mut Command, input: &str) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("run {program}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let out = child.wait_with_output()?;
    if !out.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}
