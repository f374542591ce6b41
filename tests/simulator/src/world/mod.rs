//! The state of the cloud, as a plain state machine: a request and the time go in, a reply comes out.
//! No I/O, no clock of its own, no randomness but the ids, which a seed makes.

mod balancer;
mod compute;
mod edit;
mod identity;
mod image;
mod list;
mod network;
mod quota;
mod request;
mod schedule;
mod seed;
mod table;
mod volume;

use axum::http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use identity::Caller;
pub use request::{Reply, Request, Service};
pub use schedule::{Delays, Doom};
pub use seed::Seed;

use list::{Filters, Paging};
use request::{Answer, Refusal};
use schedule::{Event, Schedule};
use table::{Table, id};

/// A resource that a world keeps, by its collection in OpenStack's paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Resource {
    Networks,
    Subnets,
    Routers,
    Ports,
    SecurityGroups,
    SecurityGroupRules,
    FloatingIps,
    Trunks,
    Flavors,
    Keypairs,
    ServerGroups,
    Servers,
    Volumes,
    Images,
    LoadBalancers,
    Listeners,
    Pools,
    Members,
    Monitors,
}

impl Resource {
    /// Every resource.
    pub const ALL: [Self; 19] = [
        Self::Networks,
        Self::Subnets,
        Self::Routers,
        Self::Ports,
        Self::SecurityGroups,
        Self::SecurityGroupRules,
        Self::FloatingIps,
        Self::Trunks,
        Self::Flavors,
        Self::Keypairs,
        Self::ServerGroups,
        Self::Servers,
        Self::Volumes,
        Self::Images,
        Self::LoadBalancers,
        Self::Listeners,
        Self::Pools,
        Self::Members,
        Self::Monitors,
    ];

    /// Its key in an answer for many.
    #[must_use]
    pub fn many(self) -> &'static str {
        match self {
            Self::Networks => "networks",
            Self::Subnets => "subnets",
            Self::Routers => "routers",
            Self::Ports => "ports",
            Self::SecurityGroups => "security_groups",
            Self::SecurityGroupRules => "security_group_rules",
            Self::FloatingIps => "floatingips",
            Self::Trunks => "trunks",
            Self::Flavors => "flavors",
            Self::Keypairs => "keypairs",
            Self::ServerGroups => "server_groups",
            Self::Servers => "servers",
            Self::Volumes => "volumes",
            Self::Images => "images",
            Self::LoadBalancers => "loadbalancers",
            Self::Listeners => "listeners",
            Self::Pools => "pools",
            Self::Members => "members",
            Self::Monitors => "healthmonitors",
        }
    }

    /// Its key in an answer for one.
    #[must_use]
    pub fn one(self) -> &'static str {
        let many = self.many();
        many.strip_suffix('s').unwrap_or(many)
    }
}

/// A cloud.
#[derive(Debug)]
pub struct World {
    now: Timestamp,
    /// The URL that the catalog and links begin with.
    url: String,
    ids: u64,
    tables: Vec<Table>,
    schedule: Schedule,
    delays: Delays,
    dooms: Vec<Doom>,
    quotas: quota::Quotas,
    identity: identity::Identity,
    addresses: network::Addresses,
    zones: Vec<String>,
    extensions: Vec<String>,
    providers: Vec<(String, String)>,
    balancer_flavors: Vec<Value>,
    balancer_zones: Vec<String>,
    balancer_versions: Vec<String>,
    volume_types: Vec<String>,
    /// Servers that are gone, which lists of changes still show.
    deleted_servers: Vec<Value>,
}

impl World {
    /// Carries out what is due at `now`, then the request.
    pub fn handle(&mut self, now: Timestamp, request: &Request) -> Reply {
        self.advance(now);
        let answer = self.answer(request);
        answer.unwrap_or_else(|refusal| refusal.render(request.service))
    }

    fn answer(&mut self, request: &Request) -> Answer {
        if request.service == Service::Identity {
            return self.identity(request);
        }
        if request.path.is_empty() && request.service != Service::LoadBalancer {
            return Reply::ok(self.versions(request.service));
        }
        let caller = self.caller(request)?;
        self.serve(&caller, request)
    }

    /// The document that every service shows without a token; Nova's endpoint leads to the one of its version.
    fn versions(&self, service: Service) -> Value {
        let version = match service {
            Service::Compute => "v2.1",
            Service::Network => "v2.0",
            Service::Volume => "v3.0",
            _ => "v2.17",
        };
        let href = format!("{}/{}/{version}/", self.url, service.as_str());
        let mut shown = json!({"id": version, "status": "CURRENT",
            "links": [{"rel": "self", "href": href}]});
        if service != Service::Compute {
            return json!({"versions": [shown]});
        }
        let (oldest, newest) = (compute::OLDEST, compute::NEWEST);
        shown["min_version"] = json!(format!("{}.{}", oldest.0, oldest.1));
        shown["version"] = json!(format!("{}.{}", newest.0, newest.1));
        json!({"version": shown})
    }

