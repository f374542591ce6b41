//! What exists around a machine: its server object, and for a control plane node what API traffic
//! goes through. A worker needs no cloud.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloud::view::Tables;
use cloud::{Kind, Service, View};
use crds::openstack::v1alpha1::OpenStackServer;
use plan::machine::{Action, Ingress, Seen, SeenIngress, Want};
use plan::step::{Problem, Step};
use plan::world::State;
use runtime::backoff::jittered;
use runtime::{Key, Requeue};

use super::Machines;
use crate::lookup::find;
use crate::problems::Problems;
use crate::wake::Waiter;
use crate::{Error, world};

/// Nothing of what is awaited happened for this long: look anyway.
const AT_LAST: Duration = Duration::from_secs(300);

/// What was observed.
pub struct Observed {
    pub plan: Seen,
    /// The project, when the machine needs it, and what `plan` was read from.
    pub cloud: Option<(View, Arc<Tables>)>,
}

impl Machines {
    /// Looks at the machine's server object and, if it is needed, at the cloud.
    pub async fn observe(&self, want: &Want, key: &Key) -> Result<Observed, Error> {
        let server = find(&self.context.client, &self.servers, key).await?;
        let active = server
            .as_ref()
            .and_then(|server| server.status.as_ref())
            .is_some_and(|status| status.ready);
        if !want.needs_ingress() || !(active || want.deleting) {
            return Ok(Observed {
                plan: Seen {
                    server,
                    ingress: None,
                },
                cloud: None,
            });
        }
        let identity = want
            .spec
            .identity_ref
            .as_ref()
            .unwrap_or(&want.cluster.identity_ref);
        let view = self.context.view(&want.namespace, identity, want.deleting);
        let view = view.await?;
        let mut kinds = vec![Kind::Ports];
        match want.cluster.ingress {
            Ingress::FloatingIp { .. } => kinds.push(Kind::FloatingIps),
            // Nothing is left of what the cloud does not have.
            _ if want.deleting && !view.cloud().has(Service::LoadBalancer).await? => {}
            _ => kinds.extend([Kind::LoadBalancers, Kind::Pools]),
        }
        let since = self.problems.since(key, want.generation);
        let tables = view.snapshot_since(&kinds, since).await?;
        let ingress = Some(ingress(&tables, want, server.as_ref()));
        Ok(Observed {
            plan: Seen { server, ingress },
            cloud: Some((view, tables)),
        })
    }
}

fn ingress(tables: &Tables, want: &Want, server: Option<&OpenStackServer>) -> SeenIngress {
    let resources = server.and_then(|server| server.status.as_ref()?.resources.as_ref());
    let ids = resources.into_iter().flat_map(|resources| &resources.ports);
    let mut seen = SeenIngress {
        ports: ids
            .filter_map(|port| tables.ports.get(&port.id))
            .map(world::port)
            .collect(),
        ..SeenIngress::default()
    };
    match &want.cluster.ingress {
        Ingress::None => {}
        Ingress::FloatingIp { address } => {
            seen.floating_ips = tables
                .floating_ips
                .iter()
                .filter(|ip| ip.floating_ip_address == *address)
                .map(world::floating_ip)
                .collect();
            let ports = seen.floating_ips.iter();
            let ports = ports.filter_map(|ip| tables.ports.get(ip.port_id.as_ref()?));
            seen.ports.extend(ports.map(world::port));
        }
        Ingress::LoadBalancer { id, .. } => {
            let pools = || {
                tables
                    .pools
                    .iter()
                    .filter(|pool| pool.loadbalancers.iter().any(|of| of.id == *id))
            };
            seen.load_balancers = tables
                .load_balancers
                .get(id)
                .map(world::load_balancer)
                .into_iter()
                .collect();
            seen.pools = pools().map(world::pool).collect();
            seen.members = pools().flat_map(world::members).collect();
        }
    }
    seen
}

/// Tells the view what the object waits for, and the controller when to come back.
pub fn requeue(
    seen: &Observed,
    problems: &Problems,
    key: &Key,
    want: &Want,
    step: &Step<Action>,
) -> Requeue {
    follow(seen, &Waiter::Machine.key(key), step);
    // Without a look at the cloud it is our server object that has a problem, and that is watched.
    let unwatched = |problem: &&Problem| seen.cloud.is_some() || problem.field == "metadata.name";
    let problem = step.problem().filter(unwatched);
    if let Some(later) = problems.tell(key, problem, want.generation) {
        return later;
    }
    match step {
        Step::Do(_) => Requeue::After(Duration::ZERO),
        Step::Wait(waiting) if !waiting.on.is_empty() => Requeue::After(jittered(AT_LAST)),
        Step::Wait(_) | Step::Done | Step::Blocked(_) => Requeue::OnChange,
    }
}

fn follow(seen: &Observed, key: &str, step: &Step<Action>) {
    if let (Some((view, tables)), Some(around)) = (&seen.cloud, &seen.plan.ingress) {
        let balancers = around.load_balancers.iter().map(|balancer| &balancer.id);
        let pools = around.pools.iter().map(|pool| &pool.id);
        let ips = around.floating_ips.iter();
        let addresses = ips.flat_map(|ip| ip.port_id.iter().chain([&ip.id]));
        let mut follows: BTreeSet<String> =
            balancers.chain(pools).chain(addresses).cloned().collect();
        match step {
            Step::Wait(waiting) if !waiting.on.is_empty() => {
                follows.extend(waiting.on.iter().map(|awaited| awaited.id.clone()));
                view.expect(key, expected(around));
            }
            _ => view.settled(key),
        }
        view.follow(key, follows, tables);
    }
}

/// A load balancer is pending as long as one of its pools or members is. Once it is not, the pools tell
/// what has become of a member.
fn expected(around: &SeenIngress) -> &'static [Kind] {
    let busy = |state: State| matches!(state, State::Pending | State::Deleting);
    let mut members = around.members.iter();
    let in_doubt = members.any(|member| member.state == State::Pending);
    match around.load_balancers.iter().any(|lb| busy(lb.state)) {
        false if in_doubt => &[Kind::LoadBalancers, Kind::Pools],
        _ => &[Kind::LoadBalancers],
    }
}
