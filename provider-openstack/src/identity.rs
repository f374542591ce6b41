//! From an `identityRef` to a session with the cloud.
//!
//! The Secret is read by name, and never logged. What was read is [`kept`] for a moment, and only as
//! long as the watch does not tell of a change: changed credentials work at once, and [`changes`]
//! wakes the objects that use them. Sessions are shared by all objects with the same credentials.

pub mod changes;
pub mod kept;
pub mod refused;

use std::sync::Arc;

use cloud::{Credentials, CredentialsError, ErrorKind, View};
use crds::capi;
use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackClusterIdentity;
use crds::openstack::v1beta2::{IdentityType, OpenStackIdentityReference};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use kube::core::{ParseExpressionError, Selector, SelectorExt};
use kube::{Api, ResourceExt};
use runtime::controller::Object;
use runtime::{Key, Kit, Loop};
use tokio::time::Instant;

use self::changes::{Source, Version};
use self::kept::Answer;
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
    /// The cluster identity does not exist.
    #[error(
        "spec.identityRef.name: there is no OpenStackClusterIdentity {0}: create it with spec.secretRef, or set type to Secret to name a Secret of this namespace"
    )]
    NoClusterIdentity(String),
    /// The cluster identity is not for this namespace.
    #[error(
        "spec.identityRef.name: OpenStackClusterIdentity {identity} is not for namespace {namespace}, whose labels do not match its spec.namespaceSelector {selector:?}: label the namespace so, widen the selector, or name another identity"
    )]
    Denied {
        /// The cluster identity.
        identity: String,
        /// The namespace of the object.
        namespace: String,
        /// The selector as `kubectl -l` takes it.
        selector: String,
    },
    /// The selector of the cluster identity is not one.
    #[error(
        "OpenStackClusterIdentity {identity}, spec.namespaceSelector.matchExpressions: {source}: the operator must be In or NotIn with values, Exists or DoesNotExist"
    )]
    Selector {
        /// The cluster identity.
        identity: String,
        /// What is wrong with it.
        source: ParseExpressionError,
    },
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
    /// The management cluster did not give what the credentials come from.
    #[error("{what} cannot be read: {source}")]
    Unreadable {
        /// Kind and name.
        what: String,
        /// What the API server said.
        source: kube::Error,
    },
}

impl IdentityError {
    /// Whether there are no credentials any more.
    fn is_lack(&self) -> bool {
        matches!(
            self,
            Self::NoSecret(_) | Self::NoCloudsYaml(_) | Self::NoClusterIdentity(_)
        )
    }

    /// The reason of the condition.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Denied { .. } => Reason::IdentityAccessDenied,
            _ => Reason::OpenStackAuthenticationFailed,
        }
    }
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

/// Wakes objects when their credentials change, and gives those with the same ones a lane, so that a
/// cloud that answers slowly keeps nobody else waiting. `identity` is an object's own reference; one
/// without it depends on its cluster's.
#[must_use]
pub fn depends<K: Object + 'static>(
    controller: Loop<K>,
    context: &Context,
    identity: fn(&K) -> Option<&OpenStackIdentityReference>,
) -> Loop<K> {
    let objects = controller.objects();
    controller
        .lanes(move |object| lane(object.meta(), identity(object)))
        .wakes(context.changes.wakes(objects, identity))
}

fn lane(meta: &ObjectMeta, identity: Option<&OpenStackIdentityReference>) -> String {
    let namespace = meta.namespace.as_deref().unwrap_or_default();
    let Some(identity) = identity else {
        let cluster = capi::cluster_name(meta).unwrap_or_default();
        return format!("cluster {namespace}/{cluster}");
    };
    let (name, cloud) = (&identity.name, &identity.cloud_name);
    match identity.type_.unwrap_or_default() {
        IdentityType::Secret => format!("Secret {namespace}/{name} {cloud}"),
        IdentityType::ClusterIdentity => format!("ClusterIdentity {name} {cloud}"),
    }
}

/// Wakes objects when what their credentials come from has changed, or when a cloud takes credentials
/// that it has refused, until the process is asked to stop.
pub async fn watch(context: &Context, kit: &Kit) {
    tokio::select! {
        () = context.changes.watch(kit) => {}
        () = refused::try_again(context) => {}
    }
}

impl Context {
    /// The view of the project that `identity` of an object in `namespace` leads to. When the cloud
    /// refuses the credentials, [`watch`] wakes the object once it does not any more.
    ///
    /// Whoever deletes a namespace deletes the Secret before all that needs it. So an object that is
    /// `deleting` gets what the Secret said last, if this process has read it.
    ///
    /// # Errors
    /// Names the Secret, the field and the way out.
    pub async fn view(
        &self,
        namespace: &str,
        identity: &OpenStackIdentityReference,
        deleting: bool,
    ) -> Result<View, IdentityError> {
        let answer = match self.answer(namespace, identity).await {
            Err(error) if deleting && error.is_lack() => {
                self.kept.last(namespace, identity).ok_or(error)
            }
            answer => answer,
        };
        let result = self.enter(&answer?).await;
        if let Err(IdentityError::Login { secret, .. }) = &result {
            self.refused.note(secret, namespace, identity);
        }
        result
    }

