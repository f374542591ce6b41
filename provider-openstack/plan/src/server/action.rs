//! What a plan can ask for, as data.

use std::fmt;

use crds::capi::IPAddressClaim;
use crds::openstack::v1beta2::{AddressPair, ResolvedPortSpec};

/// One call, to the cloud or to the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Creates a port, with its tags.
    CreatePort(Box<ResolvedPortSpec>),
    /// Replaces the tags of a port.
    TagPort {
        id: String,
        tags: Vec<String>,
    },
    /// Replaces the allowed address pairs of a port.
    SetAddressPairs {
        id: String,
        pairs: Vec<AddressPair>,
    },
    DeletePort(String),
    /// Creates a trunk, with its tags.
    CreateTrunk(NewTrunk),
    /// Replaces the tags of a trunk.
    TagTrunk {
        id: String,
        tags: Vec<String>,
    },
    /// Writes into a subport whose it is: once it is out of its trunk, nothing else in the cloud says
    /// so.
    MarkSubPort {
        id: String,
        name: String,
        description: String,
    },
    /// Takes subports out of their trunk.
    RemoveSubPorts {
        trunk_id: String,
        port_ids: Vec<String>,
    },
    DeleteTrunk(String),
    CreateVolume(NewVolume),
    DeleteVolume(String),
    CreateServer(Box<NewServer>),
    DeleteServer(String),
    /// Asks a pool for a floating IP.
    CreateClaim(Box<IPAddressClaim>),
    /// Takes our finalizer off the claim of this name.
    ReleaseClaim(String),
    /// Leads a floating IP to a port of the server.
    AssociateFloatingIp {
        id: String,
        address: String,
        port_id: String,
    },
}

impl Action {
    /// Verb and resource, such as `CreateServer`: what events and metrics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::CreatePort(_) => "CreatePort",
            Action::TagPort { .. } | Action::TagTrunk { .. } => "ReplaceAllAttributeTags",
            Action::SetAddressPairs { .. } | Action::MarkSubPort { .. } => "UpdatePort",
            Action::DeletePort(_) => "DeletePort",
            Action::CreateTrunk(_) => "CreateTrunk",
            Action::RemoveSubPorts { .. } => "RemoveTrunkSubports",
            Action::DeleteTrunk(_) => "DeleteTrunk",
            Action::CreateVolume(_) => "CreateVolume",
            Action::DeleteVolume(_) => "DeleteVolume",
            Action::CreateServer(_) => "CreateServer",
            Action::DeleteServer(_) => "DeleteServer",
            Action::CreateClaim(_) => "CreateIPAddressClaim",
            Action::ReleaseClaim(_) => "ReleaseIPAddressClaim",
            Action::AssociateFloatingIp { .. } => "AssociateFloatingIP",
        }
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreatePort(new) => write!(f, "create port {}", new.name),
            Action::TagPort { id, .. } => write!(f, "set tags of port {id}"),
            Action::SetAddressPairs { id, .. } => {
                write!(f, "set allowed address pairs of port {id}")
            }
            Action::DeletePort(id) => write!(f, "delete port {id}"),
            Action::CreateTrunk(new) => write!(f, "create trunk {}", new.name),
            Action::TagTrunk { id, .. } => write!(f, "set tags of trunk {id}"),
            Action::MarkSubPort { id, name, .. } => write!(f, "name subport {id} {name}"),
            Action::RemoveSubPorts { trunk_id, port_ids } => {
                let ports = port_ids.join(", ");
                write!(f, "remove subports {ports} from trunk {trunk_id}")
            }
            Action::DeleteTrunk(id) => write!(f, "delete trunk {id}"),
            Action::CreateVolume(new) => write!(f, "create volume {}", new.name),
            Action::DeleteVolume(id) => write!(f, "delete volume {id}"),
            Action::CreateServer(new) => write!(f, "create server {}", new.name),
            Action::DeleteServer(id) => write!(f, "delete server {id}"),
            Action::CreateClaim(new) => {
                let name = new.metadata.name.as_deref().unwrap_or_default();
                write!(f, "create IPAddressClaim {name}")
            }
            Action::ReleaseClaim(name) => write!(f, "release IPAddressClaim {name}"),
            Action::AssociateFloatingIp {
                address, port_id, ..
            } => write!(f, "associate floating IP {address} with port {port_id}"),
        }
    }
}

/// A trunk to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTrunk {
    pub name: String,
    pub description: String,
    /// Its parent.
    pub port_id: String,
    pub tags: Vec<String>,
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
    pub metadata: Vec<(String, String)>,
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
    /// One of its volumes may be attached to several servers, which older versions of Nova's API
    /// refuse.
    pub multiattach: bool,
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
