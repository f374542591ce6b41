//! What tenants have in a cloud, without what differs from run to run: ids, addresses, times.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::Value;
use simulator::{Audit, Resource, World};

use crate::scenario::PROJECT;

/// Fields that say when or where, not what.
const PASSING: [&str; 14] = [
    "created",
    "created_at",
    "attached_at",
    "updated",
    "updated_at",
    "revision_number",
    "mac_address",
    "addresses",
    "hostId",
    "links",
    "operating_status",
    "OS-SRV-USG:launched_at",
    "OS-EXT-SRV-ATTR:host",
    "OS-EXT-SRV-ATTR:user_data",
];

/// Each resource as text, and how many are exactly so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture(BTreeMap<String, usize>);

impl Picture {
    /// Everything but what the cloud had before; `namespace`, which is in most names, becomes `NS`.
    #[must_use]
    pub fn of(world: &World, namespace: &str) -> Self {
        let names = Names::of(world, namespace);
        let mut picture = Self::default();
        for resource in Audit::RESOURCES
            .into_iter()
            .chain([Resource::SecurityGroupRules])
        {
            for row in world
                .all(resource)
                .filter(|row| is_made(world, resource, row))
            {
                *picture.0.entry(names.text(resource, row)).or_default() += 1;
            }
        }
        picture
    }

    /// What is here and not in the other (`+`), and the other way around (`-`); empty when they are the same.
    #[must_use]
    pub fn difference(&self, other: &Self) -> String {
        let mut lines = String::new();
        for (sign, one, two) in [('+', self, other), ('-', other, self)] {
            for (text, count) in &one.0 {
                let more = count.saturating_sub(two.0.get(text).copied().unwrap_or_default());
                if more > 0 {
                    // Writing to a String does not fail.
                    let _ = writeln!(lines, "{sign} {more} x {text}");
                }
            }
        }
        lines
    }

    /// The same with one text for another.
    #[must_use]
    pub fn with(&self, text: &str, other: &str) -> Self {
        let mut picture = Self::default();
        for (row, count) in &self.0 {
            *picture.0.entry(row.replace(text, other)).or_default() += count;
        }
        picture
    }

    /// Nothing is on its way from one state to another.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let passing = [
            "PENDING_",
            "\"BUILD\"",
            "\"creating\"",
            "\"deleting\"",
            "\"attaching\"",
        ];
        self.0
            .keys()
            .all(|text| passing.iter().all(|state| !text.contains(state)))
    }

    /// How many resources there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.values().sum()
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Not there from the beginning.
fn is_made(world: &World, resource: Resource, row: &Value) -> bool {
    let admin = world.member_of("admin").project_id;
    let group = match resource {
        Resource::SecurityGroups => row["id"].as_str(),
        Resource::SecurityGroupRules => row["security_group_id"].as_str(),
        _ => None,
    };
    let is_default = group.is_some_and(|group| {
        world
            .all(Resource::SecurityGroups)
            .any(|row| row["id"] == group && row["name"] == "default")
    });
    row["project_id"] != admin.as_str() && !is_default
}

/// What stands for ids and addresses.
struct Names {
    ids: HashMap<String, String>,
    addresses: HashMap<String, String>,
    namespace: String,
}

impl Names {
    fn of(world: &World, namespace: &str) -> Self {
        let (mut ids, mut addresses) = (HashMap::new(), HashMap::new());
        ids.insert(world.member_of(PROJECT).project_id, "<project>".to_owned());
        for resource in Resource::ALL {
            for row in world.all(resource) {
                let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
                let name = without_ids(&text("name").replace(namespace, "NS"));
                ids.insert(text("id"), format!("<{} {name}>", resource.one()));
                for ip in row["fixed_ips"].as_array().into_iter().flatten() {
                    let address = ip["ip_address"].as_str().unwrap_or_default();
                    addresses.insert(address.to_owned(), format!("<address of {name}>"));
                }
                if resource == Resource::FloatingIps {
                    let address = text("floating_ip_address");
                    addresses.insert(address, "<floating address>".to_owned());
                }
            }
        }
        Self {
            ids,
            addresses,
            namespace: namespace.to_owned(),
        }
    }

    fn text(&self, resource: Resource, row: &Value) -> String {
        let mut row = row.clone();
        if resource != Resource::Subnets {
            row = map_texts(row, &|text| self.address(text));
        }
        // Lists are sorted by what stands for addresses, not by addresses.
        format!("{} {}", resource.one(), self.shown(row))
    }

    /// The row without passing fields, its lists sorted.
    fn shown(&self, row: Value) -> Value {
        match row {
            Value::Object(fields) => {
                let lasting = |(name, _): &(String, Value)| {
                    !name.starts_with('_') && !PASSING.contains(&name.as_str())
                };
                let fields = fields.into_iter().filter(lasting);
                fields
                    .map(|(name, value)| (name, self.shown(value)))
                    .collect()
            }
            Value::Array(items) => {
                let mut items: Vec<Value> =
                    items.into_iter().map(|item| self.shown(item)).collect();
                items.sort_by_key(Value::to_string);
                Value::Array(items)
            }
            Value::String(text) => Value::String(match self.ids.get(&text) {
                Some(name) => name.clone(),
                None => without_ids(&text.replace(&self.namespace, "NS")),
            }),
            other => other,
        }
    }

    /// Also of what is written `address/bits`.
    fn address(&self, text: &str) -> String {
        let (address, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
        match self.addresses.get(address) {
            Some(name) => format!("{name}{rest}"),
            None => text.to_owned(),
        }
    }
}

/// The value with every text in it replaced by what it maps to; names of fields stay.
pub(crate) fn map_texts(value: Value, map: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, map_texts(value, map)))
            .collect(),
        Value::Array(items) => items.into_iter().map(|item| map_texts(item, map)).collect(),
        Value::String(text) => Value::String(map(&text)),
        other => other,
    }
}

/// A text without the UUIDs in it, as in `octavia-lb-<id>`.
fn without_ids(text: &str) -> String {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let parts: Vec<&str> = text.split('-').collect();
    let is_id = |window: &[&str]| {
        window.len() == LENGTHS.len()
            && window.iter().zip(LENGTHS).all(|(part, length)| {
                part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
    };
    match parts.windows(LENGTHS.len()).position(is_id) {
        Some(at) => [&parts[..at], &["<id>"], &parts[at + LENGTHS.len()..]]
            .concat()
            .join("-"),
        None => text.to_owned(),
    }
}
