//! Everything that is applied to a management cluster: the folders of `config/` next to this crate,
//! and the components of a release. The types in `crds` and the tables here are the source.

mod clusterctl;
mod crd;
mod deploy;
mod hooks;
mod names;
mod rbac;
pub mod tree;
mod webhook;
mod yaml;

use anyhow::Result;

pub use deploy::IMAGE;

/// Every file of `config/`.
///
/// # Errors
/// A definition that cannot be written as YAML.
pub fn files() -> Result<tree::Files> {
    let mut files = tree::Files::new();
    for documents in [
        crd::documents()?,
        rbac::documents(),
        webhook::documents(),
        hooks::documents(),
        deploy::documents(IMAGE),
        clusterctl::documents(),
    ] {
        for (path, documents) in documents {
            files.insert(path.into(), yaml::file(documents)?);
        }
    }
    Ok(files)
}

/// `infrastructure-components.yaml` of a release, which `clusterctl init` applies. The operator runs
/// from `image`, whose name has a registry and a tag or digest.
///
/// # Errors
/// As [`files`].
pub fn components(image: &str) -> Result<String> {
    yaml::file(clusterctl::components(image)?)
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
}
