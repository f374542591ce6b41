use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// Credentials for OpenStack that several namespaces share.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[kube(
    group = "infrastructure.cluster.x-k8s.io",
    version = "v1alpha1",
    kind = "OpenStackClusterIdentity",
    plural = "openstackclusteridentities",
    derive = "Default",
    derive = "PartialEq",
    shortname = "osci",
    category = "cluster-api",
    doc = "Credentials for OpenStack that several namespaces share."
)]
pub struct OpenStackClusterIdentitySpec {
    /// The Secret that holds the credentials.
    pub secret_ref: OpenStackCredentialSecretReference,
    /// Namespaces, by their labels, whose objects may use the credentials. Absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub namespace_selector: Option<LabelSelector>,
}

/// A Secret with keys `clouds.yaml` and, optionally, `cacert`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OpenStackCredentialSecretReference {
    /// Name of the Secret.
    pub name: String,
    /// Namespace of the Secret.
    pub namespace: String,
}
