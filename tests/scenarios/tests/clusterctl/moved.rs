//! A cluster with everything that clusters refer to, moved while both providers run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use scenarios::cluster_api::{Cluster, Machine};
use scenarios::provider::Options;
use scenarios::scenario::{PROJECT, Pace};
use scenarios::{Picture, Provider};
use serde_json::{Value, json};
use simulator::Simulator;

use crate::management::{IDENTITY, Management, PROVIDERS, all};
use crate::release::{Clusterctl, NEXT, VERSION};

const NAMESPACE: &str = "moved";
/// Of the provider; clusterctl looks for Secrets there too.
const SYSTEM: &str = "capstan-system";
/// On the provider's clock: every list has been asked for anew, the slowest ones aside.
const A_WHILE: Duration = Duration::from_secs(120);
/// The kinds of the namespace that have to come along.
const KINDS: [&str; 9] = [
    "Cluster",
    "Machine",
    "OpenStackCluster",
    "OpenStackMachine",
    "OpenStackMachineTemplate",
    "OpenStackServer",
    "OpenStackFloatingIPPool",
    "IPAddressClaim",
    "IPAddress",
];
const MACHINES: [&str; 2] = ["cp-0", "worker-0"];

/// A cluster to be, as both management clusters see it.
struct Moving {
    cloud: Simulator,
    old: Cluster,
    new: Cluster,
    /// Of both providers.
    options: Options,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_moves_and_the_cloud_does_not_notice() -> Result<()> {
    let clusterctl = Clusterctl::new()?;
    let (from, to) = tokio::try_join!(Management::new(&clusterctl), Management::new(&clusterctl))?;
    inventory(&clusterctl, &from).await?;
    upgrade(&clusterctl, &to).await?;
    from.serve().await?;
    to.serve().await?;
    let moving = Moving::open(&from, &to).await?;
    let before = moving.cloud.audit();
    let left = Provider::start(from.api, moving.options.clone())?;
    let right = Provider::start(to.api, moving.options.clone())?;
    build(&moving.old).await?;
    as_cluster_api(&moving.old).await?;
    let (said, picture) = (said(&moving.old).await?, moving.picture());
    moving.cloud.log().take();

    let there = ["move", "-n", NAMESPACE, "--to-kubeconfig", to.kubeconfig()];
    from.clusterctl(&clusterctl, &there).await?;
    moving.arrives().await?;
    assert_eq!(moving.writes(), Vec::<String>::new());
    let difference = moving.picture().difference(&picture);
    assert!(
        difference.is_empty(),
        "the cloud has changed:\n{difference}"
    );
    is_as_it_was(&self::said(&moving.new).await?, &said);
    nothing_is_left(&moving.old).await?;
    is_shared(&from).await?;
    is_shared(&to).await?;
    described(&clusterctl, &to).await?;

    moving.new.delete_all().await?;
    moving
        .new
        .delete("OpenStackFloatingIPPool", "public")
        .await?;
    let after = moving.cloud.audit();
    assert!(after == before, "before:\n{before}\nafter:\n{after}");
    right.crash();
    left.crash();
    Ok(())
}

impl Moving {
    /// A namespace in the first management cluster, with credentials for a cloud of its own.
    async fn open(from: &Management, to: &Management) -> Result<Self> {
        let pace = Pace::default();
        let options = simulator::Options {
            delays: pace.delays,
            speed: f64::from(pace.speed),
            ..simulator::Options::default()
        };
        let cloud = Simulator::start(options).await?;
        let yaml = cloud.clouds_yaml();
        let old = Cluster::open(from.client()?, NAMESPACE, &yaml, pace.deadline).await?;
        let new = old.on(to.client()?);
        share_identity(from, &yaml).await?;
        let options = Options {
            namespace: NAMESPACE.to_owned(),
            speed: Arc::new(AtomicU32::new(pace.speed)),
        };
        Ok(Self {
            cloud,
            old,
            new,
            options,
        })
    }

    /// All is ready again, and stays so for a while.
    async fn arrives(&self) -> Result<()> {
        self.new.provisioned().await?;
        for machine in MACHINES {
            self.new.machine_ready(machine).await?;
        }
        let has_address = |claim: &DynamicObject| claim.data["status"]["addressRef"].is_object();
        let claim = "worker-0-floating-ip-address";
        self.new
            .wait_for("IPAddressClaim", claim, has_address)
            .await?;
        self.pass().await;
        Ok(())
    }

    async fn pass(&self) {
        let speed = self.options.speed.load(Ordering::Relaxed);
        tokio::time::sleep(A_WHILE / speed).await;
    }

    fn picture(&self) -> Picture {
        self.cloud.world(|world| Picture::of(world, NAMESPACE))
    }

