//! The API of a played cluster, and its etcd.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::{
    Api, Client, Config,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::{ApiResource, GroupVersionKind},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Played;
use crate::{
    agent::{cloud_controller::brief, machine, network::inside, world},
    lab::Lab,
};

const DEADLINE: Duration = Duration::from_secs(20);

/// A way to an API server: whose files, from which network namespace, and past the load balancer if the server runs
/// in that very namespace.
#[derive(Clone, Debug)]
pub struct Access {
    kubeconfig: PathBuf,
    netns: String,
    local: bool,
}

impl Access {
    /// To the API server of a control plane machine, from inside it, as a member of system:masters if it can.
    pub fn local(root: &Path, netns: &str) -> Self {
        let masters = root.join("etc/kubernetes/super-admin.conf");
        let kubeconfig = if masters.exists() {
            masters
        } else {
            root.join("etc/kubernetes/admin.conf")
        };
        Self {
            kubeconfig,
            netns: netns.to_owned(),
            local: true,
        }
    }

    /// Runs `work` with a client.
    pub fn run<T: Send>(&self, work: impl AsyncFnOnce(Client) -> Result<T> + Send) -> Result<T> {
        inside(&self.netns, || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let all = async { work(Client::try_from(self.config().await?)?).await };
                timeout(DEADLINE, all)
                    .await
                    .map_err(|_| anyhow!("no answer within {} s", DEADLINE.as_secs()))?
            })
        })
        .map_err(brief)
        .with_context(|| format!("API server as {} says", self.kubeconfig.display()))
    }

    async fn config(&self) -> Result<Config> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let mut config =
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        config.proxy_url = None;
        config.connect_timeout = Some(Duration::from_secs(3));
        if self.local {
            config.cluster_url = "https://127.0.0.1:6443".parse()?;
            config.tls_server_name = Some("kubernetes".to_owned());
        }
        Ok(config)
    }

    /// The same files, as they would be used from another place by the cluster's own endpoint.
    pub fn from(&self, netns: &str) -> Self {
        Self {
            netns: netns.to_owned(),
            local: false,
            ..self.clone()
        }
    }

    /// Certificate of the cluster's authority.
    pub fn authority(&self) -> Result<CertificateDer<'static>> {
        #[derive(Deserialize)]
        struct Clusters {
            clusters: Vec<Named>,
        }
        #[derive(Deserialize)]
        struct Named {
            cluster: Data,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Data {
            certificate_authority_data: String,
        }
        use base64::{Engine, engine::general_purpose::STANDARD};
        let text = fs::read_to_string(&self.kubeconfig)?;
        let parsed: Clusters = serde_saphyr::from_str(&text)
            .map_err(|_| anyhow!("{}: no kubeconfig", self.kubeconfig.display()))?;
        let cluster = parsed
            .clusters
            .first()
            .context("a kubeconfig without cluster")?;
        let pem = STANDARD.decode(&cluster.cluster.certificate_authority_data)?;
        CertificateDer::from_pem_slice(&pem).map_err(|e| anyhow!("certificate authority: {e}"))
    }
}

/// Control plane machines of the cluster with this endpoint (`host:port`) that run; `except` is left out.
pub fn donors(lab: &Lab, endpoint: &str, except: &str) -> Vec<Access> {
    let server = format!("https://{endpoint}");
    let machines = world::machines(&lab.part_dir("agent/machines"));
    let others = machines
        .into_values()
        .filter(|m| m.id != except && m.running());
    let same = others.filter(|m| {
        let kubeconfig = Kubeconfig::read_from(machine::admin_conf(lab, &m.id)).ok();
        let first = kubeconfig
            .as_ref()
            .and_then(|k| k.clusters.first()?.cluster.as_ref()?.server.as_deref());
        first == Some(&server)
    });
    same.map(|m| Access::local(&machine::root(&machine::folder(lab, &m.id)), &m.netns))
        .collect()
}

/// Does it answer, inside a machine's namespace?
pub fn ready(access: &Access) -> Result<()> {
    access.run(async |client| {
        let request = http::Request::get("/readyz").body(vec![])?;
        client
            .request_text(request)
            .await
            .map(drop)
            .map_err(Into::into)
    })
}

/// ClusterConfiguration as the cluster keeps it.
pub fn configuration(access: &Access) -> Result<Value> {
    access.run(async |client| {
        let maps: Api<ConfigMap> = Api::namespaced(client, "kube-system");
        let data = maps.get("kubeadm-config").await?.data.unwrap_or_default();
        let text = data
            .get("ClusterConfiguration")
            .context("ConfigMap kubeadm-config: no ClusterConfiguration")?;
        serde_saphyr::from_str(text).context("ConfigMap kubeadm-config: ClusterConfiguration")
    })
}

