//! `cargo lab test`: what can be said without a lab first, then the flows.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    panic::{self, AssertUnwindSafe},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{
    flows::{self, Flow},
    lab::Lab,
    netns, tools, up,
};

/// Release of cargo-deny that is installed into the cache if the machine has none.
const CARGO_DENY: &str = "0.20.2";

/// One line of the table at the end.
struct Outcome {
    name: String,
    took: Duration,
    result: Result<()>,
}

/// Runs every check and flow whose name contains `filter`; one that fails stops none of the others.
///
/// # Errors
/// If any failed; the table above the error says which.
pub fn test(lab: &Lab, filter: Option<&str>) -> Result<()> {
    let chosen = |name: &str| filter.is_none_or(|f| name.contains(f));
    let mut outcomes = Vec::new();
    for (name, arguments) in STATIC {
        if chosen(name) {
            outcomes.push(measure(lab, name, || cargo(lab, arguments)));
        }
    }
    if chosen("scenarios") {
        outcomes.push(measure(lab, "scenarios", || scenarios(lab)));
    }
    if chosen("deny") {
        outcomes.push(measure(lab, "deny", || deny(lab)));
    }
    let flows: Vec<Flow> = flows::all()
        .into_iter()
        .filter(|f| chosen(f.name))
        .collect();
    outcomes.extend(run_flows(lab, &flows)?);
    report(&outcomes)
}

/// Name and arguments of cargo.
const STATIC: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    (
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ],
    ),
    (
        "generated",
        &["run", "--quiet", "--package", "generate", "--", "--check"],
    ),
    (
        "unit",
        &["test", "--workspace", "--quiet", "--exclude", "scenarios"],
    ),
];

/// The provider against a real API server and a simulated cloud: tests of cargo that need programs of ours.
fn scenarios(lab: &Lab) -> Result<()> {
    let assets = lab.part_dir("scenarios/assets");
    for name in ["etcd", "kube-apiserver"] {
        let (program, link) = (tools::bin(lab, name)?, assets.join(name));
        match fs::remove_file(&link) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| link.display().to_string());
            }
            _ => symlink(program, &link).with_context(|| link.display().to_string())?,
        }
    }
    let mut command = Command::new("cargo");
    command
        .args(["test", "--package", "scenarios", "--quiet"])
        .env("KUBEBUILDER_ASSETS", assets)
        .current_dir(&lab.repo);
    finish(&mut command)
}

fn run_flows(lab: &Lab, flows: &[Flow]) -> Result<Vec<Outcome>> {
    let parts: Vec<String> = flows
        .iter()
        .flat_map(|f| f.parts)
        .map(|p| (*p).to_owned())
        .collect();
    let mut outcomes = Vec::new();
    if !parts.is_empty() {
        let up = measure(lab, "lab_up", || up::up(lab, &parts));
        let failed = up.result.is_err();
        outcomes.push(up);
        if failed {
            let skipped = flows.iter().map(|f| Outcome {
                name: f.name.to_owned(),
                took: Duration::ZERO,
                result: Err(anyhow!("the lab is not up")),
            });
            outcomes.extend(skipped);
            return Ok(outcomes);
        }
        netns::require_inside(lab)?;
    }
    outcomes.extend(
        flows
            .iter()
            .map(|flow| measure(lab, flow.name, || (flow.run)(lab))),
    );
    Ok(outcomes)
}

/// Does it and keeps what came of it: an assertion that panics is a failure as well.
fn measure(lab: &Lab, name: &str, work: impl FnOnce() -> Result<()>) -> Outcome {
    lab.say(format_args!("--- {name}"));
    let begun = Instant::now();
    let result = panic::catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(anyhow!("it panicked, see above")));
    let took = begun.elapsed();
    match &result {
        Ok(()) => lab.say(format_args!("--- {name}: ok, {:.1} s", took.as_secs_f64())),
        Err(e) => lab.say(format_args!(
            "--- {name}: FAILED, {:.1} s: {e:#}",
            took.as_secs_f64()
        )),
    }
    Outcome {
        name: name.to_owned(),
        took,
        result,
    }
}

fn report(outcomes: &[Outcome]) -> Result<()> {
    println!("\n{:<40} {:>9}  RESULT", "CHECK", "SECONDS");
    for o in outcomes {
        let result = o.result.as_ref().map_or_else(
            |e| format!("FAILED: {}", first_line(&format!("{e:#}"))),
            |()| "ok".to_owned(),
        );
        println!("{:<40} {:>9.1}  {result}", o.name, o.took.as_secs_f64());
    }
    let failed = outcomes.iter().filter(|o| o.result.is_err()).count();
    println!("{} passed, {failed} failed", outcomes.len() - failed);
    match (failed, outcomes.len()) {
        (_, 0) => bail!("no check or flow has such a name"),
        (0, _) => Ok(()),
        _ => bail!("{failed} of {} failed", outcomes.len()),
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Runs cargo in the workspace, its output where ours goes.
pub fn cargo(lab: &Lab, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(&lab.repo);
    finish(&mut command)
}

fn deny(lab: &Lab) -> Result<()> {
    let root = lab.cache.join(format!("cargo-deny-{CARGO_DENY}"));
    let program = root.join("bin/cargo-deny");
    if !program.exists() {
        lab.step("install cargo-deny", || {
            let mut install = Command::new("cargo");
            install
                .args([
                    "install",
                    "--locked",
                    "--quiet",
                    "--version",
                    CARGO_DENY,
                    "cargo-deny",
                    "--root",
                ])
                .arg(&root);
            finish(&mut install)
        })?;
    }
    let mut command = Command::new(program);
    // Advisories come from a repository of their own, which is not there without an uplink.
    command
        .args([
            "check",
            "--hide-inclusion-graph",
            "bans",
            "licenses",
            "sources",
        ])
        .current_dir(&lab.repo);
    finish(&mut command)
}

fn finish(command: &mut Command) -> Result<()> {
    // What `cargo run` told us about this package is not meant for others, and would make cargo build them anew.
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("CARGO_PKG_") || key == "CARGO_MANIFEST_DIR" {
            command.env_remove(key);
        }
    }
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("run {program}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{program}: {status}")
    }
}
