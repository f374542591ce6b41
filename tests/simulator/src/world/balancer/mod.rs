//! Octavia.

mod children;
mod life;
mod vip;

use axum::http::Method;
use serde_json::{Value, json};

use super::list::{page, shown};
use super::request::{Refusal, Request};
use super::table::{id, list, text};
use super::{Answer, Caller, Filters, Reply, Resource, World, inner};

/// Rows of a page.
const PAGE: usize = 1000;

impl World {
    pub(crate) fn balancer(&mut self, caller: &Caller, request: &Request) -> Answer {
        let segments = request.segments();
        if segments.is_empty() {
            return Reply::ok(self.balancer_versions());
        }
        let ["lbaas", rest @ ..] = segments.as_slice() else {
            return Err(Refusal::no_route(request));
        };
        match (&request.method, rest) {
            (&Method::GET, ["providers"]) => Reply::ok(self.providers()),
            (&Method::GET, ["flavors"]) => {
                let paging = self.paging(request, "v2.0", PAGE, PAGE);
                page(request, "flavors", self.balancer_flavors.clone(), &paging)
            }
            (_, ["quotas", project]) => {
                let project = (*project).to_owned();
                self.quotas(caller, request, &project, "quota")
            }
            (_, ["pools", pool, "members", rest @ ..]) => self.members(caller, pool, rest, request),
            (_, [collection, rest @ ..]) => {
                let resource = resource(collection).ok_or(Refusal::no_route(request))?;
                self.balancer_rows(caller, resource, rest, request)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn balancer_versions(&self) -> Value {
        let versions = self.balancer_versions.iter();
        let href = format!("{}/load-balancer/v2", self.url);
        let newest = self.balancer_versions.last();
        let versions: Vec<Value> = versions
            .map(|id| {
                json!({"id": id, "status": if Some(id) == newest { "CURRENT" } else { "SUPPORTED" },
                "updated": "2016-12-11T00:00:00Z", "links": [{"href": href, "rel": "self"}]})
            })
            .collect();
        json!({"versions": versions})
    }

    fn providers(&self) -> Value {
        let providers = self.providers.iter();
        let providers: Vec<Value> = providers
            .map(|(name, description)| json!({"name": name, "description": description}))
            .collect();
        json!({"providers": providers})
    }

    fn balancer_rows(
        &mut self,
        caller: &Caller,
        resource: Resource,
        rest: &[&str],
        request: &Request,
    ) -> Answer {
        match (&request.method, rest) {
            (&Method::GET, []) => {
                let filters = Filters::read(request, None)?;
                let rows = self.rows(caller, resource, &filters);
                let rows = rows.map(|row| shown(row, Some(request))).collect();
                let paging = self.paging(request, "v2.0", PAGE, PAGE);
                page(request, resource.many(), rows, &paging)
            }
            (&Method::POST, []) => {
                let body = inner(&request.body, resource.one())?;
                let id = match resource {
                    Resource::LoadBalancers => self.create_balancer(caller, body)?,
                    Resource::Listeners => self.create_listener(caller, body)?,
                    Resource::Pools => self.create_pool(caller, body)?,
                    _ => self.create_monitor(caller, body)?,
                };
                let row = self.row(resource, &id).map(|row| shown(row, None));
                Ok(Reply::new(201, json!({resource.one(): row})))
            }
            (&Method::GET, [id]) => {
                let row = self.balancer_row(caller, resource, id)?;
                Reply::ok(json!({resource.one(): shown(row, None)}))
            }
            (&Method::GET, [id, "status" | "statuses"]) => {
                let row = self.balancer_row(caller, resource, id)?;
                Reply::ok(json!({"statuses": {"loadbalancer": shown(row, None)}}))
            }
            (&Method::PUT, [id]) => self.update_balancer_row(caller, resource, id, request),
            (&Method::DELETE, [id]) => {
                let cascade = request.query("cascade") == Some("true");
                self.delete_balancer_row(caller, resource, id, cascade)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }

    fn balancer_row(
        &self,
        caller: &Caller,
        resource: Resource,
        id: &str,
    ) -> Result<&Value, Refusal> {
        let missing = || Refusal::not_found(format!("{} {id} not found.", octavia_name(resource)));
        self.find(caller, resource, id).ok_or_else(missing)
    }

    fn update_balancer_row(
        &mut self,
        caller: &Caller,
        resource: Resource,
        id: &str,
        request: &Request,
    ) -> Answer {
        let row = self.balancer_row(caller, resource, id)?.clone();
        let mut body = inner(&request.body, resource.one())?.clone();
        self.check_mutable(&row)?;
        if resource == Resource::Listeners {
            self.check_provider(&row, &body)?;
            if let Some(cidrs) = body.get_mut("allowed_cidrs") {
                *cidrs = children::stored_cidrs(cidrs)?;
            }
        }
        self.pend(&row, resource, "PENDING_UPDATE");
        let stamp = self.zoneless_stamp();
        if let Some(row) = self.row_mut(resource, id) {
            for (field, value) in body.as_object().into_iter().flatten() {
                row[field] = value.clone();
            }
            row["updated_at"] = json!(stamp);
        }
        let row = self.row(resource, id).map(|row| shown(row, None));
        Reply::ok(json!({resource.one(): row}))
    }

    /// The id of the load balancer of a row, which may be one itself.
    fn balancer_of(&self, row: &Value) -> String {
        match list(row, "loadbalancers").next() {
            Some(balancer) => id(balancer),
            None => text(row, "_balancer").to_owned(),
        }
    }

    /// Refuses changes while the load balancer is pending.
    fn check_mutable(&self, row: &Value) -> Result<(), Refusal> {
        let id = self.balancer_of(row);
        let balancer = self.row(Resource::LoadBalancers, &id).unwrap_or(row);
        match text(balancer, "provisioning_status") {
            "ACTIVE" => Ok(()),
            _ => Err(immutable(&id)),
        }
    }

    fn members(&mut self, caller: &Caller, pool: &str, rest: &[&str], request: &Request) -> Answer {
        let parent = match self.balancer_row(caller, Resource::Pools, pool) {
            Ok(parent) => parent.clone(),
            // Found out before the request has its handler, so it is worded otherwise.
            Err(refusal) => {
                let body = json!({"code": refusal.status, "title": "Bad Request", "description": refusal.message});
                return Ok(Reply::new(refusal.status, body));
            }
        };
        let member = |world: &Self, id: &str| {
            let row = world
                .find(caller, Resource::Members, id)
                .filter(|row| text(row, "_pool") == pool);
            row.cloned()
                .ok_or_else(|| Refusal::not_found(format!("Member {id} not found.")))
        };
        match (&request.method, rest) {
            (&Method::GET, []) => {
                let filters = Filters::read(request, None)?;
                let ids = list(&parent, "members").map(id);
                let rows = ids.filter_map(|id| self.row(Resource::Members, &id));
                let rows = rows.filter(|row| filters.fit(row));
                let rows = rows.map(|row| shown(row, None));
                let paging = self.paging(request, "v2.0", PAGE, PAGE);
                page(request, "members", rows.collect(), &paging)
            }
            (&Method::POST, []) => {
                let body = inner(&request.body, "member")?;
                let id = self.create_member(caller, &parent, body)?;
                let row = self.row(Resource::Members, &id).map(|row| shown(row, None));
                Ok(Reply::new(201, json!({"member": row})))
            }
            (&Method::GET, [id]) => Reply::ok(json!({"member": shown(&member(self, id)?, None)})),
            (&Method::DELETE, [id]) => {
                let row = member(self, id)?;
                self.check_mutable(&row)?;
                self.pend(&row, Resource::Members, "PENDING_DELETE");
                Reply::empty(204)
            }
            _ => Err(Refusal::no_route(request)),
        }
    }
}

fn resource(collection: &str) -> Option<Resource> {
    Some(match collection {
        "loadbalancers" => Resource::LoadBalancers,
        "listeners" => Resource::Listeners,
        "pools" => Resource::Pools,
        "healthmonitors" => Resource::Monitors,
        _ => return None,
    })
}

fn octavia_name(resource: Resource) -> &'static str {
    match resource {
        Resource::LoadBalancers => "Load Balancer",
        Resource::Listeners => "Listener",
        Resource::Pools => "Pool",
        Resource::Members => "Member",
        _ => "Health Monitor",
    }
}

fn immutable(balancer: &str) -> Refusal {
    let message = format!("Load Balancer {balancer} is immutable and cannot be updated.");
    Refusal::new(409, "ImmutableObject", message)
}
