//! Waiting for what a provider makes of the objects.

use std::collections::BTreeMap;
use std::future::ready;
use std::pin::pin;

use anyhow::{Context, Result};
use futures::StreamExt;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watch_object, watcher};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Cluster, Machine};

impl Cluster {
    /// Waits until an OpenStackMachine is ready.
    ///
    /// # Errors
    /// The object as it was at the deadline.
    pub async fn machine_ready(&self, name: &str) -> Result<()> {
        self.wait_for("OpenStackMachine", name, is_ready)
            .await
            .map(drop)
    }

    /// Waits until machines are ready.
    ///
    /// # Errors
    /// Which are not at the deadline.
    pub async fn machines_ready(&self, machines: &[Machine]) -> Result<()> {
        let names: Vec<&str> = machines
            .iter()
            .map(|machine| machine.name.as_str())
            .collect();
        self.machines("ready", |there| {
            let is_waited_for = |name: &&&str| !there.get(**name).is_some_and(|ready| *ready);
            names
                .iter()
                .filter(is_waited_for)
                .map(|name| (*name).to_owned())
                .collect()
        })
        .await
    }

    /// Waits until an object is as `wanted`.
    ///
    /// # Errors
    /// The object as it was at the deadline.
    pub async fn wait_for(
        &self,
        kind: &str,
        name: &str,
        wanted: impl Fn(&DynamicObject) -> bool,
    ) -> Result<DynamicObject> {
        let is_wanted = |object: Option<&DynamicObject>| object.is_some_and(&wanted);
        let seen = self.until(kind, name, "as expected", is_wanted).await?;
        seen.context("it was there a moment ago")
    }

    /// Follows an object, which need not be there, until it is as `wanted`.
    pub(super) async fn until(
        &self,
        kind: &str,
        name: &str,
        wanted: &str,
        is_wanted: impl Fn(Option<&DynamicObject>) -> bool,
    ) -> Result<Option<DynamicObject>> {
        // A watch that fails, or that has expired, begins anew by itself.
        let mut seen = pin!(
            watch_object(self.api(kind), name)
                .default_backoff()
                .filter_map(|seen| ready(seen.ok()))
                .filter(|object| ready(is_wanted(object.as_ref())))
        );
        match timeout(self.deadline, seen.next()).await {
            Ok(Some(object)) => Ok(object),
            Ok(None) | Err(_) => Err(self.late(kind, name, wanted).await),
        }
    }

    /// Follows all OpenStackMachines, by name and whether they are ready, until `waiting` names none.
    pub(super) async fn machines(
        &self,
        wanted: &str,
        waiting: impl Fn(&BTreeMap<String, bool>) -> Vec<String>,
    ) -> Result<()> {
        let (mut there, mut listed) = (BTreeMap::new(), false);
        let events = watcher(self.api("OpenStackMachine"), Config::default());
        let mut events = pin!(events.default_backoff());
        let deadline = Instant::now() + self.deadline;
        loop {
            let Ok(event) = timeout_at(deadline, events.next()).await else {
                let names = waiting(&there);
                let late = self.late(
                    "OpenStackMachine",
                    names.first().map_or("", String::as_str),
                    wanted,
                );
                return Err(late
                    .await
                    .context(format!("{} machines are late", names.len())));
            };
            match event {
                Some(Ok(Event::Init)) => {
                    there.clear();
                    listed = false;
                }
                Some(Ok(Event::InitApply(object) | Event::Apply(object))) => {
                    there.insert(object.name_any(), is_ready(&object));
                }
                Some(Ok(Event::Delete(object))) => drop(there.remove(&object.name_any())),
                Some(Ok(Event::InitDone)) => listed = true,
                // It begins anew by itself.
                Some(Err(_)) | None => {}
            }
            if listed && waiting(&there).is_empty() {
                return Ok(());
            }
        }
    }

    async fn late(&self, kind: &str, name: &str, wanted: &str) -> anyhow::Error {
        let (namespace, seconds) = (&self.namespace, self.deadline.as_secs());
        let mut object = match self.api(kind).get(name).await {
            Ok(object) => object,
            Err(error) => return anyhow::anyhow!("{kind} {namespace}/{name}: {error}"),
        };
        object.metadata.managed_fields = None;
        let text = serde_json::to_string_pretty(&object).unwrap_or_default();
        anyhow::anyhow!("{kind} {namespace}/{name} is not {wanted} after {seconds} s:\n{text}")
    }
}

/// Provisioned, and all that is said of it is good.
pub(super) fn is_ready(object: &DynamicObject) -> bool {
    let status = &object.data["status"];
    let conditions: Vec<&Value> = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let is_good = |c: &&Value| c["status"] == "True" || c["type"] == "Paused";
    conditions.iter().any(|c| c["type"] == "Ready")
        && conditions.iter().all(is_good)
        && status["initialization"]["provisioned"] == true
}
