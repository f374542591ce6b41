//! A management cluster: an API server on which `clusterctl init` has installed everything, and our webhooks.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::try_join_all;
use k8s_openapi::ByteString;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams, PostParams,
};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt};
use scenarios::ApiServer;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::release::{Clusterctl, VERSION};

const ESTABLISHED: Duration = Duration::from_secs(30);

/// A management cluster with our provider installed. Nothing runs of what its Deployments are.
pub struct Management {
    pub api: &'static ApiServer,
    /// The webhooks are served until this is dropped.
    served: watch::Sender<bool>,
}

impl Management {
    /// A new one.
    ///
    /// # Errors
    /// What stands in the way of it.
    pub async fn new(clusterctl: &Clusterctl) -> Result<Self> {
        let api = ApiServer::another().await?;
        let management = Self {
            api,
            served: watch::Sender::new(false),
        };
        let client = management.client()?;
        cert_manager(&client).await?;
        let openstack = format!("openstack:{VERSION}");
        let none = ["--bootstrap", "-", "--control-plane", "-"];
        let install = [&["init", "--infrastructure", &openstack], &none[..]].concat();
        management.clusterctl(clusterctl, &install).await?;
        Ok(management)
    }

    /// A client for it.
    ///
    /// # Errors
    /// None in practice.
    pub fn client(&self) -> Result<Client> {
        self.api.client()
    }

    /// The path of its kubeconfig.
    pub fn kubeconfig(&self) -> &str {
        self.api.kubeconfig.to_str().unwrap_or_default()
    }

    /// What clusterctl prints when it is asked about this one.
    ///
    /// # Errors
    /// What it complains about.
    pub async fn clusterctl(&self, program: &Clusterctl, arguments: &[&str]) -> Result<String> {
        let here = ["--kubeconfig", self.kubeconfig()];
        program.run(&[arguments, &here].concat()).await
    }

    /// The ids of all definitions.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn definitions(&self) -> Result<BTreeMap<String, Option<String>>> {
        let all = objects(&self.client()?, CRD).await?;
        let ids = all.iter().map(|crd| (crd.name_any(), crd.uid()));
        Ok(ids.collect())
    }

    /// Serves our webhooks, and does what Services and cert-manager do: the API server finds them, and trusts them.
    ///
    /// # Errors
    /// What the API server says.
    pub async fn serve(&self) -> Result<()> {
        let client = &self.client()?;
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let (folder, stopped) = (&self.api.certificate, self.served.subscribe());
        let routes = provider_openstack::admission::routes(Default::default())
            .merge(provider_openstack::conversion::routes());
        tokio::spawn(async move {
            let served = runtime::serve::https(address, folder, routes, stopped);
            served.await.expect("the webhooks are served");
        });
        let ca = ByteString(std::fs::read(folder.join("tls.crt"))?);
        let found = |config: &mut Value| {
            let path = config["service"]["path"].as_str().unwrap_or_default();
            let url = format!("https://{address}{path}");
            *config = json!({ "url": url, "caBundle": ca, "service": null });
        };
        for crd in objects(client, CRD).await? {
            let mut conversion = crd.data["spec"]["conversion"].clone();
            if conversion["strategy"] == "Webhook" {
                found(&mut conversion["webhook"]["clientConfig"]);
                let spec = json!({ "spec": { "conversion": conversion } });
                patch(client, CRD, &crd, spec).await?;
            }
        }
        for asked in objects(client, VALIDATING).await? {
            let mut webhooks = asked.data["webhooks"].clone();
            for webhook in webhooks.as_array_mut().into_iter().flatten() {
                found(&mut webhook["clientConfig"]);
            }
            patch(client, VALIDATING, &asked, json!({ "webhooks": webhooks })).await?;
        }
        Ok(())
    }
}

/// Group, version and kind.
pub type Kind = [&'static str; 3];
/// Credentials for all namespaces.
pub const IDENTITY: Kind = [
    "infrastructure.cluster.x-k8s.io",
    "v1alpha1",
    "OpenStackClusterIdentity",
];
/// What clusterctl has installed.
pub const PROVIDERS: Kind = ["clusterctl.cluster.x-k8s.io", "v1alpha3", "Provider"];
const CRD: Kind = ["apiextensions.k8s.io", "v1", "CustomResourceDefinition"];
const VALIDATING: Kind = [
    "admissionregistration.k8s.io",
    "v1",
    "ValidatingWebhookConfiguration",
];

/// All objects of a kind, in all namespaces.
///
/// # Errors
/// What the API server says.
async fn objects(client: &Client, kind: Kind) -> Result<Vec<DynamicObject>> {
    let list = all(client, kind).list(&ListParams::default()).await;
    Ok(list.with_context(|| kind.join(" "))?.items)
}

/// All objects of a kind.
pub fn all(client: &Client, [group, version, kind]: Kind) -> Api<DynamicObject> {
    let of = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::all_with(client.clone(), &of)
}

async fn patch(client: &Client, kind: Kind, object: &DynamicObject, change: Value) -> Result<()> {
    let (api, name) = (all(client, kind), object.name_any());
    api.patch(&name, &PatchParams::default(), &Patch::Merge(change))
        .await
        .with_context(|| format!("{} {name}", kind[2]))
        .map(drop)
}

/// Stands in for cert-manager: its two kinds that `clusterctl init` and our components make objects of. Nobody issues
/// certificates.
async fn cert_manager(client: &Client) -> Result<()> {
    let kinds = ["Issuer", "Certificate"].map(async |kind| {
        let plural = format!("{}s", kind.to_lowercase());
        let name = format!("{plural}.cert-manager.io");
        let anything = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let crd: CustomResourceDefinition = serde_json::from_value(json!({
            "metadata": { "name": name },
            "spec": {
                "group": "cert-manager.io",
                "scope": "Namespaced",
                "names": { "kind": kind, "plural": plural },
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": { "openAPIV3Schema": anything },
                }],
            },
        }))?;
        let api: Api<CustomResourceDefinition> = Api::all(client.clone());
        api.create(&PostParams::default(), &crd).await?;
        let established = await_condition(api, &name, conditions::is_crd_established());
        tokio::time::timeout(ESTABLISHED, established)
            .await
            .context(name)??;
        anyhow::Ok(())
    });
    try_join_all(kinds).await.map(drop)
}
