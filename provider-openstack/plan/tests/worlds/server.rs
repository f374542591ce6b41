//! The `OpenStackServer` of a machine, and what Neutron and Nova do for it.

use crds::openstack::names::SERVER_FINALIZER;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerStatus};
use jiff::Timestamp;
use plan::server::{Action, CLUSTER_METADATA_KEY, Catalog, NewServer, Seen, Want, plan};
use plan::step::{Decision, Step};
use plan::world::{FixedIp, Flavor, Image, Port, Server, ServerAddress};

use super::infrastructure::Infrastructure;
use super::machine::{Around, Machine, Pair};
use super::part::{self, Next, Trouble};

pub type Flight = part::Flight<Action, OpenStackServerStatus>;

impl Machine {
    /// What can happen next to the server and its object.
    pub(super) fn next_of_server(&self, around: Around<'_>) -> Vec<Next<Pair>> {
        let infrastructure = around.infrastructure;
        let mut next = match (&self.server, &self.server_flight) {
            (Some(object), None) => self.reconcile_server(object, around),
            (_, Some(flight)) => self.act_for_server(flight, around),
            (None, None) => Vec::new(),
        };
        if let Some(action) = &self.server_late {
            let mut without = self.clone();
            without.server_late = None;
            let (done, _) = without.clone().apply_for_server(action, infrastructure);
            next.push(Next::fair(format!("late: {action}"), done));
            next.push(Next::fair(format!("never: {action}"), without));
        }
        next.extend(self.nova(around.troubles));
        let alone = |next: Next<Self>| Next {
            label: next.label,
            to: (None, next.to),
            trouble: next.trouble,
        };
        next.into_iter().map(alone).collect()
    }

    /// Decides as the controller does.
    pub fn decide_for_server(
        &self,
        object: &OpenStackServer,
        around: Around<'_>,
    ) -> Decision<Action, OpenStackServerStatus> {
        let want = Want::from(object);
        let mut seen = Seen {
            servers: self.servers.clone(),
            ports: self.ports.clone(),
            ..others(self.name())
        };
        if around.blind {
            let recorded: Vec<&str> = want.recorded_ports().collect();
            seen.ports
                .retain(|port| recorded.contains(&port.id.as_str()));
        }
        if want.needs_catalog() {
            seen.catalog = catalog(around.infrastructure);
        }
        plan(&want, &seen, Timestamp::UNIX_EPOCH)
    }

    fn reconcile_server(&self, object: &OpenStackServer, around: Around<'_>) -> Vec<Next<Self>> {
        let mut to = self.clone();
        if object.metadata.finalizers.is_none() {
            let add = |object: &mut OpenStackServer| {
                object.metadata.finalizers = Some(vec![SERVER_FINALIZER.into()])
            };
            to.server.as_mut().map(add);
            return vec![Next::fair("finalizer of the server", to)];
        }
        let decision = self.decide_for_server(object, around);
        let going = object.metadata.deletion_timestamp.is_some();
        let label = match decision.step {
            Step::Do(actions) => {
                to.server_flight = Some(Flight {
                    actions,
                    publish: decision.status,
                });
                "decide for the server"
            }
            // A call whose answer was lost is over before the last list that finds nothing.
            Step::Done if going && self.server_late.is_some() => return Vec::new(),
            Step::Done if going => {
                to.server = None;
                "server gone"
            }
            Step::Done | Step::Wait(_) | Step::Blocked(_) => {
                to.publish_server(decision.status);
                "publish the server"
            }
        };
        vec![Next::fair(label, to)]
    }

    fn act_for_server(&self, flight: &Flight, around: Around<'_>) -> Vec<Next<Self>> {
        let mut next = Vec::new();
        for (action, rest) in flight.calls() {
            let mut to = self.clone();
            if rest.is_none() {
                to.publish_server(flight.publish.clone());
            }
            to.server_flight = rest;
            if around.troubles && self.server_late.is_none() {
                let mut lost = to.clone();
                lost.server_late = Some(action.clone());
                next.push(Next::trouble(Trouble::LostAnswer, action.to_string(), lost));
            }
            let (to, refused) = to.apply_for_server(&action, around.infrastructure);
            next.push(Next::fair(
                format!("{action}{}", refused.unwrap_or_default()),
                to,
            ));
        }
        next
    }

    fn publish_server(&mut self, mut status: OpenStackServerStatus) {
        status.conditions.clear();
        if let Some(object) = &mut self.server {
            object.status = Some(status);
        }
    }

