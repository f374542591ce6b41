//! Neutron.

mod address;
mod attributes;
mod floating_ips;
mod networks;
mod ports;
mod routers;
mod security_groups;
mod subnets;
mod tags;
mod trunks;

use axum::http::Method;
use serde_json::{Value, json};

use super::list::{page, shown};
use super::request::{Refusal, Request};
use super::table::{id, text};
use super::{Answer, Caller, Filters, Reply, Resource, World, inner};

pub(crate) use address::Addresses;

impl World {
    pub(crate) fn network(&mut self, caller: &Caller, request: &Request) -> Answer {
        let segments = request.segments();
        let [collection, rest @ ..] = segments.as_slice() else {
            return Err(Refusal::no_route(request));
        };
        match *collection {
            "extensions" => return self.list_extensions(request, rest),
            "quotas" if rest.len() == 1 => {
                return self.quotas(caller, request, rest[0], "quota");
            }
            _ => {}
        }
        let resource = attributes::resource(collection).ok_or(Refusal::no_route(request))?;
        self.default_group(&caller.project_id);
        let mut answer = match (&request.method, rest) {
            (&Method::GET, []) => self.list_network(caller, resource, request),
            (&Method::POST, []) => self.create_network_rows(caller, resource, &request.body),
            (&Method::GET, [id]) => {
                let row = self.network_row(caller, resource, id)?;
                let shown = self.network_view(resource, row, request);
                Reply::ok(json!({resource.one(): shown}))
            }
            (&Method::PUT, [id]) => self.update_network_row(caller, resource, id, request),
            (&Method::DELETE, [id]) => {
                self.owned_network_row(caller, resource, id)?;
                self.delete_network_row(caller, resource, id)?;
                Reply::empty(204)
            }
            (_, [id, "tags", rest @ ..]) => self.tags(caller, resource, id, request, rest),
            (_, [id, action]) if resource == Resource::Routers => {
                self.router_action(caller, id, action, request)
            }
            (_, [id, action]) if resource == Resource::Trunks => {
                self.trunk_action(caller, id, action, request)
            }
            _ => Err(Refusal::no_route(request)),
        };
        if let Ok(reply) = &mut answer
            && caller.is_admin
        {
            attributes::show_all(resource, &mut reply.body);
        }
        answer
    }

    fn list_extensions(&self, request: &Request, rest: &[&str]) -> Answer {
        if !rest.is_empty() || request.method != Method::GET {
            return Err(Refusal::no_route(request));
        }
        let aliases = self.extensions.iter();
        let found: Vec<Value> = aliases
            .map(|alias| json!({"alias": alias, "name": alias, "description": "", "links": [], "updated": ""}))
            .collect();
        Reply::ok(json!({"extensions": found}))
    }

    fn list_network(&self, caller: &Caller, resource: Resource, request: &Request) -> Answer {
        let filters = Filters::read(request, Some(&attributes::known(resource)))?;
        let rules = self.rules_by_group(resource);
        let rows = self.rows(caller, resource, &filters);
        let rows: Vec<Value> = rows
            .map(|row| {
                let mut row = shown(row, Some(request));
                if resource == Resource::SecurityGroups {
                    let own = rules.get(text(&row, "id")).cloned();
                    row["security_group_rules"] = json!(own.unwrap_or_default());
                }
                row
            })
            .collect();
        let paging = self.paging(request, "v2.0", usize::MAX, usize::MAX);
        page(request, resource.many(), rows, &paging)
    }

    /// One body, or several under the key for many: then all or none.
    fn create_network_rows(&mut self, caller: &Caller, resource: Resource, body: &Value) -> Answer {
        let Some(bodies) = body[resource.many()].as_array() else {
            let body = inner(body, resource.one())?;
            let row = self.create_network_row(caller, resource, body)?;
            let row = self.network_view_of(resource, &row);
            return Ok(Reply::new(201, json!({resource.one(): row})));
        };
        if resource == Resource::SecurityGroupRules {
            security_groups::check_single_group(bodies)?;
        }
        let mut made = Vec::new();
        for body in bodies {
            match self.create_network_row(caller, resource, body) {
                Ok(id) => made.push(id),
                Err(refusal) => {
                    for id in made {
                        self.forget_network_row(resource, &id);
                    }
                    return Err(refusal);
                }
            }
        }
        let rows: Vec<Value> = made
            .iter()
            .map(|id| self.network_view_of(resource, id))
            .collect();
        Ok(Reply::new(201, json!({resource.many(): rows})))
    }

    /// Makes a row; its id.
    fn create_network_row(
        &mut self,
        caller: &Caller,
        resource: Resource,
        body: &Value,
    ) -> Result<String, Refusal> {
        attributes::check_create(resource, body, &self.extensions)?;
        let project = match body["project_id"].as_str().or(body["tenant_id"].as_str()) {
            Some(project) if project != caller.project_id && !caller.is_admin => {
                return Err(Refusal::forbidden(
                    "Specifying 'project_id' other than the authenticated project in request requires admin privileges",
                ));
            }
            given => given.unwrap_or(&caller.project_id).to_owned(),
        };
        self.check_network_quota(&project, resource, 1)?;
        let id = self.new_id();
        let mut row = attributes::template(resource);
        for (field, value) in body.as_object().into_iter().flatten() {
            row[field] = value.clone();
        }
        let stamp = self.stamp();
        for (field, value) in [
            ("id", json!(id)),
            ("project_id", json!(project)),
            ("tenant_id", json!(project)),
            ("created_at", json!(stamp)),
            ("updated_at", json!(stamp)),
            ("revision_number", json!(0)),
        ] {
            row[field] = value;
        }
        match resource {
            Resource::Networks => self.make_network(caller, row),
            Resource::Subnets => self.make_subnet(caller, row),
            Resource::Routers => self.make_router(caller, row),
            Resource::Ports => self.make_port(caller, row),
            Resource::SecurityGroups => self.make_security_group(row),
            Resource::SecurityGroupRules => self.make_rule(caller, row),
            Resource::FloatingIps => self.make_floating_ip(caller, row),
            _ => self.make_trunk(caller, row),
        }?;
        Ok(id)
    }

