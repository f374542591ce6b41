//! What there is of a cluster, from the shared view of its project.

use std::sync::Arc;
use std::time::Duration;

use cloud::{Kind, Service, Tables, View};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::{OpenStackCluster, OpenStackClusterStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;
use plan::cluster::{Action, Gone, Octavia, Owner, Seen};
use plan::names::Role;
use plan::step::{Resource, Step};
use plan::world::AvailabilityZone;
use runtime::Key;
use tokio::time::Instant;

use super::execute::Feature;
use super::{Controller, locked};
use crate::wake::Waiter;
use crate::{Error, world};

const NETWORKING: [Kind; 6] = [
    Kind::Networks,
    Kind::Subnets,
    Kind::Routers,
    Kind::Ports,
    Kind::SecurityGroups,
    Kind::FloatingIps,
];
const BALANCING: [Kind; 4] = [
    Kind::LoadBalancers,
    Kind::Listeners,
    Kind::Pools,
    Kind::Monitors,
];

/// The longest look-up of a name.
const LOOKUP: Duration = Duration::from_secs(5);

/// What a plan needs, and the snapshot it came from.
pub(super) struct Observed {
    pub seen: Seen,
    /// What `seen` was read from.
    pub tables: Arc<Tables>,
}

impl Controller {
    /// Costs no call while the tables are fresh.
    pub(super) async fn observe(
        &self,
        object: &OpenStackCluster,
        owner: &Owner,
        gone: &Gone,
        view: &View,
    ) -> Result<Observed, Error> {
        let status = object.status.clone().unwrap_or_default();
        let deleting = object.metadata.deletion_timestamp.is_some();
        if deleting {
            let machines = self.machines(owner);
            if machines > 0 {
                // Nothing else matters yet, and each machine that goes brings us here.
                return Ok(Observed {
                    seen: Seen {
                        machines,
                        status,
                        ..Seen::default()
                    },
                    tables: Arc::default(),
                });
            }
        }
        // Nothing is left of what the cloud does not have; but while it is wanted, its lack is told.
        let balancing =
            gone.load_balancer && (!deleting || view.cloud().has(Service::LoadBalancer).await?);
        let kinds = if balancing {
            [&NETWORKING[..], &BALANCING[..]].concat()
        } else {
            NETWORKING.to_vec()
        };
        let (key, now) = (Key::of(object), Instant::now());
        let problems = self.problems.since(&key, object.metadata.generation);
        let arrived = since_when(object).map(|time| self.moments.of(&key, Some(time)));
        let since = arrived.max(problems);
        let mut tables = view.snapshot_since(&kinds, since).await?;
        let bastion = self.bastion(owner, deleting).await?;
        if deleting {
            let balancers = tables
                .load_balancers
                .named(&gone.identity.names.load_balancer());
            let left = balancers.map(|balancer| balancer.id.clone());
            let left = left.chain(bastion.iter().map(ResourceExt::name_any));
            let since = self.stages.since(&key, left.collect(), now);
            tables = view.snapshot_since(&[Kind::Ports], Some(since)).await?;
        }
        let mut seen = rows(&tables, view.cloud().project_id(), gone, bastion.as_ref());
        seen.status = status;
        seen.bastion = bastion;
        seen.namesakes = self.namesakes(object, owner);
        seen.cluster_endpoint = self.cluster_endpoint(owner);
        let mut ips = std::mem::take(&mut seen.floating_ips);
        ips.retain(|ip| seen.holder(&ip.address).is_none());
        seen.floating_ips = ips;
        if deleting {
            return Ok(Observed { seen, tables });
        }
        self.capabilities(object, view, gone, &mut seen).await?;
        Ok(Observed { seen, tables })
    }

    /// What the cloud can do, and what is known of the endpoint.
    async fn capabilities(
        &self,
        object: &OpenStackCluster,
        view: &View,
        gone: &Gone,
        seen: &mut Seen,
    ) -> Result<(), Error> {
        if !object.spec.tags.is_empty() {
            seen.tagging = view.has_extension(cloud::network::TAGS).await?;
        }
        if wants_zones(object, &seen.status) {
            let zones = view.availability_zones().await?;
            let zone = |zone: &cloud::compute::AvailabilityZone| AvailabilityZone {
                name: zone.name.clone(),
                available: zone.state.available,
            };
            seen.availability_zones = zones.iter().map(zone).collect();
        }
        if gone.load_balancer {
            let name = gone.identity.names.load_balancer();
            seen.octavia = self.octavia(object, view, seen, &name).await?;
        }
        let balancer = seen.status.api_server_managed_load_balancer.as_ref();
        let published = balancer.map(|balancer| balancer.ip.clone());
        let published = published.filter(|address| !address.is_empty());
        seen.endpoint_address = match &published {
            // Its addresses are known, so that no name has to be looked up.
            Some(_) => None,
            None if gone.load_balancer => endpoint_address(object).await,
            None => None,
        };
        let endpoint = published.as_ref().or(seen.endpoint_address.as_ref());
        let management = &self.context.management;
        seen.management = management.seen(endpoint.map(String::as_str));
        Ok(())
    }

    async fn octavia(
        &self,
        object: &OpenStackCluster,
        view: &View,
        seen: &Seen,
        balancer: &str,
    ) -> Result<Octavia, Error> {
        let api = object.spec.api_server.as_ref();
        let wanted = api.and_then(|api| api.managed_load_balancer.as_ref());
        let mut octavia = Octavia {
            version: view.load_balancer_version().await?,
            ..Octavia::default()
        };
        // The rest matters only to a load balancer that is made.
        let missing = seen.load_balancers.is_empty();
        if missing {
            let providers = view.load_balancer_providers().await?;
            octavia.providers = providers
                .iter()
                .map(|provider| provider.name.clone())
                .collect();
        }
        if missing && wanted.is_some_and(|wanted| wanted.flavor.is_some()) {
            let flavors = view.load_balancer_flavors().await?;
            let enabled = flavors.iter().filter(|flavor| flavor.enabled);
            octavia.flavors = enabled
                .map(|flavor| (flavor.id.clone(), flavor.name.clone()))
                .collect();
        }
        let refused = locked(&self.refused);
        let mut balancers = seen.load_balancers.iter();
        octavia.refuses_monitor =
            balancers.any(|have| refused.contains(&Feature::monitor(&have.id)));
        octavia.refuses_additional_vips = refused.contains(&Feature::additional_vips(balancer));
        Ok(octavia)
    }
}

/// What lists have to be newer than, as others may have made something until then: when the cluster
/// came to this management cluster, or when its end began.
fn since_when(object: &OpenStackCluster) -> Option<&Time> {
    let meta = &object.metadata;
    let network = object
        .status
        .as_ref()
        .and_then(|status| status.network.as_ref());
    match &meta.deletion_timestamp {
        None if network.is_some() => None,
        None => meta.creation_timestamp.as_ref(),
        ends => ends.as_ref(),
    }
}

/// The rows that can matter. Networks and subnets may be anybody's, as users name them by filter.
fn rows(tables: &Tables, project_id: &str, gone: &Gone, bastion: Option<&OpenStackServer>) -> Seen {
    let names = &gone.identity.names;
    let own = |owner: &str| owner.is_empty() || owner == project_id;
    let balancer = names.load_balancer();
    let groups = Role::ALL.map(|role| names.security_group(role));
    Seen {
        project_id: project_id.to_owned(),
        networks: tables.networks.iter().map(world::network).collect(),
        subnets: tables.subnets.iter().filter_map(world::subnet).collect(),
        routers: tables.routers.iter().map(world::router).collect(),
        ports: ports(tables, gone, bastion),
        security_groups: groups
            .iter()
            .flat_map(|name| tables.security_groups.named(name))
            .map(world::security_group)
            .collect(),
        floating_ips: tables
            .floating_ips
            .iter()
            .filter(|ip| own(&ip.project_id))
            .map(world::floating_ip)
            .collect(),
        load_balancers: tables
            .load_balancers
            .named(&balancer)
            .filter(|row| own(&row.project_id))
            .map(world::load_balancer)
            .collect(),
        listeners: tables
            .listeners
            .with_prefix(&balancer)
            .map(world::listener)
            .collect(),
        pools: tables
            .pools
            .with_prefix(&balancer)
            .map(world::pool)
            .collect(),
        monitors: tables.monitors.iter().map(world::monitor).collect(),
        ..Seen::default()
    }
}

/// Ports of routers, of the managed network and of the bastion, and those that use a group that is to
/// be deleted: those of other clusters can be thousands.
fn ports(
    tables: &Tables,
    gone: &Gone,
    bastion: Option<&OpenStackServer>,
) -> Vec<plan::world::Port> {
    let names = &gone.identity.names;
    let networks: Vec<&str> = tables
        .networks
        .named(&names.network())
        .map(|network| network.id.as_str())
        .collect();
    let groups: Vec<&str> = gone
        .groups
        .iter()
        .flat_map(|role| tables.security_groups.named(&names.security_group(*role)))
        .map(|group| group.id.as_str())
        .collect();
    let server = bastion.and_then(|object| object.status.as_ref());
    let of_server = |port: &cloud::network::Port| {
        let mut known = server
            .iter()
            .flat_map(|status| &status.resources)
            .flat_map(|made| &made.ports);
        known.any(|known| known.id == port.id)
            || server.is_some_and(|status| status.instance_id.as_ref() == Some(&port.device_id))
    };
    let grouped = |port: &cloud::network::Port| {
        let mut used = port.security_groups.iter();
        used.any(|group| groups.contains(&group.as_str()))
    };
    let matters = |port: &&cloud::network::Port| {
        port.device_owner.starts_with("network:")
            || networks.contains(&port.network_id.as_str())
            || of_server(port)
            || grouped(port)
    };
    tables
        .ports
        .iter()
        .filter(matters)
        .map(world::port)
        .collect()
}

/// Whether a zone is to be found: the first time, and when the user names one that is not known.
fn wants_zones(object: &OpenStackCluster, status: &OpenStackClusterStatus) -> bool {
    let known = |zone: &String| {
        let mut domains = status.failure_domains.iter();
        domains.any(|domain| domain.name == *zone)
    };
    status.failure_domains.is_empty()
        || !(object.spec.control_plane_availability_zones.iter()).all(known)
}

/// The address of an endpoint that the user gave: an address already, or a name to look up. A name
/// that is not known yet is no error: it may be made to point to the address that we find.
async fn endpoint_address(object: &OpenStackCluster) -> Option<String> {
    let host = object.spec.control_plane_endpoint.as_ref()?.host.clone()?;
    if host.parse::<std::net::IpAddr>().is_ok() {
        return Some(host);
    }
    let found = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((host.as_str(), 0)))
        .await
        .ok()?;
    found.ok()?.next().map(|address| address.ip().to_string())
}

