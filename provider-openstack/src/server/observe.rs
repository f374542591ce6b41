//! What the cloud holds of a server, read from the shared view of its project.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloud::network::{self, TAGS, TRUNKS};
use cloud::view::Tables;
use cloud::{Kind, Service, View};
use crds::capi::IPAddressClaim;
use crds::openstack::conditions::Reason;
use crds::openstack::v1alpha1::OpenStackServer;
use jiff::Timestamp;
use plan::server::{Action, Catalog, Seen, Want};
use plan::step::{Problem, Resource, Step};
use runtime::backoff::jittered;
use runtime::controller::Cached;
use runtime::{Key, Requeue};

use tokio::time::Instant;

use super::{claim, references, rows};
use crate::problems::Problems;
use crate::wake::Waiter;
use crate::{Context, Error, world};

/// An Image object that is not there, or not yet available, wakes who refers to it; where it cannot
/// be watched, it is looked for after this.
const AFTER_IMAGE: Duration = Duration::from_secs(60);
/// Nothing of what is awaited happened for this long: look anyway.
const AT_LAST: Duration = Duration::from_secs(300);
/// What is to be over then is over.
const A_MOMENT: Duration = Duration::from_secs(1);

/// What was observed.
pub struct Observed {
    pub view: View,
    pub plan: Seen,
    /// What `plan` was read from.
    pub tables: Arc<Tables>,
}

/// Looks at what may belong to the server. Costs no call of its own while the view is fresh.
///
/// Only what was listed after `since` is shown: an object without a status may come from another
/// management cluster, whose controllers have made things until a moment ago; and what stood in the
/// way may be gone.
pub async fn observe(
    context: &Context,
    objects: &Cached<OpenStackServer>,
    claims: &Cached<IPAddressClaim>,
    want: &Want,
    since: Option<Instant>,
) -> Result<Observed, Error> {
    let view = context
        .view(&want.namespace, &want.spec.identity_ref, want.deleting)
        .await?;
    let mut kinds = vec![Kind::Servers, Kind::Ports];
    // Nothing is left of what the cloud does not have; but while it is wanted, its lack is told.
    if want.needs_volumes() && (!want.deleting || view.cloud().has(Service::BlockStorage).await?) {
        kinds.push(Kind::Volumes);
    }
    if want.claim().is_some() {
        kinds.extend([Kind::FloatingIps, Kind::Routers]);
    }
    if want.needs_trunks() && view.has_extension(TRUNKS).await? {
        kinds.push(Kind::Trunks);
    }
    let mut tables = view.snapshot_since(&kinds, since).await?;
    if view.find_unlisted(servers(&tables, want)).await? {
        tables = view.snapshot(&kinds).await?;
    }
    let unforeseen = |port: &&network::Port| port.trunk_details.is_some();
    if !kinds.contains(&Kind::Trunks) && ports(&tables, want).iter().any(unforeseen) {
        tables = view
            .snapshot(&[kinds.as_slice(), &[Kind::Trunks]].concat())
            .await?;
    }
    let catalog = if want.needs_catalog() {
        references::look_up(context, &view, want).await?
    } else {
        Catalog::default()
    };
    let tagging = want.needs_tags() && view.has_extension(TAGS).await?;
    let claim = claim::observe(context, claims, want).await?;
    let own = own(&tables, want);
    let of_namesakes = match has_unrecorded_port(&own, want) {
        true => of_namesakes(objects, want),
        false => Vec::new(),
    };
    let plan = Seen {
        catalog,
        tagging,
        claim,
        of_namesakes,
        ..own
    };
    let plan = with_floating_ip(plan, &tables);
    Ok(Observed { view, plan, tables })
}

/// Whether it has to be known what other objects of the name record: there is a port of the server's
/// names that its own object does not record.
fn has_unrecorded_port(own: &Seen, want: &Want) -> bool {
    let names: BTreeSet<String> = want.names().collect();
    let unrecorded = |port: &&plan::world::Port| !want.recorded_ports().any(|id| id == port.id);
    let mut unrecorded = own.ports.iter().filter(unrecorded);
    unrecorded.any(|port| names.contains(&port.name))
}

/// What the objects of the same name in other namespaces record.
fn of_namesakes(objects: &Cached<OpenStackServer>, want: &Want) -> Vec<String> {
    let namesakes = objects.list(|other| {
        other.metadata.name.as_ref() == Some(&want.name)
            && other.metadata.namespace.as_ref() != Some(&want.namespace)
    });
    let recorded = namesakes.iter().map(Want::from).flat_map(|other| {
        let ports = other.recorded_ports().map(str::to_owned);
        let ids: Vec<String> = ports.chain(other.status.instance_id.clone()).collect();
        ids
    });
    recorded.collect()
}

