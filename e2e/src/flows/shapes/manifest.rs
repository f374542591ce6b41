//! The objects of a cluster without ClusterClass.

use anyhow::Result;
use serde_json::{Value, json};

use super::{NAMESPACE, cases::Shape, merged};
use crate::flows::{
    kubernetes::{
        CLUSTER, CONTROL_PLANE, FLOATING_IP_POOL, KUBEADM_CONFIG_TEMPLATE, Kind,
        MACHINE_DEPLOYMENT, OPENSTACK_CLUSTER, OPENSTACK_MACHINE_TEMPLATE,
    },
    tenant::{IDENTITY, Tenant},
    wait,
};
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(60);

/// Creates the cluster, or moves it to another version.
///
/// # Errors
/// The API server refuses something.
pub fn apply(tenant: &Tenant<'_>, shape: &Shape, version: &str) -> Result<()> {
    let api = &tenant.api;
    let apply = |kind: Kind, name: &str, spec: Value| {
        let object = json!({ "metadata": { "name": name }, "spec": spec });
        api.apply(kind, NAMESPACE, object)
    };
    if shape.pool {
        apply(FLOATING_IP_POOL, shape.name, pool())?;
    }
    for (role, extra) in [("cp", &shape.control_plane), ("md", &shape.worker)] {
        let spec = json!({ "template": { "spec": merged(machine(version), extra) } });
        apply(
            OPENSTACK_MACHINE_TEMPLATE,
            &template(shape, role, version),
            spec,
        )?;
    }
    let spec = json!({ "template": { "spec": { "joinConfiguration": registration() } } });
    apply(KUBEADM_CONFIG_TEMPLATE, shape.name, spec)?;
    apply(OPENSTACK_CLUSTER, shape.name, openstack_cluster(shape))?;
    apply(CONTROL_PLANE, shape.name, control_plane(shape, version))?;
    apply(
        MACHINE_DEPLOYMENT,
        shape.name,
        machine_deployment(shape, version),
    )?;
    apply(CLUSTER, shape.name, cluster(shape))
}

/// Removes what outlives a Cluster.
pub fn remove(tenant: &Tenant<'_>, shapes: &[Shape]) -> Result<()> {
    let kinds = [
        OPENSTACK_MACHINE_TEMPLATE,
        KUBEADM_CONFIG_TEMPLATE,
        FLOATING_IP_POOL,
    ];
    for kind in kinds {
        for object in tenant.api.list(kind, NAMESPACE)? {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            if shapes.iter().any(|s| name.starts_with(s.name)) {
                tenant.api.delete(kind, NAMESPACE, name)?;
            }
        }
    }
    wait::until_true("the end of the floating IP pool", DEADLINE, || {
        Ok(tenant.api.list(FLOATING_IP_POOL, NAMESPACE)?.is_empty())
    })
    .map(drop)
}

fn template(shape: &Shape, role: &str, version: &str) -> String {
    format!("{}-{role}-{}", shape.name, version.replace('.', "-"))
}

fn reference(kind: Kind, name: &str) -> Value {
    json!({ "apiGroup": kind.group(), "kind": kind.name, "name": name })
}

fn cluster(shape: &Shape) -> Value {
    json!({
        "clusterNetwork": {
            "pods": { "cidrBlocks": ["10.244.0.0/16"] },
            "services": { "cidrBlocks": ["10.96.0.0/12"] },
            "serviceDomain": "cluster.local",
        },
        "infrastructureRef": reference(OPENSTACK_CLUSTER, shape.name),
        "controlPlaneRef": reference(CONTROL_PLANE, shape.name),
    })
}

fn openstack_cluster(shape: &Shape) -> Value {
    let base = json!({
        "identityRef": { "name": IDENTITY, "cloudName": IDENTITY },
        "externalNetwork": { "filter": { "name": "public" } },
        "managedSubnets": [{ "cidr": "10.8.0.0/20", "dnsNameservers": ["172.29.0.1"] }],
        "managedSecurityGroups": { "allowAllInClusterTraffic": true },
        "apiServer": { "managedLoadBalancer": { "enabled": true } },
    });
    merged(base, &shape.cluster)
}

fn control_plane(shape: &Shape, version: &str) -> Value {
    json!({
        "replicas": shape.control_planes,
        "version": version,
        "machineTemplate": { "spec": {
            "infrastructureRef": reference(OPENSTACK_MACHINE_TEMPLATE, &template(shape, "cp", version)),
        } },
        "kubeadmConfigSpec": {
            "clusterConfiguration": {
                "controllerManager": { "extraArgs": [{ "name": "cloud-provider", "value": "external" }] },
            },
            "initConfiguration": registration(),
            "joinConfiguration": registration(),
        },
    })
}

fn machine_deployment(shape: &Shape, version: &str) -> Value {
    json!({
        "clusterName": shape.name,
        "replicas": shape.workers,
        "selector": { "matchLabels": {} },
        "template": { "spec": {
            "clusterName": shape.name,
            "version": version,
            "bootstrap": { "configRef": reference(KUBEADM_CONFIG_TEMPLATE, shape.name) },
            "infrastructureRef": reference(OPENSTACK_MACHINE_TEMPLATE, &template(shape, "md", version)),
        } },
    })
}

/// cloud-init fills in the name and the id.
fn registration() -> Value {
    json!({ "nodeRegistration": {
        "name": "{{ local_hostname }}",
        "kubeletExtraArgs": [
            { "name": "cloud-provider", "value": "external" },
            { "name": "provider-id", "value": "openstack:///{{ instance_id }}" },
        ],
    } })
}

fn machine(version: &str) -> Value {
    json!({
        "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
        "image": { "filter": { "name": format!("ubuntu-capi-image-{version}") } },
        "sshKeyName": "capi",
        "serverMetadata": [{ "key": "lab:boot", "value": "played" }],
    })
}

fn pool() -> Value {
    json!({
        "identityRef": { "name": IDENTITY, "cloudName": IDENTITY },
        "floatingIPNetwork": { "filter": { "name": "public" } },
        "reclaimPolicy": "Delete",
        "maxIPs": 2,
    })
}
