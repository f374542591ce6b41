//! A MachineDeployment grows and shrinks; a server that somebody deletes is noticed, and replaced with its Machine.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{
    conditions::{Object, holds, text},
    demo,
    kubernetes::{MACHINE, OPENSTACK_MACHINE},
    tenant::Tenant,
    wait,
};
use crate::{
    lab::Lab,
    openstack::client::{Client, Service},
};

/// A server that is gone is noticed within this time.
const NOTICED: Duration = Duration::from_secs(30);

/// See the module.
pub fn run(lab: &Lab) -> Result<()> {
    let (tenant, mut cluster) = demo::create(lab)?;
    for workers in [3, 2] {
        lab.say(format_args!("{workers} workers"));
        cluster.workers = workers;
        tenant.apply(&cluster)?;
        demo::follow(&tenant, &cluster)?;
        let servers = servers(lab)?;
        ensure!(
            servers == workers + 1,
            "Nova has {servers} servers, for {workers} workers and a control plane"
        );
    }
    let lost = worker(&tenant, &cluster.name)?;
    let name = lost.name().to_owned();
    let id = text(&lost.value["status"]["instanceID"]).to_owned();
    lab.say(format_args!("the server of {name} is deleted in Nova"));
    Client::tenant(lab)?.delete(Service::Compute, &format!("/servers/{id}"))?;
    let took = wait::until("a condition that tells of the lost server", NOTICED, || {
        unnoticed(&tenant, &name)
    })?;
    lab.say(format_args!("noticed after {:.1} s", took.as_secs_f64()));

    let machine = text(&owner(&lost).context("an OpenStackMachine without a Machine")?["name"]);
    lab.say(format_args!("Machine {machine} is deleted"));
    tenant.api.delete(MACHINE, &tenant.namespace, machine)?;
    wait::until_true("the end of the Machine", Duration::from_secs(300), || {
        Ok(tenant
            .api
            .get(MACHINE, &tenant.namespace, machine)?
            .is_none())
    })?;
    demo::follow(&tenant, &cluster)
}

/// The lost server shows in the machine's condition, in the Machine of Cluster API, and nowhere as a success.
fn unnoticed(tenant: &Tenant<'_>, name: &str) -> Result<Vec<String>> {
    let value = tenant
        .api
        .get(OPENSTACK_MACHINE, &tenant.namespace, name)?
        .with_context(|| format!("OpenStackMachine {name} is gone"))?;
    let object = Object {
        kind: OPENSTACK_MACHINE,
        value,
    };
    let said = object.condition("InstanceReady");
    let noticed = said.is_some_and(|c| c["status"] == "False" && c["reason"] == "InstanceDeleted");
    Ok(if noticed && !holds(&object.value, "Ready") {
        vec![]
    } else {
        vec![format!("OpenStackMachine {name} says {said:?}")]
    })
}

/// The OpenStackMachine of a worker.
fn worker(tenant: &Tenant<'_>, cluster: &str) -> Result<Object> {
    let label = "cluster.x-k8s.io/deployment-name";
    let mut objects = tenant.objects(cluster)?.into_iter();
    objects
        .find(|o| o.kind == OPENSTACK_MACHINE && !o.value["metadata"]["labels"][label].is_null())
        .context("no worker")
}

fn owner(object: &Object) -> Option<&serde_json::Value> {
    let owners = object.value["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|o| o["kind"] == MACHINE.name)
}

fn servers(lab: &Lab) -> Result<usize> {
    let client = Client::tenant(lab)?;
    Ok(client.list(Service::Compute, "/servers", "servers")?.len())
}
