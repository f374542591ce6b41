//! The verbs that the services share: list with pages, show, create, update, delete.

use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::call::Call;
use crate::change::{Change, Kind, Row};
use crate::session::Reply;
use crate::{Cloud, Error, ErrorKind, Result, Service, wire};

/// Query parameters.
pub(crate) type Query = Vec<(String, String)>;

/// A list and the time on the server's clock at which it was answered.
pub(crate) struct Listed<T> {
    pub items: Vec<T>,
    pub date: Option<jiff::Timestamp>,
}

/// A service of a session, seen through one microversion.
#[derive(Clone, Copy)]
pub(crate) struct Api<'a> {
    pub cloud: &'a Cloud,
    pub service: Service,
    pub microversion: Option<&'static str>,
}

impl Api<'_> {
    fn call(&self, method: Method, resource: &'static str, path: &[&str]) -> Call {
        Call {
            service: self.service,
            method,
            resource,
            path: path.iter().map(|&segment| segment.to_owned()).collect(),
            query: Query::new(),
            body: None,
            microversion: self.microversion,
            revision: None,
            above_version: false,
        }
    }

    /// Any request; the resource is its name in metrics and errors.
    pub async fn request(
        &self,
        method: Method,
        resource: &'static str,
        path: &[&str],
        body: Option<Value>,
    ) -> Result<Reply> {
        let mut call = self.call(method, resource, path);
        call.body = body;
        self.cloud.send(&call).await
    }

    /// The version document of the service.
    pub async fn versions(&self) -> Result<Value> {
        let mut call = self.call(Method::GET, "versions", &[""]);
        call.above_version = true;
        Ok(self.cloud.send(&call).await?.body)
    }

    /// All pages of a list whose rows are under `key`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        key: &'static str,
        path: &[&str],
        query: Query,
    ) -> Result<Listed<T>> {
        let mut call = self.call(Method::GET, key, path);
        call.query.clone_from(&query);
        let mut listed = Listed {
            items: Vec::new(),
            date: None,
        };
        loop {
            let reply = self.cloud.send(&call).await?;
            // The first page is the oldest: what changed while we read the others is read again.
            listed.date = listed.date.or(reply.date);
            let next = next_page(&reply.body, key);
            let rows: Vec<T> = field(&call, reply.body, key)?;
            listed.items.extend(rows);
            match next {
                Some(next) if next != call.query => call.query = with_filters(next, &query),
                _ => return Ok(listed),
            }
        }
    }

    /// All rows of a kind.
    pub async fn rows<T: Row>(&self, path: &[&str], query: Query) -> Result<Listed<T>> {
        self.list(T::MANY, path, query).await
    }

    /// One resource, under `key` or (Glance) bare.
    pub async fn show<T: DeserializeOwned>(
        &self,
        key: &'static str,
        path: &[&str],
    ) -> Result<Option<T>> {
        let call = self.call(Method::GET, key, path);
        let Some(reply) = crate::error::optional(self.cloud.send(&call).await)? else {
            return Ok(None);
        };
        field(&call, reply.body, key).map(Some)
    }

    /// Creates a row and tells the view; when the answer is lost, the view will look.
    pub async fn create<T: Row>(&self, path: &[&str], body: &impl Serialize) -> Result<T> {
        let created = self
            .write::<T, T>(Method::POST, T::ONE, path, json!({T::ONE: body}))
            .await?;
        self.wrote(created.clone());
        Ok(created)
    }

    /// Updates a row and tells the view.
    pub async fn update<T: Row>(&self, path: &[&str], body: &impl Serialize) -> Result<T> {
        self.update_as_of(path, body, None).await
    }

    /// The same, refused with [`ErrorKind::Conflict`] when the row is no longer at this revision.
    pub async fn update_as_of<T: Row>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        revision: Option<i64>,
    ) -> Result<T> {
        let mut call = self.call(Method::PUT, T::ONE, path);
        call.body = Some(json!({T::ONE: body}));
        call.revision = revision;
        let updated: T = self.change::<T, T>(&call, T::ONE).await?;
        self.wrote(updated.clone());
        Ok(updated)
    }

    /// Changes something of kind `T`, and reads the field `key` of the answer.
    pub async fn write<T: Row, A: DeserializeOwned>(
        &self,
        method: Method,
        key: &'static str,
        path: &[&str],
        body: Value,
    ) -> Result<A> {
        let mut call = self.call(method, key, path);
        call.body = Some(body);
        self.change::<T, A>(&call, key).await
    }

    async fn change<T: Row, A: DeserializeOwned>(&self, call: &Call, key: &str) -> Result<A> {
        let result = match self.cloud.send(call).await {
            Ok(reply) => field(call, reply.body, key),
            Err(error) => Err(error),
        };
        self.unsure_after(T::KIND, &result);
        result
    }

    /// Deletes; gone already is as good. `ending` says that the service takes its time over it.
    pub async fn delete<T: Row>(
        &self,
        path: &[&str],
        query: Query,
        id: &str,
        ending: bool,
    ) -> Result<()> {
        let mut call = self.call(Method::DELETE, T::ONE, path);
        call.query = query;
        let result = crate::error::optional(self.cloud.send(&call).await);
        self.unsure_after(T::KIND, &result);
        let change = match result? {
            Some(_) if ending => Change::Ending(T::KIND, id.to_owned()),
            Some(_) => Change::Gone(T::KIND, id.to_owned()),
            // So says whoever answered, who need not be the service: nothing is let go of before a list says so too.
            None => Change::Unsure(T::KIND),
        };
        self.cloud.changed(change);
        Ok(())
    }

    /// Tells the view of a row.
    pub fn wrote<T: Row>(&self, row: T) {
        self.cloud.changed(Change::Wrote(Box::new(row.into_item())));
    }

    /// Whatever a failed change may have done, the next reader looks.
    pub fn unsure_after<A>(&self, kind: Kind, result: &Result<A>) {
        if result.as_ref().is_err_and(Error::may_have_happened) {
            self.cloud.changed(Change::Unsure(kind));
        }
    }
}