/// The ports that may be the server's.
fn ports<'a>(tables: &'a Tables, want: &Want) -> Vec<&'a network::Port> {
    let prefix = format!("{}-", want.name);
    let named = tables
        .ports
        .with_prefix(&prefix)
        .map(|port| port.id.as_str());
    let ids: BTreeSet<&str> = named.chain(want.recorded_ports()).collect();
    ids.into_iter()
        .filter_map(|id| tables.ports.get(id))
        .collect()
}

/// The servers that there are, or were: the recorded one, and those that hold a port.
fn servers<'a>(tables: &'a Tables, want: &'a Want) -> impl Iterator<Item = &'a str> {
    let ports = ports(tables, want).into_iter();
    let held = ports.filter(|port| port.device_owner.starts_with("compute:"));
    let holders = held.map(|port| port.device_id.as_str());
    holders.chain(want.status.instance_id.as_deref())
}

/// What is around the floating IP that the claim got: the ports of routers beside the server's own.
fn with_floating_ip(mut seen: Seen, tables: &Tables) -> Seen {
    let address = seen.claim.as_ref().and_then(|claim| claim.address.as_ref());
    let Some(address) = address else {
        return seen;
    };
    let networks: BTreeSet<&str> = seen.ports.iter().map(|p| p.network_id.as_str()).collect();
    let of_router = |port: &&network::Port| {
        networks.contains(port.network_id.as_str())
            && ["network:router", "network:ha_router"]
                .iter()
                .any(|owner| port.device_owner.starts_with(owner))
    };
    let interfaces: Vec<_> = tables
        .ports
        .iter()
        .filter(of_router)
        .map(world::port)
        .collect();
    let ids: BTreeSet<&str> = interfaces
        .iter()
        .map(|port| port.device_id.as_str())
        .collect();
    let routers = ids.into_iter().filter_map(|id| tables.routers.get(id));
    seen.routers = routers.map(world::router).collect();
    seen.floating_ips = tables
        .floating_ips
        .iter()
        .filter(|ip| ip.floating_ip_address == *address)
        .map(world::floating_ip)
        .collect();
    seen.interfaces = interfaces;
    seen
}

/// The servers, ports and volumes that may be the server's.
fn own(tables: &Tables, want: &Want) -> Seen {
    let prefix = format!("{}-", want.name);
    let ports = ports(tables, want);
    let named = tables
        .servers
        .named(&want.name)
        .map(|server| server.id.as_str());
    let holders = ports.iter().map(|port| port.device_id.as_str());
    let ids: BTreeSet<&str> = named
        .chain(holders)
        .chain(want.status.instance_id.as_deref())
        .collect();
    let servers = ids.iter().filter_map(|id| tables.servers.get(id));
    let trunks = ports.iter().flat_map(|port| tables.trunks.of(&port.id));
    let held = ids.iter().flat_map(|id| tables.ports.of(id));
    let held = held.filter(|held| !ports.iter().any(|port| port.id == held.id));
    Seen {
        servers: servers.map(rows::server).collect(),
        trunks: trunks.map(rows::trunk).collect(),
        ports: ports.iter().copied().chain(held).map(world::port).collect(),
        volumes: tables
            .volumes
            .with_prefix(&prefix)
            .map(rows::volume)
            .collect(),
        ..Seen::default()
    }
}

/// Tells the view what the object waits for, and the controller when to come back.
pub fn requeue(
    seen: &Observed,
    problems: &Problems,
    key: &Key,
    want: &Want,
    step: &Step<Action>,
) -> Requeue {
    follow(seen, &Waiter::Server.key(key), want, step);
    let problem = step.problem().filter(|problem| is_of_cloud(want, problem));
    if let Some(later) = problems.tell(key, problem, want.generation) {
        return later;
    }
    match step {
        Step::Do(_) => Requeue::After(Duration::ZERO),
        Step::Wait(_) => Requeue::After(at_last(want, seen)),
        Step::Blocked(_) if want.needs_catalog() => Requeue::After(jittered(AFTER_IMAGE)),
        // The server is followed.
        Step::Done | Step::Blocked(_) => Requeue::OnChange,
    }
}

/// When to look anyway, or sooner: what takes too long is said then.
fn at_last(want: &Want, seen: &Observed) -> Duration {
    let late = want.late_in(&seen.plan, Timestamp::now());
    let late = late.and_then(|late| Duration::try_from(late).ok());
    let at_last = jittered(AT_LAST);
    late.map_or(at_last, |late| at_last.min(late + A_MOMENT))
}

/// Whether something else than the server has to change in the cloud.
fn is_of_cloud(want: &Want, problem: &Problem) -> bool {
    let awaits_image = want.needs_catalog() && want.spec.image.image_ref.is_some();
    let is_new = want.status.instance_id.is_none() && !awaits_image;
    is_new || problem.reason == Reason::FloatingIPError.as_str()
}

