//! Add-on charts, rendered by the helm binary: once for each chart and values, whatever asks again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chart::archive::Files;
use chart::manifest;
use prometheus_client::metrics::counter::Counter;
use runtime::metrics::Metrics;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// How long helm may take; charts of published stacks take less than a second.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Renders that are kept. One of a large stack takes about a MiB.
const KEPT: usize = 64;

/// Renders charts.
pub struct Helm {
    binary: PathBuf,
    kept: Mutex<HashMap<Key, Arc<[Value]>>>,
    renders: Counter,
}

/// What a render depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Digest of the archive that the chart is in.
    pub digest: String,
    /// Folder of the chart in it.
    pub chart: String,
    /// The values.
    pub values: String,
    /// Kubernetes version that templates see.
    pub kubernetes: String,
}

/// Why a chart was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The binary is not there, or the disk refuses.
    #[error("helm ({binary}) cannot be run: {source}; set --helm")]
    Run {
        binary: String,
        source: std::io::Error,
    },
    /// It took too long.
    #[error("helm took longer than {TIMEOUT:?}")]
    Timeout,
    /// It failed.
    #[error("helm template: {0}")]
    Failed(String),
    /// What came out are no objects.
    #[error(transparent)]
    Manifest(#[from] manifest::Error),
}

impl Helm {
    /// With the binary at this path; counts as `helm_renders`.
    pub fn new(binary: PathBuf, metrics: &Metrics) -> Self {
        let renders = Counter::default();
        metrics.register("helm_renders", "Runs of helm template", renders.clone());
        Self {
            binary,
            kept: Mutex::default(),
            renders,
        }
    }

    /// The objects of a chart, in Helm's order, labelled as ours. `chart` holds the chart's files
    /// without a folder around them.
    ///
    /// # Errors
    /// When helm cannot be run, or the chart cannot be rendered.
    pub async fn render(&self, key: &Key, chart: &Files) -> Result<Arc<[Value]>, Error> {
        if let Some(objects) = self.lock().get(key) {
            return Ok(objects.clone());
        }
        self.renders.inc();
        let text = self.run(key, chart).await?;
        let mut objects = manifest::objects(&key.chart, &text)?;
        manifest::sort(&mut objects);
        objects.iter_mut().for_each(manifest::label);
        let objects: Arc<[Value]> = objects.into();
        let mut kept = self.lock();
        if kept.len() >= KEPT {
            // Which one goes hardly matters: at worst one chart is rendered once more.
            let first = kept.keys().next().cloned();
            first.and_then(|first| kept.remove(&first));
        }
        kept.insert(key.clone(), objects.clone());
        Ok(objects)
    }

    async fn run(&self, key: &Key, chart: &Files) -> Result<String, Error> {
        let cannot = |source| Error::Run {
            binary: self.binary.display().to_string(),
            source,
        };
        let folder = tempfile::tempdir().map_err(cannot)?;
        let root = folder.path().join("chart");
        for (path, content) in chart {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(&root)).map_err(cannot)?;
            std::fs::write(&path, content).map_err(cannot)?;
        }
        let mut helm = Command::new(&self.binary);
        helm.args([
            "template",
            "--include-crds",
            "--kube-version",
            &key.kubernetes,
        ])
        .args([
            "cluster-addon",
            "chart",
            "--namespace",
            NAMESPACE,
            "-f",
            "-",
        ])
        .current_dir(folder.path())
        .env_clear()
        // Helm keeps caches and settings there; none of the operator's own may leak in.
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
        let mut child = helm.spawn().map_err(cannot)?;
        let stdin = child.stdin.take();
        let values = key.values.clone();
        let feed = async move {
            if let Some(mut stdin) = stdin {
                // Helm that fails early closes its input; its own message says more.
                let _ = stdin.write_all(values.as_bytes()).await;
            }
        };
        let both = async { tokio::join!(feed, child.wait_with_output()).1 };
        let output = tokio::time::timeout(TIMEOUT, both)
            .await
            .map_err(|_| Error::Timeout)?
            .map_err(cannot)?;
        if !output.status.success() {
            return Err(Error::Failed(last_lines(&String::from_utf8_lossy(
                &output.stderr,
            ))));
        }
        String::from_utf8(output.stdout)
            .map_err(|_| Error::Failed("its output is not UTF-8".to_owned()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<[Value]>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The namespace that add-ons are rendered for, as in the original.
pub const NAMESPACE: &str = "kube-system";

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    lines[lines.len().saturating_sub(3)..].join(" ")
}
