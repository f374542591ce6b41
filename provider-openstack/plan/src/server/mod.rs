//! One server: its ports, its volumes, the server itself, and their end.
//!
//! What belongs to a server is recognised by what the cloud stores (see [`owned`]), so a status
//! that was lost, an answer that was lost and a controller that was killed all look alike: the next
//! plan finds what is there and goes on. A server that vanished is reported and never made again;
//! whoever owns the object decides what replaces it.

mod block_devices;
mod delete;
mod live;
mod owned;
mod report;
mod resolve;
#[cfg(test)]
mod tests;

use std::fmt;

use crds::capi::names::CLUSTER_NAME_LABEL;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerSpec, OpenStackServerStatus};
use crds::openstack::v1beta2::{PortOpts, ResolvedPortSpec};
use jiff::Timestamp;

use crate::step::{Decision, Step};
use crate::world::{
    Flavor, Image, Network, Port, SecurityGroup, Server, ServerGroup, Subnet, Volume,
};

pub use owned::CLUSTER_METADATA_KEY;
pub use report::refused;

/// The server that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    pub namespace: String,
    pub name: String,
    /// Name of the `Cluster`, from the label `cluster.x-k8s.io/cluster-name`; empty without one.
    pub cluster: String,
    pub generation: Option<i64>,
    /// The object is being deleted.
    pub deleting: bool,
    pub spec: OpenStackServerSpec,
    /// What was published last; it may be lost, and then nothing breaks.
    pub status: OpenStackServerStatus,
}

impl From<&OpenStackServer> for Want {
    fn from(object: &OpenStackServer) -> Self {
        let meta = &object.metadata;
        let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            cluster: label(CLUSTER_NAME_LABEL).cloned().unwrap_or_default(),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some(),
            spec: object.spec.clone(),
            status: object.status.clone().unwrap_or_default(),
        }
    }
}

impl Want {
    /// Whether [`Seen::catalog`] is needed: references are resolved once, and then kept.
    pub fn needs_catalog(&self) -> bool {
        !self.deleting && self.status.resolved.is_none()
    }

    /// Whether [`Seen::volumes`] is needed.
    pub fn needs_volumes(&self) -> bool {
        block_devices::volumes(self, "").next().is_some()
    }

    /// Whether [`Seen::tagging`] is needed.
    pub fn needs_tags(&self) -> bool {
        let tagged = |port: &PortOpts| !port.tags.is_empty();
        !self.deleting && (!self.spec.tags.is_empty() || self.spec.ports.iter().any(tagged))
    }

    /// Whether a port or a volume of this name may belong to the server.
    pub fn may_own(&self, name: &str) -> bool {
        name.strip_prefix(self.name.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// Ids of the ports that the status records.
    pub fn recorded_ports(&self) -> impl Iterator<Item = &str> {
        let resources = self.status.resources.iter();
        resources.flat_map(|resources| resources.ports.iter().map(|port| port.id.as_str()))
    }

    /// How messages call the object.
    fn object(&self) -> String {
        format!("OpenStackServer {}/{}", self.namespace, self.name)
    }
}

/// What the cloud holds now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Every server that has the name or the recorded id, or that holds one of `ports`.
    pub servers: Vec<Server>,
    /// Every port that [may belong](Want::may_own) to the server or is recorded.
    pub ports: Vec<Port>,
    /// Every volume that [may belong](Want::may_own) to the server.
    pub volumes: Vec<Volume>,
    /// Empty when [not needed](Want::needs_catalog).
    pub catalog: Catalog,
    /// Whether Neutron can tag ports (`standard-attr-tag`).
    pub tagging: bool,
}

/// What a server's references are resolved in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    pub images: Vec<Image>,
    pub flavors: Vec<Flavor>,
    pub server_groups: Vec<ServerGroup>,
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
    pub security_groups: Vec<SecurityGroup>,
}

/// One call to the cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates a port, with its tags.
    CreatePort(ResolvedPortSpec),
    /// Replaces the tags of a port.
    TagPort {
        id: String,
        tags: Vec<String>,
    },
    DeletePort(String),
    CreateVolume(NewVolume),
    DeleteVolume(String),
    CreateServer(Box<NewServer>),
    DeleteServer(String),
}

impl Action {
    /// Verb and resource, such as `CreateServer`: what events and metrics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::CreatePort(_) => "CreatePort",
            Action::TagPort { .. } => "ReplaceAllAttributeTags",
            Action::DeletePort(_) => "DeletePort",
            Action::CreateVolume(_) => "CreateVolume",
            Action::DeleteVolume(_) => "DeleteVolume",
            Action::CreateServer(_) => "CreateServer",
            Action::DeleteServer(_) => "DeleteServer",
        }
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreatePort(new) => write!(f, "create port {}", new.name),
            Action::TagPort { id, .. } => write!(f, "set tags of port {id}"),
            Action::DeletePort(id) => write!(f, "delete port {id}"),
            Action::CreateVolume(new) => write!(f, "create volume {}", new.name),
            Action::DeleteVolume(id) => write!(f, "delete volume {id}"),
            Action::CreateServer(new) => write!(f, "create server {}", new.name),
            Action::DeleteServer(id) => write!(f, "delete server {id}"),
        }
    }
}

/// A volume to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewVolume {
    pub name: String,
    pub description: String,
    pub size_gib: i32,
    /// The image to copy; `None` makes an empty volume.
    pub image_id: Option<String>,
    pub availability_zone: Option<String>,
    pub volume_type: Option<String>,
}

/// A server to create.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewServer {
    pub name: String,
    pub flavor_id: String,
    /// `None` when it boots from a volume.
    pub image_id: Option<String>,
    pub availability_zone: Option<String>,
    /// In the order of its network interfaces.
    pub port_ids: Vec<String>,
    pub key_name: String,
    /// Name of the Secret, in the object's namespace, whose key `value` holds the user data.
    pub user_data_secret: Option<String>,
    pub tags: Vec<String>,
    pub metadata: Vec<(String, String)>,
    pub config_drive: bool,
    pub block_devices: Vec<BlockDevice>,
    pub server_group_id: Option<String>,
    /// Further scheduler hints.
    pub hints: Vec<(String, serde_json::Value)>,
}

/// A disk of a new server; all of them end with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockDevice {
    pub source: Source,
    /// 0 boots, -1 does not.
    pub boot_index: i32,
    /// Name under which the server's metadata lists it.
    pub tag: Option<String>,
}

/// What a disk is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A blank disk on the hypervisor of this many GiB.
    Blank { size_gib: i32 },
    /// An image, copied to the hypervisor's disk.
    Image { id: String },
    /// A volume.
    Volume { id: String },
}

/// Decides the next step of a server, and its status.
pub fn plan(want: &Want, seen: &Seen, now: Timestamp) -> Decision<Action, OpenStackServerStatus> {
    let mut status = want.status.clone();
    let (step, said): (Step<Action>, report::Said) = if want.deleting {
        delete::step(want, seen, &mut status)
    } else {
        live::step(want, seen, &mut status)
    };
    report::condition(&mut status, said, want.generation, now);
    Decision { step, status }
}