fn follow(seen: &Observed, key: &str, want: &Want, step: &Step<Action>) {
    let mut follows: BTreeSet<String> = seen
        .plan
        .servers
        .iter()
        .map(|server| server.id.clone())
        .collect();
    follows.extend(want.status.instance_id.clone());
    // What was made twice shows up late.
    follows.extend(want.names());
    follows.extend(seen.plan.floating_ips.iter().map(|ip| ip.id.clone()));
    let mut expected = BTreeSet::new();
    if let Step::Wait(waiting) = step {
        follows.extend(waiting.on.iter().map(|awaited| awaited.id.clone()));
        expected.extend(
            waiting
                .on
                .iter()
                .filter_map(|awaited| kind(awaited.resource)),
        );
    }
    seen.view.follow(key, follows, &seen.tables);
    if expected.is_empty() {
        seen.view.settled(key);
    } else {
        seen.view
            .expect(key, &expected.into_iter().collect::<Vec<_>>());
    }
}

fn kind(resource: Resource) -> Option<Kind> {
    match resource {
        Resource::Server => Some(Kind::Servers),
        Resource::Volume => Some(Kind::Volumes),
        Resource::Port => Some(Kind::Ports),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use cloud::Item;
    use cloud::compute::Server;
    use cloud::network::Port;

    use super::*;

    fn port(id: &str, name: &str, device_id: &str) -> Item {
        Item::Ports(Port {
            id: id.into(),
            name: name.into(),
            device_id: device_id.into(),
            ..Port::default()
        })
    }

    fn server(id: &str, name: &str) -> Item {
        Item::Servers(Server {
            id: id.into(),
            name: name.into(),
            ..Server::default()
        })
    }

    #[test]
    fn objects_of_the_name_in_other_namespaces_say_what_is_theirs() {
        let object = |namespace: &str, name: &str, id: &str| {
            let mut object = OpenStackServer::new(name, Default::default());
            object.metadata.namespace = Some(namespace.into());
            object.status = serde_json::from_value(serde_json::json!({
                "ready": true, "instanceID": id, "resources": {"ports": [{"id": format!("{id}-port")}]},
            }))
            .expect("decodes");
            object
        };
        let ours = object("dev", "demo-bastion", "s1");
        let others = [("prod", "demo-bastion", "s2"), ("prod", "other", "s3")];
        let others = others.map(|(namespace, name, id)| object(namespace, name, id));
        let objects = Cached::fixed(others.into_iter().chain([ours.clone()]));
        assert_eq!(
            of_namesakes(&objects, &Want::from(&ours)),
            ["s2-port", "s2"]
        );
    }

    /// To look through all objects at every reconcile would take too long.
    #[test]
    fn namesakes_matter_where_a_port_of_the_name_is_not_recorded() {
        let mut object = OpenStackServer::new("m", Default::default());
        object.spec.ports = vec![Default::default()];
        let mut tables = Tables::default();
        for row in [port("p1", "m-0", "s1"), port("p2", "m-storage", "s1")] {
            tables.apply_write(row);
        }
        let asks = |object: &OpenStackServer| {
            let want = Want::from(object);
            has_unrecorded_port(&own(&tables, &want), &want)
        };
        assert!(asks(&object));
        let recorded = serde_json::json!({"ready": true, "resources": {"ports": [{"id": "p1"}]}});
        object.status = serde_json::from_value(recorded).expect("decodes");
        assert!(!asks(&object));
    }

    /// Of a project with a thousand servers, a plan is shown the few that concern it.
    #[test]
    fn only_what_may_be_ours_is_shown() {
        let mut tables = Tables::default();
        let rows = [
            port("p1", "m-0", "s1"),
            port("p2", "renamed", ""),
            port("p3", "m2-0", ""),
            port("p4", "m-1", "s3"),
            port("p5", "storage", "s4"),
            server("s1", "m"),
            server("s2", "m2"),
            server("s3", "other"),
            server("s4", "m"),
            server("s5", "recorded"),
        ];
        for row in rows {
            tables.apply_write(row);
        }
        let mut object = OpenStackServer::new("m", Default::default());
        object.status = serde_json::from_value(serde_json::json!({
            "ready": true,
            "instanceID": "s5",
            "resources": {"ports": [{"id": "p2"}, {"id": "gone"}]},
        }))
        .expect("decodes");
        let seen = own(&tables, &Want::from(&object));
        let ports: Vec<_> = seen.ports.iter().map(|port| port.id.as_str()).collect();
        assert_eq!(ports, ["p1", "p2", "p4", "p5"], "and what its servers hold");
        let servers: Vec<_> = seen
            .servers
            .iter()
            .map(|server| server.id.as_str())
            .collect();
        assert_eq!(servers, ["s1", "s3", "s4", "s5"]);
    }
}
