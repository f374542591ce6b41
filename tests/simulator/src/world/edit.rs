//! What tests do behind the provider's back: look, make foreign things, change and take away.

use serde_json::Value;

use super::table::text;
use super::{Caller, Doom, Method, Reply, Resource, Service, World};

impl World {
    /// The user of a project, given its name.
    #[must_use]
    pub fn member_of(&self, project: &str) -> Caller {
        let project_id = self.project_id(project);
        let users = &self.identity.users;
        let user = users
            .iter()
            .find(|user| text(user, "project_id") == project_id);
        Caller {
            user_id: user.map(super::id).unwrap_or_default(),
            is_admin: user.is_some_and(|user| user["admin"] == true),
            project_id,
        }
    }

    /// Carries out a request as the user of a project, for example to make foreign things. Not in the log, and no
    /// fault touches it.
    pub fn request(
        &mut self,
        project: &str,
        service: Service,
        method: Method,
        path: &str,
        body: Value,
    ) -> Reply {
        let caller = self.member_of(project);
        self.as_caller(&caller, service, method, path, body)
    }

    /// The rows of a resource as an administrator sees them, our own fields included.
    pub fn all(&self, resource: Resource) -> impl Iterator<Item = &Value> {
        self.table(resource).iter()
    }

    /// The first row with this name.
    #[must_use]
    pub fn named(&self, resource: Resource, name: &str) -> Option<&Value> {
        self.table(resource).with("name", name).next()
    }

    /// The id of the first row with this name.
    #[must_use]
    pub fn id_of(&self, resource: Resource, name: &str) -> Option<String> {
        self.named(resource, name).map(super::id)
    }

    /// Changes a row without asking anybody; false when there is none.
    pub fn edit(&mut self, resource: Resource, id: &str, change: impl FnOnce(&mut Value)) -> bool {
        let stamp = self.stamp();
        let row = self.row_mut(resource, id);
        let found = row.is_some();
        if let Some(row) = row {
            change(row);
            if resource == Resource::Servers {
                row["updated"] = Value::String(stamp);
            }
        }
        found
    }

    /// Takes a row away at once, whatever depends on it; false when there is none. Of a server its ports are freed,
    /// as Nova does; of a load balancer the children go too.
    pub fn vanish(&mut self, resource: Resource, id: &str) -> bool {
        if self.row(resource, id).is_none() {
            return false;
        }
        match resource {
            Resource::Servers => self.server_gone(id),
            Resource::LoadBalancers => self.forget_balancer(id),
            Resource::Ports => self.forget_port(id),
            Resource::Subnets => self.forget_subnet(id),
            _ => {
                self.table_mut(resource).remove(id);
            }
        }
        true
    }

    /// Makes the creation of something end in ERROR.
    pub fn doom(&mut self, doom: Doom) {
        if doom.times > 0 {
            self.dooms.push(doom);
        }
    }

    /// Changes how long operations take.
    pub fn set_delays(&mut self, delays: super::Delays) {
        self.delays = delays;
    }
}
