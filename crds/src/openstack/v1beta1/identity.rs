use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::openstack::v1beta2::IdentityType;

/// Where the credentials for OpenStack come from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(!has(self.region) && !has(oldSelf.region)) || self.region == oldSelf.region",
    "message": "region cannot be changed, added or removed",
}]))]
pub struct OpenStackIdentityReference {
    /// The kind of object that holds the credentials.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "Secret"))]
    pub type_: IdentityType,
    /// Name of the Secret (same namespace) or of the OpenStackClusterIdentity.
    #[schemars(length(min = 1))]
    pub name: String,
    /// The entry of `clouds.yaml` to use.
    #[schemars(length(min = 1))]
    pub cloud_name: String,
    /// Overrides the region of that entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}
