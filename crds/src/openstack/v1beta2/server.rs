//! What a server is made of: flavor, image, server group, volumes, metadata, scheduler hints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// A flavor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::exactly_one)]
pub struct FlavorParam {
    /// ID of the flavor; not always a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Matches one flavor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<FlavorFilter>,
}

/// Properties of a flavor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::not_empty)]
pub struct FlavorFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::exactly_one)]
pub struct ImageParam {
    /// UUID of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub id: Option<String>,
    /// Matches one image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<ImageFilter>,
    /// An Image object of the OpenStack Resource Controller, in the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_ref: Option<ResourceReference>,
}

/// Properties of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::not_empty)]
pub struct ImageFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Has all of these tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(transform = schema::set)]
    pub tags: Vec<String>,
}

/// An object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceReference {
    /// Name of the object.
    #[schemars(length(min = 1))]
    pub name: String,
}

/// A server group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::exactly_one)]
pub struct ServerGroupParam {
    /// UUID of the server group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "uuid"))]
    pub id: Option<String>,
    /// Matches one server group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<ServerGroupFilter>,
}

/// Properties of a server group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = schema::not_empty)]
pub struct ServerGroupFilter {
    /// Exact name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Boot from a volume made from the image, in place of the flavor's own disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootVolume {
    /// Size in GiB.
    #[serde(rename = "sizeGiB")]
    #[schemars(range(min = 1))]
    pub size_gib: i32,
    /// Cinder volume type. Absent means the cloud's default.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Where the volume is. Absent means as Cinder chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<VolumeAvailabilityZone>,
}

/// Availability zone of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.from) || self.from == 'Name' ? has(self.name) : !has(self.name)",
    "message": "name must be set when from is Name or absent, and must not be set otherwise",
}]))]
pub struct VolumeAvailabilityZone {
    /// Where the zone's name comes from. Absent means `Name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Name"))]
    pub from: Option<VolumeAZSource>,
    /// Name of the zone; only with `from: Name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1), regex(pattern = "^[^ ]+$"))]
    pub name: Option<String>,
}

/// Where the availability zone of a volume comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VolumeAZSource {
    /// The field `name`.
    #[default]
    Name,
    /// The failure domain of the Machine.
    Machine,
}

/// A further disk of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AdditionalBlockDevice {
    /// The volume is named `<server>-<name>`; also the device's tag in the metadata. Not `root`.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Size in GiB.
    #[serde(rename = "sizeGiB")]
    #[schemars(range(min = 1))]
    pub size_gib: i32,
    /// What the disk is.
    pub storage: BlockDeviceStorage,
}

/// What a disk is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockDeviceStorage {
    /// Local disk or volume.
    #[serde(rename = "type")]
    pub type_: BlockDeviceType,
    /// Only with `type: Volume`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<BlockDeviceVolume>,
}

/// The kinds of disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BlockDeviceType {
    /// An ephemeral disk of the hypervisor.
    #[default]
    Local,
    /// A Cinder volume.
    Volume,
}

/// A Cinder volume to create.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlockDeviceVolume {
    /// Cinder volume type. Absent means the cloud's default.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Where the volume is. Absent means as Cinder chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<VolumeAvailabilityZone>,
}

/// A pair of the server's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerMetadata {
    /// Key.
    #[schemars(length(min = 1, max = 255))]
    pub key: String,
    /// Value.
    #[schemars(length(min = 1, max = 255))]
    pub value: String,
}

/// A hint to Nova's scheduler.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchedulerHintAdditionalProperty {
    /// Name of the hint.
    #[schemars(length(min = 1))]
    pub name: String,
    /// Its value.
    pub value: SchedulerHintAdditionalValue,
}

/// The value of a scheduler hint: the field that `type` names is set, the others are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "has(self.type) && self.type == 'Bool' ? has(self.bool) : !has(self.bool)",
        "message": "bool must be set with type Bool, and only then",
    },
    {
        "rule": "has(self.type) && self.type == 'Number' ? has(self.number) : !has(self.number)",
        "message": "number must be set with type Number, and only then",
    },
    {
        "rule": "has(self.type) && self.type == 'String' ? has(self.string) : !has(self.string)",
        "message": "string must be set with type String, and only then",
    },
]))]
pub struct SchedulerHintAdditionalValue {
    /// Type of the value.
    #[serde(rename = "type")]
    pub type_: SchedulerHintValueType,
    /// With `type: Bool`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bool: Option<bool>,
    /// With `type: Number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<i32>,
    /// With `type: String`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub string: Option<String>,
}

/// Types of a scheduler hint's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchedulerHintValueType {
    /// True or false.
    Bool,
    /// Text.
    #[default]
    String,
    /// A whole number.
    Number,
}
