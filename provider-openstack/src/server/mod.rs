//! The controller of `OpenStackServer`: ports, volumes and a server in the cloud.

mod claim;
mod execute;
mod observe;
mod publish;
mod references;
pub(crate) mod rows;

use std::sync::Arc;

use crds::capi::{self, IPAddressClaim};
use crds::openstack::names::SERVER_FINALIZER;
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::OpenStackMachine;
use crds::orc;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::api::PartialObjectMeta;
use kube::{Api, Resource, ResourceExt};
use plan::server::{Action, Seen, Want, plan, remarks};
use plan::step::Step;
use runtime::controller::Cached;
use runtime::{Key, Kit, Loop, Requeue, finalizer, versions};
use tokio::time::Instant;

pub(crate) use execute::address_pairs;

use crate::brake::Brake;
use crate::lookup::find;
use crate::pause::{self, Pauses};
use crate::problems::Problems;
use crate::wake::{Waiter, Wakes};
use crate::{Context, Error, arrival, condition, identity};

/// Environment variable with the minutes that a volume or a server may take to create.
const CREATE_TIMEOUT: &str = "CLUSTER_API_OPENSTACK_INSTANCE_CREATE_TIMEOUT";

/// What the controller works with.
struct Servers {
    context: Arc<Context>,
    objects: Cached<OpenStackServer>,
    clusters: Cached<capi::Cluster>,
    claims: Cached<IPAddressClaim>,
    /// What the cloud could solve.
    problems: Problems,
    brake: Brake<Action>,
    /// See [`plan::server::CREATE_TIMEOUT`].
    create_timeout: SignedDuration,
}

/// Runs the controller until the process is asked to stop.
pub async fn run(kit: &Kit, context: Arc<Context>, woken: impl Wakes) {
    let controller = Loop::<OpenStackServer>::new(kit, "openstackserver").wakes(woken);
    let controller = controller.on_gone(Waiter::Server.forget(&context));
    let controller = identity::depends(controller, &context, |server| {
        Some(&server.spec.identity_ref)
    });
    let objects = controller.objects();
    let (servers, pauses) = (objects.clone(), Pauses::default());
    let (controller, clusters) =
        controller.watches(move |cluster: &capi::Cluster| pauses.members(cluster, &servers));
    let (controller, claims) = controller.owns::<IPAddressClaim>();
    let controller = controller.wakes(images(kit, objects.clone()));
    let servers = Servers {
        context,
        objects,
        clusters,
        claims,
        problems: Problems::default(),
        brake: Brake::default(),
        create_timeout: create_timeout(std::env::var(CREATE_TIMEOUT).ok().as_deref()),
    };
    controller.run(Arc::new(servers), reconcile).await;
}

/// The servers that wait for an Image that has changed. The kind need not be there.
fn images(kit: &Kit, servers: Cached<OpenStackServer>) -> impl Wakes {
    let images: Api<PartialObjectMeta<orc::Image>> = match &kit.namespace {
        Some(namespace) => Api::namespaced(kit.client.clone(), namespace),
        None => Api::all(kit.client.clone()),
    };
    versions::once_served(images).flat_map(move |image| {
        let waits = |server: &OpenStackServer| {
            let reference = server.spec.image.image_ref.as_ref();
            reference.is_some_and(|reference| reference.name == image.key.name)
                && server.namespace().as_ref() == Some(&image.key.namespace)
                && Want::from(server).needs_catalog()
        };
        let waiting = servers.list(waits);
        stream::iter(waiting.iter().map(Key::of).collect::<Vec<_>>())
    })
}

/// Minutes, as CAPO reads them; anything else is the default.
fn create_timeout(minutes: Option<&str>) -> SignedDuration {
    let minutes = minutes.and_then(|minutes| minutes.parse::<u32>().ok());
    let minutes = minutes.filter(|minutes| *minutes > 0);
    minutes.map_or(plan::server::CREATE_TIMEOUT, |minutes| {
        SignedDuration::from_mins(minutes.into())
    })
}

async fn reconcile(server: Arc<OpenStackServer>, servers: Arc<Servers>) -> Result<Requeue, Error> {
    let (context, key) = (&servers.context, Key::of(&*server));
    let api = Api::namespaced(context.client.clone(), &key.namespace);
    let want = Want {
        create_timeout: servers.create_timeout,
        ..Want::from(&*server)
    };
    if servers.is_paused(&server).await? {
        context.clouds.forget(&Waiter::Server.key(&key));
        let (status, said) = (server.status.as_ref(), [pause::condition(true)]);
        condition::publish(
            &api,
            &*server,
            status,
            |status| &mut status.conditions,
            said,
        )
        .await?;
        return Ok(Requeue::OnChange);
    }
    if want.deleting
        && !server
            .finalizers()
            .iter()
            .any(|have| have == SERVER_FINALIZER)
    {
        return Ok(Requeue::OnChange);
    }
    if !want.deleting && finalizer::ensure(&api, &*server, SERVER_FINALIZER).await? {
        return Ok(Requeue::OnChange);
    }
    servers.converge(&api, &server, &key, &want).await
}

