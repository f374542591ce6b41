//! Filters, pages and fields of lists.

use serde_json::{Value, json};

use super::request::{Refusal, Reply, Request};
use super::table::{id, list, text};

/// Query keys that are not filters.
const CONTROLS: [&str; 9] = [
    "limit",
    "marker",
    "fields",
    "sort_key",
    "sort_dir",
    "sort",
    "page_reverse",
    "all_tenants",
    "changes-since",
];

/// The filters of a list: key and wanted values, any of which may fit.
pub(crate) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads them; `known` (when given) are all fields that may be filtered by.
    pub fn read(request: &Request, known: Option<&[&str]>) -> Result<Self, Refusal> {
        let mut filters: Vec<(String, Vec<String>)> = Vec::new();
        for (key, value) in &request.query {
            if CONTROLS.contains(&key.as_str()) {
                continue;
            }
            let is_tag = matches!(
                key.as_str(),
                "tags" | "tags-any" | "not-tags" | "not-tags-any"
            );
            if !is_tag && known.is_some_and(|known| !known.contains(&key.as_str())) {
                let message = format!("[{key:?}] is invalid attribute for filter");
                return Err(Refusal::bad(message));
            }
            match filters.iter_mut().find(|(name, _)| name == key) {
                Some((_, values)) => values.push(value.clone()),
                None => filters.push((key.clone(), vec![value.clone()])),
            }
        }
        Ok(Self(filters))
    }

    /// Whether a row has what is wanted.
    pub fn fit(&self, row: &Value) -> bool {
        self.0.iter().all(|(key, values)| fits(row, key, values))
    }
}

fn fits(row: &Value, key: &str, values: &[String]) -> bool {
    let wanted = || values.iter().flat_map(|value| value.split(','));
    let has = |tag: &str| list(row, "tags").any(|found| found == tag);
    match key {
        "tags" => wanted().all(has),
        "tags-any" => wanted().any(has),
        "not-tags" => !wanted().all(has),
        "not-tags-any" => !wanted().any(has),
        "tenant_id" => fits(row, "project_id", values),
        "fixed_ips" => values.iter().all(|value| {
            let (field, wanted) = value.split_once('=').unwrap_or(("ip_address", value));
            list(row, "fixed_ips").any(|address| text(address, field) == wanted)
        }),
        _ => values.iter().any(|value| same(&row[key], value)),
    }
}

fn same(field: &Value, wanted: &str) -> bool {
    match field {
        Value::String(text) => text == wanted,
        Value::Bool(value) => {
            let wanted = wanted.to_lowercase();
            let truth = matches!(wanted.as_str(), "true" | "1" | "yes");
            *value == truth
        }
        Value::Null => wanted.is_empty(),
        Value::Array(items) => items.iter().any(|item| same(item, wanted)),
        Value::Number(number) => number.to_string() == wanted,
        Value::Object(_) => false,
    }
}

/// How a service makes pages.
pub(crate) struct Paging {
    /// Rows of a page when the client does not say.
    pub default: usize,
    /// Rows that a page can have.
    pub most: usize,
    /// Path of the list, for the link to the next page.
    pub path: String,
    /// Glance has one field `next`, the others a list of links.
    pub bare_next: bool,
    /// Octavia has its list of links even where it is empty.
    pub always_links: bool,
    /// Neutron links to the page before too, if a limit was asked for.
    pub backwards: bool,
}

/// One page of `rows` under `key`.
pub(crate) fn page(
    request: &Request,
    key: &str,
    rows: Vec<Value>,
    paging: &Paging,
) -> Result<Reply, Refusal> {
    let asked = request
        .query("limit")
        .and_then(|limit| limit.parse::<usize>().ok())
        .filter(|&limit| limit > 0);
    let limit = asked.unwrap_or(paging.default).min(paging.most);
    let start = match request.query("marker") {
        Some(marker) => {
            let found = rows.iter().position(|row| text(row, "id") == marker);
            let missing = || Refusal::bad(format!("marker [{marker}] not found"));
            found.ok_or_else(missing)? + 1
        }
        None => 0,
    };
    let rows: Vec<Value> = rows.into_iter().skip(start).take(limit).collect();
    // Nobody looks whether something follows: after a full page there may come an empty one.
    let is_full = rows.len() == limit;
    let next = rows
        .last()
        .filter(|_| is_full)
        .map(|last| link(request, paging, limit, &id(last)));
    let mut body = json!({key: rows});
    if paging.bare_next {
        if let Some(href) = next {
            body["next"] = json!(href);
        }
        return Ok(Reply::new(200, body));
    }
    let mut links: Vec<Value> = next
        .into_iter()
        .map(|href| json!({"rel": "next", "href": href}))
        .collect();
    if paging.backwards && asked.is_some() {
        let href = format!("{}?limit={limit}&page_reverse=True", paging.path);
        links.push(json!({"rel": "previous", "href": href}));
    }
    if paging.always_links || !links.is_empty() {
        body[format!("{key}_links")] = json!(links);
    }
    Ok(Reply::new(200, body))
}

fn link(request: &Request, paging: &Paging, limit: usize, marker: &str) -> String {
    let kept = request
        .query
        .iter()
        .filter(|(key, _)| !matches!(key.as_str(), "limit" | "marker"))
        // Octavia forgets what its lists were filtered by.
        .filter(|_| !paging.always_links)
        .map(|(key, value)| format!("{key}={value}&"));
    let kept: String = kept.collect();
    format!("{}?{kept}limit={limit}&marker={marker}", paging.path)
}

/// Leaves a field out of what is shown.
pub(crate) fn remove(view: &mut Value, field: &str) {
    if let Some(fields) = view.as_object_mut() {
        fields.remove(field);
    }
}

/// A row without our own fields, and only with those that `fields` of the query names.
pub(crate) fn shown(row: &Value, request: Option<&Request>) -> Value {
    let wanted: Vec<&str> = request
        .iter()
        .flat_map(|request| &request.query)
        .filter(|(key, _)| key == "fields")
        .map(|(_, value)| value.as_str())
        .collect();
    let fields = row.as_object().into_iter().flatten();
    fields
        .filter(|(key, _)| {
            !key.starts_with('_') && (wanted.is_empty() || wanted.contains(&key.as_str()))
        })
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
