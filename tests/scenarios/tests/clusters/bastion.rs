//! The bastion: made, changed, switched off, with a floating IP of the user or of its own.

use anyhow::{Context, Result};
use http::Method;
use kube::api::DynamicObject;
use scenarios::Scenario;
use serde_json::{Value, json};
use simulator::Resource;

use super::{
    KIND, NETWORK, cloud, create, end, holds, is, is_up_to_date, leads, machine, make, open, patch,
    wait,
};

/// Address of a floating IP of the user.
fn floating_ip(scenario: &Scenario) -> Result<String> {
    let public = scenario
        .cloud
        .world(|world| world.id_of(Resource::Networks, "public"));
    let body = json!({ "floatingip": { "floating_network_id": public } });
    let ip = make(scenario, Method::POST, "/floatingips", body)?;
    let address = ip["floating_ip_address"].as_str();
    address.map(str::to_owned).context("no address")
}

fn bastion(floating_ip: Option<&str>) -> Value {
    let machine = machine("", false).spec;
    json!({ "enabled": true, "spec": machine, "floatingIP": floating_ip })
}

fn is_reached_at(object: &DynamicObject, address: Option<&str>) -> bool {
    let bastion = &object.data["status"]["bastion"];
    let known = bastion["floatingIP"].as_str();
    let expected = known.is_some() && address.is_none_or(|address| known == Some(address));
    expected && bastion["state"] == "ACTIVE"
}

/// Whether the address may connect to the API.
fn lets_in(object: &DynamicObject, address: &str) -> bool {
    let balancer = &object.data["status"]["apiServerManagedLoadBalancer"];
    let allowed = balancer["allowedCIDRs"].as_array();
    allowed.is_some_and(|allowed| allowed.contains(&json!(format!("{address}/32"))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_comes_changes_and_goes_and_the_user_keeps_the_floating_ip() -> Result<()> {
    let scenario = open("bastion-given").await?;
    let given = floating_ip(&scenario)?;
    let before = scenario.cloud.audit();
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "apiServer": { "enableFloatingIP": false, "fixedIP": "10.6.0.10" },
        "bastion": bastion(Some(&given)),
    });
    create(&scenario, spec).await?;
    let object = wait(&scenario, |object| is_reached_at(object, Some(&given))).await?;
    cloud(&scenario, "it is reached", |world| {
        leads(world, &given) == Some(true)
    })
    .await?;

    let first = object.data["status"]["bastion"]["id"].clone();
    let label = json!([{ "key": "rack", "value": "7" }]);
    let change = json!({ "bastion": { "spec": { "serverMetadata": label } } });
    patch(&scenario, KIND, change).await?;
    let is_new = |object: &DynamicObject| {
        object.data["status"]["bastion"]["id"] != first && is_reached_at(object, Some(&given))
    };
    wait(&scenario, is_new).await?;
    cloud(&scenario, "one server, which is reached", |world| {
        world.all(Resource::Servers).count() == 1 && leads(world, &given) == Some(true)
    })
    .await?;

    patch(&scenario, KIND, json!({ "bastion": { "enabled": false } })).await?;
    wait(&scenario, |object| {
        object.data["status"]["bastion"].is_null()
    })
    .await?;
    cloud(&scenario, "no bastion", |world| {
        world.all(Resource::Servers).count() == 0 && leads(world, &given) == Some(false)
    })
    .await?;
    holds(&scenario, &before, &NETWORK).await?;

    patch(&scenario, KIND, json!({ "bastion": null })).await?;
    wait(&scenario, is_up_to_date).await?;
    holds(&scenario, &before, &NETWORK).await?;
    end(&scenario, &before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bastion_gets_a_floating_ip_that_the_api_lets_in() -> Result<()> {
    let scenario = open("bastion-new").await?;
    let before = scenario.cloud.audit();
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "managedSecurityGroups": {},
        "apiServer": { "managedLoadBalancer": { "allowedCIDRs": ["192.0.2.0/24"] } },
        "tags": ["ours"],
        "bastion": bastion(None),
    });
    create(&scenario, spec).await?;
    let object = wait(&scenario, |object| is_reached_at(object, None)).await?;
    let address = object.data["status"]["bastion"]["floatingIP"].as_str();
    let address = address.context("no address")?;
    wait(&scenario, |object| lets_in(object, address)).await?;

    for (paused, status) in [(true, "True"), (false, "False")] {
        patch(&scenario, "Cluster", json!({ "paused": paused })).await?;
        let told = |object: &DynamicObject| is(object, "Paused", status);
        wait(&scenario, told).await?;
        let server = scenario
            .cluster
            .wait_for("OpenStackServer", "demo-bastion", told);
        server.await?;
    }

    patch(&scenario, KIND, json!({ "bastion": { "enabled": false } })).await?;
    let is_shut_out = |object: &DynamicObject| {
        object.data["status"]["bastion"].is_null() && !lets_in(object, address)
    };
    wait(&scenario, is_shut_out).await?;
    cloud(&scenario, "no floating IP of the bastion", |world| {
        leads(world, address).is_none()
    })
    .await?;
    end(&scenario, &before).await
}