/// Says to the view what the cluster waits for, and which of its resources must not vanish unseen.
pub(super) fn follow(
    view: &View,
    key: &Key,
    gone: &Gone,
    observed: &Observed,
    step: &Step<Action>,
) {
    let key = Waiter::Cluster.key(key);
    let names = &gone.identity.names;
    // What was made twice shows up late.
    let description = names.description();
    let mut ids = vec![names.network(), names.load_balancer(), description.clone()];
    ids.extend(Role::ALL.map(|role| names.security_group(role)));
    ids.extend(
        observed
            .seen
            .floating_ips
            .iter()
            .filter(|ip| ip.description == description)
            .map(|ip| ip.id.clone()),
    );
    if let Step::Wait(waiting) = step {
        ids.extend(waiting.on.iter().map(|awaited| awaited.id.clone()));
    }
    view.follow(&key, ids, &observed.tables);
    match step {
        Step::Wait(waiting)
            if waiting
                .on
                .iter()
                .any(|awaited| awaited.resource == Resource::LoadBalancer) =>
        {
            view.expect(&key, &[Kind::LoadBalancers]);
        }
        _ => view.settled(&key),
    }
}

#[cfg(test)]
mod tests {
    use cloud::{Item, network};
    use crds::openstack::v1beta2::OpenStackClusterSpec;

