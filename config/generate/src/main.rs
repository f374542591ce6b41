//! Writes the folders of `config/` next to this crate: everything that is applied to a
//! management cluster. The types in `crds` and the tables here are the source.

mod clusterctl;
mod crd;
mod deploy;
mod hooks;
mod names;
mod rbac;
mod tree;
mod webhook;
mod yaml;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;

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
        let text = yaml::file(clusterctl::components()?)?;
        return std::fs::write(file, text).with_context(|| file.display().to_string());
    }
    let wanted = files()?;
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

/// Everything that is generated.
fn files() -> Result<tree::Files> {
    let mut files = tree::Files::new();
    for documents in [
        crd::documents()?,
        rbac::documents(),
        webhook::documents(),
        hooks::documents(),
        deploy::documents(),
        clusterctl::documents(),
    ] {
        for (path, documents) in documents {
            files.insert(path.into(), yaml::file(documents)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_yaml() {
        for (path, text) in files().unwrap() {
            let documents: Vec<serde_json::Value> = serde_saphyr::from_multiple(&text)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert!(!documents.is_empty(), "{} is empty", path.display());
            assert!(
                documents.iter().all(|d| d["apiVersion"].is_string()),
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn nothing_drifted() {
        let drift = tree::drift(&default_folder(), &files().unwrap()).unwrap();
        assert!(drift.is_empty(), "run `cargo generate`: {drift:?}");
    }
}
