//! A request before it is sent.

use reqwest::{Method, Url};
use serde_json::Value;

use crate::{Error, ErrorKind, Result, Service};

/// A request.
pub(crate) struct Call {
    pub service: Service,
    pub method: Method,
    /// What it is about, for metrics and errors.
    pub resource: &'static str,
    /// Segments after the base of the service.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    pub body: Option<Value>,
    pub microversion: Option<&'static str>,
    /// Carried out only if the resource is still at this revision; Neutron's alone.
    pub revision: Option<i64>,
    /// Whether the path begins above the version of the base.
    pub above_version: bool,
}

impl Call {
    /// What metrics and errors call it, for example `POST port`.
    pub(crate) fn operation(&self) -> String {
        format!("{} {}", self.method, self.resource)
    }

    pub(crate) fn error(&self, kind: ErrorKind, message: String) -> Error {
        Error {
            service: self.service,
            operation: self.operation(),
            kind,
            message,
            retry_after: None,
        }
    }

    /// Where it goes, if the catalog names `base`.
    pub(crate) fn url(&self, base: &str) -> Result<Url> {
        let bad = || {
            self.error(
                ErrorKind::Decode,
                format!("the catalog has a bad URL: {base}"),
            )
        };
        let mut url = Url::parse(base).map_err(|_| bad())?;
        let mut segments = url.path_segments_mut().map_err(|()| bad())?;
        segments.pop_if_empty();
        if self.above_version {
            segments.pop();
        }
        segments.extend(&self.path);
        drop(segments);
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}
