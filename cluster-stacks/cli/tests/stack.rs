//! `capstan stack build` and `capstan stack publish`, as people run them.

mod oci;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The stack of the lab: complete, and small.
const LAB: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../e2e/stacks/openstack/lab/1-36"
);

fn build(stack: &Path, into: &Path, more: &[&str]) -> Output {
    let mut capstan = Command::new(env!("CARGO_BIN_EXE_capstan"));
    capstan
        .args(["stack", "build"])
        .arg(stack)
        .arg("--into")
        .arg(into)
        .args(more);
    capstan.output().expect("capstan runs")
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder)
        .expect("folder")
        .map(|entry| entry.expect("entry").path());
    let name = |path: &PathBuf| {
        path.file_name()
            .expect("name")
            .to_string_lossy()
            .into_owned()
    };
    entries
        .map(|path| (name(&path), std::fs::read(&path).expect("file")))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("copied");
        }
    }
}

/// A copy of the lab's stack that a test may change.
fn changed(change: impl Fn(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("folder");
    copy(Path::new(LAB), folder.path());
    change(folder.path());
    folder
}

fn message(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let into = [
        tempfile::tempdir().expect("folder"),
        tempfile::tempdir().expect("folder"),
    ];
    let copied = changed(|_| {});
    for (stack, into) in [(Path::new(LAB), &into[0]), (copied.path(), &into[1])] {
        let output = build(stack, into.path(), &["--output", "json"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let built: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(built["release"], "openstack-lab-1-36-v1");
    }
    let [first, second] = into.map(|into| files(&into.path().join("openstack-lab-1-36-v1")));
    assert_eq!(first, second);
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "clusteraddon.yaml",
            "hashes.json",
            "metadata.yaml",
            "openstack-lab-1-36-cluster-addon-v1.tgz",
            "openstack-lab-1-36-cluster-class-v1.tgz",
        ]
    );
}

#[test]
fn a_build_by_hash_is_named_by_its_sources() {
    let name = |stack: &Path| {
        let into = tempfile::tempdir().expect("folder");
        let output = build(stack, into.path(), &["--mode", "hash", "--output", "json"]);
        let built: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        built["release"].as_str().expect("name").to_owned()
    };
    let same = name(Path::new(LAB));
    assert!(same.starts_with("openstack-lab-1-36-v0-sha-"), "{same}");
    assert_eq!(same, name(changed(|_| {}).path()));
    let other = changed(|stack| {
        std::fs::write(stack.join("cluster-class/README.md"), "new").expect("written")
    });
    assert_ne!(same, name(other.path()));
}

#[test]
fn what_would_fail_on_a_cluster_is_refused_here() {
    let into = tempfile::tempdir().expect("folder");
    let refused =
        |change: &dyn Fn(&Path)| message(&build(changed(change).path(), into.path(), &[]));

    let no_chart = refused(&|stack| {
        std::fs::remove_dir_all(stack.join("cluster-addon/cni")).expect("removed")
    });
    assert!(
        no_chart.contains("stage cni") && no_chart.contains("Chart.yaml"),
        "{no_chart}"
    );

    let not_vendored = refused(&|stack| {
        let chart = "apiVersion: v2\nname: cni\nversion: v1\ndependencies: [{name: cilium, version: 1.0.0}]\n";
        std::fs::write(stack.join("cluster-addon/cni/Chart.yaml"), chart).expect("written");
    });
    assert!(
        not_vendored.contains("cilium") && not_vendored.contains("helm dependency update"),
        "{not_vendored}"
    );

    let no_version = refused(&|stack| {
        let text = std::fs::read_to_string(stack.join("csctl.yaml")).expect("read");
        std::fs::write(stack.join("csctl.yaml"), text.replace("v1.36.3", "1.36")).expect("written");
    });
    assert!(
        no_version.contains("config.kubernetesVersion"),
        "{no_version}"
    );

    let link = refused(&|stack| {
        std::os::unix::fs::symlink("/etc/passwd", stack.join("cluster-class/passwd"))
            .expect("linked");
    });
    assert!(link.contains("passwd"), "{link}");
}

#[test]
fn a_folder_that_has_not_changed_is_published_once() {
    let registry = oci::Registry::start();
    let publish = |stack: &Path| -> serde_json::Value {
        let mut capstan = Command::new(env!("CARGO_BIN_EXE_capstan"));
        capstan
            .args(["stack", "publish", "--plain-http", "--output", "json"])
            .arg(stack)
            .arg(format!("{}/stacks", registry.address));
        let output = capstan.output().expect("capstan runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let first = publish(Path::new(LAB));
    assert_eq!(first["release"], "openstack-lab-1-36-v1");
    assert_eq!(first["new"], true);

    // Other bytes of the same sources, as another version of this program, or the original, may have packed them.
    let repacked = registry.repack("openstack-lab-1-36-v1");
    assert_ne!(first["digest"], repacked);
    let again = publish(changed(|_| {}).path());
    assert_eq!(again["release"], first["release"]);
    assert_eq!(again["reference"], first["reference"]);
    assert_eq!(
        (&again["new"], &again["digest"]),
        (&false.into(), &repacked.into())
    );
    assert_eq!(registry.tags(), ["openstack-lab-1-36-v1"]);

    let new = changed(|stack| {
        std::fs::write(stack.join("cluster-class/README.md"), "new").expect("written")
    });
    assert_eq!(publish(new.path())["release"], "openstack-lab-1-36-v2");
    assert_eq!(registry.tags().len(), 2);
}
