//! Pending states, and what becomes of them.

use serde_json::{Value, json};

use super::immutable;
use crate::world::list::remove;
use crate::world::request::{Refusal, Reply};
use crate::world::schedule::Event;
use crate::world::table::{id, list, text};
use crate::world::{Answer, Caller, Resource, World};

/// The children of a load balancer.
const CHILDREN: [Resource; 4] = [
    Resource::Listeners,
    Resource::Pools,
    Resource::Members,
    Resource::Monitors,
];

impl World {
    /// A child begins to change: it and what is above it are pending until the balancer settles.
    pub(super) fn pend(&mut self, row: &Value, of: Resource, status: &str) {
        self.set_status(of, text(row, "id"), status);
        let pool = text(row, "_pool").to_owned();
        let mut listeners: Vec<String> = list(row, "listeners").map(id).collect();
        if let Some(pool) = self.row(Resource::Pools, &pool) {
            listeners.extend(list(pool, "listeners").map(id));
        }
        self.set_status(Resource::Pools, &pool, "PENDING_UPDATE");
        if of != Resource::LoadBalancers {
            for listener in listeners {
                self.set_status(Resource::Listeners, &listener, "PENDING_UPDATE");
            }
            self.set_status(
                Resource::LoadBalancers,
                &self.balancer_of(row),
                "PENDING_UPDATE",
            );
        }
        self.after(
            self.delays.balancer,
            Event::BalancerSettled(self.balancer_of(row)),
        );
    }

    fn set_status(&mut self, of: Resource, id: &str, status: &str) {
        if let Some(row) = self.row_mut(of, id) {
            row["provisioning_status"] = json!(status);
        }
    }

    pub(super) fn delete_balancer_row(
        &mut self,
        caller: &Caller,
        of: Resource,
        id: &str,
        cascade: bool,
    ) -> Answer {
        let row = self.balancer_row(caller, of, id)?.clone();
        if of != Resource::LoadBalancers {
            self.check_mutable(&row)?;
            self.pend(&row, of, "PENDING_DELETE");
            return Reply::empty(204);
        }
        if !matches!(text(&row, "provisioning_status"), "ACTIVE" | "ERROR") {
            return Err(immutable(id));
        }
        let has_children = CHILDREN
            .iter()
            .any(|&child| self.table(child).with("_balancer", id).next().is_some());
        if has_children && !cascade {
            let message = format!(
                "Validation failure: Cannot delete {} - it has children",
                Self::called(of, id)
            );
            return Err(Refusal::bad(message));
        }
        for child in CHILDREN {
            for row in self.table(child).ids_with("_balancer", id) {
                self.set_status(child, &row, "PENDING_DELETE");
            }
        }
        self.pend(&row, of, "PENDING_DELETE");
        Reply::empty(204)
    }

    /// Whatever is pending below a load balancer gets to where it was going.
    pub(crate) fn balancer_settled(&mut self, balancer: &str) {
        let Some(row) = self.row(Resource::LoadBalancers, balancer).cloned() else {
            return;
        };
        if row["provisioning_status"] == "PENDING_DELETE" {
            return self.forget_balancer(balancer);
        }
        let doom = self.doomed(Resource::LoadBalancers, text(&row, "name"));
        let status = if doom.is_some() { "ERROR" } else { "ACTIVE" };
        for child in CHILDREN {
            for id in self.table(child).ids_with("_balancer", balancer) {
                let row = self.row(child, &id).cloned().unwrap_or_default();
                match text(&row, "provisioning_status") {
                    "PENDING_DELETE" => self.forget_child(child, &row),
                    "PENDING_CREATE" | "PENDING_UPDATE" => self.set_status(child, &id, status),
                    _ => {}
                }
            }
        }
        self.set_status(Resource::LoadBalancers, balancer, status);
    }

    fn forget_child(&mut self, of: Resource, row: &Value) {
        let (id, balancer) = (id(row), text(row, "_balancer").to_owned());
        self.table_mut(of).remove(&id);
        match of {
            Resource::Listeners => {
                self.unrelate(Resource::LoadBalancers, &balancer, "listeners", &id);
                self.unrelate(
                    Resource::Pools,
                    text(row, "default_pool_id"),
                    "listeners",
                    &id,
                );
            }
            Resource::Pools => self.forget_pool(&id, &balancer),
            Resource::Members => self.unrelate(Resource::Pools, text(row, "_pool"), "members", &id),
            _ => {
                if let Some(pool) = self.row_mut(Resource::Pools, text(row, "_pool")) {
                    remove(pool, "healthmonitor_id");
                }
            }
        }
    }

    /// With a pool go its members and monitor.
    fn forget_pool(&mut self, pool: &str, balancer: &str) {
        self.unrelate(Resource::LoadBalancers, balancer, "pools", pool);
        for child in [Resource::Members, Resource::Monitors] {
            for id in self.table(child).ids_with("_pool", pool) {
                self.table_mut(child).remove(&id);
            }
        }
        for listener in self
            .table(Resource::Listeners)
            .ids_with("default_pool_id", pool)
        {
            if let Some(row) = self.row_mut(Resource::Listeners, &listener) {
                row["default_pool_id"] = Value::Null;
            }
        }
    }

    /// A load balancer goes with its children and its port.
    pub(crate) fn forget_balancer(&mut self, balancer: &str) {
        for child in CHILDREN {
            for id in self.table(child).ids_with("_balancer", balancer) {
                self.table_mut(child).remove(&id);
            }
        }
        if let Some(row) = self.table_mut(Resource::LoadBalancers).remove(balancer)
            && row["_made_port"] == true
        {
            self.forget_port(text(&row, "vip_port_id"));
        }
    }

    /// Puts a load balancer into a status, for example ERROR, as an operator or a crash does.
    pub fn set_balancer_status(&mut self, id: &str, status: &str) {
        self.set_status(Resource::LoadBalancers, id, status);
    }
}
