use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the credentials for OpenStack come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "(!has(self.region) && !has(oldSelf.region)) || self.region == oldSelf.region",
    "message": "region cannot be changed, added or removed",
}]))]
pub struct OpenStackIdentityReference {
    /// The kind of object that holds the credentials. Absent means `Secret`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schemars(extend("default" = "Secret"))]
    pub type_: Option<IdentityType>,
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

/// The kind of object that an [`OpenStackIdentityReference`] names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum IdentityType {
    /// A Secret with keys `clouds.yaml` and, optionally, `cacert`.
    #[default]
    Secret,
    /// An OpenStackClusterIdentity, shared between namespaces.
    ClusterIdentity,
}
