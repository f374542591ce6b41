//! What the cloud holds of a server, read from the shared view of its project.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cloud::view::Tables;
use cloud::{Kind, View};
use plan::server::{Action, Catalog, Seen, Want};
use plan::step::{Resource, Step};
use runtime::Requeue;
use runtime::backoff::jittered;

use super::rows;
use crate::{Context, Error, world};

/// A reference that finds nothing is looked up again after this: somebody may upload the image.
const AFTER_PROBLEM: Duration = Duration::from_secs(120);
/// Nothing of what is awaited happened for this long: look anyway.
const AT_LAST: Duration = Duration::from_secs(300);

/// What was observed.
pub struct Observed {
    pub view: View,
    pub plan: Seen,
    tables: Arc<Tables>,
}

/// Looks at what may belong to the server. Costs no call of its own while the view is fresh.
pub async fn observe(context: &Context, want: &Want) -> Result<Observed, Error> {
    let view = context
        .view(&want.namespace, &want.spec.identity_ref)
        .await?;
    let mut kinds = vec![Kind::Servers, Kind::Ports];
    if want.needs_volumes() {
        kinds.push(Kind::Volumes);
    }
    if want.needs_catalog() {
        kinds.extend([Kind::Networks, Kind::Subnets, Kind::SecurityGroups]);
    }
    let tables = view.snapshot(&kinds).await?;
    let catalog = if want.needs_catalog() {
        catalog(&view, &tables, want).await?
    } else {
        Catalog::default()
    };
    let plan = Seen {
        catalog,
        ..own(&tables, want)
    };
    Ok(Observed { view, plan, tables })
}

/// The servers, ports and volumes that may be the server's.
fn own(tables: &Tables, want: &Want) -> Seen {
    let prefix = format!("{}-", want.name);
    let named = tables
        .ports
        .with_prefix(&prefix)
        .map(|port| port.id.as_str());
    let ids: BTreeSet<&str> = named.chain(want.recorded_ports()).collect();
    let ports: Vec<_> = ids
        .into_iter()
        .filter_map(|id| tables.ports.get(id))
        .collect();
    let named = tables
        .servers
        .named(&want.name)
        .map(|server| server.id.as_str());
    let holders = ports.iter().map(|port| port.device_id.as_str());
    let ids: BTreeSet<&str> = named
        .chain(holders)
        .chain(want.status.instance_id.as_deref())
        .collect();
    let servers = ids.into_iter().filter_map(|id| tables.servers.get(id));
    Seen {
        servers: servers.map(rows::server).collect(),
        ports: ports.into_iter().map(world::port).collect(),
        volumes: tables
            .volumes
            .with_prefix(&prefix)
            .map(rows::volume)
            .collect(),
        catalog: Catalog::default(),
    }
}

/// What the references of the spec are looked up in. Only a reference that finds nothing costs a
/// list of all flavors or images, for the hint at what would be right.
async fn catalog(view: &View, tables: &Tables, want: &Want) -> Result<Catalog, Error> {
    Ok(Catalog {
        images: images(view, want).await?,
        flavors: flavors(view, want).await?,
        server_groups: server_groups(view, want).await?,
        networks: tables.networks.iter().map(world::network).collect(),
        subnets: tables.subnets.iter().filter_map(world::subnet).collect(),
        security_groups: tables
            .security_groups
            .iter()
            .map(world::security_group)
            .collect(),
    })
}

async fn images(view: &View, want: &Want) -> Result<Vec<plan::world::Image>, Error> {
    let image = &want.spec.image;
    if let Some(id) = &image.id {
        return Ok(view.image(id).await?.iter().map(rows::image).collect());
    }
    let Some(filter) = &image.filter else {
        return Ok(Vec::new());
    };
    let mut found = view.images(filter.name.as_deref(), &filter.tags).await?;
    if found.is_empty() {
        found = view.images(None, &[]).await?;
    }
    Ok(found.iter().map(rows::image).collect())
}

async fn flavors(view: &View, want: &Want) -> Result<Vec<plan::world::Flavor>, Error> {
    let Some(wanted) = want.spec.flavor_id.as_ref().or(want.spec.flavor.as_ref()) else {
        return Ok(Vec::new());
    };
    if let Some(found) = view.flavor(wanted).await? {
        return Ok(vec![rows::flavor(&found)]);
    }
    Ok(view
        .cloud()
        .compute()
        .flavors()
        .await?
        .iter()
        .map(rows::flavor)
        .collect())
}

async fn server_groups(view: &View, want: &Want) -> Result<Vec<plan::world::ServerGroup>, Error> {
    let Some(group) = &want.spec.server_group else {
        return Ok(Vec::new());
    };
    let name = group
        .filter
        .as_ref()
        .and_then(|filter| filter.name.as_deref());
    let found = match name {
        Some(name) => view.server_group(name).await?,
        None => None,
    };
    if let Some(found) = found {
        return Ok(vec![rows::server_group(&found)]);
    }
    Ok(view
        .cloud()
        .compute()
        .server_groups()
        .await?
        .iter()
        .map(rows::server_group)
        .collect())
}

/// Tells the view what the object waits for, and the controller when to come back.
pub fn requeue(seen: &Observed, key: &str, want: &Want, step: &Step<Action>) -> Requeue {
    let mut follows: BTreeSet<String> = seen
        .plan
        .servers
        .iter()
        .map(|server| server.id.clone())
        .collect();
    follows.extend(want.status.instance_id.clone());
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
    match step {
        Step::Do(_) => Requeue::After(Duration::ZERO),
        Step::Wait(_) => Requeue::After(jittered(AT_LAST)),
        Step::Blocked(_) if want.needs_catalog() => Requeue::After(jittered(AFTER_PROBLEM)),
        Step::Done | Step::Blocked(_) => Requeue::OnChange,
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
