//! What the credentials of objects come from, and who is looked at again when it changes.
//!
//! Secrets, cluster identities and namespaces are watched by metadata only: that one has changed
//! says enough, for the Secret is read anew by whoever is woken first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crds::openstack::v1alpha1::OpenStackClusterIdentity;
use crds::openstack::v1beta2::{IdentityType, OpenStackIdentityReference};
use futures::channel::mpsc::{UnboundedSender, unbounded};
use futures::{Stream, StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::Api;
use kube::api::PartialObjectMeta;
use runtime::controller::{Cached, Object};
use runtime::{Key, Kit, versions};

/// Secrets of these types are many and never hold credentials of a cloud.
const NO_CREDENTIALS: [&str; 5] = [
    "cluster.x-k8s.io/secret",
    "helm.sh/release.v1",
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/service-account-token",
    "kubernetes.io/tls",
];

/// Something that credentials come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A Secret.
    Secret(Key),
    /// An OpenStackClusterIdentity, by its name.
    ClusterIdentity(String),
    /// A namespace, whose labels decide which cluster identities its objects may use.
    Namespace(String),
}

impl Source {
    /// Whether an object in `namespace` with this reference depends on it; one without a reference
    /// takes that of its cluster, so it may.
    #[must_use]
    pub fn concerns(&self, namespace: &str, identity: Option<&OpenStackIdentityReference>) -> bool {
        let names = |type_: IdentityType, name: &str| {
            identity.is_none_or(|identity| {
                identity.type_.unwrap_or_default() == type_ && identity.name == name
            })
        };
        match self {
            Self::Secret(key) => {
                key.namespace == namespace && names(IdentityType::Secret, &key.name)
            }
            Self::ClusterIdentity(name) => names(IdentityType::ClusterIdentity, name),
            Self::Namespace(name) => {
                let shared = |identity: &OpenStackIdentityReference| {
                    identity.type_ == Some(IdentityType::ClusterIdentity)
                };
                name == namespace && identity.is_none_or(shared)
            }
        }
    }
}

/// A source as it was read or seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// What it is.
    pub source: Source,
    /// Its `resourceVersion`; absent when it is not there.
    pub version: Option<String>,
}

/// The sources that were used, and who hears of their changes.
#[derive(Debug, Default)]
pub struct Changes {
    used: Mutex<Used>,
    listeners: Mutex<Vec<UnboundedSender<Source>>>,
}

#[derive(Debug, Default)]
struct Used {
    /// Whether the watch of Secrets has told of any, so that it works.
    watched: bool,
    /// The version of each source, as all who use it know: what was read first, or told last.
    versions: BTreeMap<Source, Option<String>>,
    /// The cluster identities that lead to a Secret.
    through: BTreeMap<Key, BTreeSet<String>>,
}

impl Changes {
    /// `source` was read in this version; absent means that it is not there.
    pub fn read(&self, source: Source, version: Option<String>) -> Version {
        let mut used = locked(&self.used);
        let known = used.versions.entry(source.clone());
        known.or_insert_with(|| version.clone());
        Version { source, version }
    }

    /// Whether the watch works and has told of no other version of any of these.
    #[must_use]
    pub fn are_current(&self, versions: &[Version]) -> bool {
        let used = locked(&self.used);
        let is_current = |read: &Version| used.versions.get(&read.source) == Some(&read.version);
        used.watched && versions.iter().all(is_current)
    }

    /// The Secret is used through a cluster identity.
    pub fn leads(&self, identity: &str, secret: &Key) {
        let mut used = locked(&self.used);
        let identities = used.through.entry(secret.clone()).or_default();
        identities.insert(identity.to_owned());
    }

    /// The keys of `objects` whose credentials may have changed. `identity` is an object's own
    /// reference, if it has one.
    pub fn wakes<K: Object + 'static>(
        &self,
        objects: Cached<K>,
        identity: impl Fn(&K) -> Option<&OpenStackIdentityReference> + Send + Sync + 'static,
    ) -> impl Stream<Item = Key> + Send + 'static {
        let (sender, changed) = unbounded();
        locked(&self.listeners).push(sender);
        changed.flat_map(move |source: Source| {
            let concerned = objects.list(|object| {
                let namespace = object.meta().namespace.as_deref().unwrap_or_default();
                source.concerns(namespace, identity(object))
            });
            stream::iter(concerned.iter().map(Key::of).collect::<Vec<_>>())
        })
    }

    /// Tells of changes until the process is asked to stop.
    pub async fn watch(&self, kit: &Kit) {
        let client = || kit.client.clone();
        let secrets = match &kit.namespace {
            Some(namespace) => Api::<PartialObjectMeta<Secret>>::namespaced(client(), namespace),
            None => Api::all(client()),
        };
        let types = NO_CREDENTIALS.map(|type_| format!("type!={type_}"));
        let secrets = versions::of(secrets, &types.join(",")).map(|seen| Version {
            source: Source::Secret(seen.key),
            version: seen.version,
        });
        let identities = Api::<PartialObjectMeta<OpenStackClusterIdentity>>::all(client());
        let identities = versions::of(identities, "").map(|seen| Version {
            source: Source::ClusterIdentity(seen.key.name),
            version: seen.version,
        });
        let namespaces = Api::<PartialObjectMeta<Namespace>>::all(client());
        let namespaces = versions::of(namespaces, "").map(|seen| Version {
            source: Source::Namespace(seen.key.name),
            version: seen.version,
        });
        let all = stream::select(secrets, stream::select(identities, namespaces));
        all.take_until(runtime::stopped(kit.shutdown.clone()))
            .for_each(|seen| {
                self.seen(seen);
                std::future::ready(())
            })
            .await;
    }

    /// The cloud takes the credentials of this Secret again, so that it is as if they had changed.
    pub(super) fn regained(&self, secret: Key) {
        let told = locked(&self.used).told(Source::Secret(secret));
        self.tell(told);
    }

    fn seen(&self, seen: Version) {
        let told = locked(&self.used).changed(seen);
        self.tell(told);
    }

    fn tell(&self, told: Vec<Source>) {
        let mut listeners = locked(&self.listeners);
        for source in told {
            // A controller that has ended listens no more.
            listeners.retain(|listener| listener.unbounded_send(source.clone()).is_ok());
        }
    }
}

