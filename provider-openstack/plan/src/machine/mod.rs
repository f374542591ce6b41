//! One machine: the `OpenStackServer` object behind it, what Cluster API reads of it, and its way
//! to the API traffic when it is a control plane node.
//!
//! The server itself is the business of [`crate::server`]: this plan reads what that one publishes,
//! so a worker costs no call to the cloud at all.

mod delete;
mod ingress;
mod live;
pub(crate) mod object;
mod report;
#[cfg(test)]
mod tests;
mod want;

use std::fmt;

use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackIdentityReference, OpenStackMachineStatus, PortOpts};
use jiff::Timestamp;

use crate::step::{Decision, Step};
use crate::world::{FloatingIp, LoadBalancer, Member, Pool, Port};

pub use report::refused;
pub use want::{Cluster, Group, Ingress, Network, Want, instance_id};

/// What exists now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// The object of the machine's name, if it is there.
    pub server: Option<OpenStackServer>,
    /// What API traffic goes through; `None` when [not needed](Want::needs_ingress).
    pub ingress: Option<SeenIngress>,
}

/// What API traffic to a control plane node goes through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeenIngress {
    /// The ports that the server object records, and that which the floating IP leads to.
    pub ports: Vec<Port>,
    pub load_balancers: Vec<LoadBalancer>,
    pub pools: Vec<Pool>,
    pub members: Vec<Member>,
    pub floating_ips: Vec<FloatingIp>,
}

/// What is published.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// Belongs into `spec.providerID`; never taken back.
    pub provider_id: Option<String>,
    pub status: OpenStackMachineStatus,
}

/// One call, to the API server or to the cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates the object that stands for the server.
    CreateServerObject(Box<OpenStackServer>),
    /// Writes into the object that stands for the server what may change: the credentials, and the
    /// allowed address pairs of its ports.
    UpdateServerObject {
        name: String,
        identity_ref: Box<OpenStackIdentityReference>,
        ports: Vec<PortOpts>,
    },
    /// Deletes the object that stands for the server.
    DeleteServerObject {
        name: String,
    },
    /// Puts the label of the watch filter on the object, so that whoever handles the machine
    /// handles its server too.
    LabelServerObject {
        name: String,
        watch_filter: String,
    },
    CreateMember(NewMember),
    DeleteMember {
        load_balancer: String,
        pool: String,
        member: String,
    },
    AssociateFloatingIp {
        floating_ip: String,
        port: String,
    },
    DisassociateFloatingIp {
        floating_ip: String,
    },
}

/// A member to create in a pool of the API load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMember {
    pub load_balancer: String,
    pub pool: String,
    pub name: String,
    pub address: String,
    pub port: u16,
    /// Only when the load balancer is in another network than the machine.
    pub subnet: Option<String>,
    pub tags: Vec<String>,
}

impl Action {
    /// Verb and resource, such as `CreateMember`: what events and metrics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::CreateServerObject(_) => "CreateOpenStackServer",
            Action::UpdateServerObject { .. } => "UpdateOpenStackServer",
            Action::DeleteServerObject { .. } => "DeleteOpenStackServer",
            Action::LabelServerObject { .. } => "LabelOpenStackServer",
            Action::CreateMember(_) => "CreateMember",
            Action::DeleteMember { .. } => "DeleteMember",
            Action::AssociateFloatingIp { .. } => "AssociateFloatingIP",
            Action::DisassociateFloatingIp { .. } => "DisassociateFloatingIP",
        }
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreateServerObject(object) => {
                let name = object.metadata.name.as_deref().unwrap_or_default();
                write!(f, "create OpenStackServer {name}")
            }
            Action::UpdateServerObject { name, .. } => write!(f, "update OpenStackServer {name}"),
            Action::DeleteServerObject { name } => write!(f, "delete OpenStackServer {name}"),
            Action::LabelServerObject { name, .. } => write!(f, "label OpenStackServer {name}"),
            Action::CreateMember(new) => {
                write!(
                    f,
                    "create member {} ({}:{})",
                    new.name, new.address, new.port
                )
            }
            Action::DeleteMember { pool, member, .. } => {
                write!(f, "delete member {member} of pool {pool}")
            }
            Action::AssociateFloatingIp { floating_ip, port } => {
                write!(f, "associate floating IP {floating_ip} with port {port}")
            }
            Action::DisassociateFloatingIp { floating_ip } => {
                write!(f, "disassociate floating IP {floating_ip}")
            }
        }
    }
}

/// Decides the next step of a machine, and what is published.
pub fn plan(want: &Want, seen: &Seen, now: Timestamp) -> Decision<Action, Status> {
    let mut status = Status {
        provider_id: want.spec.provider_id.clone(),
        status: want.status.clone(),
    };
    let ours = seen.server.as_ref();
    let ours = ours.filter(|server| object::is_owned(server, "OpenStackMachine", &want.name));
    let (step, said) = if want.deleting {
        delete::step(want, ours, seen.ingress.as_ref())
    } else if ours.is_none() && seen.server.is_some() {
        live::name_taken(want)
    } else {
        live::step(want, seen, &mut status)
    };
    report::conditions(&mut status.status, said, want.generation, now);
    let first = |server| object::label(want, server).or_else(|| object::update(want, server));
    let step = match ours.and_then(first) {
        Some(action) => Step::Do(vec![action]),
        None => step,
    };
    Decision { step, status }
}
