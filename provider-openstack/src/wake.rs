//! From a change in the cloud to the object that waits for it.
//!
//! A view knows objects by opaque keys; ours are kind, namespace and name.

use std::sync::Arc;

use cloud::WakeReceiver;
use futures::Stream;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use runtime::Key;

use crate::Context;

/// The kinds that wait for something in a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// `OpenStackCluster`
    Cluster,
    /// `OpenStackMachine`
    Machine,
    /// `OpenStackServer`
    Server,
    /// `OpenStackFloatingIPPool`
    FloatingIpPool,
}

impl Waiter {
    fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Machine => "machine",
            Self::Server => "server",
            Self::FloatingIpPool => "floating-ip-pool",
        }
    }

    /// The key of an object in the views.
    #[must_use]
    pub fn key(self, object: &Key) -> String {
        format!("{} {object}", self.word())
    }

    /// Lets the views forget an object that is gone.
    pub fn forget(self, context: &Arc<Context>) -> impl Fn(&Key) + Send + use<> {
        let context = context.clone();
        move |object| context.clouds.forget(&self.key(object))
    }
}

/// The objects to wake, for each kind.
pub struct Woken {
    /// `OpenStackCluster`s
    pub clusters: UnboundedReceiver<Key>,
    /// `OpenStackMachine`s
    pub machines: UnboundedReceiver<Key>,
    /// `OpenStackServer`s
    pub servers: UnboundedReceiver<Key>,
    /// `OpenStackFloatingIPPool`s
    pub floating_ip_pools: UnboundedReceiver<Key>,
}

/// A stream of objects to wake.
pub trait Wakes: Stream<Item = Key> + Send + 'static {}
impl<S: Stream<Item = Key> + Send + 'static> Wakes for S {}

/// Sorts the keys that the views wake by kind.
#[must_use]
pub fn split(mut woken: WakeReceiver) -> Woken {
    let (to_clusters, clusters) = unbounded();
    let (to_machines, machines) = unbounded();
    let (to_servers, servers) = unbounded();
    let (to_pools, floating_ip_pools) = unbounded();
    tokio::spawn(async move {
        while let Some(key) = woken.recv().await {
            let of = |waiter: Waiter| {
                key.strip_prefix(waiter.word())?
                    .strip_prefix(' ')
                    .and_then(Key::parse)
            };
            send(&to_clusters, of(Waiter::Cluster));
            send(&to_machines, of(Waiter::Machine));
            send(&to_servers, of(Waiter::Server));
            send(&to_pools, of(Waiter::FloatingIpPool));
        }
    });
    Woken {
        clusters,
        machines,
        servers,
        floating_ip_pools,
    }
}

fn send(to: &UnboundedSender<Key>, key: Option<Key>) {
    if let Some(key) = key {
        // Nobody listens any more when the process ends.
        let _ = to.unbounded_send(key);
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    #[tokio::test]
    async fn a_key_finds_its_controller() {
        let (to_views, from_views) = tokio::sync::mpsc::unbounded_channel();
        let mut woken = split(from_views);
        let object = Key::new("default", "demo-worker-0");
        to_views.send(Waiter::Server.key(&object)).expect("sent");
        to_views.send(Waiter::Cluster.key(&object)).expect("sent");
        drop(to_views);
        assert_eq!(woken.servers.next().await, Some(object.clone()));
        assert_eq!(woken.clusters.next().await, Some(object));
        assert_eq!(woken.machines.next().await, None);
    }
}
