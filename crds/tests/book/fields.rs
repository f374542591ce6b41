//! Walks the schemas of the newest versions, and the rows of the page with them. A row whose first cell
//! links to a section says that the fields below stand there, relative to it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::page::{Page, Row};

/// What is missing, and what is too much.
pub fn compare(page: &Page) -> Vec<String> {
    let mut walk = Walk {
        page,
        used: BTreeSet::new(),
        wrong: BTreeSet::new(),
    };
    for definition in crds::definitions::openstack() {
        let definition = serde_json::to_value(definition).expect("JSON");
        let kind = definition["spec"]["names"]["kind"]
            .as_str()
            .expect("a kind");
        let versions = definition["spec"]["versions"].as_array().expect("a list");
        let newest = versions.iter().find(|version| version["name"] != "v1beta1");
        let schema = &newest.expect("a version")["schema"]["openAPIV3Schema"];
        walk.fields(&kind.to_lowercase(), "", schema);
    }
    let mut found: Vec<String> = walk.wrong.into_iter().collect();
    for (index, row) in page.rows.iter().enumerate() {
        if !walk.used.contains(&index) {
            found.push(format!("{}: no such field: {}", row.section, row.text));
        }
    }
    found
}

struct Walk<'a> {
    page: &'a Page,
    /// Numbers of rows that belong to a field.
    used: BTreeSet<usize>,
    wrong: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn fields(&mut self, section: &str, prefix: &str, schema: &Value) {
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            self.field(section, &format!("{prefix}{name}"), field);
        }
    }

    fn field(&mut self, section: &str, path: &str, schema: &Value) {
        let row = self.row(section, path);
        // They only hold the others.
        let optional = ["spec", "status"].contains(&path);
        if row.is_none() && !optional {
            self.wrong.insert(format!("{section}: no row for {path}"));
        }
        let (mut inner, mut below) = (schema, path.to_owned());
        while inner["items"].is_object() {
            inner = &inner["items"];
            below.push_str("[]");
        }
        match row.and_then(Row::link) {
            None => self.fields(section, &format!("{below}."), inner),
            Some(link) => {
                let known = self.page.rows.iter().any(|row| row.section == link);
                if !known || !inner["properties"].is_object() {
                    let link = format!("{section}: {path} cannot link to #{link}");
                    self.wrong.insert(link);
                }
                self.fields(link, "", inner);
            }
        }
    }

    fn row(&mut self, section: &str, path: &str) -> Option<&'a Row> {
        let rows = self.page.rows.iter();
        let is_it = |row: &Row| row.section == section && row.field() == path;
        let found: Vec<usize> = rows
            .enumerate()
            .filter(|(_, row)| is_it(row))
            .map(|(index, _)| index)
            .collect();
        if found.len() > 1 {
            self.wrong.insert(format!("{section}: {path} twice"));
        }
        self.used.extend(&found);
        found.first().map(|index| &self.page.rows[*index])
    }
}
