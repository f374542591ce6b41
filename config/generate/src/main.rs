//! Writes the folders of `config/` next to this crate, or the components of a release.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;
use generate::tree;

/// Writes config/ from the types in crds.
#[derive(Parser)]
#[command(name = "cargo generate")]
struct Args {
    /// Change nothing; fail if a file is not as it would be written.
    #[arg(long)]
    check: bool,
    /// Write what `clusterctl init` applies, as one file, and nothing else.
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    components: Option<PathBuf>,
    /// The image that the operator runs from in the components: REGISTRY/NAME:TAG.
    #[arg(long, default_value = generate::IMAGE, requires = "components")]
    image: String,
    /// The folder to write.
    #[arg(long, default_value_os_t = default_folder())]
    folder: PathBuf,
}

fn default_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .components()
        .collect()
}

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(file) = &args.components {
        let text = generate::components(&args.image)?;
        return std::fs::write(file, text).with_context(|| file.display().to_string());
    }
    let wanted = generate::files()?;
    if !args.check {
        return tree::write(&args.folder, &wanted);
    }
    let drift = tree::drift(&args.folder, &wanted)?;
    if !drift.is_empty() {
        bail!(
            "not as generated, run `cargo generate`:\n  {}",
            drift.join("\n  ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drifted() {
        let drift = tree::drift(&default_folder(), &generate::files().unwrap()).unwrap();
        assert!(drift.is_empty(), "run `cargo generate`: {drift:?}");
    }
}