    fn serve(&mut self, caller: &Caller, request: &Request) -> Answer {
        match request.service {
            Service::Identity => Err(Refusal::no_route(request)),
            Service::Compute => self.compute(caller, request),
            Service::Network => self.network(caller, request),
            Service::Volume => self.volume(caller, request),
            Service::Image => self.image(caller, request),
            Service::LoadBalancer => self.balancer(caller, request),
        }
    }

    /// Carries out what is due at `now`.
    pub fn advance(&mut self, now: Timestamp) {
        while let Some((at, event)) = self.schedule.pop_due(now) {
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = self.now.max(now);
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ServerBuilt(id) => self.server_built(&id),
            Event::ServerGone(id) => self.server_gone(&id),
            Event::VolumeReady(id) => self.volume_ready(&id),
            Event::VolumeGone(id) => self.volume_gone(&id),
            Event::BalancerSettled(id) => self.balancer_settled(&id),
        }
    }

    /// The time of the last thing that happened.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn table(&self, resource: Resource) -> &Table {
        &self.tables[resource as usize]
    }

    pub(crate) fn table_mut(&mut self, resource: Resource) -> &mut Table {
        &mut self.tables[resource as usize]
    }

    pub(crate) fn row(&self, resource: Resource, id: &str) -> Option<&Value> {
        self.table(resource).get(id)
    }

    pub(crate) fn row_mut(&mut self, resource: Resource, id: &str) -> Option<&mut Value> {
        self.table_mut(resource).get_mut(id)
    }

    /// A row that the caller may see.
    pub(crate) fn find(&self, caller: &Caller, resource: Resource, id: &str) -> Option<&Value> {
        self.row(resource, id).filter(|row| caller.sees(row))
    }

    /// The rows of a list: those that the caller sees and that fit the filters.
    pub(crate) fn rows(
        &self,
        caller: &Caller,
        resource: Resource,
        filters: &Filters,
    ) -> impl Iterator<Item = &Value> {
        let rows = self.table(resource).iter();
        rows.filter(|row| caller.sees(row) && filters.fit(row))
    }

    /// The URL of a list, for links to the next page.
    pub(crate) fn paging(
        &self,
        request: &Request,
        version: &str,
        default: usize,
        most: usize,
    ) -> Paging {
        let service = request.service.as_str();
        Paging {
            default,
            most,
            path: format!("{}/{service}/{version}{}", self.url, request.path_text()),
            bare_next: false,
            always_links: request.service == Service::LoadBalancer,
            backwards: request.service == Service::Network,
        }
    }

    /// A new id in the form of a UUID.
    pub(crate) fn new_id(&mut self) -> String {
        self.ids = self.ids.wrapping_add(1);
        let high = crate::seeded::mix(self.ids);
        let low = crate::seeded::mix(high ^ self.ids);
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            (low >> 48) & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }

    /// Now, as Neutron, Glance and mostly Nova write times.
    pub(crate) fn stamp(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Now, as Cinder, Octavia and sometimes Nova write times: clients refuse a zone there.
    pub(crate) fn zoneless_stamp(&self) -> String {
        self.now.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    }

    /// Takes and counts off the doom of a row, if there is one.
    pub(crate) fn doomed(&mut self, resource: Resource, row_name: &str) -> Option<String> {
        let fits = |doom: &Doom| doom.resource == resource && row_name.starts_with(&doom.prefix);
        let at = self.dooms.iter().position(fits)?;
        let doom = &mut self.dooms[at];
        let message = doom.message.clone();
        doom.times -= 1;
        if doom.times == 0 {
            self.dooms.remove(at);
        }
        Some(message)
    }

    pub(crate) fn after(&mut self, delay: std::time::Duration, event: Event) {
        let delay = jiff::SignedDuration::try_from(delay).unwrap_or_default();
        let at = self.now.saturating_add(delay).unwrap_or(self.now);
        self.schedule.push(at, event);
    }
}

/// The object under `key` of a body.
pub(crate) fn inner<'a>(body: &'a Value, key: &str) -> Result<&'a Value, Refusal> {
    let missing = || Refusal::bad(format!("Unable to find '{key}' in request body"));
    body.get(key)
        .filter(|value| value.is_object())
        .ok_or_else(missing)
}
