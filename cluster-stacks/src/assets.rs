//! Releases, by way of the local store: each is fetched once, by one caller at a time, and the
//! source's list is asked for at most once in a while for all ClusterStacks together.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chart::archive::{self, Files, Limits};
use registry::{Source, Store, Stored};
use release::ReleaseName;
use release::files::{self, CLUSTER_ADDON, CLUSTER_ADDON_VALUES, METADATA};
use release::metadata::Metadata;
use release::stages::Stages;
use tokio::sync::Mutex;

/// The source and the store.
pub struct Assets {
    source: Result<Source, String>,
    store: Store,
    poll: Duration,
    tags: Mutex<Option<(Instant, Arc<[String]>)>>,
    fetching: Mutex<()>,
}

/// Why a release cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operator was started without a usable source.
    #[error("no source of releases: {0}")]
    NoSource(String),
    /// The source or the disk.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A file of the release.
    #[error("release {release}: {reason}")]
    Broken { release: String, reason: String },
}

/// A release, read.
#[derive(Clone, Debug)]
pub struct Release {
    /// Its name.
    pub name: ReleaseName,
    /// Its versions.
    pub metadata: Metadata,
    /// Its stages.
    pub stages: Stages,
    /// Whether it has `clusteraddon.yaml`.
    pub is_multi_stage: bool,
    stored: Stored,
}

impl Assets {
    /// A store in front of a source.
    pub fn new(source: Result<Source, String>, store: Store, poll: Duration) -> Self {
        Self {
            source,
            store,
            poll,
            tags: Mutex::default(),
            fetching: Mutex::default(),
        }
    }

    /// All tags of the source, not older than the poll interval.
    pub async fn tags(&self) -> Result<Arc<[String]>, Error> {
        let mut tags = self.tags.lock().await;
        if let Some((_, known)) = tags
            .as_ref()
            .filter(|(since, _)| since.elapsed() < self.poll)
        {
            return Ok(known.clone());
        }
        let new: Arc<[String]> = self.source()?.tags().await?.into();
        *tags = Some((Instant::now(), new.clone()));
        Ok(new)
    }

    /// The release of this name, fetched if it is not here yet.
    pub async fn release(&self, name: &ReleaseName) -> Result<Release, Error> {
        let tag = name.tag();
        let stored = match self.store.get(&tag) {
            Ok(Some(stored)) => stored,
            // What the disk damaged is fetched again.
            Ok(None) | Err(registry::Error::Digest { .. } | registry::Error::Disk { .. }) => {
                self.fetch(&tag).await?
            }
            Err(error) => return Err(error.into()),
        };
        Release::read(name, stored)
    }

    /// Drops a release that nobody uses any more.
    pub fn forget(&self, name: &ReleaseName) -> Result<(), Error> {
        Ok(self.store.remove(&name.tag())?)
    }

    async fn fetch(&self, tag: &str) -> Result<Stored, Error> {
        let _one = self.fetching.lock().await;
        if let Ok(Some(stored)) = self.store.get(tag) {
            return Ok(stored);
        }
        let artifact = self.source()?.fetch(tag).await?;
        Ok(self.store.put(tag, &artifact)?)
    }

    fn source(&self) -> Result<&Source, Error> {
        self.source
            .as_ref()
            .map_err(|reason| Error::NoSource(reason.clone()))
    }
}

impl Release {
    fn read(name: &ReleaseName, stored: Stored) -> Result<Self, Error> {
        let broken = |reason: String| Error::Broken {
            release: name.tag(),
            reason,
        };
        let text = |file: &str| -> Result<Option<String>, Error> {
            let content = stored.read(file)?;
            content
                .map(String::from_utf8)
                .transpose()
                .map_err(|_| broken(format!("{file} is not UTF-8")))
        };
        let metadata = text(METADATA)?.ok_or_else(|| broken(format!("{METADATA} is missing")))?;
        let metadata = Metadata::read(&metadata).map_err(|error| broken(error.to_string()))?;
        if metadata.versions.cluster_stack != name.version {
            return Err(broken(format!(
                "{METADATA} says that it is {}",
                metadata.versions.cluster_stack
            )));
        }
        let stages = text(CLUSTER_ADDON)?;
        let is_multi_stage = stages.is_some();
        let stages = match stages {
            Some(stages) => Stages::read(&stages).map_err(|error| broken(error.to_string()))?,
            None => Stages::single(),
        };
        Ok(Self {
            name: name.clone(),
            metadata,
            stages,
            is_multi_stage,
            stored,
        })
    }

    /// The cluster-class chart.
    pub fn class_chart(&self) -> Result<Files, Error> {
        self.archive(&files::class_chart(&self.name))
    }

    /// The archive of the add-ons: a folder for each stage, or one chart.
    pub fn addons(&self) -> Result<Files, Error> {
        self.archive(&self.addon_file())
    }

    /// Digest of the archive of the add-ons.
    pub fn addon_digest(&self) -> &str {
        self.stored
            .digest_of(&self.addon_file())
            .unwrap_or_default()
    }

    /// `cluster-addon-values.yaml` of a single-stage release.
    pub fn addon_values(&self) -> Result<Option<String>, Error> {
        let content = self.stored.read(CLUSTER_ADDON_VALUES)?;
        let not_text = |_| self.broken(format!("{CLUSTER_ADDON_VALUES} is not UTF-8"));
        content.map(String::from_utf8).transpose().map_err(not_text)
    }

    fn addon_file(&self) -> String {
        files::addon_archive(&self.name, &self.metadata.versions.components.cluster_addon)
    }

    fn archive(&self, file: &str) -> Result<Files, Error> {
        let content = self
            .stored
            .read(file)?
            .ok_or_else(|| self.broken(format!("{file} is missing")))?;
        archive::read(&content, Limits::default())
            .map_err(|error| self.broken(format!("{file}: {error}")))
    }

    fn broken(&self, reason: String) -> Error {
        Error::Broken {
            release: self.name.tag(),
            reason,
        }
    }
}
