//! Tags of what exists.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::request::{Refusal, Request};
use crate::world::table::texts;
use crate::world::{Answer, Caller, Reply, Resource, World};

/// The longest tag.
const LONGEST: usize = 255;

impl World {
    pub(super) fn tags(
        &mut self,
        caller: &Caller,
        resource: Resource,
        id: &str,
        request: &Request,
        rest: &[&str],
    ) -> Answer {
        let mut tags = texts(self.network_row(caller, resource, id)?, "tags");
        if request.method != Method::GET {
            self.owned_network_row(caller, resource, id)?;
        }
        let missing =
            |tag: &str| Refusal::new(404, "TagNotFound", format!("Tag {tag} could not be found."));
        let reply = match (&request.method, rest) {
            (&Method::GET, []) => return Reply::ok(json!({"tags": tags})),
            (&Method::PUT, []) => {
                tags = read(&request.body)?;
                Reply::ok(json!({"tags": tags}))
            }
            (&Method::GET, [tag]) => {
                let has = tags.iter().any(|found| found == tag);
                return if has {
                    Reply::empty(204)
                } else {
                    Err(missing(tag))
                };
            }
            (&Method::PUT, [tag]) => {
                tags.push((*tag).to_owned());
                Reply::empty(201)
            }
            (&Method::DELETE, []) => {
                tags.clear();
                Reply::empty(204)
            }
            (&Method::DELETE, [tag]) => {
                let at = tags.iter().position(|found| found == tag);
                tags.remove(at.ok_or_else(|| missing(tag))?);
                Reply::empty(204)
            }
            _ => return Err(Refusal::no_route(request)),
        };
        tags.sort();
        tags.dedup();
        if let Some(row) = self.row_mut(resource, id) {
            row["tags"] = json!(tags);
            super::revise(row);
        }
        reply
    }
}

fn read(body: &Value) -> Result<Vec<String>, Refusal> {
    let given = body["tags"].as_array();
    let invalid = || {
        Refusal::bad(
            "Invalid input for operation: tags must be a list of strings of at most 255 characters.",
        )
    };
    let mut tags = Vec::new();
    for tag in given.ok_or_else(invalid)? {
        let tag = tag
            .as_str()
            .filter(|tag| tag.len() <= LONGEST)
            .ok_or_else(invalid)?;
        tags.push(tag.to_owned());
    }
    Ok(tags)
}
