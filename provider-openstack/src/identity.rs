//! From an `identityRef` to a session with the cloud.
//!
//! The Secret is read anew each time, by name, and neither kept nor logged: changed credentials work
//! at once. Sessions are shared by all objects with the same credentials.

use cloud::{Credentials, CredentialsError, ErrorKind, View};
use crds::openstack::v1beta2::{IdentityType, OpenStackIdentityReference};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::Context;

/// Key of the Secret with the clouds.
const CLOUDS_YAML: &str = "clouds.yaml";
/// Key of the Secret with the CA certificates of the cloud (PEM).
const CA: &str = "cacert";

/// Why there is no session: the condition `OpenStackAuthenticationSucceeded` says it.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The Secret does not exist.
    #[error(
        "spec.identityRef.name: there is no Secret {0}: create it with the keys clouds.yaml and, for a private CA, cacert"
    )]
    NoSecret(String),
    /// The Secret has no `clouds.yaml`.
    #[error(
        "Secret {0} has no key clouds.yaml: put the credentials there as in a clouds.yaml file"
    )]
    NoCloudsYaml(String),
    /// A kind of identity that is not served.
    #[error(
        "spec.identityRef.type: ClusterIdentity is not served: name a Secret in the namespace of the object"
    )]
    ClusterIdentity,
    /// `clouds.yaml` does not hold what is needed.
    #[error("Secret {secret}, spec.identityRef.cloudName: {source}")]
    Credentials {
        /// The Secret.
        secret: String,
        /// What is wrong with its content.
        source: CredentialsError,
    },
    /// The cloud let nobody in.
    #[error("Secret {secret}: {source}{}", way_out(.source.kind))]
    Login {
        /// The Secret.
        secret: String,
        /// What the cloud said.
        source: cloud::Error,
    },
    /// The management cluster did not give the Secret.
    #[error("Secret {secret} cannot be read: {source}")]
    Unreadable {
        /// The Secret.
        secret: String,
        /// What the API server said.
        source: kube::Error,
    },
}

/// What helps against a refused login.
#[must_use]
pub fn way_out(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unauthorized => {
            " (correct the user, password or application credential in clouds.yaml)"
        }
        ErrorKind::Certificate => {
            " (put the CA of the cloud, as PEM, into the key cacert of the Secret)"
        }
        ErrorKind::Transport => {
            " (check auth_url in clouds.yaml, and that the cloud can be reached from here)"
        }
        ErrorKind::NoService => " (check region_name and interface in clouds.yaml)",
        _ => "",
    }
}

impl Context {
    /// The view of the project that `identity` of an object in `namespace` leads to.
    ///
    /// # Errors
    /// Names the Secret, the field and the way out.
    pub async fn view(
        &self,
        namespace: &str,
        identity: &OpenStackIdentityReference,
    ) -> Result<View, IdentityError> {
        let credentials = self.credentials(namespace, identity).await?;
        let secret = || format!("{namespace}/{}", identity.name);
        self.clouds
            .view(&credentials)
            .await
            .map_err(|source| IdentityError::Login {
                secret: secret(),
                source,
            })
    }

    async fn credentials(
        &self,
        namespace: &str,
        identity: &OpenStackIdentityReference,
    ) -> Result<Credentials, IdentityError> {
        if identity.type_ == Some(IdentityType::ClusterIdentity) {
            return Err(IdentityError::ClusterIdentity);
        }
        let name = || format!("{namespace}/{}", identity.name);
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = secrets.get_opt(&identity.name).await;
        let secret = secret.map_err(|source| IdentityError::Unreadable {
            secret: name(),
            source,
        })?;
        let data = secret
            .ok_or_else(|| IdentityError::NoSecret(name()))?
            .data
            .unwrap_or_default();
        let clouds = data
            .get(CLOUDS_YAML)
            .ok_or_else(|| IdentityError::NoCloudsYaml(name()))?;
        let ca = data
            .get(CA)
            .map(|pem| pem.0.as_slice())
            .filter(|pem| !pem.is_empty())
            .or(self.ca.as_deref());
        Credentials::parse(
            &clouds.0,
            &identity.cloud_name,
            identity.region.as_deref(),
            ca,
        )
        .map_err(|source| IdentityError::Credentials {
            secret: name(),
            source,
        })
    }
}