    use super::*;

    #[test]
    fn only_rows_that_can_matter_are_looked_at() {
        let object = OpenStackCluster::new("demo", OpenStackClusterSpec::default());
        let gone = Gone::of(
            &object,
            &Owner {
                namespace: "team".into(),
                name: "demo".into(),
            },
        );
        let port = |id: &str, network: &str, owner: &str| {
            Item::Ports(network::Port {
                id: id.into(),
                network_id: network.into(),
                device_owner: owner.into(),
                ..network::Port::default()
            })
        };
        let ip = |id: &str, project: &str| {
            Item::FloatingIps(network::FloatingIp {
                id: id.into(),
                project_id: project.into(),
                ..network::FloatingIp::default()
            })
        };
        let managed = network::Network {
            id: "managed".into(),
            name: "k8s-clusterapi-cluster-team-demo".into(),
            ..network::Network::default()
        };
        let mut tables = Tables::default();
        for item in [
            Item::Networks(managed),
            port("router", "other", "network:router_interface"),
            port("ours", "managed", "compute:az1"),
            port("foreign", "other", "compute:az1"),
            ip("mine", "project"),
            ip("theirs", "elsewhere"),
        ] {
            tables.apply_write(item);
        }
        let seen = rows(&tables, "project", &gone, None);
        let mut ports: Vec<&str> = seen.ports.iter().map(|port| port.id.as_str()).collect();
        ports.sort_unstable();
        assert_eq!(ports, ["ours", "router"]);
        assert_eq!(
            seen.floating_ips
                .iter()
                .map(|ip| ip.id.as_str())
                .collect::<Vec<_>>(),
            ["mine"]
        );
    }

    #[tokio::test]
    async fn an_endpoint_that_is_an_address_is_not_looked_up() {
        let mut object = OpenStackCluster::new("demo", OpenStackClusterSpec::default());
        assert_eq!(endpoint_address(&object).await, None);
        let host = Some("192.0.2.1".to_owned());
        let endpoint = crds::openstack::v1beta2::APIEndpoint {
            host: host.clone(),
            port: Some(6443),
        };
        object.spec.control_plane_endpoint = Some(endpoint);
        assert_eq!(endpoint_address(&object).await, host);
    }
}
