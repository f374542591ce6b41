//! Connections to workload clusters, one for each, made anew when the kubeconfig changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt};
use runtime::controller::Key;

use crate::apply::Cluster;
use crate::helm;

/// A cluster that does not answer within this time counts as down.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Connections by ClusterAddon.
#[derive(Default)]
pub struct Workloads {
    known: Mutex<HashMap<Key, (String, Arc<Cluster>)>>,
}

impl Workloads {
    /// The workload cluster, if it answers; the text says what is awaited.
    pub async fn get(
        &self,
        management: &Client,
        addon: &Key,
        cluster: &str,
    ) -> Result<Arc<Cluster>, String> {
        let name = format!("{cluster}-kubeconfig");
        let secrets: Api<Secret> = Api::namespaced(management.clone(), &addon.namespace);
        let secret = secrets
            .get_opt(&name)
            .await
            .map_err(|error| format!("Secret {name}: {error}"))?;
        let secret =
            secret.ok_or_else(|| format!("Secret {name} with the kubeconfig is not there yet"))?;
        let version = secret.resource_version().unwrap_or_default();
        let known = self
            .lock()
            .get(addon)
            .filter(|(of, _)| *of == version)
            .map(|(_, cluster)| cluster.clone());
        let connected = match known {
            Some(cluster) => cluster,
            None => {
                let client = connect(&secret)
                    .await
                    .map_err(|error| format!("Secret {name}: {error}"))?;
                let cluster = Arc::new(Cluster::new(client, helm::NAMESPACE));
                self.lock()
                    .insert(addon.clone(), (version, cluster.clone()));
                cluster
            }
        };
        ready(&connected.client).await?;
        Ok(connected)
    }

    /// The cluster is gone.
    pub fn forget(&self, addon: &Key) {
        self.lock().remove(addon);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, (String, Arc<Cluster>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(secret: &Secret) -> Result<Client, String> {
    let value = secret.data.as_ref().and_then(|data| data.get("value"));
    let value = value.ok_or("it has no key value")?;
    let text = std::str::from_utf8(&value.0).map_err(|_| "key value is not UTF-8")?;
    // An error of these may quote what it could not read, which is a credential.
    let kubeconfig = Kubeconfig::from_yaml(text).map_err(|_| "key value holds no kubeconfig")?;
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
        .await
        .map_err(|_| "its kubeconfig has no usable context")?;
    config.connect_timeout = Some(TIMEOUT);
    config.read_timeout = Some(TIMEOUT);
    Client::try_from(config)
        .map_err(|_| "its kubeconfig holds certificates that cannot be used".to_owned())
}

async fn ready(client: &Client) -> Result<(), String> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    match tokio::time::timeout(TIMEOUT, client.request_text(request)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("the cluster's API is not ready: {error}")),
        Err(_) => Err(format!(
            "the cluster's API does not answer within {TIMEOUT:?}"
        )),
    }
}