    fn writes(&self) -> Vec<String> {
        let calls = self.cloud.log().all().into_iter();
        let is_write =
            |operation: &str| !operation.contains(" GET ") && !operation.contains("/auth/tokens");
        let writes = calls.filter(|call| is_write(&call.operation));
        writes
            .map(|call| format!("{} {}", call.operation, call.body))
            .collect()
    }
}

/// What `clusterctl init` has noted, and what it would raise the versions to.
async fn inventory(clusterctl: &Clusterctl, management: &Management) -> Result<()> {
    let planned = management
        .clusterctl(clusterctl, &["upgrade", "plan"])
        .await?;
    let line = planned
        .lines()
        .find(|line| line.starts_with("infrastructure-openstack"));
    let words: Vec<&str> = line.context(planned.clone())?.split_whitespace().collect();
    let wanted = [
        "infrastructure-openstack",
        SYSTEM,
        "InfrastructureProvider",
        VERSION,
        NEXT,
    ];
    assert_eq!(words, wanted, "{planned}");
    Ok(())
}

/// The next version takes the place of the one that is installed; the definitions stay, with whatever there is of them.
async fn upgrade(clusterctl: &Clusterctl, management: &Management) -> Result<()> {
    let before = management.definitions().await?;
    let release = format!("openstack:{NEXT}");
    let apply = ["upgrade", "apply", "--infrastructure", &release];
    management.clusterctl(clusterctl, &apply).await?;
    let client = management.client()?;
    let installed = all(&client, PROVIDERS).list(&ListParams::default()).await?;
    let mut providers = installed.iter();
    let ours = providers.find(|one| one.name_any() == "infrastructure-openstack");
    assert_eq!(ours.context("no Provider")?.data["version"], NEXT);
    assert_eq!(management.definitions().await?, before);
    Ok(())
}

/// Credentials for all namespaces. The Secret goes where its owner goes.
async fn share_identity(management: &Management, clouds_yaml: &str) -> Result<()> {
    let client = management.client()?;
    let identity = serde_json::from_value(json!({
        "apiVersion": IDENTITY[..2].join("/"), "kind": IDENTITY[2],
        "metadata": { "name": "shared" },
        "spec": { "secretRef": { "name": "shared", "namespace": SYSTEM } },
    }))?;
    let identities = all(&client, IDENTITY);
    let made = identities.create(&PostParams::default(), &identity).await?;
    let owner = json!({
        "apiVersion": IDENTITY[..2].join("/"), "kind": IDENTITY[2],
        "name": "shared", "uid": made.uid(),
    });
    let secret: Secret = serde_json::from_value(json!({
        "metadata": { "name": "shared", "ownerReferences": [owner] },
        "stringData": { "clouds.yaml": clouds_yaml },
    }))?;
    let secrets = Api::namespaced(client, SYSTEM);
    secrets.create(&PostParams::default(), &secret).await?;
    Ok(())
}

/// A bastion, a load balancer, a node of each kind; the worker has an address of a pool and other credentials.
async fn build(cluster: &Cluster) -> Result<()> {
    let machine = |name: &str, control_plane, more: Value| {
        let mut spec = json!({
            "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
            "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            spec[field] = value.clone();
        }
        Machine {
            name: name.to_owned(),
            control_plane,
            failure_domain: None,
            spec,
        }
    };
    let [control_plane, worker] = MACHINES;
    let plain = machine(control_plane, true, json!({}));
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "apiServer": { "managedLoadBalancer": {} },
        "bastion": { "spec": plain.spec },
    });
    let pool = json!({ "reclaimPolicy": "Delete" });
    cluster.create_pool("public", pool).await?;
    cluster.create(spec).await?;
    cluster.provisioned().await?;
    cluster.create_template("workers", &plain).await?;
    let worker = machine(
        worker,
        false,
        json!({
            "identityRef": { "type": "ClusterIdentity", "name": "shared", "cloudName": PROJECT },
            "floatingIPPoolRef": {
                "apiGroup": IDENTITY[0], "kind": "OpenStackFloatingIPPool", "name": "public",
            },
            "rootVolume": { "sizeGiB": 20 },
        }),
    );
    cluster.add_machines(&[plain, worker]).await?;
    let bastion = |object: &DynamicObject| object.data["status"]["ready"] == true;
    cluster
        .wait_for("OpenStackServer", "demo-bastion", bastion)
        .await
        .map(drop)
}

