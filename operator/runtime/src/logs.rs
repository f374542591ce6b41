//! Logs to standard error: one JSON object a line for machines, or short lines for people.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

/// Starts logging; `filter` is a `tracing` filter such as `info` or `info,cloud=debug`.
///
/// # Errors
/// When the filter cannot be parsed, with the part that is wrong.
pub fn init(format: Format, filter: &str) -> Result<(), tracing_subscriber::filter::ParseError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        Format::Json => logs
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .init(),
        Format::Human => logs.init(),
    }
    Ok(())
}
