//! What a provider sent to the cloud and left in the management cluster, as data: kept in a file, and played again
//! in another namespace and cloud.
//!
//! Ids and addresses that differ from run to run are written `«3/id»`: the field of what the third creation made. What
//! the cloud had before is `«network public»`, the namespace `«namespace»`.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use simulator::{Resource, Service, World};

use crate::Scenario;
use crate::picture::map_texts;
use crate::scenario::PROJECT;

/// Owners come before what they own.
const KINDS: [&str; 8] = [
    "Cluster",
    "OpenStackCluster",
    "OpenStackFloatingIPPool",
    "Machine",
    "OpenStackMachine",
    "OpenStackServer",
    "IPAddressClaim",
    "IPAddress",
];
/// Of what was made, all that others name.
const FIELDS: [&str; 6] = [
    "/id",
    "/vip_address",
    "/vip_port_id",
    "/floating_ip_address",
    "/fixed_ips/0/ip_address",
    "/external_gateway_info/external_fixed_ips/0/ip_address",
];
const NAMESPACE: &str = "«namespace»";

/// A request that changed something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Write {
    /// As in `network POST /ports`, with ids.
    pub operation: String,
    /// What was sent.
    pub body: Value,
}

/// What a user has made in the cloud before there is a cluster.
#[derive(Clone, Debug, Default)]
pub struct Brought {
    writes: Vec<Write>,
    /// Ids.
    made: Vec<String>,
}

impl Brought {
    /// Makes it.
    ///
    /// # Errors
    /// What the cloud refuses.
    pub async fn send(scenario: &Scenario, writes: Vec<Write>) -> Result<Self> {
        let mut made = Vec::new();
        send_all(scenario, &writes, &mut made).await?;
        Ok(Self { writes, made })
    }

    /// The value with ids and addresses in place of what stands for them.
    #[must_use]
    pub fn read(&self, scenario: &Scenario, value: Value) -> Value {
        map_texts(value, &|text| read(scenario, &self.made, text))
    }
}

/// The work of a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// What the user had made before.
    pub brought: Vec<Write>,
    /// What it sent to the cloud, in that order.
    pub writes: Vec<Write>,
    /// The objects, owners first.
    pub objects: Vec<Value>,
}

impl Recording {
    /// What was done in a scenario until now.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn of(scenario: &Scenario, brought: &Brought) -> Result<Self> {
        let (mut names, mut writes) = (BTreeMap::new(), Vec::new());
        scenario.cloud.world(|world| known(world, &mut names));
        for (at, id) in brought.made.iter().enumerate() {
            name_fields(scenario, at + 1, id, &mut names);
        }
        let mut made = brought.made.len();
        let namespace = &scenario.cluster.namespace;
        let write = |text: &str, names: &_| words(text, names).replace(namespace, NAMESPACE);
        for call in scenario.cloud.log().all() {
            let carried_out = call.status.is_some_and(|status| status < 400);
            if !is_write(&call.operation) || !carried_out {
                continue;
            }
            let kind: Vec<&str> = call.operation.splitn(3, ' ').take(2).collect();
            writes.push(Write {
                operation: format!("{} {}", kind.join(" "), write(&call.path, &names)),
                body: map_texts(call.body, &|text| write(text, &names)),
            });
            let Some(id) = call.made else {
                continue;
            };
            made += 1;
            name_fields(scenario, made, &id, &mut names);
        }
        let objects = objects(scenario).await?.into_iter();
        let objects = objects.map(|object| map_texts(object, &|text| write(text, &names)));
        Ok(Self {
            brought: brought.writes.clone(),
            writes,
            objects: objects.collect(),
        })
    }

    /// Sends it all to the cloud of a scenario and creates the objects, which are returned; without status as
    /// `clusterctl move` does.
    ///
    /// # Errors
    /// What the cloud or the API server refuses.
    pub async fn play(
        &self,
        scenario: &Scenario,
        brought: Brought,
        with_status: bool,
    ) -> Result<Vec<Value>> {
        let mut made = brought.made;
        send_all(scenario, &self.writes, &mut made).await?;
        let (mut uids, mut objects) = (BTreeMap::new(), Vec::new());
        for object in &self.objects {
            let object = map_texts(object.clone(), &|text| read(scenario, &made, text));
            create(scenario, object.clone(), with_status, &mut uids).await?;
            objects.push(object);
        }
        Ok(objects)
    }
}

