//! Read views of kinds of the OpenStack Resource Controller (ORC) that ours refer to.
//!
//! ORC need not be installed: reading then fails with 404 for the whole kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use serde::{Deserialize, Serialize};

/// API group of ORC.
pub const GROUP: &str = "openstack.k-orc.cloud";
/// The version that the views read.
pub const VERSION: &str = "v1alpha1";

/// An image in Glance that ORC uploads or imports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What ORC sees.
    pub status: ImageStatus,
}

crate::capi::resource!(Image, "Image", "images", GROUP, VERSION);

/// What ORC sees of an image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageStatus {
    /// UUID of the image; absent until it exists.
    pub id: Option<String>,
    /// Conditions.
    pub conditions: Vec<Condition>,
}

impl Image {
    /// UUID of the image, once servers can boot from it.
    pub fn available_id(&self) -> Option<&str> {
        self.status.id.as_deref().filter(|_| self.is_available())
    }

    fn is_available(&self) -> bool {
        let available = |c: &Condition| c.type_ == "Available" && c.status == "True";
        self.status.conditions.iter().any(available)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(available: &str) -> Image {
        serde_json::from_value(json!({
            "metadata": { "name": "ubuntu" },
            "spec": { "managementPolicy": "managed" },
            "status": { "id": "7c1f1b5a-2d3e-4f60-8a7b-9c0d1e2f3a4b", "conditions": [{
                "type": "Available", "status": available, "reason": "Success", "message": "",
                "lastTransitionTime": "2026-11-21T12:00:00Z",
            }] },
        }))
        .unwrap()
    }

    #[test]
    fn an_image_has_an_id_once_it_is_available() {
        let id = "7c1f1b5a-2d3e-4f60-8a7b-9c0d1e2f3a4b";
        assert_eq!(image("True").available_id(), Some(id));
        assert_eq!(image("False").available_id(), None);
        assert_eq!(Image::default().available_id(), None);
    }
}
