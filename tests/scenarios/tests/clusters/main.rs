//! Clusters of every shape, from their creation to their end: what is in the cloud in between, and that
//! afterwards it is as it was.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use http::Method;
use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams};
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::{PROJECT, Pace};
use serde_json::{Value, json};
use simulator::{Audit, Resource, Service, World};

mod arrived;
mod bastion;
mod moved_away;
mod repair;
mod two_clouds;

const KIND: &str = "OpenStackCluster";
/// Between two looks at the simulator, which has nothing to watch.
const LOOK: Duration = Duration::from_millis(20);
/// What a managed network with managed security groups is.
const NETWORK: [(&str, usize); 4] = [
    ("networks", 1),
    ("routers", 1),
    ("security_groups", 2),
    ("subnets", 1),
];
/// What a load balancer for one port is.
const BALANCER: [(&str, usize); 4] = [
    ("healthmonitors", 1),
    ("listeners", 1),
    ("loadbalancers", 1),
    ("pools", 1),
];

/// A scenario whose provider runs.
async fn open(namespace: &str) -> Result<Scenario> {
    let scenario = Scenario::open(namespace, &Pace::default()).await?;
    scenario.start()?;
    Ok(scenario)
}

/// A cluster of this shape, complete.
async fn create(scenario: &Scenario, spec: Value) -> Result<()> {
    scenario.cluster.create(spec).await?;
    scenario.cluster.provisioned().await
}

/// Deletes everything; the cloud is as it was `before`.
async fn end(scenario: &Scenario, before: &Audit) -> Result<()> {
    scenario.cluster.delete_all().await?;
    let after = scenario.cloud.audit();
    ensure!(after == *before, "before:\n{before}\nafter:\n{after}");
    Ok(())
}

