//! How servers are shown.

use serde_json::{Map, Value, json};

use super::{CUT_OFF, Microversion, PAGE, brief};
use crate::world::list::{page, remove, shown};
use crate::world::request::{Refusal, Request};
use crate::world::table::{list, text};
use crate::world::{Answer, Caller, Filters, Resource, World};

impl World {
    pub(super) fn list_servers(
        &self,
        caller: &Caller,
        request: &Request,
        version: Microversion,
        in_detail: bool,
    ) -> Answer {
        let mut request = request.clone();
        // Nova reads `name` as a regular expression; what anchors it is all that anybody uses.
        let name = take(&mut request, "name");
        let since = request.query("changes-since").map(read_time).transpose()?;
        let filters = Filters::read(&request, None)?;
        let everywhere =
            caller.is_admin && request.query("all_tenants").is_some_and(|all| all != "0");
        let is_meant = |row: &&Value| {
            let is_own = everywhere || text(row, "tenant_id") == caller.project_id;
            let is_new = since
                .as_deref()
                .is_none_or(|since| text(row, "updated") >= since);
            let is_named = name
                .as_deref()
                .is_none_or(|name| matches(name, text(row, "name")));
            is_own && is_new && is_named && filters.fit(row) && row[CUT_OFF] != true
        };
        let view = |row: &Value| {
            if in_detail {
                self.server_view(row, version, caller)
            } else {
                brief(row)
            }
        };
        let gone = self.deleted_servers.iter().filter(|_| since.is_some());
        let all = self.table(Resource::Servers).iter().chain(gone);
        let mut rows: Vec<&Value> = all.filter(is_meant).collect();
        // The newest first.
        rows.reverse();
        let rows = rows.into_iter().map(view).collect();
        let paging = self.paging(&request, "v2.1", PAGE, PAGE);
        page(&request, "servers", rows, &paging)
    }

    pub(super) fn server_view(&self, row: &Value, version: Microversion, caller: &Caller) -> Value {
        let mut view = shown(row, None);
        for (field, since) in [
            ("locked", (2, 9)),
            ("description", (2, 19)),
            ("tags", (2, 26)),
            ("server_groups", (2, 71)),
        ] {
            if version < since {
                remove(&mut view, field);
            }
        }
        let status = text(row, "status");
        if !matches!(status, "BUILD" | "ACTIVE") {
            remove(&mut view, "progress");
        }
        if matches!(status, "BUILD" | "DELETED") {
            remove(&mut view, "security_groups");
        }
        remove(&mut view, "project_id");
        if version < (2, 47) {
            view["flavor"] = json!({"id": row["_flavor_id"], "links": []});
        }
        if !caller.is_admin {
            for field in ["OS-EXT-SRV-ATTR:user_data", "OS-EXT-SRV-ATTR:host"] {
                remove(&mut view, field);
            }
        }
        view
    }

    /// Brings up to date what Nova remembers of a server's addresses.
    pub(crate) fn refresh_addresses(&mut self, server: &str) {
        if server.is_empty() || self.row(Resource::Servers, server).is_none() {
            return;
        }
        let mut addresses: Map<String, Value> = Map::new();
        for port in self.table(Resource::Ports).with("device_id", server) {
            let network = self.row(Resource::Networks, text(port, "network_id"));
            let name = network
                .map(|network| text(network, "name").to_owned())
                .unwrap_or_default();
            let mac = &port["mac_address"];
            let fixed = list(port, "fixed_ips").map(|ip| (text(ip, "ip_address"), "fixed"));
            let floating = self
                .table(Resource::FloatingIps)
                .with("port_id", text(port, "id"));
            let floating = floating.map(|ip| (text(ip, "floating_ip_address"), "floating"));
            let found = fixed.chain(floating).map(|(address, kind)| {
                json!({"addr": address, "version": if address.contains(':') { 6 } else { 4 },
                    "OS-EXT-IPS:type": kind, "OS-EXT-IPS-MAC:mac_addr": mac})
            });
            let entry = addresses.entry(name).or_insert_with(|| json!([]));
            if let Some(entry) = entry.as_array_mut() {
                entry.extend(found);
            }
        }
        if let Some(row) = self.row_mut(Resource::Servers, server) {
            row["addresses"] = Value::Object(addresses);
        }
    }
}

fn take(request: &mut Request, key: &str) -> Option<String> {
    let at = request.query.iter().position(|(name, _)| name == key)?;
    Some(request.query.remove(at).1)
}

fn matches(pattern: &str, name: &str) -> bool {
    let inner = pattern.trim_start_matches('^').trim_end_matches('$');
    let inner = inner.replace('\\', "");
    match (pattern.starts_with('^'), pattern.ends_with('$')) {
        (true, true) => name == inner,
        (true, false) => name.starts_with(&inner),
        (false, true) => name.ends_with(&inner),
        (false, false) => name.contains(&inner),
    }
}

/// A time as the rows have it.
fn read_time(text: &str) -> Result<String, Refusal> {
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        Refusal::bad(format!(
            "Invalid input for query parameters changes-since. Value: {text}."
        ))
    })?;
    Ok(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// A flavor.
pub(super) fn flavor(row: &Value, version: Microversion) -> Value {
    let mut view = shown(row, None);
    if version < (2, 55) {
        remove(&mut view, "description");
    }
    if version < (2, 61) {
        remove(&mut view, "extra_specs");
    }
    if version < (2, 75) && view["swap"] == 0 {
        view["swap"] = json!("");
    }
    view
}

/// A server group.
pub(super) fn server_group(row: &Value, version: Microversion) -> Value {
    let mut view = shown(row, None);
    let others = if version < (2, 64) {
        ["policy", "rules"]
    } else {
        ["policies", "metadata"]
    };
    for field in others {
        remove(&mut view, field);
    }
    view
}
