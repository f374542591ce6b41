//! `capstan-operator`: flags and wiring, nothing else.

mod flags;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use flags::Flags;
use kube::Client;
use runtime::health::Health;
use runtime::lease::{self, Election};
use runtime::metrics::Metrics;
use runtime::{Kit, Shutdown, client, logs, serve, stopped};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

fn main() -> ExitCode {
    let flags = Flags::parse();
    // Another provider cannot be installed this early, so this cannot fail.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(error) = logs::init(flags.log_format, &flags.log_level) {
        eprintln!("capstan-operator: --log-level {}: {error}", flags.log_level);
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no threads");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&flags)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "ends");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<()> {
    let shutdown = on_signal()?;
    let (metrics, health) = (Metrics::default(), Health::default());
    let agent = concat!("capstan-operator/", env!("CARGO_PKG_VERSION"));
    let client = client::connect(flags.kubeconfig.as_deref(), agent, &metrics).await?;
    let servers = servers(flags, &client, &metrics, &health, &shutdown);
    let work = work(flags, &client, &metrics, &health, &shutdown);
    // Either ends by itself only with an error; when asked to stop, both are waited for.
    tokio::try_join!(servers, work)?;
    Ok(())
}

/// Webhooks and hooks are served by every replica; only the leader works.
async fn servers(
    flags: &Flags,
    client: &Client,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<()> {
    let any = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let webhooks = cluster_stacks::admission::routes(client.clone())
        .merge(provider_openstack::admission::routes(
            flags.management.sources(),
        ))
        .merge(provider_openstack::conversion::routes());
    let hooks = cluster_stacks::hooks::routes(client.clone());
    tokio::try_join!(
        serve::http(
            flags.health_addr,
            serve::health_routes(health.clone()),
            shutdown.clone()
        ),
        serve::http(
            flags.metrics_addr,
            serve::metrics_routes(metrics.clone()),
            shutdown.clone()
        ),
        serve::https(
            any(flags.webhook_port),
            &flags.webhook_cert_dir,
            webhooks,
            shutdown.clone()
        ),
        serve::https(
            any(flags.hook_port),
            &flags.hook_cert_dir,
            hooks,
            shutdown.clone()
        ),
    )?;
    Ok(())
}

async fn work(
    flags: &Flags,
    client: &Client,
    metrics: &Metrics,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<()> {
    let ca = match &flags.ca_certs {
        Some(path) => {
            Some(std::fs::read(path).with_context(|| format!("--ca-certs {}", path.display()))?)
        }
        None => None,
    };
    let kit = Kit {
        client: client.clone(),
        namespace: flags.namespace.clone(),
        watch_filter: flags.watch_filter.clone(),
        concurrency: flags.concurrency,
        shutdown: shutdown.clone(),
        health: health.clone(),
        metrics: metrics.clone(),
    };
    let calls = Arc::new(cloud::Metrics::default());
    metrics.with_registry(|registry| calls.register(registry));
    let controllers = async {
        let stacks = cluster_stacks::run(kit.clone(), flags.stacks.options());
        let management = flags.management.sources();
        let provider = provider_openstack::run(kit.clone(), calls, ca, management);
        let both = async { tokio::join!(provider, stacks).1.context("--release-dir") };
        tokio::select! {
            ended = both => ended,
            () = out_of_patience(shutdown) => Ok(()),
        }
    };
    if !flags.leader_elect {
        return controllers.await;
    }
    let gate = health.gate(format!(
        "lease {}/{}",
        flags.lease_namespace, flags.lease_name
    ));
    let election = Election {
        namespace: flags.lease_namespace.clone(),
        name: flags.lease_name.clone(),
        identity: flags.lease_identity.clone(),
    };
    let held = tokio::select! {
        () = stopped(shutdown.clone()) => return Ok(()),
        held = lease::acquire(client.clone(), &election, &gate) => held?,
    };
    tokio::select! {
        ended = controllers => ended,
        // Another process may work from now on, so this one must not finish anything.
        () = held.lost() => bail!("the lease {}/{} was lost", election.namespace, election.name),
    }
}

/// How long reconciles that run may take to end when the process is asked to stop; a Pod has 30 s.
const GRACE: Duration = Duration::from_secs(20);

/// A cloud that does not answer keeps nobody from stopping: what is cut off is done again later.
async fn out_of_patience(shutdown: &Shutdown) {
    stopped(shutdown.clone()).await;
    tokio::time::sleep(GRACE).await;
    tracing::warn!(after = ?GRACE, "stops in the middle of reconciles");
}

/// Resolves the shutdown of all parts at SIGTERM or SIGINT.
fn on_signal() -> Result<Shutdown> {
    let (stop, shutdown) = watch::channel(false);
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("asked to stop");
        // Nobody listens only when everything has ended already.
        let _ = stop.send(true);
    });
    Ok(shutdown)
}