/// Waits until the project has so many of each resource more than `before`, and nothing else. Ports are
/// left out, as Neutron and Octavia make theirs.
async fn holds(scenario: &Scenario, before: &Audit, expected: &[(&str, usize)]) -> Result<()> {
    let expected: BTreeMap<&str, usize> = expected.iter().copied().collect();
    let deadline = Instant::now() + scenario.cluster.deadline;
    loop {
        let after = scenario.cloud.audit();
        let all = after.0.get(PROJECT).into_iter().flatten();
        let more = all.map(|(resource, names)| {
            let known = before.left(PROJECT, resource).len();
            (*resource, names.len() - known)
        });
        let more: BTreeMap<&str, usize> = more
            .filter(|(resource, count)| *resource != "ports" && *count > 0)
            .collect();
        if more == expected {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("expected {expected:?}, there are {more:?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the cloud is as `wanted`.
async fn cloud(scenario: &Scenario, what: &str, wanted: impl Fn(&World) -> bool) -> Result<()> {
    let deadline = Instant::now() + scenario.cluster.deadline;
    while !scenario.cloud.world(|world| wanted(world)) {
        if Instant::now() > deadline {
            bail!("not in the cloud: {what}\n{}", scenario.cloud.audit());
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

/// Makes something as the user of the project does, beside Cluster API.
fn make(scenario: &Scenario, method: Method, path: &str, body: Value) -> Result<Value> {
    let ask = |world: &mut World| world.request(PROJECT, Service::Network, method, path, body);
    let reply = scenario.cloud.world(ask);
    ensure!(
        reply.is_success(),
        "{path}: {} {}",
        reply.status,
        reply.body
    );
    let made = reply.body.as_object().and_then(|one| one.values().next());
    Ok(made.cloned().unwrap_or_default())
}

/// Whether this floating IP leads somewhere; `None` without one.
fn leads(world: &World, address: &str) -> Option<bool> {
    let mut ips = world.all(Resource::FloatingIps);
    let ip = ips.find(|ip| ip["floating_ip_address"] == address)?;
    Some(ip["port_id"].is_string())
}

async fn patch(scenario: &Scenario, kind: &str, spec: Value) -> Result<()> {
    let change = Patch::Merge(json!({ "spec": spec }));
    let api = scenario.cluster.api(kind);
    api.patch("demo", &PatchParams::default(), &change).await?;
    Ok(())
}

async fn wait(
    scenario: &Scenario,
    wanted: impl Fn(&DynamicObject) -> bool,
) -> Result<DynamicObject> {
    scenario.cluster.wait_for(KIND, "demo", wanted).await
}

fn condition<'o>(object: &'o DynamicObject, type_: &str) -> &'o Value {
    let conditions = object.data["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions
        .find(|c| c["type"] == type_)
        .unwrap_or(&Value::Null)
}

fn is(object: &DynamicObject, type_: &str, status: &str) -> bool {
    condition(object, type_)["status"] == status
}

/// The last change of the spec was looked at, and all is well.
fn is_up_to_date(object: &DynamicObject) -> bool {
    let ready = condition(object, "Ready");
    let seen = ready["observedGeneration"].as_i64();
    ready["status"] == "True" && seen.is_some() && seen == object.metadata.generation
}

fn machine(name: &str, control_plane: bool) -> Machine {
    Machine {
        name: name.to_owned(),
        control_plane,
        failure_domain: None,
        spec: json!({
            "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
            "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
        }),
    }
}

/// Adds a machine, which gets ready.
async fn add_machine(scenario: &Scenario, name: &str, control_plane: bool) -> Result<()> {
    let cluster = &scenario.cluster;
    cluster
        .create_machine(&machine(name, control_plane))
        .await?;
    cluster.machine_ready(name).await
}

/// Ids of a network of the user and of its subnets.
fn network(scenario: &Scenario, name: &str, cidrs: &[&str]) -> Result<(Value, Vec<Value>)> {
    let body = json!({ "network": { "name": name } });
    let id = make(scenario, Method::POST, "/networks", body)?["id"].clone();
    let subnet = |cidr: &&str| {
        let body = json!({ "subnet": { "network_id": id, "cidr": cidr, "ip_version": 4 } });
        Ok(make(scenario, Method::POST, "/subnets", body)?["id"].clone())
    };
    let subnets = cidrs.iter().map(subnet).collect::<Result<_>>()?;
    Ok((id, subnets))
}

/// Id of a router of the user in these subnets.
fn router(scenario: &Scenario, name: &str, subnets: &[Value]) -> Result<Value> {
    let body = json!({ "router": { "name": name } });
    let id = make(scenario, Method::POST, "/routers", body)?["id"].clone();
    let path = format!(
        "/routers/{}/add_router_interface",
        id.as_str().unwrap_or_default()
    );
    for subnet in subnets {
        let body = json!({ "subnet_id": subnet });
        make(scenario, Method::PUT, &path, body)?;
    }
    Ok(id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_brought_network_needs_no_external_one() -> Result<()> {
    let scenario = open("brought").await?;
    let (network, subnets) = network(&scenario, "lan", &["10.20.0.0/24", "10.21.0.0/24"])?;
    let router = router(&scenario, "core", &subnets)?;
    let before = scenario.cloud.audit();
    let spec = json!({
        "network": { "id": network },
        "subnets": subnets.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>(),
        "router": { "filter": { "name": "core" } },
        "enableExternalNetwork": false,
        "managedSecurityGroups": {},
        "apiServer": { "enableFloatingIP": false, "managedLoadBalancer": {} },
    });
    create(&scenario, spec).await?;
    add_machine(&scenario, "cp-0", true).await?;
    let expected = [
        &BALANCER[..],
        &[("members", 1), ("security_groups", 2), ("servers", 1)],
    ]
    .concat();
    holds(&scenario, &before, &expected).await?;
    let object = wait(&scenario, is_up_to_date).await?;
    let status = &object.data["status"];
    let published = status["network"]["subnets"]
        .as_array()
        .context("no subnets")?;
    let published: Vec<&Value> = published.iter().map(|subnet| &subnet["id"]).collect();
    assert_eq!(published, subnets.iter().collect::<Vec<_>>());
    assert_eq!(status["router"]["id"], router);
    assert!(status["externalNetwork"].is_null());
    let host = object.data["spec"]["controlPlaneEndpoint"]["host"].as_str();
    assert!(
        host.is_some_and(|host| host.starts_with("10.20.0.")),
        "{host:?}"
    );
    end(&scenario, &before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dual_stack_cluster_has_both_families_everywhere() -> Result<()> {
    let scenario = open("dual").await?;
    let before = scenario.cloud.audit();
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }, { "cidr": "fd00:6::/64" }],
        "managedSecurityGroups": {},
        "apiServer": { "managedLoadBalancer": { "provider": "amphora" } },
    });
    create(&scenario, spec).await?;
    add_machine(&scenario, "cp-0", true).await?;
    let expected = [
        &BALANCER[..],
        &[
            ("floatingips", 1),
            ("members", 1),
            ("networks", 1),
            ("routers", 1),
            ("security_groups", 2),
            ("servers", 1),
            ("subnets", 2),
        ],
    ]
    .concat();
    holds(&scenario, &before, &expected).await?;
    scenario.cloud.world(|world| {
        let open_to = |cidr: &str| {
            let mut rules = world.all(Resource::SecurityGroupRules);
            rules.any(|rule| rule["remote_ip_prefix"] == cidr)
        };
        assert!(open_to("10.6.0.0/24") && open_to("fd00:6::/64"));
        let balancers: Vec<_> = world.all(Resource::LoadBalancers).collect();
        let vips = balancers[0]["additional_vips"].as_array().map(Vec::len);
        assert_eq!(vips, Some(1), "{}", balancers[0]);
    });
    let object = scenario.cluster.api("OpenStackMachine").get("cp-0").await?;
    let addresses = object.data["status"]["addresses"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for family in ["10.6.0.", "fd00:6:"] {
        let is_of = |known: &Value| {
            let address = known["address"].as_str().unwrap_or_default();
            known["type"] == "InternalIP" && address.starts_with(family)
        };
        assert!(addresses.iter().any(is_of), "{family}: {addresses:?}");
    }
    end(&scenario, &before).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_load_balancer_the_floating_ip_outlives_machines() -> Result<()> {
    let scenario = open("floating").await?;
    let before = scenario.cloud.audit();
    let spec =
        json!({ "managedSubnets": [{ "cidr": "10.6.0.0/24" }], "managedSecurityGroups": {} });
    create(&scenario, spec).await?;
    let object = wait(&scenario, is_up_to_date).await?;
    let host = object.data["spec"]["controlPlaneEndpoint"]["host"].as_str();
    let host = host.context("no endpoint")?;
    for name in ["cp-0", "cp-1"] {
        add_machine(&scenario, name, true).await?;
        let leads_somewhere = || scenario.cloud.world(|world| leads(world, host));
        assert_eq!(leads_somewhere(), Some(true), "{name}");
        scenario.cluster.delete_machines(&[name.to_owned()]).await?;
        assert_eq!(leads_somewhere(), Some(false), "{name}");
    }
    let expected = [&NETWORK[..], &[("floatingips", 1)]].concat();
    holds(&scenario, &before, &expected).await?;
    end(&scenario, &before).await
}

/// As k0smotron says where it is reached, in the Cluster, and as Kamaji does.
#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_of_a_hosted_control_plane_is_awaited() -> Result<()> {
    let (host, port) = ("198.51.100.7", 30443);
    let endpoint = json!({ "host": host, "port": port });
    for (namespace, kind, said) in [
        (
            "hosted-cluster",
            "Cluster",
            json!({ "controlPlaneEndpoint": endpoint }),
        ),
        (
            "hosted-fixed",
            KIND,
            json!({ "apiServer": { "fixedIP": host, "port": port } }),
        ),
    ] {
        let scenario = open(namespace).await?;
        let before = scenario.cloud.audit();
        let spec = json!({
            "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
            "managedSecurityGroups": {},
            "apiServer": { "enableFloatingIP": false, "fixedIP": "" },
        });
        scenario.cluster.create(spec).await?;
        let is_awaited = |object: &DynamicObject| {
            is(object, "APIEndpointReady", "False")
                && ["NetworkReady", "RouterReady", "SecurityGroupsReady"]
                    .iter()
                    .all(|part| is(object, part, "True"))
        };
        let object = wait(&scenario, is_awaited).await?;
        assert!(object.data["spec"]["controlPlaneEndpoint"].is_null());
        patch(&scenario, kind, said).await?;
        scenario.cluster.provisioned().await?;
        let object = scenario.cluster.api(KIND).get("demo").await?;
        assert_eq!(object.data["spec"]["controlPlaneEndpoint"], endpoint);
        add_machine(&scenario, "worker-0", false).await?;
        let expected = [&NETWORK[..], &[("servers", 1)]].concat();
        holds(&scenario, &before, &expected).await?;
        end(&scenario, &before).await?;
    }
    Ok(())
}

/// Something else makes the infrastructure and says so in the object; machines are ours.
#[tokio::test(flavor = "multi_thread")]
async fn an_externally_managed_cluster_is_read_and_never_written() -> Result<()> {
    let scenario = Scenario::open("external", &Pace::default()).await?;
    let (network, subnets) = network(&scenario, "theirs", &["10.30.0.0/24"])?;
    let before = scenario.cloud.audit();
    let spec = json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/24" }],
        "apiServer": { "enableFloatingIP": false },
        "controlPlaneEndpoint": { "host": "198.51.100.7", "port": 6443 },
    });
    scenario.cluster.create(spec).await?;
    let managed_by = json!({ "cluster.x-k8s.io/managed-by": "terraform" });
    let annotated = Patch::Merge(json!({ "metadata": { "annotations": managed_by } }));
    let api = scenario.cluster.api(KIND);
    api.patch("demo", &PatchParams::default(), &annotated)
        .await?;
    let status = json!({ "status": {
        "initialization": { "provisioned": true },
        "network": { "id": network, "name": "theirs", "subnets": [
            { "id": subnets[0], "name": "theirs", "cidr": "10.30.0.0/24" },
        ] },
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "Ready", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    } });
    let theirs = api
        .patch_status("demo", &PatchParams::default(), &Patch::Merge(&status))
        .await?;

    scenario.start()?;
    scenario.cluster.provisioned().await?;
    add_machine(&scenario, "worker-0", false).await?;
    holds(&scenario, &before, &[("servers", 1)]).await?;
    let is_theirs = |port: &&Value| port["network_id"] == network && port["name"] == "worker-0-0";
    let ports = scenario
        .cloud
        .world(|world| world.all(Resource::Ports).filter(is_theirs).count());
    assert_eq!(ports, 1);
    let now = api.get("demo").await?;
    assert_eq!(
        now.resource_version(),
        theirs.resource_version(),
        "{:?}",
        now.data
    );
    end(&scenario, &before).await
}
