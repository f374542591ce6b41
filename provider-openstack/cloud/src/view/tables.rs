//! The resources of a project as last seen: a state machine without I/O or clock.
//!
//! Two sources feed it: lists, and the answers of our own writes. A list that began before a write
//! finished may be older than the write, so it must not undo it: both take a stamp from the same
//! counter, and the higher one wins.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::block_storage::{Volume, VolumeStatus};
use crate::change::{Change, Item, Kind, Row};
use crate::compute::Server;
use crate::loadbalancer::{Listener, LoadBalancer, Monitor, Pool, ProvisioningStatus};
use crate::network::{
    FloatingIp, Network, Port, Router, SecurityGroup, SecurityGroupRule, Subnet, Trunk,
};

/// A moment in the life of a [`Tables`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(u64);

/// The rows of one kind.
#[derive(Clone, Debug)]
pub struct Table<T> {
    rows: HashMap<String, Arc<T>>,
    by_name: BTreeSet<(String, String)>,
    by_owner: BTreeSet<(String, String)>,
    /// Writes that a list may not know yet, by id; also of rows that are gone.
    writes: HashMap<String, Stamp>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            rows: HashMap::new(),
            by_name: BTreeSet::new(),
            by_owner: BTreeSet::new(),
            writes: HashMap::new(),
        }
    }
}

/// The ids and names of rows that changed or are gone; both, as a key may wait for either.
pub type Changed = Vec<String>;

impl<T: Row> Table<T> {
    /// The row with this id.
    pub fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id).map(Arc::as_ref)
    }

    /// All rows, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.values().map(Arc::as_ref)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows with exactly this name, by id.
    pub fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.indexed(&self.by_name, name, |found, name| found == name)
    }

    /// The rows whose name begins so, by name.
    pub fn with_prefix<'a>(&'a self, prefix: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.indexed(&self.by_name, prefix, |found, prefix| {
            found.starts_with(prefix)
        })
    }

    /// The rows that belong to this: ports of a device, subnets of a network, floating IPs of a port.
    pub fn of<'a>(&'a self, owner: &str) -> impl Iterator<Item = &'a T> + use<'a, T> {
        self.indexed(&self.by_owner, owner, |found, owner| found == owner)
    }

    fn indexed<'a>(
        &'a self,
        index: &'a BTreeSet<(String, String)>,
        start: &str,
        fits: fn(&str, &str) -> bool,
    ) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let start = start.to_owned();
        let from = Bound::Included((start.clone(), String::new()));
        index
            .range((from, Bound::Unbounded))
            .take_while(move |(found, _)| fits(found, &start))
            .filter_map(|(_, id)| self.get(id))
    }

    fn put(&mut self, row: T, changed: &mut Changed) {
        let id = row.id().to_owned();
        if self.get(&id) == Some(&row) {
            return;
        }
        self.unindex(&id);
        changed.extend([id.clone(), row.name().to_owned()]);
        self.by_name.insert((row.name().to_owned(), id.clone()));
        if !row.belongs_to().is_empty() {
            self.by_owner
                .insert((row.belongs_to().to_owned(), id.clone()));
        }
        self.rows.insert(id, Arc::new(row));
    }

    fn remove(&mut self, id: &str, changed: &mut Changed) {
        self.unindex(id);
        if let Some(row) = self.rows.remove(id) {
            changed.extend([id.to_owned(), row.name().to_owned()]);
        }
    }

    fn unindex(&mut self, id: &str) {
        if let Some(row) = self.rows.get(id) {
            self.by_name.remove(&(row.name().to_owned(), id.to_owned()));
            self.by_owner
                .remove(&(row.belongs_to().to_owned(), id.to_owned()));
        }
    }

    fn is_newer_than(&self, id: &str, list: Stamp) -> bool {
        self.writes.get(id).is_some_and(|&write| write > list)
    }

    /// Everything there is, as of a list that began at `began`.
    fn list(&mut self, items: Vec<T>, began: Stamp) -> Changed {
        let listed: BTreeSet<String> = items.iter().map(|row| row.id().to_owned()).collect();
        let mut changed = self.changes(items, Vec::new(), began);
        let vanished = |id: &&String| !listed.contains(*id) && !self.is_newer_than(id, began);
        let vanished: Vec<String> = self.rows.keys().filter(vanished).cloned().collect();
        for id in vanished {
            self.remove(&id, &mut changed);
        }
        self.writes.retain(|_, &mut write| write > began);
        changed
    }

    /// What has changed and what is gone, as of a list that began at `began`.
    fn changes(&mut self, items: Vec<T>, gone: Vec<String>, began: Stamp) -> Changed {
        let mut changed = Changed::new();
        for row in items {
            if !self.is_newer_than(row.id(), began) {
                self.put(row, &mut changed);
            }
        }
        for id in gone {
            if !self.is_newer_than(&id, began) {
                self.remove(&id, &mut changed);
            }
        }
        changed
    }

    fn write(&mut self, row: T, at: Stamp) -> Changed {
        let mut changed = Changed::new();
        self.writes.insert(row.id().to_owned(), at);
        self.put(row, &mut changed);
        changed
    }

    fn delete(&mut self, id: &str, at: Stamp) -> Changed {
        let mut changed = Changed::new();
        self.writes.insert(id.to_owned(), at);
        self.remove(id, &mut changed);
        changed
    }

    /// Changes a row in place; nothing happens when it is not there.
    fn edit(&mut self, id: &str, at: Stamp, edit: impl FnOnce(&mut T)) -> Changed {
        let Some(mut row) = self.get(id).cloned() else {
            return Changed::new();
        };
        edit(&mut row);
        self.write(row, at)
    }
}

