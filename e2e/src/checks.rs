//! `cargo lab test`: the flows, with what compiles beside them, then the tests of cargo.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::symlink,
    panic::{self, AssertUnwindSafe},
    path::PathBuf,
    process::Command,
    thread,
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
/// Cargo compiles beside the flows, which wait for machines much of the time. The tests that it compiled run afterwards
/// and alone, for they have deadlines too.
///
/// # Errors
/// If any failed; the table above the error says which.
pub fn test(lab: &Lab, filter: Option<&str>) -> Result<()> {
    let chosen = |name: &str| filter.is_none_or(|f| name.contains(f));
    let flows: Vec<Flow> = flows::all()
        .into_iter()
        .filter(|f| chosen(f.name))
        .collect();
    let tests: Vec<Check> = TESTS.into_iter().filter(|t| chosen(t.0)).collect();
    let mut outcomes = Vec::new();
    let flown = thread::scope(|scope| {
        // It enters the lab's network namespace, which has no way to the crate registry.
        let flown = scope.spawn(|| run_flows(lab, &flows));
        for (name, arguments) in CHECKS.into_iter().filter(|c| chosen(c.0)) {
            outcomes.push(measure(lab, name, || beside(lab, arguments)));
        }
        if chosen("deny") {
            outcomes.push(measure(lab, "deny", || deny(lab)));
        }
        if !tests.is_empty() {
            outcomes.push(measure(lab, "compile_tests", || compile(lab, &tests)));
        }
        flown.join().map_err(|_| anyhow!("the flows panicked"))?
    })?;
    for (name, arguments) in tests {
        outcomes.push(measure(lab, name, || {
            let mut command = cargo(lab, arguments);
            if name == SCENARIOS {
                command.env("KUBEBUILDER_ASSETS", assets(lab)?);
                // They wait more than they work, so more of them at a time than there are processors.
                command.env("RUST_TEST_THREADS", "8");
            }
            finish(&mut command)
        }));
    }
    outcomes.extend(flown);
    report(&outcomes)
}

/// A name, and arguments of cargo.
type Check = (&'static str, &'static [&'static str]);

/// The lab waits for it, and cargo builds one thing at a time: it comes first.
const BUILD: Check = (
    "build",
    &[
        "build",
        "--quiet",
        "--bin",
        "capstan-operator",
        "--bin",
        "capstan",
    ],
);
/// What compiles, and runs nothing that has a deadline.
const CHECKS: [Check; 4] = [
    BUILD,
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
    // By the name of the program alone: its package would want other features of what it shares with all others.
    (
        "generated",
        &["run", "--quiet", "--bin", "generate", "--", "--check"],
    ),
];
const SCENARIOS: &str = "scenarios";
const TESTS: [Check; 2] = [
    (
        "unit",
        &["test", "--workspace", "--quiet", "--exclude", "scenarios"],
    ),
    // With what makes the features of shared dependencies those of the whole workspace, for the same reason.
    (
        SCENARIOS,
        &[
            "test",
            "--quiet",
            "--package",
            "scenarios",
            "--package",
            "lab",
            "--package",
            "capstan-operator",
        ],
    ),
];

/// Compiles tests and what they run, without running them.
fn compile(lab: &Lab, tests: &[Check]) -> Result<()> {
    for (name, arguments) in tests {
        beside(lab, &[arguments, &["--no-run"][..]].concat())?;
        if *name == SCENARIOS {
            assets(lab)?;
        }
    }
    Ok(())
}

/// Runs cargo with what the flows leave of the machine; what it says comes in one piece.
fn beside(lab: &Lab, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("nice");
    command.args(["-n", "10", "cargo"]).args(arguments);
    forget_this_package(command.current_dir(&lab.repo));
    let out = command.output().context("run nice")?;
    let said = [out.stdout, out.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !said.trim().is_empty() {
        lab.say(said.trim());
    }
    if out.status.success() {
        Ok(())
    } else {
        bail!("cargo: {}", out.status)
    }
}

/// Programs that the scenarios run: the provider is tested against a real API server and a simulated cloud.
fn assets(lab: &Lab) -> Result<PathBuf> {
    let assets = lab.part_dir("scenarios/assets");
    for name in ["etcd", "kube-apiserver", "clusterctl"] {
        let (program, link) = (tools::bin(lab, name)?, assets.join(name));
        match fs::remove_file(&link) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                return Err(e).with_context(|| link.display().to_string());
            }
            _ => symlink(program, &link).with_context(|| link.display().to_string())?,
        }
    }
    Ok(assets)
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

/// Builds the programs that are shipped.
///
/// # Errors
/// What cargo says.
pub fn build(lab: &Lab) -> Result<()> {
    finish(&mut cargo(lab, BUILD.1))
}

/// Cargo in the workspace.
fn cargo(lab: &Lab, arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(&lab.repo);
    command
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
    forget_this_package(command);
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("run {program}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("{program}: {status}")
    }
}

/// What `cargo run` told us about this package is not meant for others, and would make cargo build them anew.
fn forget_this_package(command: &mut Command) {
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("CARGO_PKG_") || key == "CARGO_MANIFEST_DIR" {
            command.env_remove(key);
        }
    }
}
