//! What there is in the cloud and on the host, before and after.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::wait;
use crate::{lab::Lab, netns, openstack::client::Client};

/// The project that tenants work in.
const PROJECT: &str = "tenant";
/// The node agent needs a moment to follow what Nova and Neutron say.
const DEADLINE: Duration = Duration::from_secs(120);

/// All that exists at one moment.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Audit {
    /// By service and kind: `network/ports` -> `name (ID)`.
    cloud: BTreeMap<String, Vec<String>>,
    /// Network namespaces and folders of machines and routers.
    host: BTreeSet<String>,
}

/// Now.
///
/// # Errors
/// A service does not answer.
pub fn take(lab: &Lab) -> Result<Audit> {
    let cloud = Client::admin(lab)?.inventory(PROJECT)?;
    let own = lab.netns();
    let namespaces = netns::named(lab).into_iter().filter(|n| *n != own);
    let folders = ["machines", "routers"].map(|what| lab.part_dir("agent").join(what));
    let entries = folders
        .iter()
        .filter_map(|f| fs::read_dir(f).ok())
        .flatten();
    let files = entries.filter_map(|e| Some(e.ok()?.path().display().to_string()));
    Ok(Audit {
        cloud,
        host: namespaces.chain(files).collect(),
    })
}

/// Waits until there is no more than there was.
///
/// # Errors
/// Something is left: the error names each thing.
pub fn clean_since(lab: &Lab, before: &Audit) -> Result<()> {
    let took = wait::until("an audit without leftovers", DEADLINE, || {
        Ok(take(lab)?.more_than(before))
    })?;
    lab.say(format_args!(
        "nothing is left in the cloud or on the host, {:.1} s after the last object",
        took.as_secs_f64()
    ));
    Ok(())
}

/// Keeps the state of now for [`kept`], as the one before what is called `name`.
pub fn keep(lab: &Lab, name: &str) -> Result<()> {
    let path = file(lab, name);
    let now = serde_json::to_vec_pretty(&take(lab)?)?;
    fs::write(&path, now).with_context(|| path.display().to_string())
}

/// What [`keep`] kept, perhaps in an earlier run.
pub fn kept(lab: &Lab, name: &str) -> Result<Audit> {
    let path = file(lab, name);
    let text = fs::read(&path).with_context(|| path.display().to_string())?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

fn file(lab: &Lab, name: &str) -> PathBuf {
    lab.part_dir("flows").join(format!("before-{name}.json"))
}

impl Audit {
    fn more_than(&self, before: &Self) -> Vec<String> {
        let none = Vec::new();
        let cloud = self.cloud.iter().flat_map(|(kind, items)| {
            let old = before.cloud.get(kind).unwrap_or(&none);
            let new = items.iter().filter(|i| !old.contains(i));
            new.map(move |i| format!("{kind}: {i}"))
        });
        let host = self.host.difference(&before.host);
        cloud.chain(host.map(|h| format!("host: {h}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_left() {
        let audit = |ports: &[&str], host: &[&str]| Audit {
            cloud: [(
                "network/ports".to_owned(),
                ports.iter().map(|p| (*p).to_owned()).collect(),
            )]
            .into(),
            host: host.iter().map(|h| (*h).to_owned()).collect(),
        };
        let before = audit(&["a (1)"], &["x"]);
        assert!(audit(&["a (1)"], &[]).more_than(&before).is_empty());
        let more = audit(&["a (1)", "a (2)"], &["x", "y"]).more_than(&before);
        assert_eq!(more, ["network/ports: a (2)", "host: y"]);
    }
}
