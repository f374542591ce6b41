//! A page of the book, as tables under headings.

use std::fs;
use std::path::PathBuf;

use crate::sources;

/// The tables of a page.
pub struct Page {
    pub rows: Vec<Row>,
}

/// A row of a table.
pub struct Row {
    /// The link target of the heading above.
    pub section: String,
    pub cells: Vec<String>,
    pub text: String,
}

impl Page {
    /// The page with this file name.
    pub fn read(name: &str) -> Self {
        let (mut section, mut rows) = (String::new(), Vec::<Row>::new());
        for line in text(name).lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                section = anchor(heading);
            } else if line.starts_with("|--") {
                // What was above it is the head of the table.
                rows.pop();
            } else if let Some(cells) = line.strip_prefix("| ") {
                let cells = cells.trim_end_matches('|').split(" | ");
                rows.push(Row {
                    section: section.clone(),
                    cells: cells.map(|cell| cell.trim().to_owned()).collect(),
                    text: line.to_owned(),
                });
            }
        }
        Self { rows }
    }
}

impl Row {
    /// The code in the first cell.
    pub fn field(&self) -> &str {
        code(&self.cells[0]).first().copied().unwrap_or_default()
    }

    /// The section of this page that the first cell links to.
    pub fn link(&self) -> Option<&str> {
        let (_, link) = self.cells[0].split_once("](#")?;
        link.split(')').next()
    }

    /// Tests and flows in the last cell.
    pub fn shown_by(&self) -> Vec<&str> {
        code(self.cells.last().map(String::as_str).unwrap_or_default())
    }
}

/// What stands in backticks.
fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The link target that a heading becomes.
fn anchor(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

pub fn text(name: &str) -> String {
    let file = folder().join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// File names of all pages.
pub fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("docs/");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".md"))
        .collect()
}

fn folder() -> PathBuf {
    sources::root().join("docs")
}
