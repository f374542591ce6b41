//! A tenant: a namespace with credentials for the cloud, a subscription to the lab's stack, and clusters.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    conditions::{Object, text},
    kubernetes::{
        ADDON, CLUSTER, CLUSTER_CLASS, CLUSTER_STACK, CONTROL_PLANE, Kind, Kubernetes, MACHINE,
        MACHINE_DEPLOYMENT, NAMESPACE, NODE, OPENSTACK_CLUSTER, OPENSTACK_MACHINE,
        OPENSTACK_SERVER, RELEASE, SECRET,
    },
    stack, wait,
};
use crate::{
    lab::Lab,
    openstack::{self, PASSWORD},
};

/// Of the Secret with clouds.yaml, and of the cloud in it: the default of the lab's stack.
pub const IDENTITY: &str = "openstack";
const MACHINES: &str = "serverMetadata";
/// Everything that carries the name of its cluster in a label.
const LABELLED: [Kind; 6] = [
    OPENSTACK_CLUSTER,
    CONTROL_PLANE,
    MACHINE_DEPLOYMENT,
    MACHINE,
    OPENSTACK_MACHINE,
    OPENSTACK_SERVER,
];
const DELETE_DEADLINE: Duration = Duration::from_secs(300);
const CLUSTER_LABEL: &str = "cluster.x-k8s.io/cluster-name";

/// A tenant's namespace in the management cluster.
pub struct Tenant<'a> {
    /// The lab it is in.
    pub lab: &'a Lab,
    /// The management cluster.
    pub api: Kubernetes,
    /// Its name.
    pub namespace: String,
}

/// How its machines come to life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machines {
    /// Booted, with systemd, containerd and kubelet.
    Real,
    /// Played by the node agent: cheap.
    Played,
}

/// A cluster to be made from the lab's stack.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its ClusterClass.
    pub class: String,
    /// How its machines come to life.
    pub machines: Machines,
    /// Number of workers; there is one control plane.
    pub workers: usize,
    /// Further variables of the class.
    pub variables: Vec<(&'static str, Value)>,
}

impl Cluster {
    /// With the defaults of its class.
    pub fn new(name: &str, class: String, machines: Machines, workers: usize) -> Self {
        Self {
            name: name.to_owned(),
            class,
            machines,
            workers,
            variables: vec![],
        }
    }
}

impl<'a> Tenant<'a> {
    /// Makes the namespace, if it does not exist.
    ///
    /// # Errors
    /// The management cluster does not answer.
    pub fn open(lab: &'a Lab, namespace: &str) -> Result<Self> {
        let api = Kubernetes::management(lab)?;
        api.apply(NAMESPACE, "", json!({ "metadata": { "name": namespace } }))?;
        Ok(Self {
            lab,
            api,
            namespace: namespace.to_owned(),
        })
    }

    /// Puts the credentials of the cloud's tenant into the namespace.
    pub fn credentials(&self) -> Result<()> {
        let ca = openstack::ca(self.lab);
        let ca = fs::read_to_string(&ca).with_context(|| ca.display().to_string())?;
        self.secret(IDENTITY, PASSWORD, Some(&ca))
    }

    /// A Secret with clouds.yaml and, if there is one, the authority of the cloud.
    pub fn secret(&self, name: &str, password: &str, ca: Option<&str>) -> Result<()> {
        let auth = json!({
            "auth_url": "https://127.0.0.1:5000/v3", "username": "tenant", "password": password,
            "project_name": "tenant", "user_domain_id": "default", "project_domain_id": "default",
        });
        let cloud = json!({ "region_name": "RegionOne", "identity_api_version": 3, "auth": auth });
        // JSON is YAML.
        let clouds = json!({ "clouds": { IDENTITY: cloud } }).to_string();
        let mut data = json!({ "clouds.yaml": BASE64_STANDARD.encode(clouds) });
        if let Some(ca) = ca {
            data["cacert"] = BASE64_STANDARD.encode(ca).into();
        }
        let secret = json!({ "metadata": { "name": name }, "data": data });
        self.api.apply(SECRET, &self.namespace, secret)
    }

    /// Subscribes to a stack: its newest release comes by itself.
    pub fn subscribe(&self, stack: &str) -> Result<()> {
        self.stack(stack, &[])
    }