    fn update_network_row(
        &mut self,
        caller: &Caller,
        resource: Resource,
        id: &str,
        request: &Request,
    ) -> Answer {
        let row = self.owned_network_row(caller, resource, id)?;
        check_revision(row, request)?;
        let body = inner(&request.body, resource.one())?;
        attributes::check_update(resource, body)?;
        match resource {
            Resource::Subnets => self.check_subnet_update(id, body),
            Resource::Routers => self.change_gateway(id, body),
            Resource::Ports => self.check_port_update(caller, id, body),
            Resource::FloatingIps => self.lead(caller, id, &body["port_id"], body),
            Resource::SecurityGroups => self.check_group_update(id, body),
            _ => Ok(()),
        }?;
        let stamp = self.stamp();
        let by_hand = match resource {
            Resource::Routers => &["external_gateway_info"][..],
            Resource::Ports => &["fixed_ips"],
            Resource::FloatingIps => &["port_id", "fixed_ip_address"],
            _ => &[],
        };
        if let Some(row) = self.row_mut(resource, id) {
            for (field, value) in body.as_object().into_iter().flatten() {
                if !by_hand.contains(&field.as_str()) {
                    row[field] = value.clone();
                }
            }
            row["updated_at"] = json!(stamp);
            revise(row);
        }
        let row = self.network_view_of(resource, id);
        Reply::ok(json!({resource.one(): row}))
    }

    pub(crate) fn delete_network_row(
        &mut self,
        caller: &Caller,
        resource: Resource,
        id: &str,
    ) -> Result<(), Refusal> {
        match resource {
            Resource::Networks => self.delete_network(id),
            Resource::Subnets => self.delete_subnet(id),
            Resource::Routers => self.delete_router(id),
            Resource::Ports => self.delete_port(id),
            Resource::SecurityGroups => self.delete_security_group(caller, id),
            Resource::SecurityGroupRules => {
                self.forget_network_row(resource, id);
                Ok(())
            }
            Resource::FloatingIps => self.delete_floating_ip(id),
            _ => self.delete_trunk(id),
        }
    }

    /// Takes a row away without asking what depends on it.
    pub(crate) fn forget_network_row(&mut self, resource: Resource, id: &str) {
        if resource == Resource::Ports {
            self.release_port(id);
        }
        self.table_mut(resource).remove(id);
    }

    fn network_row(
        &self,
        caller: &Caller,
        resource: Resource,
        id: &str,
    ) -> Result<&Value, Refusal> {
        self.find(caller, resource, id)
            .ok_or_else(|| missing(resource, id))
    }

    fn owned_network_row(
        &self,
        caller: &Caller,
        resource: Resource,
        id: &str,
    ) -> Result<&Value, Refusal> {
        let row = self.network_row(caller, resource, id)?;
        if caller.owns(row) {
            return Ok(row);
        }
        Err(Refusal::new(
            403,
            "PolicyNotAuthorized",
            format!("(rule:change_{}) is disallowed by policy", resource.one()),
        ))
    }

    fn network_view(&self, resource: Resource, row: &Value, request: &Request) -> Value {
        let mut view = shown(row, Some(request));
        if resource == Resource::SecurityGroups {
            let rules = self.table(Resource::SecurityGroupRules);
            let own = rules.with("security_group_id", text(row, "id"));
            view["security_group_rules"] = own.map(security_groups::rule_in_group).collect();
        }
        view
    }

    fn network_view_of(&self, resource: Resource, id: &str) -> Value {
        let request = Request::new(super::Service::Network, Method::GET, "", Value::Null);
        let row = self.row(resource, id);
        row.map(|row| self.network_view(resource, row, &request))
            .unwrap_or_default()
    }
}

/// Counts a change.
fn revise(row: &mut Value) {
    let revision = row["revision_number"].as_i64().unwrap_or_default();
    row["revision_number"] = json!(revision + 1);
}

/// Whether the row is still as whoever asks has seen it.
fn check_revision(row: &Value, request: &Request) -> Result<(), Refusal> {
    let current = row["revision_number"].as_i64().unwrap_or_default();
    match request.revision {
        Some(seen) if seen != current => Err(Refusal::new(
            412,
            "RevisionNumberConstraintFailed",
            format!("Constrained to {seen}, but current revision is {current}"),
        )),
        _ => Ok(()),
    }
}

/// Neutron's 404.
pub(crate) fn missing(resource: Resource, id: &str) -> Refusal {
    let kind = match resource {
        Resource::Networks => "NetworkNotFound",
        Resource::Subnets => "SubnetNotFound",
        Resource::Routers => "RouterNotFound",
        Resource::Ports => "PortNotFound",
        Resource::SecurityGroups => "SecurityGroupNotFound",
        Resource::SecurityGroupRules => "SecurityGroupRuleNotFound",
        Resource::FloatingIps => "FloatingIPNotFound",
        _ => "TrunkNotFound",
    };
    let what = resource.one().replace('_', " ");
    Refusal::new(404, kind, format!("The {what} {id} could not be found."))
}

/// The id of the row, for errors.
pub(crate) fn ids_of<'a>(rows: impl Iterator<Item = &'a Value>) -> String {
    rows.map(id).collect::<Vec<_>>().join(", ")
}
