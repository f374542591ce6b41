//! The processes of OpenStack: what runs, in which order it starts, and when it is ready.

use std::{process::Command, thread, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use super::{
    NAME, Site,
    client::{Client, Service},
    config::hypervisors,
    database::rabbit_command,
    run, seed,
};
use crate::{lab::Lab, process::wait_for};

const DEADLINE: Duration = Duration::from_secs(180);
/// Threads of each API process.
const THREADS: &str = "4";

/// An API: a WSGI application in a process of its own, plain HTTP on port 1N behind the front end's N.
struct Api {
    name: &'static str,
    module: &'static str,
    service: Service,
    /// For those that find their configuration by arguments instead of the environment.
    conf: Option<&'static str>,
}

const APIS: [Api; 7] = [
    Api {
        name: "keystone",
        module: "keystone.wsgi.api",
        service: Service::Identity,
        conf: None,
    },
    Api {
        name: "placement",
        module: "placement.wsgi.api",
        service: Service::Placement,
        conf: None,
    },
    Api {
        name: "neutron",
        module: "neutron.wsgi.api",
        service: Service::Network,
        conf: None,
    },
    Api {
        name: "nova-api",
        module: "nova.wsgi.osapi_compute",
        service: Service::Compute,
        conf: None,
    },
    Api {
        name: "cinder-api",
        module: "cinder.wsgi.api",
        service: Service::BlockStorage,
        conf: Some("cinder.conf"),
    },
    Api {
        name: "glance",
        module: "glance.wsgi.api",
        service: Service::Image,
        conf: None,
    },
    Api {
        name: "octavia-api",
        module: "octavia.wsgi.api",
        service: Service::LoadBalancer,
        conf: Some("octavia.conf"),
    },
];

/// Other daemons: name, program, configuration files, queue that it consumes when it is ready.
const WORKERS: [(&str, &str, &[&str], &str); 5] = [
    (
        "nova-conductor",
        "nova-conductor",
        &["nova.conf", "nova-database.conf"],
        "conductor",
    ),
    (
        "nova-scheduler",
        "nova-scheduler",
        &["nova.conf", "nova-database.conf"],
        "scheduler",
    ),
    (
        "cinder-scheduler",
        "cinder-scheduler",
        &["cinder.conf"],
        "cinder-scheduler",
    ),
    (
        "cinder-volume",
        "cinder-volume",
        &["cinder.conf"],
        "cinder-volume.cinder@fake",
    ),
    (
        "octavia-worker",
        "octavia-worker",
        &["octavia.conf"],
        "octavia_provisioning_v2",
    ),
];
const SERVERS: [&str; 4] = ["mariadb", "epmd", "rabbitmq", "nginx"];

/// Starts what needs Keystone, MariaDB and RabbitMQ, waits until every API answers, then starts the hypervisors.
pub fn up(site: &Site<'_>) -> Result<()> {
    for api in &APIS {
        start_api(site, api)?;
    }
    for (name, program, files, _) in WORKERS {
        start_worker(site, name, program, files)?;
    }
    for api in &APIS {
        wait_for(api.name, DEADLINE, || {
            while_alive(site, api.name, site_answers(site, api))
        })??;
    }
    // One that finds no conductor waits for ten seconds.
    for host in hypervisors() {
        start_worker(
            site,
            &host,
            "nova-compute",
            &["nova.conf", &format!("{host}.conf")],
        )?;
    }
    Ok(())
}

/// Starts Keystone and the front end, and waits for both: Nova's daemons end at once if they cannot log in.
pub fn identity(site: &Site<'_>) -> Result<()> {
    let mut nginx = super::command("/usr/sbin/nginx");
    nginx
        .arg("-c")
        .arg(site.conf("nginx.conf"))
        .arg("-e")
        .arg("stderr");
    site.start("nginx", nginx)?;
    let [keystone, ..] = &APIS;
    start_api(site, keystone)?;
    wait_for("keystone", DEADLINE, || {
        while_alive(site, "keystone", site_answers(site, keystone))
    })?
}

fn start_api(site: &Site<'_>, api: &Api) -> Result<()> {
    let mut uwsgi = site.python("uwsgi");
    let etc = site.dir.join("etc");
    for service in ["KEYSTONE", "PLACEMENT", "GLANCE", "NEUTRON", "NOVA"] {
        uwsgi.env(format!("OS_{service}_CONFIG_DIR"), &etc);
    }
    uwsgi.env("OS_NEUTRON_CONFIG_FILES", "neutron.conf");
    uwsgi.env(
        "OS_NOVA_CONFIG_FILES",
        "api-paste.ini;nova.conf;nova-database.conf",
    );
    uwsgi
        .arg("--http-socket")
        .arg(format!("127.0.0.1:1{}", api.service.port()));
    uwsgi
        .arg("--module")
        .arg(format!("{}:application", api.module))
        .arg("--virtualenv")
        .arg(&site.venv);
    // No master: it would fork after the application is loaded, which doubles memory and breaks its RPC threads.
    uwsgi.args([
        "--need-app",
        "--enable-threads",
        "--threads",
        THREADS,
        "--die-on-term",
    ]);
    uwsgi.args([
        "--buffer-size",
        "65535",
        "--http-chunked-input",
        "--add-header",
        "Connection: close",
    ]);
    uwsgi.args(["--disable-logging", "--procname", api.name]);
    if let Some(conf) = api.conf {
        uwsgi
            .arg("--pyargv")
            .arg(format!("--config-file {}", site.conf(conf).display()));
    }
    site.start(api.name, uwsgi)
}

fn start_worker(site: &Site<'_>, name: &str, program: &str, files: &[&str]) -> Result<()> {
    let mut worker = site.python(program);
    for file in files {
        worker.arg("--config-file").arg(site.conf(file));
    }
    site.start(name, worker)
}

/// Waits until machines, volumes and load balancers can be made: every daemon listens, every hypervisor has
/// reported since its start and is in its availability zone.
pub fn settle(site: &Site<'_>) -> Result<()> {
    wait_for("services of OpenStack", DEADLINE, || match running(site) {
        Err(dead) => Ok(Err(dead)),
        Ok(()) => reported(site.lab).map(Ok),
    })??;
    seed::zones(site.lab)?;
    wait_for("queues of OpenStack", DEADLINE, || listening(site))
}

/// Nova and Cinder know all their daemons, and each has reported since it was started.
pub fn reported(lab: &Lab) -> Result<()> {
    let admin = Client::admin(lab)?;
    let nova = admin.list(Service::Compute, "/os-services", "services")?;
    for host in hypervisors() {
        fresh(lab, &nova, "nova-compute", &host, &host)?;
    }
    fresh(lab, &nova, "nova-conductor", "control", "nova-conductor")?;
    fresh(lab, &nova, "nova-scheduler", "control", "nova-scheduler")?;
    let cinder = admin.list(Service::BlockStorage, "/os-services", "services")?;
    fresh(
        lab,
        &cinder,
        "cinder-scheduler",
        "cinder",
        "cinder-scheduler",
    )?;
    fresh(
        lab,
        &cinder,
        "cinder-volume",
        "cinder@fake",
        "cinder-volume",
    )?;
    let known = admin
        .list(Service::Compute, "/os-hypervisors", "hypervisors")?
        .len();
    if known < hypervisors().count() {
        bail!(
            "Nova knows {known} of {} hypervisors",
            hypervisors().count()
        );
    }
    Ok(())
}

/// The service `binary` on `host` is up and has reported since `daemon` was started.
fn fresh(lab: &Lab, services: &[Value], binary: &str, host: &str, daemon: &str) -> Result<()> {
    let since = lab
        .record(NAME, daemon)
        .with_context(|| format!("{daemon} was never started"))?
        .since;
    let service = services
        .iter()
        .find(|s| s["binary"] == binary && s["host"] == host)
        .with_context(|| format!("{binary} {host} is unknown"))?;
    // In UTC, without saying so.
    let updated = format!("{}Z", service["updated_at"].as_str().unwrap_or_default());
    let updated: jiff::Timestamp = updated
        .parse()
        .with_context(|| format!("{daemon} has not reported yet"))?;
    if service["state"] != "up" || updated < since {
        bail!("{daemon} is {}, last report {updated}", service["state"]);
    }
    Ok(())
}

/// A message to a queue that nobody has declared yet is lost, so each must have its consumer.
fn listening(site: &Site<'_>) -> Result<()> {
    let mut list: Command = rabbit_command(site, "rabbitmqctl")?;
    list.args([
        "--quiet",
        "--formatter=json",
        "list_queues",
        "name",
        "consumers",
    ]);
    let queues: Vec<Value> = serde_json::from_str(&run(list)?).context("list of queues")?;
    let consumed = |queue: &str| {
        queues
            .iter()
            .any(|q| q["name"] == queue && q["consumers"].as_u64() > Some(0))
    };
    let computes = hypervisors().map(|h| format!("compute.{h}"));
    for queue in WORKERS.iter().map(|w| w.3.to_owned()).chain(computes) {
        if !consumed(&queue) {
            bail!("nobody consumes queue {queue}");
        }
    }
    Ok(())
}

/// Every daemon runs.
pub fn running(site: &Site<'_>) -> Result<()> {
    names().try_for_each(|name| while_alive(site, &name, Ok(()))?)
}

/// `tried`, unless the daemon has ended: then there is no need to wait any longer.
pub fn while_alive(site: &Site<'_>, name: &str, tried: Result<()>) -> Result<Result<()>> {
    if site.alive(name) {
        return tried.map(Ok);
    }
    Ok(Err(anyhow!(
        "{name} does not run, see {}",
        site.lab.log(NAME, name).display()
    )))
}

fn names() -> impl Iterator<Item = String> {
    let fixed = SERVERS
        .into_iter()
        .chain(APIS.iter().map(|a| a.name))
        .chain(WORKERS.iter().map(|w| w.0));
    fixed.map(str::to_owned).chain(hypervisors())
}

/// Every API answers through the front end.
pub fn answering(lab: &Lab) -> Result<()> {
    let client = Client::admin(lab)?;
    APIS.iter()
        .try_for_each(|api| client.ping(api.service).context(api.name))
}

fn site_answers(site: &Site<'_>, api: &Api) -> Result<()> {
    Ok(Client::admin(site.lab)?.ping(api.service)?)
}

/// Stops what talks first, then what it talks to.
pub fn down(lab: &Lab) -> Result<()> {
    let (servers, talkers): (Vec<_>, Vec<_>) = lab
        .records(NAME)
        .into_iter()
        .map(|(name, _)| name)
        .partition(|n| SERVERS.contains(&n.as_str()));
    let stop = |names: &[String]| {
        thread::scope(|scope| {
            let stops: Vec<_> = names
                .iter()
                .map(|n| scope.spawn(|| lab.stop(NAME, n)))
                .collect();
            stops
                .into_iter()
                .try_for_each(|s| s.join().map_err(|_| anyhow!("stop panicked"))?)
        })
    };
    stop(&talkers)?;
    stop(&servers)
}
