//! Nova's resources, as far as the provider needs them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::{Redacted, words};

words! {
    /// `status` of a server.
    ServerStatus {
        /// Running.
        Active = "ACTIVE",
        /// Being made.
        Build = "BUILD",
        /// Nova gave up; `fault` says why.
        Error = "ERROR",
        /// Powered off.
        Shutoff = "SHUTOFF",
        /// Gone; seen only in a list of changes.
        Deleted = "DELETED",
        /// Gone for users, reclaimed later.
        SoftDeleted = "SOFT_DELETED",
    }
}

/// Why a server is in error.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Fault {
    pub code: i64,
    pub message: String,
}

/// An address of a server as Nova remembers it; Neutron's ports and floating IPs are the truth.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Address {
    #[serde(rename = "addr")]
    pub address: String,
    /// 4 or 6.
    pub version: u8,
    /// `fixed` or `floating`.
    #[serde(rename = "OS-EXT-IPS:type")]
    pub kind: String,
}

/// A server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Server {
    pub id: String,
    pub name: String,
    pub status: ServerStatus,
    /// What Nova is doing with it, for example `deleting`.
    #[serde(rename = "OS-EXT-STS:task_state")]
    pub task_state: Option<String>,
    pub fault: Option<Fault>,
    /// By name of the network.
    pub addresses: BTreeMap<String, Vec<Address>>,
    pub metadata: BTreeMap<String, String>,
    pub tags: Vec<String>,
    #[serde(rename = "OS-EXT-AZ:availability_zone")]
    pub availability_zone: String,
    pub key_name: String,
    #[serde(rename = "os-extended-volumes:volumes_attached")]
    pub volumes_attached: Vec<crate::Ref>,
    /// RFC 3339.
    pub created: String,
}

impl Server {
    /// Whether it is gone, or as good as gone.
    pub fn is_gone(&self) -> bool {
        matches!(
            self.status,
            ServerStatus::Deleted | ServerStatus::SoftDeleted
        )
    }

    /// Whether its deletion has begun.
    pub fn is_being_deleted(&self) -> bool {
        self.is_gone() || self.task_state.as_deref() == Some("deleting")
    }
}

/// What a server is created with. Debug does not show the user data.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerCreate {
    pub name: String,
    #[serde(rename = "flavorRef")]
    pub flavor_id: String,
    /// Absent when it boots from a block device.
    #[serde(rename = "imageRef", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    pub networks: Vec<ServerPort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// Base64; [`ServerCreate::with_user_data`] encodes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Redacted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_drive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(
        rename = "block_device_mapping_v2",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub block_devices: Vec<BlockDevice>,
    /// `os:scheduler_hints`: `group` and whatever else the user gave.
    #[serde(skip)]
    pub scheduler_hints: serde_json::Map<String, serde_json::Value>,
    /// Whether one of the volumes is multi-attach, which needs a newer microversion (2.60).
    #[serde(skip)]
    pub multiattach: bool,
}

impl ServerCreate {
    /// Sets the user data from what the machine shall read.
    #[must_use]
    pub fn with_user_data(mut self, user_data: &[u8]) -> Self {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(user_data);
        self.user_data = Some(Redacted(encoded));
        self
    }
}

/// An existing port that the server gets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ServerPort {
    /// Id of the port.
    pub port: String,
}

/// A block device of a server.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BlockDevice {
    /// `image`, `volume` or `blank`.
    pub source_type: String,
    /// `volume` or `local`.
    pub destination_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// 0 boots from it, -1 never does.
    pub boot_index: i32,
    pub delete_on_termination: bool,
    /// GiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_size: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bus: Option<String>,
}

/// A flavor.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Flavor {
    pub id: String,
    pub name: String,
    pub vcpus: i64,
    /// MiB.
    pub ram: i64,
    /// GiB; 0 means that a volume is needed or that the image's size counts.
    pub disk: i64,
    /// GiB.
    #[serde(rename = "OS-FLV-EXT-DATA:ephemeral")]
    pub ephemeral: i64,
}

/// An availability zone.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AvailabilityZone {
    #[serde(rename = "zoneName")]
    pub name: String,
    #[serde(rename = "zoneState")]
    pub state: ZoneState,
}

/// Whether an availability zone can be used.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ZoneState {
    pub available: bool,
}

/// A server group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ServerGroup {
    pub id: String,
    pub name: String,
    /// Ids of its servers.
    pub members: Vec<String>,
}
