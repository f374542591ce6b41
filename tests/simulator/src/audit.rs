//! What is left in the cloud.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::{Resource, World};

/// What tenants have made and not deleted: project name, resource, names or ids.
///
/// Not counted is what clouds make by themselves and keep: default security groups, and what belongs to `admin`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit(pub BTreeMap<String, BTreeMap<&'static str, Vec<String>>>);

impl Audit {
    /// What tenants make, and so what is looked for. Rules of security groups go with their group.
    pub const RESOURCES: [Resource; 15] = [
        Resource::Networks,
        Resource::Subnets,
        Resource::Routers,
        Resource::Ports,
        Resource::SecurityGroups,
        Resource::FloatingIps,
        Resource::Trunks,
        Resource::ServerGroups,
        Resource::Servers,
        Resource::Volumes,
        Resource::LoadBalancers,
        Resource::Listeners,
        Resource::Pools,
        Resource::Members,
        Resource::Monitors,
    ];

    pub(crate) fn of(world: &World) -> Self {
        let mut left = Self::default();
        for resource in Self::RESOURCES {
            for row in world.all(resource) {
                let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
                let project = world.project_name(&text("project_id"));
                // Ports of gateways and floating IPs are nobody's, and go with those.
                if project.is_empty() || project == "admin" || is_default(resource, row) {
                    continue;
                }
                let name = [text("name"), text("floating_ip_address"), text("id")];
                let name = name
                    .into_iter()
                    .find(|name| !name.is_empty())
                    .unwrap_or_default();
                let of_project = left.0.entry(project).or_default();
                of_project.entry(resource.many()).or_default().push(name);
            }
        }
        left
    }

    /// Whether nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a project has left of a resource (its key in answers, for example `ports`).
    #[must_use]
    pub fn left(&self, project: &str, resource: &str) -> &[String] {
        let of_project = self.0.get(project);
        of_project
            .and_then(|left| left.get(resource))
            .map_or(&[], Vec::as_slice)
    }
}

fn is_default(resource: Resource, row: &Value) -> bool {
    resource == Resource::SecurityGroups && row["name"] == "default"
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing is left");
        }
        for (project, left) in &self.0 {
            for (resource, names) in left {
                writeln!(
                    f,
                    "{project}: {} {resource}: {}",
                    names.len(),
                    names.join(", ")
                )?;
            }
        }
        Ok(())
    }
}
