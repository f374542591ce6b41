//! The infrastructure provider: Cluster API's clusters and machines on OpenStack.
//!
//! Each controller is the same five verbs: observe, plan, execute, publish, requeue. Observing reads
//! the shared view of a project ([`cloud::View`]), planning is the pure crate [`plan`], and nothing
//! ever waits inside a reconcile.
//!
//! | module | what it does |
//! |---|---|
//! | [`cluster`] | `OpenStackCluster`: network, router, security groups, API endpoint |
//! | `machine` | `OpenStackMachine`: the server object of a Machine, and its API traffic |
//! | `server` | `OpenStackServer`: ports, volumes and the server itself |
//! | `floating_ip_pool` | `OpenStackFloatingIPPool`: floating IPs for the claims of servers |
//! | `machine_template` | `OpenStackMachineTemplate`: capacity for who scales from zero |
//! | [`admission`] | validating webhooks |
//! | [`conversion`] | the conversion webhook |
//! | [`identity`] | from an `identityRef` to a session with the cloud, and who hears when it changes |
//! | `wake` | from a change in the cloud to the object that waits for it |
//! | `brake` | who does the same once more waits, ever longer |
//! | `problems` | what stands in the way of objects, and when to look whether it still does |
//! | `world` | the cloud's resources as plans see them |
//! | `error` | what a reconcile can end in, and when to try again |
//! | `side_by_side` | the actions of a plan, done at once |
//! | `condition`, `pause`, `told` | what objects and events say of what was not planned, of a pause, of an action |
//! | `server_object`, `ipam` | the objects that controllers make in the management cluster |
//! | `lookup` | objects as last seen, or else asked for |
//! | `arrival` | when an object came to this management cluster |
//! | `catalog` | images, flavors and server groups |

pub mod admission;
mod arrival;
mod brake;
mod catalog;
pub mod cluster;
mod condition;
pub mod conversion;
mod error;
mod floating_ip_pool;
pub mod identity;
mod ipam;
mod lookup;
mod machine;
mod machine_template;
mod pause;
mod problems;
mod server;
mod server_object;
mod side_by_side;
mod told;
mod wake;
mod world;

use std::sync::Arc;

use cloud::Clouds;
use kube::Client;
use runtime::Kit;
use runtime::events::Events;

pub use error::Error;

/// What all controllers of the provider share.
pub struct Context {
    /// The management cluster.
    pub client: Client,
    /// One view for each set of credentials.
    pub clouds: Clouds,
    /// Events in the name of the provider.
    pub events: Events,
    /// What credentials come from, and who hears when it changes.
    pub changes: identity::changes::Changes,
    /// Credentials that were read a moment ago.
    pub kept: identity::kept::Kept,
    /// Credentials that are refused, and tried again for all who use them.
    pub refused: identity::refused::Refused,
    /// CA certificates (PEM) for clouds whose Secret brings none; absent means the system's.
    pub ca: Option<Vec<u8>>,
    /// Where the management cluster connects from.
    pub management: cluster::Management,
}

/// Runs all controllers until the process is asked to stop.
///
/// `metrics` counts the calls to clouds; `ca` and `management` are those of [`Context`].
pub async fn run(
    kit: Kit,
    metrics: Arc<cloud::Metrics>,
    ca: Option<Vec<u8>>,
    management: cluster::Management,
) {
    let (wakes, woken) = cloud::wakes();
    let context = Arc::new(Context {
        client: kit.client.clone(),
        clouds: Clouds::new(metrics, wakes),
        events: Events::new(kit.client.clone(), "capstan-provider-openstack"),
        changes: identity::changes::Changes::default(),
        kept: identity::kept::Kept::default(),
        refused: identity::refused::Refused::default(),
        ca,
        management,
    });
    let woken = wake::split(woken);
    tokio::join!(
        cluster::run(&kit, context.clone(), woken.clusters),
        machine::run(&kit, context.clone(), woken.machines),
        server::run(&kit, context.clone(), woken.servers),
        floating_ip_pool::run(&kit, context.clone(), woken.floating_ip_pools),
        machine_template::run(&kit, context.clone()),
        identity::watch(&context, &kit),
    );
}