/// Declares [`Tables`] and finds the table of a kind.
macro_rules! tables {
    ($($(#[$doc:meta])* $field:ident: $row:ident = $kind:ident;)*) => {
        /// All tables of a project. A clone is cheap and does not change any more: a snapshot.
        #[derive(Clone, Debug, Default)]
        pub struct Tables {
            $($(#[$doc])* pub $field: Arc<Table<$row>>,)*
            clock: u64,
        }

        $(impl Tabled for $row {
            fn table_mut(tables: &mut Tables) -> &mut Table<Self> {
                Arc::make_mut(&mut tables.$field)
            }
        })*

        impl Tables {
            /// A change of one row by ourselves.
            pub fn apply_write(&mut self, item: Item) -> Changed {
                let at = self.tick();
                match item {
                    $(Item::$kind(row) => $row::table_mut(self).write(row, at),)*
                }
            }

            /// The end of one row by ourselves.
            pub fn apply_delete(&mut self, kind: Kind, id: &str) -> Changed {
                let at = self.tick();
                match kind {
                    $(Kind::$kind => $row::table_mut(self).delete(id, at),)*
                }
            }

            /// Whether a row, known by id or by a name, is the same here as in an earlier snapshot.
            pub fn is_same(&self, earlier: &Self, id: &str) -> bool {
                $(same(&self.$field, &earlier.$field, id))&&*
            }
        }
    };
}

/// A row that has a table.
pub trait Tabled: Row {
    /// Its table.
    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;
}

tables! {
    /// Neutron networks.
    networks: Network = Networks;
    /// Neutron subnets, of their network.
    subnets: Subnet = Subnets;
    /// Neutron routers.
    routers: Router = Routers;
    /// Neutron ports, of their device.
    ports: Port = Ports;
    /// Neutron trunks, of their parent port.
    trunks: Trunk = Trunks;
    /// Neutron security groups with their rules.
    security_groups: SecurityGroup = SecurityGroups;
    /// Neutron floating IPs, of their port.
    floating_ips: FloatingIp = FloatingIps;
    /// Nova servers.
    servers: Server = Servers;
    /// Cinder volumes.
    volumes: Volume = Volumes;
    /// Octavia load balancers.
    load_balancers: LoadBalancer = LoadBalancers;
    /// Octavia listeners.
    listeners: Listener = Listeners;
    /// Octavia pools with their members.
    pools: Pool = Pools;
    /// Octavia health monitors.
    monitors: Monitor = Monitors;
}

fn same<T: Row>(now: &Table<T>, earlier: &Table<T>, id: &str) -> bool {
    let row = |table: &Table<T>| table.rows.get(id).map(Arc::as_ptr);
    let named = |table: &Table<T>| table.named(id).map(std::ptr::from_ref).collect::<Vec<_>>();
    row(now) == row(earlier) && named(now) == named(earlier)
}

impl Tables {
    fn tick(&mut self) -> Stamp {
        self.clock += 1;
        Stamp(self.clock)
    }

    /// A list begins now.
    pub fn begin_list(&mut self) -> Stamp {
        self.tick()
    }

    /// The answer of a list of everything.
    pub fn apply_list<T: Tabled>(&mut self, items: Vec<T>, began: Stamp) -> Changed {
        T::table_mut(self).list(items, began)
    }

    /// The answer of a list of what changed.
    pub fn apply_changes<T: Tabled>(
        &mut self,
        items: Vec<T>,
        gone: Vec<String>,
        began: Stamp,
    ) -> Changed {
        T::table_mut(self).changes(items, gone, began)
    }

    /// What one of our calls has done.
    pub(crate) fn apply(&mut self, change: Change) -> Changed {
        match change {
            Change::Wrote(item) => self.apply_write(*item),
            Change::Gone(Kind::Ports, id) => {
                let mut changed = self.apply_delete(Kind::Ports, &id);
                changed.extend(self.free_addresses(&id));
                changed
            }
            Change::Gone(kind, id) => self.apply_delete(kind, &id),
            Change::Ending(kind, id) => self.end(kind, &id),
            Change::Tags(kind, id, tags) => self.set_tags(kind, &id, tags),
            Change::Rules(rules) => rules
                .into_iter()
                .flat_map(|rule| self.add_rule(rule))
                .collect(),
            Change::RuleGone(id) => self.remove_rule(&id),
            Change::Member(pool, member) => self.edit::<Pool>(&pool, |pool| {
                pool.members.retain(|old| old.id != member.id);
                pool.members.push(*member);
            }),
            Change::MemberEnding(pool, id) => self.edit::<Pool>(&pool, |pool| {
                for member in pool.members.iter_mut().filter(|member| member.id == id) {
                    member.provisioning_status = ProvisioningStatus::PendingDelete;
                }
            }),
            Change::Unsure(_) => Changed::new(),
        }
    }

    fn edit<T: Tabled>(&mut self, id: &str, edit: impl FnOnce(&mut T)) -> Changed {
        let at = self.tick();
        T::table_mut(self).edit(id, at, edit)
    }

    /// Neutron lets go of the floating IPs of a port with the port.
    fn free_addresses(&mut self, port: &str) -> Changed {
        let ids = self.floating_ips.of(port).map(|ip| ip.id.clone());
        let ids: Vec<String> = ids.collect();
        let free = |ip: &mut FloatingIp| {
            ip.port_id.clear();
            ip.fixed_ip_address = None;
            ip.revision_number = None;
        };
        ids.iter()
            .flat_map(|id| self.edit::<FloatingIp>(id, free))
            .collect()
    }

    /// The service deletes it in its own time: it says so until a list shows it gone.
    fn end(&mut self, kind: Kind, id: &str) -> Changed {
        let ending = ProvisioningStatus::PendingDelete;
        match kind {
            Kind::Servers => {
                self.edit::<Server>(id, |row| row.task_state = Some("deleting".to_owned()))
            }
            Kind::Volumes => self.edit::<Volume>(id, |row| row.status = VolumeStatus::Deleting),
            Kind::LoadBalancers => {
                self.edit::<LoadBalancer>(id, |row| row.provisioning_status = ending)
            }
            Kind::Listeners => self.edit::<Listener>(id, |row| row.provisioning_status = ending),
            Kind::Pools => self.edit::<Pool>(id, |row| row.provisioning_status = ending),
            Kind::Monitors => self.edit::<Monitor>(id, |row| row.provisioning_status = ending),
            _ => self.apply_delete(kind, id),
        }
    }

    fn set_tags(&mut self, kind: Kind, id: &str, tags: Vec<String>) -> Changed {
        match kind {
            Kind::Networks => self.edit::<Network>(id, |row| row.tags = tags),
            Kind::Subnets => self.edit::<Subnet>(id, |row| row.tags = tags),
            Kind::Routers => self.edit::<Router>(id, |row| row.tags = tags),
            Kind::Ports => self.edit::<Port>(id, |row| row.tags = tags),
            Kind::Trunks => self.edit::<Trunk>(id, |row| row.tags = tags),
            Kind::SecurityGroups => self.edit::<SecurityGroup>(id, |row| row.tags = tags),
            Kind::FloatingIps => self.edit::<FloatingIp>(id, |row| {
                row.tags = tags;
                // Neutron counts that too, but does not say how far it is now.
                row.revision_number = None;
            }),
            // The other services take tags with the resource itself.
            _ => Changed::new(),
        }
    }

    fn add_rule(&mut self, rule: SecurityGroupRule) -> Changed {
        let group = rule.security_group_id.clone();
        self.edit::<SecurityGroup>(&group, |group| {
            group.rules.retain(|old| old.id != rule.id);
            group.rules.push(rule);
        })
    }

    fn remove_rule(&mut self, id: &str) -> Changed {
        let has_it = |group: &&SecurityGroup| group.rules.iter().any(|rule| rule.id == id);
        let Some(group) = self
            .security_groups
            .iter()
            .find(has_it)
            .map(|group| group.id.clone())
        else {
            return Changed::new();
        };
        self.edit::<SecurityGroup>(&group, |group| group.rules.retain(|rule| rule.id != id))
    }
}

#[cfg(test)]
#[path = "tables_tests.rs"]
mod tests;
