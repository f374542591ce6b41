//! A Kubernetes API as flows use it: objects as JSON, and calls that block.

use std::{fmt, time::Duration};

use anyhow::{Context, Result};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    config::{KubeConfigOptions, Kubeconfig},
    core::ApiResource,
};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{lab::Lab, parts::management};

/// What wrote a field.
const FIELD_MANAGER: &str = "lab";
const TIMEOUT: Duration = Duration::from_secs(20);

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Group and version; the group is empty in `v1`.
    api: &'static str,
    /// As in `kind:`.
    pub name: &'static str,
    plural: &'static str,
}

const CAPI: &str = "cluster.x-k8s.io/v1beta2";
const OPENSTACK: &str = "infrastructure.cluster.x-k8s.io/v1beta2";
const STACKS: &str = "clusterstack.x-k8s.io/v1alpha1";

pub const NAMESPACE: Kind = kind("v1", "Namespace", "namespaces");
pub const NODE: Kind = kind("v1", "Node", "nodes");
pub const SECRET: Kind = kind("v1", "Secret", "secrets");
pub const DEPLOYMENT: Kind = kind("apps/v1", "Deployment", "deployments");
pub const CLUSTER: Kind = kind(CAPI, "Cluster", "clusters");
pub const CLUSTER_CLASS: Kind = kind(CAPI, "ClusterClass", "clusterclasses");
pub const MACHINE: Kind = kind(CAPI, "Machine", "machines");
pub const MACHINE_DEPLOYMENT: Kind = kind(CAPI, "MachineDeployment", "machinedeployments");
pub const CONTROL_PLANE: Kind = kind(
    "controlplane.cluster.x-k8s.io/v1beta2",
    "KubeadmControlPlane",
    "kubeadmcontrolplanes",
);
pub const KUBEADM_CONFIG_TEMPLATE: Kind = kind(
    "bootstrap.cluster.x-k8s.io/v1beta2",
    "KubeadmConfigTemplate",
    "kubeadmconfigtemplates",
);
pub const CLUSTER_STACK: Kind = kind(STACKS, "ClusterStack", "clusterstacks");
pub const RELEASE: Kind = kind(STACKS, "ClusterStackRelease", "clusterstackreleases");
pub const ADDON: Kind = kind(STACKS, "ClusterAddon", "clusteraddons");
pub const OPENSTACK_CLUSTER: Kind = kind(OPENSTACK, "OpenStackCluster", "openstackclusters");
pub const OPENSTACK_MACHINE: Kind = kind(OPENSTACK, "OpenStackMachine", "openstackmachines");
pub const OPENSTACK_MACHINE_TEMPLATE: Kind = kind(
    OPENSTACK,
    "OpenStackMachineTemplate",
    "openstackmachinetemplates",
);
pub const FLOATING_IP_POOL: Kind = kind(
    "infrastructure.cluster.x-k8s.io/v1alpha1",
    "OpenStackFloatingIPPool",
    "openstackfloatingippools",
);
pub const OPENSTACK_SERVER: Kind = kind(
    "infrastructure.cluster.x-k8s.io/v1alpha1",
    "OpenStackServer",
    "openstackservers",
);

const fn kind(api: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { api, name, plural }
}

impl Kind {
    /// API group; empty in `v1`.
    pub fn group(self) -> &'static str {
        self.api.split_once('/').map_or("", |(group, _)| group)
    }

    fn resource(self) -> ApiResource {
        let (group, version) = self.api.split_once('/').unwrap_or(("", self.api));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api.to_owned(),
            kind: self.name.to_owned(),
            plural: self.plural.to_owned(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The API of one cluster.
pub struct Kubernetes {
    runtime: Runtime,
    client: Client,
}

impl Kubernetes {
    /// The management cluster's, as its administrator.
    pub fn management(lab: &Lab) -> Result<Self> {
        let path = management::admin(lab);
        Self::new(Kubeconfig::read_from(&path).with_context(|| path.display().to_string())?)
    }

    /// The one that a kubeconfig leads to.
    pub fn of(kubeconfig: &str) -> Result<Self> {
        Self::new(Kubeconfig::from_yaml(kubeconfig).context("a tenant's kubeconfig")?)
    }

    fn new(kubeconfig: Kubeconfig) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let client = runtime.block_on(async {
            let mut config =
                Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
            config.proxy_url = None;
            config.connect_timeout = Some(TIMEOUT);
            config.read_timeout = Some(TIMEOUT);
            anyhow::Ok(Client::try_from(config)?)
        })?;
        Ok(Self { runtime, client })
    }

    /// What is at a path of the API, as text.
    pub fn read(&self, path: &str) -> Result<String> {
        let request = http::Request::get(path).body(vec![])?;
        self.runtime
            .block_on(self.client.request_text(request))
            .with_context(|| format!("get {path}"))
    }

    /// One object, if it exists.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Result<Option<Value>> {
        let found = self
            .runtime
            .block_on(self.api(kind, namespace).get_opt(name))
            .with_context(|| format!("get {kind} {namespace}/{name}"))?;
        found
            .map(serde_json::to_value)
            .transpose()
            .map_err(Into::into)
    }

    /// All objects of a kind in a namespace; in all of them with `""`.
    pub fn list(&self, kind: Kind, namespace: &str) -> Result<Vec<Value>> {
        let found = self
            .runtime
            .block_on(self.api(kind, namespace).list(&ListParams::default()))
            .with_context(|| format!("list {kind} in {namespace:?}"))?;
        let objects = found.items.into_iter().map(serde_json::to_value);
        objects.collect::<Result<_, _>>().map_err(Into::into)
    }

    /// Server-side apply; `object` needs no `apiVersion` and `kind`.
    pub fn apply(&self, kind: Kind, namespace: &str, mut object: Value) -> Result<()> {
        object["apiVersion"] = kind.api.into();
        object["kind"] = kind.name.into();
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let how = PatchParams::apply(FIELD_MANAGER).force();
        let api = self.api(kind, namespace);
        self.runtime
            .block_on(api.patch(&name, &how, &Patch::Apply(&object)))
            .map(drop)
            .with_context(|| format!("apply {kind} {namespace}/{name}"))
    }

    /// Asks for deletion; what is gone already is no error.
    pub fn delete(&self, kind: Kind, namespace: &str, name: &str) -> Result<()> {
        let api = self.api(kind, namespace);
        match self
            .runtime
            .block_on(api.delete(name, &DeleteParams::background()))
        {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            other => other
                .map(drop)
                .with_context(|| format!("delete {kind} {namespace}/{name}")),
        }
    }

    fn api(&self, kind: Kind, namespace: &str) -> Api<DynamicObject> {
        let resource = kind.resource();
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &resource)
        }
    }
}
