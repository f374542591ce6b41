//! OpenStack, as the provider needs it. This crate knows no Kubernetes.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Credentials`] | one project of one cloud, from the bytes of a `clouds.yaml` |
//! | [`Cloud`] | an authenticated session: token, endpoints, retries, limits, metrics |
//! | [`network`], [`compute`], [`block_storage`], [`image`], [`loadbalancer`] | the calls of each service and what they answer |
//! | [`view`] | one project as all objects see it: shared lists, and who is woken when a row changes |
//! | [`identity`] | login and catalog, and why they are our own |
//! | [`Metrics`] | what calls count and how long they take |
//!
//! A controller does this:
//!
//! ```no_run
//! # async fn example(clouds: cloud::Clouds, clouds_yaml: &[u8], key: &str) -> Result<(), Box<dyn std::error::Error>> {
//! use cloud::{Credentials, Kind};
//!
//! let credentials = Credentials::parse(clouds_yaml, "openstack", None, None)?;
//! let view = clouds.view(&credentials).await?;
//! // Observe: no call at all while the tables are fresh.
//! let seen = view.snapshot(&[Kind::Ports, Kind::Servers]).await?;
//! let server = seen.servers.named("worker-1").next();
//! // Execute: the answer is in the tables at once.
//! view.cloud().network().create_port(&Default::default()).await?;
//! // Wait: woken when the server changes or vanishes; while it does not, no request is made for it.
//! view.follow(key, server.map(|server| server.id.clone()), &seen);
//! view.expect(key, &[Kind::Servers]);
//! // Converged: still woken when the server is lost, but at the slow pace.
//! view.settled(key);
//! # Ok(()) }
//! ```
//!
//! Fields of resources have OpenStack's own names and meaning; they are documented where a name does
//! not say it all. An absent or null field is the default of its type. Deletions of what is gone
//! already succeed. A change whose answer was lost ([`Error::may_have_happened`]) makes its kind doubtful:
//! the next snapshot asks the cloud, and the caller decides again.

mod api;
pub mod block_storage;
mod call;
mod change;
pub mod compute;
mod credentials;
mod error;
pub mod identity;
pub mod image;
pub mod loadbalancer;
mod login;
mod metrics;
pub mod network;
mod service;
mod session;
mod transport;
pub mod view;
mod wire;

pub use change::{Item, Kind, Row};
pub use credentials::{Auth, Credentials, CredentialsError, Interface, Principal};
pub use error::{Error, ErrorKind, Result};
pub use metrics::{Metrics, OperationLabels, RequestLabels};
pub use service::Service;
pub use session::{Cloud, MAX_IN_FLIGHT};
pub use view::{Clouds, Tables, View, WakeReceiver, Wakes, wakes};
pub use wire::{Redacted, Ref};