impl fmt::Display for Recording {
    /// JSON with a request or an object a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = |lines: Vec<String>| lines.join(",\n");
        let writes = |all: &[Write]| lines(all.iter().map(|one| json!(one).to_string()).collect());
        let objects = self.objects.iter().map(Value::to_string);
        writeln!(
            f,
            "{{\"brought\":[\n{}\n],\"writes\":[\n{}\n],\"objects\":[\n{}\n]}}",
            writes(&self.brought),
            writes(&self.writes),
            lines(objects.collect())
        )
    }
}

/// Whether an operation of the log changes something.
#[must_use]
pub fn is_write(operation: &str) -> bool {
    !operation.contains(" GET ") && !operation.contains("/auth/tokens")
}

/// The objects of a scenario without what the API server adds, owners first.
///
/// # Errors
/// What the API server says.
pub async fn objects(scenario: &Scenario) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in KINDS {
        for object in scenario.cluster.api(kind).list(&Default::default()).await? {
            let mut owners = json!(object.owner_references());
            for owner in owners.as_array_mut().into_iter().flatten() {
                owner["uid"] = json!("");
            }
            let (types, name) = (object.types.as_ref(), object.name_any());
            all.push(json!({
                "apiVersion": types.map(|types| &types.api_version),
                "kind": kind,
                "metadata": {
                    "name": name,
                    "labels": object.labels(),
                    "annotations": object.annotations(),
                    "finalizers": object.finalizers(),
                    "ownerReferences": owners,
                },
                "spec": object.data["spec"],
                "status": object.data["status"],
            }));
        }
    }
    Ok(all)
}

/// What objects no longer say as they did before, field by field, and what is new in their specs. Not when, and not
/// whether all is well.
#[must_use]
pub fn difference(after: &[Value], before: &[Value]) -> String {
    let (after, before) = (said(after), said(before));
    let mut lines = String::new();
    for (path, value) in &before {
        if after.get(path) != Some(value) {
            // Writing to a String does not fail.
            let _ = writeln!(lines, "- {path}: {value}");
        }
    }
    for (path, value) in after.iter().filter(|(path, _)| path.contains(" spec")) {
        if before.get(path) != Some(value) {
            let _ = writeln!(lines, "+ {path}: {value}");
        }
    }
    lines
}

fn said(objects: &[Value]) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    for object in objects {
        let mut status = object["status"].clone();
        if let Some(status) = status.as_object_mut() {
            status.remove("conditions");
        }
        // Their order is nobody's promise.
        if let Some(addresses) = status.get_mut("addresses").and_then(Value::as_array_mut) {
            addresses.sort_by_key(Value::to_string);
        }
        let name = format!("{} {}", object["kind"], object["metadata"]["name"]);
        flatten(&format!("{name} spec"), &object["spec"], &mut fields);
        flatten(&format!("{name} status"), &status, &mut fields);
    }
    fields
}

fn flatten(path: &str, value: &Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(inner) => {
            for (name, value) in inner {
                flatten(&format!("{path}.{name}"), value, fields);
            }
        }
        Value::Array(inner) => {
            for (at, value) in inner.iter().enumerate() {
                flatten(&format!("{path}[{at}]"), value, fields);
            }
        }
        Value::Null => {}
        other => drop(fields.insert(path.to_owned(), other.clone())),
    }
}

/// Sends requests one after the other; what is made is added to `made`.
async fn send_all(scenario: &Scenario, writes: &[Write], made: &mut Vec<String>) -> Result<()> {
    for write in writes {
        let read = |text: &str| read(scenario, made, text);
        let operation = read(&write.operation);
        let body = map_texts(write.body.clone(), &read);
        made.extend(send(scenario, &operation, body)?);
        scenario.settled().await?;
    }
    Ok(())
}

/// Sends one request as the tenant; the id of what it made.
fn send(scenario: &Scenario, operation: &str, body: Value) -> Result<Option<String>> {
    let [service, method, path] = *operation.splitn(3, ' ').collect::<Vec<_>>() else {
        bail!("{operation}: no operation");
    };
    let service = Service::ALL.into_iter().find(|s| s.as_str() == service);
    let service = service.with_context(|| format!("{operation}: no service"))?;
    let method = Method::from_bytes(method.as_bytes())?;
    let creates = method == Method::POST;
    let reply = scenario
        .cloud
        .world(|world| world.request(PROJECT, service, method, path, body));
    ensure!(
        reply.is_success(),
        "{operation}: {} {}",
        reply.status,
        reply.body
    );
    let made = reply.made().filter(|_| creates);
    Ok(made.map(str::to_owned))
}

