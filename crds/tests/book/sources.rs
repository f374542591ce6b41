//! What can show something: the tests of the workspace, and the flows of the lab.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of tests; those of flows begin with `lab:`.
pub fn shows() -> HashSet<String> {
    let mut names = HashSet::new();
    for folder in [
        "crds",
        "provider-openstack",
        "operator",
        "config",
        "tests",
        "e2e",
    ] {
        collect(&root().join(folder), &mut names);
    }
    let flows = fs::read_to_string(root().join("e2e/src/flows/mod.rs")).expect("the flows");
    for begin in ["flow(\"", "name: \""] {
        let rest = flows.split(begin).skip(1);
        names.extend(rest.filter_map(|rest| Some(format!("lab:{}", rest.split('"').next()?))));
    }
    names
}

fn collect(folder: &Path, names: &mut HashSet<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(tests(&fs::read_to_string(&path).expect("a source")));
        }
    }
}

/// The functions that are marked as tests.
fn tests(source: &str) -> Vec<String> {
    let mut marked = false;
    let mut names = Vec::new();
    for line in source.lines().map(str::trim_start) {
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some((_, name)) = line.split_once("fn ").filter(|_| marked) {
            names.extend(name.split('(').next().map(str::to_owned));
            marked = false;
        }
    }
    names
}
