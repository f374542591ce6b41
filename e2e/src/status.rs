//! `cargo lab status`.

use anyhow::Result;
use serde::Serialize;

use crate::{lab::Lab, netns, part::Part, parts};

/// How `status` prints.
#[derive(Clone, Copy, clap::ValueEnum)]
pub enum Format {
    /// A JSON array
    Json,
    /// A YAML list
    Yaml,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    part: &'static str,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Proportional set size.
    memory_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<jiff::Timestamp>,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// Runs and answers.
    Up,
    /// Runs, but something is wrong.
    Failing,
    /// Was started, and ended by itself or with the machine.
    Dead,
    /// Not started.
    Down,
}

/// Prints all parts, as a table unless told otherwise.
pub fn print(lab: &Lab, format: Option<Format>) -> Result<()> {
    // Checks connect to addresses that exist in the namespace only.
    let exists = netns::named(lab).contains(&lab.netns());
    if exists {
        netns::enter(lab)?;
    }
    let rows: Vec<_> = parts::all()
        .iter()
        .map(|p| row(lab, p.as_ref(), exists))
        .collect();
    match format {
        Some(Format::Json) => println!("{}", serde_json::to_string_pretty(&rows)?),
        Some(Format::Yaml) => print!("{}", serde_saphyr::to_string(&rows)?),
        None => table(&rows),
    }
    Ok(())
}

fn row(lab: &Lab, part: &dyn Part, exists: bool) -> Row {
    let records = lab.records(part.name());
    let since = records
        .iter()
        .filter(|(_, r)| r.alive())
        .map(|(_, r)| r.since)
        .min();
    let checked = if exists { part.check(lab) } else { Ok(()) };
    let (state, message) = match (since, checked) {
        (Some(_), Ok(())) => (State::Up, None),
        (Some(_), Err(e)) => (State::Failing, Some(format!("{e:#}"))),
        (None, _) if records.is_empty() => (State::Down, None),
        (None, _) => (
            State::Dead,
            Some(format!("`cargo lab logs {}` shows why", part.name())),
        ),
    };
    let running = since.is_some();
    Row {
        part: part.name(),
        state,
        address: running.then(|| part.address(lab)).flatten(),
        memory_bytes: if running { part.memory(lab) } else { 0 },
        since,
        message,
    }
}

fn table(rows: &[Row]) {
    println!(
        "{:<12} {:<8} {:<30} {:>9}  SINCE",
        "PART", "STATE", "ADDRESS", "MEMORY"
    );
    for row in rows {
        let state = match row.state {
            State::Up => "up",
            State::Failing => "failing",
            State::Dead => "dead",
            State::Down => "down",
        };
        let mib = row.memory_bytes.div_ceil(1 << 20);
        let memory = if mib == 0 {
            "-".to_owned()
        } else {
            format!("{mib} MiB")
        };
        let address = row.address.as_deref().unwrap_or("-");
        let since = row.since.map_or_else(
            || "-".to_owned(),
            |t| t.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        );
        println!(
            "{:<12} {state:<8} {address:<30} {memory:>9}  {since}",
            row.part
        );
        if let Some(message) = &row.message {
            println!("{:<12} {message}", "");
        }
    }
    let total: u64 = rows.iter().map(|r| r.memory_bytes).sum();
    println!(
        "{:<12} {:<8} {:<30} {:>5} MiB",
        "all",
        "",
        "",
        total.div_ceil(1 << 20)
    );
}
