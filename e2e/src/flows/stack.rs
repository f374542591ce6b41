//! Cluster stacks: published by `capstan`, as their author would.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{
    lab::Lab,
    parts::{capstan::REPOSITORY, registry},
};

/// The lab's own stack, in the workspace.
const SOURCE: &str = "e2e/stacks/openstack/lab/1-36";
/// Name of that stack.
pub const LAB: &str = "lab";
/// Kubernetes in it.
pub const KUBERNETES: &str = "v1.36.3";

/// Name of a stack's release, and of its ClusterClass.
pub fn release(stack: &str, version: &str) -> String {
    format!("openstack-{stack}-1-36-{version}")
}

/// A release in the registry.
#[derive(Clone, Debug, Deserialize)]
pub struct Published {
    /// Its name, as `openstack-lab-1-36-v1`; also that of its ClusterClass.
    pub release: String,
}

/// A stack's folder.
pub struct Stack {
    /// Its name, as in csctl.yaml.
    pub name: String,
    /// Where it lies.
    pub folder: PathBuf,
}

/// The lab's stack, as it is in the workspace.
pub fn own(lab: &Lab) -> Stack {
    Stack {
        name: LAB.to_owned(),
        folder: lab.repo.join(SOURCE),
    }
}

/// A copy of the lab's stack, to be changed; under another name it is another stack.
/// It lies below the folder `flows` of the lab, so that it can be looked at.
///
/// # Errors
/// The disk refuses.
pub fn copy(lab: &Lab, folder: &str, name: &str) -> Result<Stack> {
    let folder = lab.part_dir("flows").join(folder);
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    copy_folder(&own(lab).folder, &folder)?;
    let stack = Stack {
        name: name.to_owned(),
        folder,
    };
    let field = "clusterStackName: ";
    stack.replace(
        "csctl.yaml",
        &format!("{field}{LAB}"),
        &format!("{field}{name}"),
    )?;
    // A registry keeps equal files of two stacks as one: whoever spoils the one spoils the other.
    let about = stack.folder.join("cluster-class/README.md");
    fs::write(&about, format!("The class of the cluster stack {name}.\n"))
        .with_context(|| about.display().to_string())?;
    Ok(stack)
}

impl Stack {
    /// Replaces a text in one of its files.
    ///
    /// # Errors
    /// The text is not in the file.
    pub fn replace(&self, file: &str, from: &str, to: &str) -> Result<()> {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        ensure!(text.contains(from), "{}: no {from:?} in it", path.display());
        fs::write(&path, text.replace(from, to)).with_context(|| path.display().to_string())
    }

    /// Publishes it as the next release; what has not changed since the newest release is that one.
    ///
    /// # Errors
    /// What `capstan` says.
    pub fn publish(&self, lab: &Lab) -> Result<Published> {
        publish(lab, &self.folder)
    }

    /// Builds the release, without publishing it; returns its folder.
    ///
    /// # Errors
    /// What `capstan` says.
    pub fn build(&self, lab: &Lab) -> Result<PathBuf> {
        let into = self.folder.with_extension("release");
        capstan(lab, |command| {
            command
                .args(["stack", "build"])
                .arg(&self.folder)
                .arg("--into")
                .arg(&into)
        })?;
        Ok(into.join(release(&self.name, "v1")))
    }
}

/// Publishes a folder, that of a stack or that of a release.
///
/// # Errors
/// What `capstan` says.
pub fn publish(lab: &Lab, folder: &Path) -> Result<Published> {
    let out = capstan(lab, |command| {
        command
            .args(["stack", "publish", "--output", "json", "--registry-ca"])
            .arg(registry::certificate(lab))
            .arg(folder)
            .arg(format!("{}/{REPOSITORY}", registry::ADDRESS))
    })?;
    serde_json::from_slice(&out).context("output of capstan stack publish")
}

fn capstan(lab: &Lab, arguments: impl FnOnce(&mut Command) -> &mut Command) -> Result<Vec<u8>> {
    let mut command = Command::new(lab.programs()?.join("capstan"));
    let out = arguments(&mut command).output().context("run capstan")?;
    if !out.status.success() {
        bail!("{}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(out.stdout)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cluster API's own templates must come out of ours with their braces, in both engines alike.
    #[test]
    fn the_class_renders_to_what_cluster_api_fills_in() {
        let root =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/openstack/lab/1-36/cluster-class");
        let mut files = chart::archive::Files::new();
        for folder in ["", "templates"] {
            for entry in fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    let name = path.strip_prefix(&root).unwrap().display();
                    files.insert(format!("class/{name}"), fs::read(&path).unwrap());
                }
            }
        }
        let release = chart::class::Release {
            name: "openstack-lab-1-36",
            namespace: "tenant",
        };
        let objects = chart::class::render(&files, release).unwrap();
        let one = |kind: &str| objects.iter().find(|o| o["kind"] == kind).unwrap();
        assert_eq!(objects.len(), 6);
        let class = one("ClusterClass");
        assert_eq!(class["metadata"]["name"], super::release(LAB, "v1"));
        let names = |list: &str| -> Vec<_> {
            let items = class["spec"][list].as_array().unwrap().iter();
            items.map(|i| i["name"].as_str().unwrap()).collect()
        };
        assert!(names("variables").contains(&"workerFlavor"));
        assert!(names("patches").contains(&"workerRootDisk"));
        let text = class.to_string();
        for wanted in [
            "{{ .imageName }}-{{ .builtin.machineDeployment.version }}",
            "{{ if .workerRootDisk }}true{{ end }}",
            "remoteIPPrefix: {{ $cidr }}",
        ] {
            assert!(text.contains(wanted), "{wanted} is not in {text}");
        }
        let join = &one("KubeadmConfigTemplate")["spec"]["template"]["spec"]["joinConfiguration"];
        let registration = &join["nodeRegistration"];
        assert_eq!(registration["name"], "{{ local_hostname }}");
        assert_eq!(
            registration["kubeletExtraArgs"][1]["value"],
            "openstack:///'{{ instance_id }}'"
        );
    }
}