    /// What comes of a call, and what it is refused with.
    fn apply_for_server(
        mut self,
        action: &Action,
        infrastructure: &Infrastructure,
    ) -> (Self, Option<String>) {
        let finalized = |object: &OpenStackServer| object.metadata.finalizers.is_some();
        assert!(
            self.server.as_ref().is_some_and(finalized),
            "{action} without a finalizer"
        );
        let done = match action {
            Action::CreatePort(new) => {
                let holds = &infrastructure.cloud.holds;
                let network = holds
                    .networks
                    .iter()
                    .any(|network| network.id == new.network_id);
                let mut groups = new.security_groups.iter();
                let groups =
                    groups.all(|id| holds.security_groups.iter().any(|group| group.id == *id));
                let (id, subnet_id) = (self.id("port"), holds.subnets.last().map(|s| s.id.clone()));
                self.ports.push(Port {
                    id,
                    name: new.name.clone(),
                    description: new.description.clone().unwrap_or_default(),
                    network_id: new.network_id.clone(),
                    security_groups: new.security_groups.clone(),
                    fixed_ips: vec![FixedIp {
                        subnet_id: subnet_id.unwrap_or_default(),
                        ip_address: "10.6.0.77".into(),
                    }],
                    ..Port::default()
                });
                network && groups
            }
            Action::CreateServer(new) => self.create_server(new),
            Action::DeletePort(id) => {
                self.expect_own(id, action);
                self.ports.retain(|port| port.id != *id);
                true
            }
            Action::DeleteServer(id) => {
                self.expect_own(id, action);
                self.servers
                    .iter_mut()
                    .filter(|server| server.id == *id)
                    .for_each(|server| server.deleting = true);
                true
            }
            other => panic!("{other} is for other worlds"),
        };
        if done {
            return (self, None);
        }
        if let Action::CreatePort(_) = action {
            self.ports.pop();
        }
        (self, Some(" refused".into()))
    }

    fn id(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{}-{}", self.name(), self.made)
    }

    fn expect_own(&self, id: &str, action: &Action) {
        assert!(
            !id.starts_with("other"),
            "{action} touches what is not ours"
        );
    }

    /// Nova finds out only when it builds that a port is missing or in use.
    fn create_server(&mut self, new: &NewServer) -> bool {
        let id = self.id("server");
        let free = |id: &String| {
            self.ports
                .iter()
                .any(|port| port.id == *id && port.device_id.is_empty())
        };
        let builds = new.port_ids.iter().all(free);
        new.port_ids
            .iter()
            .for_each(|port| assert!(!port.starts_with("other"), "{port} is not ours"));
        let used = |port: &&mut Port| builds && new.port_ids.contains(&port.id);
        self.ports
            .iter_mut()
            .filter(used)
            .for_each(|port| port.device_id.clone_from(&id));
        self.servers.push(Server {
            id,
            name: new.name.clone(),
            status: if builds { "BUILD" } else { "ERROR" }.into(),
            metadata: new.metadata.clone(),
            ..Server::default()
        });
        true
    }

    fn nova(&self, troubles: bool) -> Vec<Next<Self>> {
        let mut next = Vec::new();
        for (index, server) in self.servers.iter().enumerate() {
            let becomes = |status: &str| {
                let mut to = self.clone();
                to.servers[index].status = status.into();
                let addresses = [ServerAddress {
                    network: "nodes".into(),
                    address: "10.6.0.77".into(),
                    version: 4,
                    floating: false,
                }];
                to.servers[index].addresses = if status == "ACTIVE" {
                    addresses.into()
                } else {
                    Vec::new()
                };
                to
            };
            if server.deleting {
                next.push(Next::fair(
                    "Nova ends the server",
                    self.clone().without_server(index),
                ));
                continue;
            }
            if server.status == "BUILD" {
                next.push(Next::fair("Nova builds the server", becomes("ACTIVE")));
            }
            if troubles && server.status == "BUILD" {
                next.push(Next::trouble(
                    Trouble::BuildError,
                    &server.id,
                    becomes("ERROR"),
                ));
            }
            if troubles {
                let lost = self.clone().without_server(index);
                next.push(Next::trouble(Trouble::ServerLost, &server.id, lost));
            }
        }
        next
    }

    fn without_server(mut self, index: usize) -> Self {
        let gone = self.servers.remove(index);
        let held = |port: &&mut Port| port.device_id == gone.id;
        self.ports
            .iter_mut()
            .filter(held)
            .for_each(|port| port.device_id.clear());
        self
    }
}

/// What references are looked up in.
fn catalog(infrastructure: &Infrastructure) -> Catalog {
    let holds = &infrastructure.cloud.holds;
    Catalog {
        images: vec![Image {
            id: "image".into(),
            ..Image::default()
        }],
        flavors: vec![Flavor {
            id: "flavor".into(),
            ..Flavor::default()
        }],
        networks: holds.networks.clone(),
        subnets: holds.subnets.clone(),
        security_groups: holds.security_groups.clone(),
        ..Catalog::default()
    }
}

/// What a cluster of the same name in another namespace of the project has, and somebody's own.
fn others(name: &str) -> Seen {
    let server = |id: &str, metadata| Server {
        id: id.into(),
        name: name.into(),
        status: "ACTIVE".into(),
        metadata,
        ..Server::default()
    };
    let port = |id: &str, description: &str, device: &str| Port {
        id: id.into(),
        name: format!("{name}-0"),
        description: description.into(),
        network_id: "brought".into(),
        device_id: device.into(),
        security_groups: vec!["other-group".into()],
        ..Port::default()
    };
    let same = "Created by cluster-api-provider-openstack cluster demo";
    Seen {
        servers: vec![
            server(
                "other-1",
                vec![(CLUSTER_METADATA_KEY.into(), "elsewhere/demo".into())],
            ),
            server("other-2", Vec::new()),
        ],
        ports: vec![
            port("other-3", same, "other-1"),
            port("other-4", same, ""),
            port("other-5", "", "other-2"),
        ],
        ..Seen::default()
    }
}
