//! The book says what the code does: every field of the API has a row that says what it does and which
//! test shows it, and every test that a table names exists.

mod fields;
mod page;
mod sources;

use page::Page;

#[test]
fn every_field_has_a_row_and_every_row_a_field() {
    let page = Page::read("fields.md");
    let found = fields::compare(&page);
    assert!(found.is_empty(), "docs/fields.md:\n{}", found.join("\n"));
}

#[test]
fn every_test_that_is_named_exists() {
    let shows = sources::shows();
    for name in ["fields.md", "defects.md", "migration.md"] {
        let page = Page::read(name);
        assert!(!page.rows.is_empty(), "docs/{name} has no table");
        let mut wrong = Vec::new();
        for row in &page.rows {
            let named = row.shown_by();
            if named.is_empty() {
                wrong.push(format!("{}: no test", row.text));
            }
            let unknown = named.iter().filter(|test| !shows.contains(**test));
            wrong.extend(unknown.map(|test| format!("{test}: no such test")));
        }
        assert!(wrong.is_empty(), "docs/{name}:\n{}", wrong.join("\n"));
    }
}

#[test]
fn the_contents_list_every_page() {
    let contents = page::text("README.md");
    let names = page::names();
    assert!(names.len() > 5, "{names:?}");
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| *name != "README.md" && !contents.contains(&format!("({name})")))
        .collect();
    assert!(missing.is_empty(), "not in docs/README.md: {missing:?}");
}
