//! A thousand machines at once: what they cost the provider, and how long they take against a bare client
//! that makes the same calls.
//!
//! `cargo bench -p scenarios --bench load`, with `KUBEBUILDER_ASSETS` set. `SCENARIOS_MACHINES` is their number,
//! `SCENARIOS_LATENCY` the milliseconds that the cloud takes for each answer.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use cloud::compute::{ServerCreate, ServerPort, ServerStatus};
use cloud::network::PortCreate;
use cloud::{Cloud, Credentials, MAX_IN_FLIGHT};
use futures::{StreamExt, TryStreamExt};
use runtime::Kit;
use runtime::health::Health;
use runtime::metrics::Metrics;
use scenarios::Scenario;
use scenarios::cluster_api::Machine;
use scenarios::scenario::{PROJECT, Pace};
use serde_json::json;
use simulator::{Effect, Fault, Resource};

/// The namespace that a second process of this program is to be the provider of.
const PROVIDER_OF: &str = "SCENARIOS_PROVIDER_OF";
const KUBECONFIG: &str = "SCENARIOS_KUBECONFIG";
/// As the view of a project looks.
const LOOK: Duration = Duration::from_secs(2);
const TICKS_A_SECOND: f64 = 100.0;
const FLAVOR: &str = "SCS-2V-4-20s";
const IMAGE: &str = "ubuntu-capi-image-v1.36.2";

fn main() -> Result<()> {
    // Another provider cannot be installed this early, so this cannot fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new()?;
    match env::var(PROVIDER_OF) {
        Ok(namespace) => runtime.block_on(provide(namespace)),
        Err(_) => runtime.block_on(measure()),
    }
}

async fn measure() -> Result<()> {
    let count = number("SCENARIOS_MACHINES", 1000)?;
    let latency = Duration::from_millis(number("SCENARIOS_LATENCY", 300)?);
    let machines: Vec<Machine> = (0..count)
        .map(|at| worker(&format!("worker-{at}")))
        .collect();
    let pace = Pace {
        speed: 1,
        deadline: Duration::from_secs(120 + 2 * count),
        ..Pace::default()
    };

    let scenario = Scenario::open("load", &pace).await?;
    scenario.start()?;
    scenario
        .cluster
        .create(json!({
            "managedSubnets": [{ "cidr": "10.6.0.0/16" }],
            "managedSecurityGroups": { "allowAllInClusterTraffic": true },
            "apiServer": { "managedLoadBalancer": { "enabled": true } },
        }))
        .await?;
    scenario.cluster.provisioned().await?;
    scenario.crash().await?;
    // All that is measured is the provider's work: the objects are there when it begins.
    scenario.cluster.create_machines(&machines).await?;
    scenario.cloud.log().take();
    slow(&scenario, latency);
    let begun = Instant::now();
    let provider = Process::start(&scenario)?;
    scenario.cluster.machines_ready(&machines).await?;
    let took = begun.elapsed();
    let (memory, cpu) = provider.cost()?;
    let to_api_server = provider.end()?;
    let requests = scenario.cloud.log().total();

    let bare = bare(&scenario, &machines).await?;
    println!(
        "machines: {count}, answers after {} ms",
        latency.as_millis()
    );
    println!(
        "provider: {:.1} s to all ready, {requests} requests to the cloud",
        took.as_secs_f64()
    );
    println!("provider: requests to the API server:\n{to_api_server}");
    println!(
        "provider: {} MiB peak memory, {cpu:.1} CPU seconds",
        memory / 1024
    );
    println!("bare client: {:.1} s", bare.as_secs_f64());
    println!("ratio: {:.2}", took.as_secs_f64() / bare.as_secs_f64());
    Ok(())
}

fn slow(scenario: &Scenario, latency: Duration) {
    scenario
        .cloud
        .faults()
        .add(Fault::new("*", Effect::Delay(latency)).always());
}

fn worker(name: &str) -> Machine {
    Machine {
        name: name.to_owned(),
        control_plane: false,
        failure_domain: None,
        spec: json!({
            "flavor": { "filter": { "name": FLAVOR } },
            "image": { "filter": { "name": IMAGE } },
        }),
    }
}

