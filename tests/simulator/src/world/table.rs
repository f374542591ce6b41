//! Rows of one resource, in the order in which they were made, as OpenStack shows them.
//!
//! A row is the JSON object of an answer. Fields that begin with `_` are the simulator's own.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Rows by place and by id.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: BTreeMap<u64, Value>,
    places: HashMap<String, u64>,
    next: u64,
}

impl Table {
    pub fn insert(&mut self, row: Value) {
        let place = self.next;
        self.next += 1;
        self.places.insert(text(&row, "id").to_owned(), place);
        self.rows.insert(place, row);
    }

    pub fn get(&self, id: &str) -> Option<&Value> {
        self.rows.get(self.places.get(id)?)
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Value> {
        self.rows.get_mut(self.places.get(id)?)
    }

    pub fn remove(&mut self, id: &str) -> Option<Value> {
        self.rows.remove(&self.places.remove(id)?)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        self.rows.values()
    }

    /// The rows whose `field` is `value`.
    pub fn with<'a>(
        &'a self,
        field: &'static str,
        value: &str,
    ) -> impl Iterator<Item = &'a Value> + use<'a> {
        let value = value.to_owned();
        self.iter().filter(move |row| text(row, field) == value)
    }

    /// Their ids.
    pub fn ids_with(&self, field: &'static str, value: &str) -> Vec<String> {
        self.with(field, value).map(id).collect()
    }
}

/// A text field; empty when it is absent or null.
pub(crate) fn text<'a>(row: &'a Value, field: &str) -> &'a str {
    row[field].as_str().unwrap_or_default()
}

/// The id of a row.
pub(crate) fn id(row: &Value) -> String {
    text(row, "id").to_owned()
}

/// The elements of a list field; none when it is absent.
pub(crate) fn list<'a>(row: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    row[field].as_array().into_iter().flatten()
}

/// The texts of a list field.
pub(crate) fn texts(row: &Value, field: &str) -> Vec<String> {
    let owned = |value: &Value| value.as_str().map(str::to_owned);
    list(row, field).filter_map(owned).collect()
}