impl Used {
    /// What is to be told: nothing when it is not used, or known in this version.
    fn changed(&mut self, seen: Version) -> Vec<Source> {
        self.watched |= matches!(seen.source, Source::Secret(_));
        match self.versions.get_mut(&seen.source) {
            Some(known) if *known != seen.version => *known = seen.version,
            _ => return Vec::new(),
        }
        self.told(seen.source)
    }

    /// The source, and the cluster identities that lead to it.
    fn told(&self, source: Source) -> Vec<Source> {
        let through = match &source {
            Source::Secret(key) => self.through.get(key),
            _ => None,
        };
        let identities = through.into_iter().flatten().cloned();
        let mut told: Vec<Source> = identities.map(Source::ClusterIdentity).collect();
        told.push(source);
        told
    }
}

/// A panic elsewhere does not make what is remembered worse.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Source {
        Source::Secret(Key::new("default", name))
    }

    fn seen(source: Source, version: &str) -> Version {
        let version = Some(version.to_owned()).filter(|version| !version.is_empty());
        Version { source, version }
    }

    #[test]
    fn only_a_new_version_of_what_is_used_is_told() {
        let changes = Changes::default();
        let told =
            |source: Source, version: &str| locked(&changes.used).changed(seen(source, version));
        assert!(told(secret("other"), "1").is_empty(), "nobody uses it");
        changes.read(secret("a"), Some("1".to_owned()));
        assert!(told(secret("a"), "1").is_empty(), "the first list");
        // One object has read it already; those that know version 1 are still to be told.
        changes.read(secret("a"), Some("2".to_owned()));
        assert_eq!(told(secret("a"), "2"), [secret("a")]);
        assert_eq!(told(secret("a"), ""), [secret("a")], "deleted");
        assert_eq!(told(secret("a"), "5"), [secret("a")], "made anew");
    }

    #[test]
    fn what_was_read_is_current_as_long_as_a_watch_that_works_tells_nothing_else() {
        let changes = Changes::default();
        let tell = |source: Source, version: &str| changes.seen(seen(source, version));
        let namespace = || Source::Namespace("default".to_owned());
        let first = [
            changes.read(namespace(), Some("7".to_owned())),
            changes.read(secret("a"), Some("1".to_owned())),
        ];
        assert!(!changes.are_current(&first), "nobody watches");
        tell(secret("other"), "1");
        assert!(changes.are_current(&first));
        // Read before the watch tells: until it does, nobody knows which of them is newer.
        let second = [changes.read(secret("a"), Some("2".to_owned()))];
        assert!(!changes.are_current(&second));
        tell(secret("a"), "2");
        assert!(changes.are_current(&second));
        assert!(!changes.are_current(&first));
        tell(secret("a"), "");
        assert!(!changes.are_current(&second), "deleted");
        tell(secret("a"), "1");
        assert!(changes.are_current(&first));
        tell(namespace(), "8");
        assert!(!changes.are_current(&first), "the way there counts too");
    }

    #[test]
    fn a_missing_secret_that_appears_is_told_also_to_who_uses_it_through_an_identity() {
        let changes = Changes::default();
        changes.read(secret("shared"), None);
        changes.leads("blue", &Key::new("default", "shared"));
        let told = locked(&changes.used).changed(seen(secret("shared"), "1"));
        let blue = Source::ClusterIdentity("blue".to_owned());
        assert_eq!(told, [blue, secret("shared")]);
    }

    #[test]
    fn a_change_concerns_those_that_refer_to_it() {
        let to = |type_, name: &str| OpenStackIdentityReference {
            type_: Some(type_),
            name: name.to_owned(),
            ..OpenStackIdentityReference::default()
        };
        let own = to(IdentityType::Secret, "a");
        let shared = to(IdentityType::ClusterIdentity, "a");
        let identity = Source::ClusterIdentity("a".to_owned());
        let namespace = Source::Namespace("default".to_owned());
        for (source, place, reference, want) in [
            (secret("a"), "default", Some(&own), true),
            (secret("a"), "elsewhere", Some(&own), false),
            (secret("a"), "default", Some(&shared), false),
            (secret("b"), "default", Some(&own), false),
            (secret("b"), "default", None, true),
            (identity.clone(), "elsewhere", Some(&shared), true),
            (identity.clone(), "elsewhere", Some(&own), false),
            (namespace.clone(), "default", Some(&shared), true),
            (namespace.clone(), "default", Some(&own), false),
            (namespace, "elsewhere", Some(&shared), false),
        ] {
            let concerned = source.concerns(place, reference);
            assert_eq!(concerned, want, "{source:?} {place} {reference:?}");
        }
    }
}
