//! Glance.

use serde::Deserialize;

use crate::api::{Api, Query};
use crate::wire::words;
use crate::{Cloud, Result, Service};

words! {
    /// `status` of an image.
    ImageStatus {
        /// Usable.
        Active = "active",
        /// Its data is not there yet.
        Queued = "queued",
        /// Its data is being uploaded.
        Saving = "saving",
        /// Its data is being imported.
        Importing = "importing",
        /// Switched off by an administrator.
        Deactivated = "deactivated",
    }
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub status: ImageStatus,
    pub tags: Vec<String>,
    pub visibility: String,
    /// Bytes.
    pub size: i64,
    /// GiB.
    pub min_disk: i64,
    /// MiB.
    pub min_ram: i64,
    pub os_type: Option<String>,
}

/// Glance, through one session.
#[derive(Clone, Copy)]
pub struct Images<'a>(Api<'a>);

impl Cloud {
    /// Glance.
    pub fn image(&self) -> Images<'_> {
        Images(Api {
            cloud: self,
            service: Service::Image,
            microversion: None,
        })
    }
}

impl Images<'_> {
    /// Images that the project can see with this name (if any) and all of these tags.
    pub async fn images(&self, name: Option<&str>, tags: &[String]) -> Result<Vec<Image>> {
        let name = name.map(|name| ("name".to_owned(), name.to_owned()));
        let tags = tags.iter().map(|tag| ("tag".to_owned(), tag.clone()));
        let query: Query = name.into_iter().chain(tags).collect();
        Ok(self.0.list("images", &["images"], query).await?.items)
    }

    /// One image; `None` when there is none.
    pub async fn image(&self, id: &str) -> Result<Option<Image>> {
        self.0.show("image", &["images", id]).await
    }
}
