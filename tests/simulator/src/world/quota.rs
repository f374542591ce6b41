//! Quotas of projects. What has none is unlimited.

use std::collections::HashMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::request::{Refusal, Request};
use super::table::text;
use super::{Answer, Caller, Reply, Resource, World, inner};

/// Limits by project and by the service's own name of what is limited.
pub(crate) type Quotas = HashMap<(String, String), i64>;

impl World {
    /// Limits a project: `resource` is the service's own word, for example `port`, `security_group`, `instances`,
    /// `cores`, `volumes`, `load_balancer`; a negative limit is none.
    pub fn set_quota(&mut self, project: &str, resource: &str, limit: i64) {
        let project = self.project_id(project);
        self.quotas.insert((project, resource.to_owned()), limit);
    }

    pub(crate) fn limit(&self, project_id: &str, resource: &str) -> Option<i64> {
        let key = (project_id.to_owned(), resource.to_owned());
        self.quotas.get(&key).copied().filter(|&limit| limit >= 0)
    }

    /// Rows of the project, to be compared with its limit.
    pub(crate) fn used(&self, project_id: &str, resource: Resource) -> i64 {
        let own = self.table(resource).with("project_id", project_id);
        i64::try_from(own.count()).unwrap_or(i64::MAX)
    }

    /// Whether `more` rows are within the quota.
    pub(crate) fn is_within(&self, project: &str, name: &str, of: Resource, more: usize) -> bool {
        let more = i64::try_from(more).unwrap_or(i64::MAX);
        self.limit(project, name)
            .is_none_or(|limit| self.used(project, of).saturating_add(more) <= limit)
    }

    /// Refuses as Neutron does what is above the quota.
    pub(crate) fn check_network_quota(
        &self,
        project: &str,
        of: Resource,
        more: usize,
    ) -> Result<(), Refusal> {
        if self.is_within(project, of.one(), of, more) {
            return Ok(());
        }
        let message = format!("Quota exceeded for resources: ['{}'].", of.one());
        Err(Refusal::new(409, "OverQuota", message))
    }

    /// Reads or (administrators) changes the quotas of a project.
    pub(crate) fn quotas(
        &mut self,
        caller: &Caller,
        request: &Request,
        project: &str,
        key: &str,
    ) -> Answer {
        let changes = request.method != Method::GET;
        if changes && !caller.is_admin {
            return Err(Refusal::forbidden("Policy doesn't allow this."));
        }
        if request.method == Method::DELETE {
            self.quotas.retain(|(owner, _), _| owner != project);
            return Reply::empty(204);
        }
        if changes {
            let given = inner(&request.body, key)?.as_object().cloned();
            let given = given.into_iter().flatten();
            // By `force` Neutron takes a limit below what is used, as this cloud always does.
            for (name, limit) in given.filter(|(name, _)| name != "force") {
                let limit = limit.as_i64().unwrap_or(-1);
                self.quotas.insert((project.to_owned(), name), limit);
            }
        }
        let own = self
            .quotas
            .iter()
            .filter(|((owner, _), _)| owner == project);
        let set: Value = own
            .map(|((_, name), limit)| (name.clone(), json!(limit)))
            .collect();
        Reply::ok(json!({key: set}))
    }

    /// The id of a project, given its id or name.
    pub(crate) fn project_id(&self, id_or_name: &str) -> String {
        let found = self
            .identity
            .projects
            .iter()
            .find(|project| text(project, "name") == id_or_name);
        found.map_or(id_or_name.to_owned(), super::id)
    }

    /// The name of a project; that of services' own things is empty.
    pub(crate) fn project_name(&self, id: &str) -> String {
        let found = self
            .identity
            .projects
            .iter()
            .find(|project| text(project, "id") == id);
        found.map_or(id.to_owned(), |project| text(project, "name").to_owned())
    }
}