/// The field `key` of an answer, or the whole answer where the service (Glance) has no envelope.
fn field<T: DeserializeOwned>(call: &Call, mut body: Value, key: &str) -> Result<T> {
    let inner = match body.get_mut(key) {
        Some(found) => found.take(),
        None => body,
    };
    wire::decode(inner).map_err(|error| {
        call.error(
            ErrorKind::Decode,
            format!("`{key}` of the answer cannot be read: {error}"),
        )
    })
}

/// The query of the next page. Only the query of the link is used: its host and path may be those of
/// an inner network.
/// The query of a further page. Octavia's links forget `project_id`, so that an administrator would
/// read the rows of all projects from the second page on.
fn with_filters(mut next: Query, first: &Query) -> Query {
    let is_lacking = |(key, _): &&(String, String)| next.iter().all(|(have, _)| have != key);
    let lacking: Query = first.iter().filter(is_lacking).cloned().collect();
    next.extend(lacking);
    next
}

fn next_page(body: &Value, key: &str) -> Option<Query> {
    let links = body.get(format!("{key}_links")).and_then(Value::as_array);
    let linked = links
        .into_iter()
        .flatten()
        .find(|link| link["rel"] == "next");
    let href = match linked {
        Some(link) => link["href"].as_str()?,
        None => body.get("next")?.as_str()?,
    };
    let query = href.split_once('?')?.1;
    let url = Url::parse(&format!("http://page/?{query}")).ok()?;
    Some(url.query_pairs().into_owned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_both_shapes() {
        let marker = vec![
            ("limit".to_owned(), "2".to_owned()),
            ("marker".to_owned(), "b".to_owned()),
        ];
        let links = json!({"ports_links": [{"rel": "previous", "href": "http://x/?a=1"},
            {"rel": "next", "href": "http://inner:9696/v2.0/ports?limit=2&marker=b"}]});
        assert_eq!(next_page(&links, "ports"), Some(marker.clone()));
        let glance = json!({"next": "/v2/images?limit=2&marker=b"});
        assert_eq!(next_page(&glance, "images"), Some(marker));
        assert_eq!(next_page(&json!({"ports": []}), "ports"), None);
    }
}
