//! Cinder.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::{Api, Listed, Query};
use crate::wire::words;
use crate::{Cloud, Result, Service};

words! {
    /// `status` of a volume.
    VolumeStatus {
        /// Free to attach.
        Available = "available",
        /// Attached.
        InUse = "in-use",
        /// Being made.
        Creating = "creating",
        /// Being filled from an image.
        Downloading = "downloading",
        /// Being attached.
        Attaching = "attaching",
        /// Being deleted.
        Deleting = "deleting",
        /// Cinder gave up.
        Error = "error",
        /// Cinder gave up deleting it.
        ErrorDeleting = "error_deleting",
    }
}

/// A volume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Volume {
    pub id: String,
    pub name: String,
    pub description: String,
    pub status: VolumeStatus,
    /// GiB.
    pub size: i64,
    pub availability_zone: String,
    pub volume_type: String,
    pub multiattach: bool,
    pub attachments: Vec<Attachment>,
    pub metadata: BTreeMap<String, String>,
    /// RFC 3339, but without a time zone: UTC.
    pub created_at: String,
}

/// Where a volume is attached.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Attachment {
    pub server_id: String,
    pub device: String,
}

/// What a volume is created with.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VolumeCreate {
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// GiB.
    pub size: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<String>,
    /// Id of the image that it is filled from.
    #[serde(rename = "imageRef", skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// Cinder, through one session.
#[derive(Clone, Copy)]
pub struct BlockStorage<'a>(Api<'a>);

impl Cloud {
    /// Cinder.
    pub fn block_storage(&self) -> BlockStorage<'_> {
        BlockStorage(Api {
            cloud: self,
            service: Service::BlockStorage,
            microversion: None,
        })
    }
}

impl BlockStorage<'_> {
    pub(crate) async fn list(&self) -> Result<Listed<Volume>> {
        self.0.rows(&["volumes", "detail"], Query::new()).await
    }

    /// The volumes of the project.
    pub async fn volumes(&self) -> Result<Vec<Volume>> {
        Ok(self.list().await?.items)
    }

    /// Asks for a volume; it is ready when its status is `available`.
    pub async fn create_volume(&self, volume: &VolumeCreate) -> Result<Volume> {
        self.0.create(&["volumes"], volume).await
    }

    /// Begins to delete a volume; gone already is as good.
    pub async fn delete_volume(&self, id: &str) -> Result<()> {
        self.0
            .delete::<Volume>(&["volumes", id], Query::new(), id, true)
            .await
    }
}