    /// A ClusterStack, named like its stack: with these releases, or if there are none the newest by itself.
    pub fn stack(&self, name: &str, versions: &[&str]) -> Result<()> {
        let spec = json!({
            "provider": "openstack", "name": name, "kubernetesVersion": "1.36", "channel": "stable",
            "autoSubscribe": versions.is_empty(), "versions": versions, "noProvider": true,
        });
        let stack = json!({ "metadata": { "name": name }, "spec": spec });
        self.api.apply(CLUSTER_STACK, &self.namespace, stack)
    }

    /// Is the class of this release there, and the release ready? Lines say what is missing.
    pub fn class_missing(&self, stack: &str, release: &str) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for (kind, name) in [(CLUSTER_STACK, stack), (RELEASE, release)] {
            match self.api.get(kind, &self.namespace, name)? {
                Some(value) => missing.extend(ill(&Object { kind, value })),
                None => missing.push(format!("{kind} {name} is not there")),
            }
        }
        if self
            .api
            .get(CLUSTER_CLASS, &self.namespace, release)?
            .is_none()
        {
            missing.push(format!("ClusterClass {release} is not there"));
        }
        Ok(missing)
    }

    /// A cluster that is there, as it was asked for.
    pub fn cluster(&self, name: &str) -> Result<Option<Cluster>> {
        let Some(object) = self.api.get(CLUSTER, &self.namespace, name)? else {
            return Ok(None);
        };
        let topology = &object["spec"]["topology"];
        let workers = &topology["workers"]["machineDeployments"][0]["replicas"];
        // Cluster API writes the defaults of all variables into the object.
        let variables = topology["variables"].as_array();
        let metadata = variables.and_then(|all| all.iter().find(|v| v["name"] == MACHINES));
        let played = metadata.is_some_and(|m| m["value"] != json!([]));
        Ok(Some(Cluster {
            name: name.to_owned(),
            class: text(&topology["classRef"]["name"]).to_owned(),
            machines: if played {
                Machines::Played
            } else {
                Machines::Real
            },
            workers: usize::try_from(workers.as_u64().unwrap_or_default())?,
            variables: vec![],
        }))
    }

    /// Creates the cluster, or changes it.
    pub fn apply(&self, cluster: &Cluster) -> Result<()> {
        let mut variables = vec![json!({ "name": "sshKeyName", "value": "capi" })];
        if cluster.machines == Machines::Played {
            let metadata = json!([{ "key": "lab:boot", "value": "played" }]);
            variables.push(json!({ "name": MACHINES, "value": metadata }));
        }
        variables.extend(
            cluster
                .variables
                .iter()
                .map(|(name, value)| json!({ "name": name, "value": value })),
        );
        let workers =
            json!({ "class": "default-worker", "name": "md-0", "replicas": cluster.workers });
        let spec = json!({
            "clusterNetwork": {
                "pods": { "cidrBlocks": ["10.244.0.0/16"] },
                "services": { "cidrBlocks": ["10.96.0.0/12"] },
                "serviceDomain": "cluster.local",
            },
            "topology": {
                "classRef": { "name": cluster.class },
                "version": stack::KUBERNETES,
                "controlPlane": { "replicas": 1 },
                "workers": { "machineDeployments": [workers] },
                "variables": variables,
            },
        });
        let object = json!({ "metadata": { "name": cluster.name }, "spec": spec });
        self.api.apply(CLUSTER, &self.namespace, object)
    }

    /// The administrator's kubeconfig of a cluster, once Cluster API has written it.
    pub fn kubeconfig(&self, cluster: &str) -> Result<Option<String>> {
        let name = format!("{cluster}-kubeconfig");
        let Some(secret) = self.api.get(SECRET, &self.namespace, &name)? else {
            return Ok(None);
        };
        let value = BASE64_STANDARD
            .decode(text(&secret["data"]["value"]))
            .with_context(|| format!("Secret {name}"))?;
        Ok(Some(String::from_utf8(value)?))
    }

    /// The API of a cluster.
    ///
    /// # Errors
    /// There is no kubeconfig yet.
    pub fn workload(&self, cluster: &str) -> Result<Kubernetes> {
        let kubeconfig = self.kubeconfig(cluster)?;
        Kubernetes::of(&kubeconfig.with_context(|| format!("{cluster} has no kubeconfig yet"))?)
    }

    /// Everything that belongs to a cluster, from the subscription down to the servers; Nodes are not among it.
    pub fn objects(&self, cluster: &str) -> Result<Vec<Object>> {
        let mut found = Vec::new();
        let mut take = |kind: Kind, all: Vec<Value>, keep: &dyn Fn(&Value) -> bool| {
            let kept = all.into_iter().filter(|v| keep(v));
            found.extend(kept.map(|value| Object { kind, value }));
        };
        let list = |kind| self.api.list(kind, &self.namespace);
        let clusters = list(CLUSTER)?;
        let class = clusters
            .iter()
            .find(|c| c["metadata"]["name"] == cluster)
            .map(|c| c["spec"]["topology"]["classRef"]["name"].clone())
            .unwrap_or_default();
        take(CLUSTER_STACK, list(CLUSTER_STACK)?, &|_| true);
        take(RELEASE, list(RELEASE)?, &|v| v["metadata"]["name"] == class);
        take(ADDON, list(ADDON)?, &|v| {
            v["spec"]["clusterRef"]["name"] == cluster
        });
        take(CLUSTER, clusters, &|v| v["metadata"]["name"] == cluster);
        for kind in LABELLED {
            take(kind, list(kind)?, &|v| {
                v["metadata"]["labels"][CLUSTER_LABEL] == cluster
            });
        }
        Ok(found)
    }

    /// Nodes of a cluster.
    pub fn nodes(&self, cluster: &str) -> Result<Vec<Object>> {
        let nodes = self.workload(cluster)?.list(NODE, "")?;
        Ok(nodes
            .into_iter()
            .map(|value| Object { kind: NODE, value })
            .collect())
    }

    /// Deletes a cluster and waits until nothing of it is left in the management cluster; returns how long it took.
    pub fn delete(&self, cluster: &str) -> Result<Duration> {
        self.api.delete(CLUSTER, &self.namespace, cluster)?;
        wait::until_cluster(self, cluster, "its end", DELETE_DEADLINE, || {
            self.left(cluster)
        })
    }

    /// What is left of a cluster: a line for each object.
    pub fn left(&self, cluster: &str) -> Result<Vec<String>> {
        let own = |o: &&Object| ![CLUSTER_STACK, RELEASE].contains(&o.kind);
        let objects = self.objects(cluster)?;
        let line = |o: &Object| match o.complaints().first() {
            Some(complaint) => complaint.clone(),
            None => format!("{} {} is there", o.kind, o.name()),
        };
        Ok(objects.iter().filter(own).map(line).collect())
    }

    /// What keeps a cluster with these `objects` from being as it was asked for: a line for each thing.
    pub fn missing(&self, cluster: &Cluster, objects: &[Object]) -> Vec<String> {
        let machines = cluster.workers + 1;
        let wanted = [
            (ADDON, 1),
            (CLUSTER, 1),
            (CONTROL_PLANE, 1),
            (MACHINE_DEPLOYMENT, 1),
            (MACHINE, machines),
            (OPENSTACK_MACHINE, machines),
        ];
        let mut missing = lacking(objects, &wanted);
        match self.nodes(&cluster.name) {
            Ok(nodes) => missing.extend(lacking(&nodes, &[(NODE, machines)])),
            Err(e) => missing.push(format!("Nodes: {e:#}")),
        }
        missing
    }
}

/// What is wrong with objects, and of which kinds there are too few or too many: a line for each thing.
pub fn lacking(objects: &[Object], wanted: &[(Kind, usize)]) -> Vec<String> {
    let mut lacking: Vec<String> = objects.iter().flat_map(ill).collect();
    for (kind, wanted) in wanted {
        let found = objects.iter().filter(|o| o.kind == *kind).count();
        if found != *wanted {
            lacking.push(format!("{kind}: {found} instead of {wanted}"));
        }
    }
    lacking
}

/// What is wrong with an object, unless all is well with it.
fn ill(object: &Object) -> Vec<String> {
    if object.is_well() {
        return vec![];
    }
    let complaints = object.complaints();
    if complaints.is_empty() {
        vec![format!("{} {}: not Ready yet", object.kind, object.name())]
    } else {
        complaints
    }
}