impl Servers {
    /// Observe, plan, execute, publish, requeue.
    async fn converge(
        &self,
        api: &Api<OpenStackServer>,
        server: &OpenStackServer,
        key: &Key,
        want: &Want,
    ) -> Result<Requeue, Error> {
        let context = &self.context;
        let since = arrived(server, want).max(self.problems.since(key, want.generation));
        let seen = match observe::observe(context, &self.objects, &self.claims, want, since).await {
            Ok(seen) => seen,
            Err(error) => return publish::unobserved(api, server, error).await,
        };
        let mut known = want.clone();
        if want.has_stranger(&seen.plan) {
            known.status.instance_id = self.instance_of_machine(server, &seen.plan).await?;
        }
        let want = &known;
        execute::remark(context, server, &remarks(want, &seen.plan)).await;
        let decision = plan(want, &seen.plan, Timestamp::now());
        let held = self.brake.hold(key, &decision.step);
        let done = match &decision.step {
            Step::Do(actions) if held.is_none() => {
                execute::all(context, server, &seen, actions).await
            }
            _ => Ok(()),
        };
        let goes = want.deleting
            && done.is_ok()
            && held.is_none()
            && matches!(decision.step, Step::Do(_) | Step::Done);
        if !goes {
            // Nobody reads the last words of an object that goes, and they would make the version
            // stale that the finalizer is removed from.
            let refused = done.as_ref().err().map(Box::as_ref);
            publish::status(api, server, decision.status, refused).await?;
        }
        done.map_err(|refused| refused.error)?;
        if want.deleting && decision.step == Step::Done {
            finalizer::remove(api, server, SERVER_FINALIZER).await?;
            context.clouds.forget(&Waiter::Server.key(key));
            self.problems.forget(key);
            self.brake.forget(key);
            return Ok(Requeue::OnChange);
        }
        let requeue = observe::requeue(&seen, &self.problems, key, want, &decision.step);
        Ok(self.brake.requeue(key, &decision.step, held, requeue))
    }

    /// The server that the machine of the object stands for, if it is there.
    async fn instance_of_machine(
        &self,
        server: &OpenStackServer,
        seen: &Seen,
    ) -> Result<Option<String>, kube::Error> {
        let mut owners = server.owner_references().iter();
        let Some(owner) = owners.find(|owner| owner.kind == OpenStackMachine::kind(&())) else {
            return Ok(None);
        };
        let namespace = server.namespace().unwrap_or_default();
        let machines = Api::<OpenStackMachine>::namespaced(self.context.client.clone(), &namespace);
        let machine = machines.get_opt(&owner.name).await?;
        let id = machine
            .as_ref()
            .and_then(|machine| plan::machine::instance_id(&machine.spec));
        let is_there = |id: &&str| seen.servers.iter().any(|one| one.id == *id);
        Ok(id.filter(is_there).map(str::to_owned))
    }

    async fn is_paused(&self, server: &OpenStackServer) -> Result<bool, kube::Error> {
        let namespace = server.namespace().unwrap_or_default();
        let cluster = capi::cluster_name(&server.metadata).unwrap_or_default();
        let key = Key::new(namespace, cluster);
        let cluster = find(&self.context.client, &self.clusters, &key).await?;
        Ok(capi::is_paused(cluster.as_ref(), &server.metadata))
    }
}

/// From when on lists show all that others may have made for the object: before it came to this
/// management cluster, or before its end began.
fn arrived(server: &OpenStackServer, want: &Want) -> Option<Instant> {
    if want.deleting && want.needs_trunks() {
        return Some(arrival::of_end(&server.metadata));
    }
    let unknown = want.status.resources.is_none();
    unknown.then(|| arrival::of(&server.metadata))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_in_minutes_and_five_of_them_by_default() {
        let five = SignedDuration::from_mins(5);
        assert_eq!(create_timeout(Some("30")), SignedDuration::from_mins(30));
        for odd in [None, Some(""), Some("0"), Some("-1"), Some("5m")] {
            assert_eq!(create_timeout(odd), five);
        }
    }
}