    async fn log_in(
        &self,
        namespace: &str,
        identity: &OpenStackIdentityReference,
    ) -> Result<View, IdentityError> {
        let answer = self.answer(namespace, identity).await?;
        self.enter(&answer).await
    }

    async fn enter(&self, answer: &Answer) -> Result<View, IdentityError> {
        let view = self.clouds.view(&answer.credentials).await;
        view.map_err(|source| IdentityError::Login {
            secret: answer.secret.to_string(),
            source,
        })
    }

    /// The credentials that `identity` of an object in `namespace` leads to.
    async fn answer(
        &self,
        namespace: &str,
        identity: &OpenStackIdentityReference,
    ) -> Result<Answer, IdentityError> {
        if let Some(answer) = self.kept.get(namespace, identity, &self.changes) {
            return Ok(answer);
        }
        let (since, mut through) = (Instant::now(), Vec::new());
        let secret = match identity.type_.unwrap_or_default() {
            IdentityType::Secret => Key::new(namespace, &identity.name),
            IdentityType::ClusterIdentity => {
                self.shared(namespace, &identity.name, &mut through).await?
            }
        };
        let credentials = self.credentials(&secret, identity, &mut through).await?;
        let answer = Answer {
            secret,
            credentials: Arc::new(credentials),
            through,
            since,
        };
        self.kept.put(namespace, identity, answer.clone());
        Ok(answer)
    }

    /// The Secret of a cluster identity, if the namespace may use it.
    async fn shared(
        &self,
        namespace: &str,
        name: &str,
        through: &mut Vec<Version>,
    ) -> Result<Key, IdentityError> {
        let identities = Api::<OpenStackClusterIdentity>::all(self.client.clone());
        let identity = identities.get_opt(name).await;
        let identity = identity.map_err(unreadable(format!("OpenStackClusterIdentity {name}")))?;
        let version = identity.as_ref().and_then(ResourceExt::resource_version);
        through.push(
            self.changes
                .read(Source::ClusterIdentity(name.to_owned()), version),
        );
        let spec = identity
            .ok_or_else(|| IdentityError::NoClusterIdentity(name.to_owned()))?
            .spec;
        if let Some(selector) = spec.namespace_selector {
            self.admit(namespace, name, selector, through).await?;
        }
        let secret = Key::new(&spec.secret_ref.namespace, &spec.secret_ref.name);
        self.changes.leads(name, &secret);
        Ok(secret)
    }

    /// Whether the labels of the namespace match the selector of the identity. An empty selector
    /// matches all, as everywhere in Kubernetes.
    async fn admit(
        &self,
        namespace: &str,
        identity: &str,
        selector: LabelSelector,
        through: &mut Vec<Version>,
    ) -> Result<(), IdentityError> {
        let selector = Selector::try_from(selector).map_err(|source| IdentityError::Selector {
            identity: identity.to_owned(),
            source,
        })?;
        let namespaces = Api::<Namespace>::all(self.client.clone());
        let found = namespaces.get_metadata_opt(namespace).await;
        let found = found.map_err(unreadable(format!("namespace {namespace}")))?;
        let version = found.as_ref().and_then(ResourceExt::resource_version);
        through.push(
            self.changes
                .read(Source::Namespace(namespace.to_owned()), version),
        );
        let labels = found.and_then(|found| found.metadata.labels);
        if selector.matches(&labels.unwrap_or_default()) {
            return Ok(());
        }
        Err(IdentityError::Denied {
            identity: identity.to_owned(),
            namespace: namespace.to_owned(),
            selector: selector.to_string(),
        })
    }

    async fn credentials(
        &self,
        key: &Key,
        identity: &OpenStackIdentityReference,
        through: &mut Vec<Version>,
    ) -> Result<Credentials, IdentityError> {
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), &key.namespace);
        let secret = secrets.get_opt(&key.name).await;
        let secret = secret.map_err(unreadable(format!("Secret {key}")))?;
        let version = secret.as_ref().and_then(ResourceExt::resource_version);
        through.push(self.changes.read(Source::Secret(key.clone()), version));
        let data = secret
            .ok_or_else(|| IdentityError::NoSecret(key.to_string()))?
            .data
            .unwrap_or_default();
        let clouds = data
            .get(CLOUDS_YAML)
            .ok_or_else(|| IdentityError::NoCloudsYaml(key.to_string()))?;
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
            secret: key.to_string(),
            source,
        })
    }
}

fn unreadable(what: String) -> impl FnOnce(kube::Error) -> IdentityError {
    move |source| IdentityError::Unreadable { what, source }
}