/// What `kubeadm init` puts into a new cluster: rights of its administrators, and its configuration. The control plane
/// provider changes the latter at upgrades, so it is written only once.
pub fn initialize(access: &Access, cluster: &Value) -> Result<()> {
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": "kubeadm:cluster-admins" },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin" },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "kubeadm:cluster-admins" }],
    });
    let map = ConfigMap {
        metadata: kube::core::ObjectMeta {
            name: Some("kubeadm-config".to_owned()),
            ..Default::default()
        },
        data: Some(
            [(
                "ClusterConfiguration".to_owned(),
                serde_saphyr::to_string(cluster)?,
            )]
            .into(),
        ),
        ..Default::default()
    };
    access.run(async move |client| {
        let kind = GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding");
        let bindings: Api<DynamicObject> =
            Api::all_with(client.clone(), &ApiResource::from_gvk(&kind));
        let parameters = PatchParams::apply("kubeadm").force();
        bindings
            .patch(
                "kubeadm:cluster-admins",
                &parameters,
                &Patch::Apply(binding),
            )
            .await?;
        let maps: Api<ConfigMap> = Api::namespaced(client, "kube-system");
        if maps.get_opt("kubeadm-config").await?.is_none() {
            maps.create(&PostParams::default(), &map).await?;
        }
        Ok(())
    })
}

#[derive(Deserialize)]
struct Members {
    members: Vec<Member>,
}

#[derive(Deserialize)]
struct Member {
    #[serde(default)]
    name: String,
    #[serde(rename = "peerURLs", default)]
    peers: Vec<String>,
}

/// Adds the machine's etcd to those that run already; returns what its `--initial-cluster` has to be.
pub fn add_member(played: &Played<'_>, donor: &Access) -> Result<String> {
    let urls = donor.from(&played.netns).run(async |client| {
        let pods: Api<Pod> = Api::namespaced(client, "kube-system");
        let pods = pods
            .list(&ListParams::default().labels("component=etcd"))
            .await?;
        let annotation = "kubeadm.kubernetes.io/etcd.advertise-client-urls";
        Ok(pods
            .into_iter()
            .filter_map(|p| p.metadata.annotations?.remove(annotation))
            .collect::<Vec<_>>())
    })?;
    let own = format!("https://{}:2380", played.address);
    inside(&played.netns, || {
        let http = etcd_client(&played.root)?;
        let mut last = anyhow!("no Pod of an etcd says where it listens");
        for url in urls {
            match member_list(&http, &url, &own) {
                Ok(all) => return Ok(initial_cluster(&all, &own, &played.boot.name)),
                Err(e) => last = e,
            }
        }
        Err(last)
    })
}

/// All members, after the one with the peer URL `own` was added if it was not there.
fn member_list(http: &reqwest::blocking::Client, url: &str, own: &str) -> Result<Members> {
    let call = |what: &str, body: Value| -> Result<Members> {
        let answer = http
            .post(format!("{url}/v3/cluster/member/{what}"))
            .json(&body)
            .send()?;
        if !answer.status().is_success() {
            bail!(
                "etcd {url}: member {what}: {}: {}",
                answer.status(),
                answer.text().unwrap_or_default()
            );
        }
        Ok(answer.json()?)
    };
    let all = call("list", json!({}))?;
    if all.members.iter().any(|m| m.peers.iter().any(|p| p == own)) {
        return Ok(all);
    }
    call("add", json!({ "peerURLs": [own] }))
}

fn initial_cluster(all: &Members, own: &str, name: &str) -> String {
    let of = |m: &Member| {
        let peer = m.peers.first().cloned().unwrap_or_default();
        // A member has no name before it has started.
        let name = if peer == own || m.name.is_empty() {
            name
        } else {
            &m.name
        };
        format!("{name}={peer}")
    };
    all.members.iter().map(of).collect::<Vec<_>>().join(",")
}

/// With the certificates that kubeadm has made for the API server.
fn etcd_client(root: &Path) -> Result<reqwest::blocking::Client> {
    let pki = root.join("etc/kubernetes/pki");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(pki.join("etcd/ca.crt"))?)?;
    let certificate = CertificateDer::from_pem_file(pki.join("apiserver-etcd-client.crt"))?;
    let key = PrivateKeyDer::from_pem_file(pki.join("apiserver-etcd-client.key"))?;
    let tls = rustls::ClientConfig::builder_with_provider(
        rustls::crypto::ring::default_provider().into(),
    )
    .with_safe_default_protocol_versions()?
    .with_root_certificates(roots)
    .with_client_auth_cert(vec![certificate], key)?;
    let client = reqwest::blocking::Client::builder()
        .tls_backend_preconfigured(tls)
        .no_proxy();
    Ok(client.timeout(Duration::from_secs(10)).build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_member_is_named_before_it_has_started() {
        let all: Members = serde_json::from_value(json!({"members": [
            {"name": "cp-0", "peerURLs": ["https://10.8.0.5:2380"]},
            {"peerURLs": ["https://10.8.0.6:2380"]},
        ]}))
        .unwrap();
        let initial = initial_cluster(&all, "https://10.8.0.6:2380", "cp-1");
        assert_eq!(
            initial,
            "cp-0=https://10.8.0.5:2380,cp-1=https://10.8.0.6:2380"
        );
    }
}
