//! A management cluster and a load balancer in memory.

use crds::capi::names::WATCH_FILTER_LABEL;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerStatus, ServerResources};
use crds::openstack::v1beta2::{
    OpenStackIdentityReference, OpenStackMachineSpec, OpenStackMachineStatus, PortStatus,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::machine::{Action, Cluster, Group, Ingress, Network, Seen, SeenIngress, Want, plan};
use crate::names::{ClusterNames, Role};
use crate::step::Step;
use crate::world::{FixedIp, FloatingIp, LoadBalancer, Member, Pool, Port, State};

pub const NOW: Timestamp = Timestamp::UNIX_EPOCH;
pub const PORTS: [u16; 2] = [6443, 8132];

/// What exists.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub server: Option<OpenStackServer>,
    pub around: SeenIngress,
    /// How many server objects were created.
    pub created: usize,
    ids: u32,
}

impl Model {
    /// A load balancer with a pool for each port and a member of another machine in each.
    pub fn new() -> Self {
        let names = ClusterNames::new("ns", "c");
        let mut model = Self::default();
        model.around.load_balancers.push(LoadBalancer {
            id: "lb".into(),
            name: names.load_balancer(),
            ..LoadBalancer::default()
        });
        for port in PORTS {
            let pool = format!("pool-{port}");
            model.around.pools.push(Pool {
                id: pool.clone(),
                name: names.load_balancer_port(port),
                load_balancer_id: "lb".into(),
                ..Pool::default()
            });
            model.around.members.push(Member {
                id: format!("foreign-{port}"),
                name: names.load_balancer_member(port, "other"),
                pool_id: pool,
                ..Member::default()
            });
        }
        model.around.floating_ips.push(FloatingIp {
            id: "fip".into(),
            address: "192.0.2.1".into(),
            ..FloatingIp::default()
        });
        model
    }

    pub fn seen(&self) -> Seen {
        Seen {
            server: self.server.clone(),
            ingress: Some(self.around.clone()),
        }
    }

    pub fn apply(&mut self, action: &Action) {
        match action {
            Action::CreateServerObject(object) => {
                self.created += 1;
                self.server = Some((**object).clone());
            }
            Action::LabelServerObject { watch_filter, .. } => {
                if let Some(server) = &mut self.server {
                    let labels = server.metadata.labels.get_or_insert_default();
                    labels.insert(WATCH_FILTER_LABEL.to_owned(), watch_filter.clone());
                }
            }
            Action::UpdateServerObject {
                identity_ref,
                ports,
                ..
            } => {
                if let Some(server) = &mut self.server {
                    server.spec.identity_ref = (**identity_ref).clone();
                    server.spec.ports.clone_from(ports);
                }
            }
            Action::DeleteServerObject { .. } => {
                if let Some(server) = &mut self.server {
                    server.metadata.deletion_timestamp = Some(Time(NOW));
                }
            }
            Action::CreateMember(new) => {
                self.lock();
                self.ids += 1;
                self.around.members.push(Member {
                    id: format!("member-{}", self.ids),
                    name: new.name.clone(),
                    pool_id: new.pool.clone(),
                    address: new.address.clone(),
                    port: new.port,
                    subnet_id: new.subnet.clone(),
                    state: State::Pending,
                });
            }
            Action::DeleteMember { member, .. } => {
                assert!(!member.starts_with("foreign"), "{member}");
                self.lock();
                self.around.members.retain(|one| one.id != *member);
            }
            Action::AssociateFloatingIp { floating_ip, port } => {
                for ip in self
                    .around
                    .floating_ips
                    .iter_mut()
                    .filter(|ip| ip.id == *floating_ip)
                {
                    ip.port_id = Some(port.clone());
                }
            }
            Action::DisassociateFloatingIp { floating_ip } => {
                for ip in self
                    .around
                    .floating_ips
                    .iter_mut()
                    .filter(|ip| ip.id == *floating_ip)
                {
                    ip.port_id = None;
                }
            }
        }
    }

    /// Octavia refuses a second change while it works on one.
    fn lock(&mut self) {
        let balancer = &mut self.around.load_balancers[0];
        assert_eq!(balancer.state, State::Active);
        balancer.state = State::Pending;
    }

    pub fn tick(&mut self) {
        for balancer in &mut self.around.load_balancers {
            balancer.state = State::Active;
        }
        let members = &mut self.around.members;
        members.retain(|member| member.state != State::Deleting);
        for member in members {
            member.state = State::Active;
        }
        let Some(server) = &mut self.server else {
            return;
        };
        if server.metadata.deletion_timestamp.is_some() {
            self.server = None;
            self.around.ports.clear();
        } else if server.status.is_none() {
            self.around.ports.push(port("10.6.0.7"));
            server.status = Some(active());
        }
    }
}

pub fn active() -> OpenStackServerStatus {
    OpenStackServerStatus {
        ready: true,
        instance_id: Some("server".into()),
        instance_state: Some("ACTIVE".into()),
        resources: Some(ServerResources {
            ports: vec![PortStatus { id: "port".into() }],
        }),
        ..OpenStackServerStatus::default()
    }
}

pub fn port(address: &str) -> Port {
    let ip = |address: &str| FixedIp {
        subnet_id: "subnet".into(),
        ip_address: address.into(),
    };
    Port {
        id: "port".into(),
        network_id: "net".into(),
        fixed_ips: vec![ip("fd00::7"), ip(address)],
        ..Port::default()
    }
}

pub fn behind_load_balancer() -> Ingress {
    Ingress::LoadBalancer {
        id: "lb".into(),
        ports: PORTS.map(|port| (port, port)).to_vec(),
        other_network: false,
    }
}

pub fn want(ingress: Ingress) -> Want {
    Want {
        namespace: "ns".into(),
        name: "m".into(),
        uid: "uid".into(),
        generation: Some(1),
        deleting: false,
        role: if ingress == Ingress::None {
            Role::Worker
        } else {
            Role::ControlPlane
        },
        watch_filter: None,
        bootstrap_secret: Some("m-bootstrap".into()),
        failure_domain: Some("az1".into()),
        spec: OpenStackMachineSpec::default(),
        status: OpenStackMachineStatus::default(),
        cluster: Cluster {
            name: "c".into(),
            names: ClusterNames::new("ns", "c"),
            provisioned: true,
            deleting: false,
            identity_ref: OpenStackIdentityReference {
                name: "cloud".into(),
                ..Default::default()
            },
            tags: vec!["c".into()],
            network: Some(Network {
                id: "net".into(),
                name: "nodes".into(),
            }),
            subnets: Vec::new(),
            security_group: Some(Group { id: "sg".into() }),
            ingress,
        },
    }
}

/// One reconcile of which only `most` actions are done, and whose status may be lost.
pub fn reconcile(model: &mut Model, want: &mut Want, most: usize, publish: bool) -> Step<Action> {
    let decision = plan(want, &model.seen(), NOW);
    if let Step::Do(actions) = &decision.step {
        for action in actions.iter().take(most) {
            model.apply(action);
        }
    }
    if publish {
        want.spec.provider_id = decision.status.provider_id;
        want.status = decision.status.status;
    }
    decision.step
}

pub fn settle(model: &mut Model, want: &mut Want) -> Step<Action> {
    for _ in 0..40 {
        match reconcile(model, want, usize::MAX, true) {
            Step::Do(_) => {}
            Step::Wait(_) => model.tick(),
            end => return end,
        }
    }
    panic!("does not settle: {model:?}")
}
