//! What a cluster costs in requests to the cloud, whatever the number of its machines.
//!
//! `SCENARIOS_SIZES` names the numbers of workers, `10,100` by default; a thousand take a quarter of
//! an hour. The table that is printed is that of `docs/costs.md`.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use http::Method;
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::{PROJECT, Pace};
use serde_json::{Value, json};
use simulator::{Resource, Service};

const CONTROL_PLANES: usize = 3;
/// While machines come and go. A faster clock would make slow work look like a long time.
const BUSY: u32 = 5;
/// While nothing happens.
const IDLE: u32 = 60;
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// In ten idle minutes, and at a restart.
const FEW: usize = 40;
/// By so much more in the busiest ten minutes, for lists that fall into them by chance.
const FEW_MORE: usize = 5;
/// Of what hardly ever changes and is there, however many machines refer to it.
const FEW_LISTS: usize = 3;

struct Costs {
    workers: usize,
    create: usize,
    idle: usize,
    restart: usize,
    delete: usize,
    seconds: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_costs_nothing_and_a_machine_three_requests() {
    let sizes = env::var("SCENARIOS_SIZES").unwrap_or_else(|_| "10,100".to_owned());
    println!(
        "| workers | create | ten idle minutes | restart | delete | seconds |\n|---|---|---|---|---|---|"
    );
    let mut least = None;
    for size in sizes.split(',') {
        let workers = size.parse().expect("SCENARIOS_SIZES: numbers with commas");
        let costs = measure(workers).await.unwrap();
        let Costs {
            create,
            idle,
            restart,
            delete,
            seconds,
            ..
        } = costs;
        println!("| {workers} | {create} | {idle} | {restart} | {delete} | {seconds} |");
        judge(&costs);
        let least = *least.get_or_insert(costs.idle);
        assert!(
            costs.idle <= least + FEW_MORE,
            "idle: {} with {workers} workers, {least} with the first size",
            costs.idle
        );
    }
}

fn judge(costs: &Costs) {
    let most = 3 * costs.workers + 100;
    assert!(costs.create <= most, "create: at most {most}");
    assert!(costs.idle <= FEW, "ten idle minutes: at most {FEW}");
    assert!(costs.restart <= FEW, "restart: at most {FEW}");
    assert!(costs.delete <= most, "delete: at most {most}");
}

/// What the machines cost the API server: each is written as often as it has something new to say.
fn judge_kubernetes(requests: &BTreeMap<String, u64>, machines: u64) {
    for (request, each, beside) in [
        ("PATCH openstackmachines", 10, 0),
        ("PATCH openstackservers", 6, 0),
        ("GET secrets", 1, 100),
    ] {
        let made = requests.get(request).copied().unwrap_or_default();
        let most = each * machines + beside;
        assert!(made <= most, "{request}: {made}, at most {most}");
    }
}

async fn measure(workers: usize) -> Result<Costs> {
    let begun = Instant::now();
    let pace = Pace {
        speed: BUSY,
        deadline: Duration::from_secs(60 + workers as u64),
        ..Pace::default()
    };
    let scenario = Scenario::open(&format!("costs-{workers}"), &pace).await?;
    scenario.start()?;
    let cluster = &scenario.cluster;
    cluster.create(shape()).await?;
    cluster.provisioned().await?;
    let group = server_group(&scenario)?;
    let mut machines: Vec<Machine> = (0..CONTROL_PLANES)
        .map(|at| machine(&format!("cp-{at}"), true, &group))
        .collect();
    machines.extend((0..workers).map(|at| machine(&format!("worker-{at}"), false, &group)));
    cluster.add_machines(&machines).await.context("create")?;
    scenario.settled().await?;
    let create = scenario.cloud.log().take();
    show("create", &create);
    let to_kubernetes = scenario.requests()?;
    println!("create, requests to the API server: {to_kubernetes:?}");
    judge_kubernetes(&to_kubernetes, machines.len() as u64);
    let of_groups = |call: &&simulator::Call| call.operation == "compute GET /os-server-groups";
    let lists = create.iter().filter(of_groups).count();
    assert!(
        lists <= FEW_LISTS,
        "server groups were listed {lists} times"
    );

    scenario.set_speed(IDLE);
    scenario.pass(2 * TEN_MINUTES).await;
    let idle = scenario.cloud.log().take();
    show("twenty idle minutes", &idle);

    scenario.set_speed(BUSY);
    scenario.crash().await?;
    scenario.start()?;
    let all = machines.len() as u64;
    for (controller, objects) in [
        ("openstackcluster", 1),
        ("openstackmachine", all),
        ("openstackserver", all),
    ] {
        scenario
            .reconciled(controller, objects)
            .await
            .context("restart")?;
    }
    let restart = scenario.cloud.log().take();
    show("restart", &restart);

    cluster.delete_all().await.context("delete")?;
    let vanish = |world: &mut simulator::World| world.vanish(Resource::ServerGroups, &group);
    assert!(scenario.cloud.world(vanish), "the user's group stays");
    scenario.is_empty()?;
    let delete = scenario.cloud.log().take();
    show("delete", &delete);
    Ok(Costs {
        workers,
        create: create.len(),
        idle: busiest(&idle),
        restart: restart.len(),
        delete: delete.len(),
        seconds: begun.elapsed().as_secs(),
    })
}

/// How many calls the busiest ten minutes have.
fn busiest(calls: &[simulator::Call]) -> usize {
    let ten_minutes = jiff::SignedDuration::try_from(TEN_MINUTES).expect("ten minutes");
    let within = |from: &simulator::Call| {
        let until = |call: &&simulator::Call| {
            call.at >= from.at && call.at.duration_since(from.at) < ten_minutes
        };
        calls.iter().filter(until).count()
    };
    calls.iter().map(within).max().unwrap_or_default()
}

/// The calls by operation, for whoever wonders about a number.
fn show(what: &str, calls: &[simulator::Call]) {
    let mut counts = BTreeMap::<&str, usize>::new();
    for call in calls {
        *counts.entry(&call.operation).or_default() += 1;
    }
    println!("{what}: {counts:?}");
}

fn shape() -> Value {
    json!({
        "managedSubnets": [{ "cidr": "10.6.0.0/16" }],
        "apiServer": { "managedLoadBalancer": { "enabled": true } },
        "managedSecurityGroups": { "allowAllInClusterTraffic": true },
    })
}

/// A server group of the user; its id.
fn server_group(scenario: &Scenario) -> Result<String> {
    let group = json!({ "server_group": { "name": "spread", "policy": "soft-anti-affinity" } });
    let made = scenario.cloud.world(|world| {
        let path = "/os-server-groups";
        world.request(PROJECT, Service::Compute, Method::POST, path, group)
    });
    let id = made.body["server_group"]["id"].as_str();
    Ok(id.with_context(|| made.body.to_string())?.to_owned())
}

fn machine(name: &str, control_plane: bool, server_group: &str) -> Machine {
    Machine {
        name: name.to_owned(),
        control_plane,
        failure_domain: None,
        spec: json!({
            "flavor": { "filter": { "name": "SCS-2V-4-20s" } },
            "image": { "filter": { "name": "ubuntu-capi-image-v1.36.2" } },
            "serverGroup": { "id": server_group },
        }),
    }
}