/// What Cluster API says of a cluster that runs, and the owners that it sets. The Secret of the user is labelled as
/// our documentation says.
async fn as_cluster_api(cluster: &Cluster) -> Result<()> {
    let params = PatchParams::default();
    let change = async |kind: &str, name: &str, patch: Value| {
        let api = cluster.api(kind);
        api.patch(name, &params, &Patch::Merge(patch)).await
    };
    let publish = async |kind: &str, name: &str, status: Value| {
        let (api, patch) = (cluster.api(kind), json!({ "status": status }));
        api.patch_status(name, &params, &Patch::Merge(patch)).await
    };
    let label = json!({ "clusterctl.cluster.x-k8s.io/move": "" });
    change(
        "Secret",
        "cloud",
        json!({ "metadata": { "labels": label } }),
    )
    .await?;
    let initialized = json!({ "conditions": [{
        "type": "ControlPlaneInitialized", "status": "True", "reason": "Initialized",
        "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    }] });
    let owner = publish("Cluster", "demo", initialized).await?;
    let owned_by = |owner: &DynamicObject, kind: &str| {
        json!({ "metadata": { "ownerReferences": [{
            "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": kind, "controller": true,
            "name": owner.name_any(), "uid": owner.uid(),
        }] } })
    };
    for name in MACHINES {
        let machine = change("Machine", name, owned_by(&owner, "Cluster")).await?;
        publish("Machine", name, json!({ "nodeRef": { "name": name } })).await?;
        let data = format!("{name}-bootstrap");
        change("Secret", &data, owned_by(&machine, "Machine")).await?;
    }
    Ok(())
}

/// What the objects say, but for when.
async fn said(cluster: &Cluster) -> Result<BTreeMap<String, Value>> {
    let mut said = BTreeMap::new();
    for kind in KINDS {
        for object in cluster.api(kind).list(&ListParams::default()).await? {
            let name = format!("{kind} {}", object.name_any());
            let owners = object.owner_references().iter();
            let owners: Vec<String> = owners
                .map(|owner| format!("{} {}", owner.kind, owner.name))
                .collect();
            let mut data = object.data;
            if let Some(conditions) = data["status"]["conditions"].as_array_mut() {
                for condition in &mut *conditions {
                    condition["lastTransitionTime"].take();
                    condition["observedGeneration"].take();
                }
                conditions.sort_by_key(|condition| condition["type"].to_string());
            }
            data["owners"] = json!(owners);
            said.insert(name, data);
        }
    }
    Ok(said)
}

/// Cluster API's own status aside, which nobody here writes.
fn is_as_it_was(now: &BTreeMap<String, Value>, before: &BTreeMap<String, Value>) {
    let names: Vec<&String> = before.keys().collect();
    assert_eq!(now.keys().collect::<Vec<_>>(), names);
    for kind in KINDS {
        assert!(names.iter().any(|name| name.starts_with(kind)), "no {kind}");
    }
    for (name, before) in before {
        let of_cluster_api = ["Cluster ", "Machine "]
            .iter()
            .any(|kind| name.starts_with(kind));
        let fields = if of_cluster_api {
            &["spec", "owners"][..]
        } else {
            &["spec", "owners", "status"]
        };
        for field in fields {
            assert_eq!(now[name][field], before[*field], "{field} of {name}");
        }
    }
}

/// What all clusters may share is there, wherever they went.
async fn is_shared(management: &Management) -> Result<()> {
    let client = management.client()?;
    all(&client, IDENTITY).get("shared").await?;
    let secrets = Api::<Secret>::namespaced(client, SYSTEM);
    secrets.get("shared").await?;
    Ok(())
}

async fn nothing_is_left(cluster: &Cluster) -> Result<()> {
    for kind in KINDS.into_iter().chain(["Secret"]) {
        let left = cluster.api(kind).list(&ListParams::default()).await?;
        let names: Vec<String> = left.iter().map(ResourceExt::name_any).collect();
        ensure!(names.is_empty(), "{kind} left behind: {names:?}");
    }
    Ok(())
}

/// `clusterctl describe cluster` finds our objects, and what they say.
async fn described(clusterctl: &Clusterctl, management: &Management) -> Result<()> {
    let all = ["--echo", "--grouping=false"];
    let describe = [&["describe", "cluster", "demo", "-n", NAMESPACE], &all[..]].concat();
    let tree = management.clusterctl(clusterctl, &describe).await?;
    for part in [
        "OpenStackCluster moved/demo",
        "OpenStackMachine moved/cp-0",
        "OpenStackMachine moved/worker-0",
    ] {
        let mut lines = tree.lines();
        let line = lines.find_map(|line| line.split_once(part));
        let words = line.map(|(_, rest)| rest.split_whitespace().take(2).collect());
        assert_eq!(words, Some(vec!["True", "Ready"]), "{part} in\n{tree}");
    }
    Ok(())
}
