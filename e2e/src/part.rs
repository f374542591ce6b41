//! What a part of the lab is.

use anyhow::Result;

use crate::{lab::Lab, process};

/// One part: something that is prepared, brought up, asked how it is, and taken down.
///
/// All of it blocks. Parts that do not need each other come up side by side.
pub trait Part: Send + Sync {
    /// As in `cargo lab up NAME`.
    fn name(&self) -> &'static str;

    /// Parts that must be up before.
    fn needs(&self) -> &'static [&'static str];

    /// Downloads and builds, in the machine's own network namespace; cached by content.
    fn prepare(&self, lab: &Lab) -> Result<()>;

    /// Starts it, in the lab's namespace. Idempotent: what runs already stays.
    fn up(&self, lab: &Lab) -> Result<()>;

    /// Where others find it.
    fn address(&self, lab: &Lab) -> Option<String>;

    /// Healthy now? The error says what is wrong.
    fn check(&self, lab: &Lab) -> Result<()>;

    /// Stops it; its files stay (`down --purge` removes them later).
    fn down(&self, lab: &Lab) -> Result<()>;

    /// Memory in bytes: the proportional set sizes of its recorded processes and their children.
    fn memory(&self, lab: &Lab) -> u64 {
        process::memory(lab, self.name())
    }
}
