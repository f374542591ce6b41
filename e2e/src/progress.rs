//! What is being done: spinners on a terminal, plain lines elsewhere.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where a lab's lines and spinners go (standard error, so that `-o json` stays clean).
pub struct Progress {
    bars: MultiProgress,
    terminal: bool,
}

impl Progress {
    /// On the terminal of standard error if there is one.
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            terminal: console::user_attended_stderr(),
        }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        if self.terminal {
            // Fails only if the terminal has gone.
            let _ = self.bars.println(line);
        } else {
            eprintln!("{line}");
        }
    }

    /// A spinner for as long as something lasts.
    pub fn begin(&self, what: &str) -> Option<ProgressBar> {
        if !self.terminal {
            return None;
        }
        let bar = self.bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        Some(bar)
    }

    /// Takes the spinner away.
    pub fn end(&self, bar: Option<ProgressBar>) {
        if let Some(bar) = bar {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }
}