/// The same ports and servers, in the same network of the same cloud, under other names.
async fn bare(scenario: &Scenario, machines: &[Machine]) -> Result<Duration> {
    let yaml = scenario.cloud.clouds_yaml();
    let credentials = Credentials::parse(yaml.as_bytes(), PROJECT, None, None)?;
    let id = |resource, name: &str| {
        scenario
            .cloud
            .world(|world| world.id_of(resource, name))
            .unwrap_or_default()
    };
    let network_id = id(Resource::Networks, "k8s-clusterapi-cluster-load-demo");
    let (flavor_id, image_id) = (id(Resource::Flavors, FLAVOR), id(Resource::Images, IMAGE));
    let begun = Instant::now();
    let cloud = Cloud::connect(credentials, Arc::default()).await?;
    let made = machines.iter().map(|machine| {
        let (cloud, network_id) = (&cloud, network_id.clone());
        let (flavor_id, image_id) = (flavor_id.clone(), Some(image_id.clone()));
        async move {
            let name = format!("bare-{}", machine.name);
            let port = PortCreate {
                name: name.clone(),
                network_id,
                ..PortCreate::default()
            };
            let port = cloud.network().create_port(&port).await?;
            let networks = vec![ServerPort { port: port.id }];
            let server = ServerCreate {
                name,
                flavor_id,
                image_id,
                networks,
                ..ServerCreate::default()
            };
            cloud.compute().create_server(&server).await
        }
    });
    futures::stream::iter(made)
        .buffer_unordered(MAX_IN_FLIGHT)
        .map_ok(drop)
        .try_collect::<()>()
        .await?;
    loop {
        let servers = cloud.compute().servers().await?;
        let own = servers
            .iter()
            .filter(|server| server.name.starts_with("bare-"));
        let active = own
            .filter(|server| server.status == ServerStatus::Active)
            .count();
        if active == machines.len() {
            return Ok(begun.elapsed());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The provider, as a process of its own.
struct Process(Child);

impl Process {
    fn start(scenario: &Scenario) -> Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.env(PROVIDER_OF, &scenario.cluster.namespace);
        command.env(KUBECONFIG, &scenario.api.kubeconfig);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn()?))
    }

    /// Ends it, and gives what it asked of the API server, as it says at its end.
    fn end(mut self) -> Result<String> {
        drop(self.0.stdin.take());
        let said = self.0.stdout.take().context("its standard output")?;
        Ok(std::io::read_to_string(said)?.trim_end().to_owned())
    }

    /// Peak memory in KiB, and CPU seconds.
    fn cost(&self) -> Result<(u64, f64)> {
        let file = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.0.id()));
        let status = file("status")?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak
            .and_then(|text| text.split_whitespace().next())
            .context("VmHWM")?;
        let stat = file("stat")?;
        // The name of the program, in parentheses, may hold spaces.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        ensure!(fields.len() > 12, "/proc/PID/stat is short");
        let ticks = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
        Ok((peak.parse()?, ticks / TICKS_A_SECOND))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn provide(namespace: String) -> Result<()> {
    let kubeconfig = env::var(KUBECONFIG)?;
    let metrics = Metrics::default();
    let (_stop, shutdown) = tokio::sync::watch::channel(false);
    let kit = Kit {
        client: runtime::client::connect(Some(Path::new(&kubeconfig)), "load", &metrics).await?,
        namespace: Some(namespace),
        watch_filter: None,
        concurrency: 32,
        shutdown,
        health: Health::default(),
        metrics,
    };
    let counts = kit.metrics.clone();
    let management = provider_openstack::cluster::Management::default();
    // The end of its input is the end of whoever started it.
    let alone = tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin()));
    tokio::select! {
        () = provider_openstack::run(kit, Arc::default(), None, management) => {}
        _ = alone => {}
    }
    for (request, count) in scenarios::provider::requests(&counts)? {
        println!("  {count:>6} {request}");
    }
    Ok(())
}

fn number(variable: &str, default: u64) -> Result<u64> {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .with_context(|| format!("{variable}={text}: no number")),
        Err(_) => Ok(default),
    }
}