async fn create(
    scenario: &Scenario,
    mut object: Value,
    with_status: bool,
    uids: &mut BTreeMap<(String, String), String>,
) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let status = object["status"].take();
    let key = (text(&object["kind"]), text(&object["metadata"]["name"]));
    let owners = object["metadata"]["ownerReferences"].as_array_mut();
    for owner in owners.into_iter().flatten() {
        let of = (text(&owner["kind"]), text(&owner["name"]));
        owner["uid"] = json!(
            uids.get(&of)
                .with_context(|| format!("{key:?}: no {of:?}"))?
        );
    }
    let params = PostParams::default();
    if let Some(name) = object["spec"]["bootstrap"]["dataSecretName"].as_str() {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
            "stringData": { "value": "#cloud-config\n" },
        });
        let secret: DynamicObject = serde_json::from_value(secret)?;
        scenario
            .cluster
            .api("Secret")
            .create(&params, &secret)
            .await?;
    }
    let api = scenario.cluster.api(&key.0);
    let object: DynamicObject = serde_json::from_value(object)?;
    let created = api.create(&params, &object).await;
    let created = created.with_context(|| format!("create {key:?}"))?;
    if with_status && !status.is_null() {
        let patch = Patch::Merge(json!({ "status": status }));
        let params = PatchParams::default();
        let patched = api.patch_status(&key.1, &params, &patch).await;
        patched.with_context(|| format!("status of {key:?}"))?;
    }
    uids.insert(key, created.uid().unwrap_or_default());
    Ok(())
}

/// Names of what the cloud had before any tenant came.
fn known(world: &World, names: &mut BTreeMap<String, String>) {
    let admin = world.member_of("admin").project_id;
    for resource in Resource::ALL {
        for row in world.all(resource) {
            let is_there = row["project_id"] == admin.as_str() || row["project_id"].is_null();
            if let (true, Some(id), Some(name)) =
                (is_there, row["id"].as_str(), row["name"].as_str())
                && !name.is_empty()
            {
                names.insert(id.to_owned(), format!("«{} {name}»", resource.one()));
            }
        }
    }
    names.insert(world.member_of(PROJECT).project_id, "«project»".to_owned());
}

/// Names what is told of the `made`th creation; of one that is gone again, its id alone.
fn name_fields(scenario: &Scenario, made: usize, id: &str, names: &mut BTreeMap<String, String>) {
    let row = scenario.cloud.world(|world| row(world, id));
    let row = row.unwrap_or_else(|| json!({ "id": id }));
    for field in FIELDS {
        let value = row.pointer(field).and_then(Value::as_str);
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let name = format!("«{made}{field}»");
            names.entry(value.to_owned()).or_insert(name);
        }
    }
}

fn row(world: &World, id: &str) -> Option<Value> {
    let mut rows = Resource::ALL.into_iter().flat_map(|r| world.all(r));
    rows.find(|row| row["id"] == id).cloned()
}

/// A text with every word that has a name replaced by it.
fn words(text: &str, names: &BTreeMap<String, String>) -> String {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let (mut written, mut word) = (String::new(), String::new());
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if is_of_word(c) => word.push(c),
            other => {
                written += names.get(&word).unwrap_or(&word);
                word.clear();
                written.extend(other);
            }
        }
    }
    written
}

/// The other way around; a name that leads nowhere stays, and is refused by whoever gets it.
fn read(scenario: &Scenario, made: &[String], text: &str) -> String {
    let mut parts = text.split('«');
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('»').unwrap_or((part, ""));
        match value(scenario, made, name) {
            Some(value) => written += &value,
            None => written += name,
        }
        written += rest;
    }
    written
}

fn value(scenario: &Scenario, made: &[String], name: &str) -> Option<String> {
    if format!("«{name}»") == NAMESPACE {
        return Some(scenario.cluster.namespace.clone());
    }
    scenario.cloud.world(|world| {
        if name == "project" {
            return Some(world.member_of(PROJECT).project_id);
        }
        if let Some((resource, name)) = name.split_once(' ') {
            let of = Resource::ALL.into_iter().find(|r| r.one() == resource)?;
            return world.id_of(of, name);
        }
        let (number, field) = name.split_at(name.find('/')?);
        let id = made.get(number.parse::<usize>().ok()?.checked_sub(1)?)?;
        let value = row(world, id)?.pointer(field)?.as_str()?.to_owned();
        Some(value)
    })
}
