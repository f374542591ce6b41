//! What a server is made of: image, volumes, metadata, scheduler hints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openstack::v1beta2::{
    BlockDeviceVolume, ImageFilter, SchedulerHintValueType, VolumeAvailabilityZone,
};
use crate::schema;

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

/// An object in the same namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResourceReference {
    /// Name of the object.
    pub name: String,
}

/// Boot from a volume made from the image, in place of the flavor's own disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RootVolume {
    /// Size in GiB.
    #[serde(rename = "sizeGiB")]
    #[schemars(range(min = 1), transform = schema::int)]
    pub size_gib: i64,
    /// Cinder volume type. Absent means the cloud's default.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// Where the volume is. Absent means as Cinder chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<VolumeAvailabilityZone>,
}

/// A further disk of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AdditionalBlockDevice {
    /// The volume is named `<server>-<name>`; also the device's tag in the metadata. Not `root`.
    pub name: String,
    /// Size in GiB.
    #[serde(rename = "sizeGiB")]
    #[schemars(range(min = 1), transform = schema::int)]
    pub size_gib: i64,
    /// What the disk is.
    pub storage: BlockDeviceStorage,
}

/// What a disk is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BlockDeviceStorage {
    /// `Local` or `Volume`.
    #[serde(rename = "type")]
    pub type_: String,
    /// Only with `type: Volume`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume: Option<BlockDeviceVolume>,
}

/// A pair of the server's metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerMetadata {
    /// Key.
    #[schemars(length(max = 255))]
    pub key: String,
    /// Value.
    #[schemars(length(max = 255))]
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
    #[schemars(transform = schema::int)]
    pub number: Option<i64>,
    /// With `type: String`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub string: Option<String>,
}
