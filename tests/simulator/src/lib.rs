//! An OpenStack in memory, served over real HTTP: Keystone, Nova, Neutron, Cinder, Glance and Octavia as far as
//! the provider needs them. For what a real cloud cannot give: a thousand machines in a second, a fault at the k-th
//! call, replay from a seed. `tests/contract` holds it to what the real OpenStack does.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use simulator::{Effect, Fault, Options, Resource, Simulator};
//!
//! let cloud = Simulator::start(Options::default()).await?;
//! let secret = cloud.clouds_yaml(); // clouds `tenant` (a member) and `admin`
//! let ca = cloud.ca_pem(); // with Options { tls: true, .. }
//! // The answer to the third creation of ports is lost.
//! cloud.faults().add(Fault::new("network POST /ports", Effect::DropAfter).nth(3));
//! // … run something …
//! assert!(cloud.log().count("compute POST /servers") <= 3);
//! let id = cloud.world(|world| world.id_of(Resource::Servers, "worker-1"));
//! cloud.world(|world| world.vanish(Resource::Servers, &id.unwrap_or_default()));
//! assert!(cloud.audit().is_empty(), "{}", cloud.audit());
//! # Ok(()) }
//! ```
//!
//! | part | what it is |
//! |---|---|
//! | [`World`] | the state machine: requests and time in, replies out; no I/O |
//! | [`Clock`] | the time in it: advanced by a test, or running at a chosen speed |
//! | [`Faults`] | what befalls calls on their way |
//! | [`Log`] | what was asked |
//! | [`Audit`] | what is left |
//!
//! Each simulator has a port of its own on 127.0.0.1 and stops when it is dropped.

mod audit;
mod clock;
mod faults;
mod log;
mod seeded;
mod serve;
mod tls;
mod world;

use std::sync::{Arc, Mutex, PoisonError};

pub use audit::Audit;
pub use clock::Clock;
pub use faults::{Chaos, Effect, Fault, Faults};
pub use log::{Call, Log};
pub use world::{Caller, Delays, Doom, Reply, Request, Resource, Seed, Service, World};

/// How a simulator is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the cloud offers.
    pub seed: Seed,
    /// How long its operations take.
    pub delays: Delays,
    /// Speed of its clock: 1 is real time (the default), 0 stands still until a test advances it.
    pub speed: f64,
    /// Serve HTTPS, signed by a CA of its own.
    pub tls: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: Seed::default(),
            delays: Delays::default(),
            speed: 1.0,
            tls: false,
        }
    }
}

/// A running cloud. It stops when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    inner: Arc<Inner>,
    url: String,
    ca: Option<String>,
    options: Options,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub world: Mutex<World>,
    pub clock: Clock,
    pub faults: Faults,
    pub log: Log,
}

impl Inner {
    pub fn with_world<A>(&self, act: impl FnOnce(&mut World) -> A) -> A {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        act(&mut world)
    }
}

impl Simulator {
    /// Starts a cloud on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port or (with TLS) no certificate can be had.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let tls = options.tls.then(tls::private).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{address}");
        let clock = Clock::new(options.speed);
        let world = World::new(clock.now(), &url, &options.seed, options.delays.clone());
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            clock,
            faults: Faults::new(),
            log: Log::default(),
        });
        let (acceptor, ca) = tls.map(|tls| (tls.acceptor, tls.ca)).unzip();
        let task = tokio::spawn(serve::run(listener, acceptor, inner.clone()));
        Ok(Self {
            inner,
            url,
            ca,
            options,
            task,
        })
    }

    /// The URL that all endpoints begin with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A `clouds.yaml` with a cloud for each project, named as the project; `admin` is one of them.
    #[must_use]
    pub fn clouds_yaml(&self) -> String {
        let seed = &self.options.seed;
        let projects = seed.projects.iter().map(String::as_str).chain(["admin"]);
        let clouds: String = projects.map(|project| self.cloud(project)).collect();
        format!("clouds:\n{clouds}")
    }

    fn cloud(&self, project: &str) -> String {
        let Seed {
            password, regions, ..
        } = &self.options.seed;
        let region = regions.first().map(String::as_str).unwrap_or_default();
        format!(
            "  {project}:\n    region_name: {region}\n    auth:\n      auth_url: {}/identity/v3\n      \
             username: {project}\n      password: {password}\n      project_name: {project}\n      \
             user_domain_id: default\n      project_domain_id: default\n",
            self.url
        )
    }

    /// The CA that signs its certificate; `None` without TLS.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca.as_deref()
    }

    /// Its faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// Its log of calls.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// What tenants have left in it.
    #[must_use]
    pub fn audit(&self) -> Audit {
        self.world(|world| Audit::of(world))
    }

    /// Looks at its state, or changes it behind everybody's back. What is due has happened before.
    pub fn world<A>(&self, act: impl FnOnce(&mut World) -> A) -> A {
        self.inner.with_world(act)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}
