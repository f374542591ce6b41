//! `clusteraddon.yaml`: which add-ons are applied or deleted at which hook, in which order, and
//! what each waits for.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// When stages run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hook {
    /// Once, when the API of a new cluster answers.
    AfterControlPlaneInitialized,
    /// Before Cluster API touches the first machine of an upgrade; also when the release changes
    /// and Kubernetes stays, where Cluster API calls no hook.
    BeforeClusterUpgrade,
    /// After the last machine; read, because published stacks have it, but nothing runs then.
    AfterClusterUpgrade,
}

impl Hook {
    /// As in `clusteraddon.yaml` and in `spec.hook` of a ClusterAddon.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AfterControlPlaneInitialized => "AfterControlPlaneInitialized",
            Self::BeforeClusterUpgrade => "BeforeClusterUpgrade",
            Self::AfterClusterUpgrade => "AfterClusterUpgrade",
        }
    }

    /// Reads what [`Hook::as_str`] writes.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [
            Self::AfterControlPlaneInitialized,
            Self::BeforeClusterUpgrade,
            Self::AfterClusterUpgrade,
        ]
        .into_iter()
        .find(|hook| hook.as_str() == text)
    }
}

impl fmt::Display for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The stages of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    by_hook: BTreeMap<Hook, Vec<Stage>>,
}

/// One chart to apply or delete.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// Folder of the chart in the add-on archive.
    pub name: String,
    /// What to do with it.
    pub action: Action,
    /// What must hold before.
    #[serde(default)]
    pub wait_for_pre_condition: Option<Condition>,
    /// What must hold after, before the next stage begins.
    #[serde(default)]
    pub wait_for_post_condition: Option<Condition>,
}

/// What a stage does with its chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Apply its objects.
    Apply,
    /// Delete its objects.
    Delete,
}

impl Action {
    /// As in `clusteraddon.yaml`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Delete => "delete",
        }
    }
}

/// A CEL expression over objects of the workload cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Condition {
    /// The objects, each a variable named `key`.
    #[serde(default)]
    pub objects: Vec<Watched>,
    /// The expression; must give true or false.
    pub conditions: String,
}

/// An object that a condition reads.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Watched {
    /// Name of the variable.
    pub key: String,
    /// Such as `apps/v1`.
    pub api_version: String,
    /// Such as `Deployment`.
    pub kind: String,
    /// Name of the object.
    pub name: String,
    /// Namespace of the object; empty for objects that have none.
    #[serde(default)]
    pub namespace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    addon_stages: BTreeMap<String, Vec<Stage>>,
}

/// Why `clusteraddon.yaml` cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the YAML that it should be.
    #[error("clusteraddon.yaml: {0}")]
    Yaml(String),
    /// A hook that nobody calls: its stages would silently never run.
    #[error(
        "clusteraddon.yaml: addonStages.{0} is no hook; use AfterControlPlaneInitialized, BeforeClusterUpgrade or AfterClusterUpgrade"
    )]
    Hook(String),
    /// Two stages of a hook with one name and action: their state could not be told apart.
    #[error("clusteraddon.yaml: addonStages.{hook} has the stage {name} ({action}) twice")]
    Twice {
        hook: Hook,
        name: String,
        action: &'static str,
    },
    /// A name that leads out of the archive.
    #[error(
        "clusteraddon.yaml: addonStages.{hook} names the chart folder {name:?}; use the name of one folder"
    )]
    Folder { hook: Hook, name: String },
}

impl Stages {
    /// Reads and checks the file. Unlike the original, which deletes for every action that is not
    /// `apply`, it refuses what it does not know.
    ///
    /// # Errors
    /// When a hook, an action or a name is wrong, naming it.
    pub fn read(yaml: &str) -> Result<Self, Error> {
        let file: File =
            serde_saphyr::from_str(yaml).map_err(|error| Error::Yaml(error.to_string()))?;
        let mut by_hook = BTreeMap::new();
        for (name, stages) in file.addon_stages {
            let hook = Hook::read(&name).ok_or(Error::Hook(name))?;
            check(hook, &stages)?;
            by_hook.insert(hook, stages);
        }
        Ok(Self { by_hook })
    }

    /// The stages of a release without `clusteraddon.yaml`: its one chart, applied at both hooks.
    #[must_use]
    pub fn single() -> Self {
        let stage = Stage {
            name: "cluster-addon".to_owned(),
            action: Action::Apply,
            wait_for_pre_condition: None,
            wait_for_post_condition: None,
        };
        let hooks = [
            Hook::AfterControlPlaneInitialized,
            Hook::BeforeClusterUpgrade,
        ];
        Self {
            by_hook: hooks.map(|hook| (hook, vec![stage.clone()])).into(),
        }
    }

    /// The stages of a hook, in order.
    #[must_use]
    pub fn of(&self, hook: Hook) -> &[Stage] {
        self.by_hook.get(&hook).map_or(&[], Vec::as_slice)
    }
}

fn check(hook: Hook, stages: &[Stage]) -> Result<(), Error> {
    for (at, stage) in stages.iter().enumerate() {
        let name = stage.name.clone();
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\']) {
            return Err(Error::Folder { hook, name });
        }
        if stages[..at]
            .iter()
            .any(|other| other.name == name && other.action == stage.action)
        {
            return Err(Error::Twice {
                hook,
                name,
                action: stage.action.as_str(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "apiVersion: clusteraddonconfig.x-k8s.io/v1alpha1
clusterAddonVersion: clusteraddons.clusterstack.x-k8s.io/v1alpha1
addonStages:
  AfterControlPlaneInitialized:
    - name: cni
      action: apply
    - name: check
      action: apply
      waitForPreCondition:
        objects: [{key: cni, apiVersion: apps/v1, kind: DaemonSet, name: cni, namespace: kube-system}]
        conditions: cni.status.numberReady > 0
  BeforeClusterUpgrade:
    - {name: old, action: delete}
";

    #[test]
    fn stages_are_read_in_order() {
        let stages = Stages::read(FILE).expect("read");
        let names: Vec<&str> = stages
            .of(Hook::AfterControlPlaneInitialized)
            .iter()
            .map(|stage| stage.name.as_str())
            .collect();
        assert_eq!(names, ["cni", "check"]);
        assert_eq!(
            stages.of(Hook::BeforeClusterUpgrade)[0].action,
            Action::Delete
        );
        assert!(stages.of(Hook::AfterClusterUpgrade).is_empty());
    }

    #[test]
    fn what_would_be_misread_is_refused() {
        for (from, to, named) in [
            ("action: apply", "action: aply", "aply"),
            ("BeforeClusterUpgrade", "BeforeUpgrade", "BeforeUpgrade"),
            ("name: check", "name: cni", "twice"),
            ("name: old", "name: ../old", "../old"),
        ] {
            let error = Stages::read(&FILE.replacen(from, to, 1))
                .expect_err(to)
                .to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
