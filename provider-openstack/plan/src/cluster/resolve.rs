//! The resources that the user brings, looked up in the cloud. Nothing is created before all of
//! them are found, so that a wrong name leaves nothing half-made behind.

use crds::openstack::v1beta2::{NetworkFilter, RouterFilter, SubnetFilter};
use serde::Serialize;

use super::seen::Seen;
use super::want::{self, Brought, By, External, Named, Want};
use crate::conditions::listed;
use crate::step::Problem;
use crate::world::{Network, Router, Subnet};
use crate::{filter, near};

/// Everything that was named, found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resolved<'a> {
    pub external: Option<&'a Network>,
    /// The network and subnets that were brought; `None` when they are managed.
    pub network: Option<Net<'a>>,
    pub router: Option<&'a Router>,
    /// Where the load balancer's address comes from, when not from the cluster's network.
    pub load_balancer_network: Option<Net<'a>>,
}

/// A network and the subnets of it that count.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Net<'a> {
    pub network: &'a Network,
    pub subnets: Vec<&'a Subnet>,
}

/// A problem, and which part of the cluster it concerns.
pub(super) enum Unresolved {
    Network(Problem),
    Router(Problem),
}

pub(super) fn resolve<'a>(want: &Want, seen: &'a Seen) -> Result<Resolved<'a>, Unresolved> {
    let look = Lookup {
        object: &want.identity.object,
        seen,
    };
    let external = look.external(&want.external).map_err(Unresolved::Network)?;
    let (network, router) = match &want.network {
        want::Network::Managed(managed) => match &managed.router {
            want::Router::Brought(named) => (None, Some(named)),
            want::Router::Managed(_) => (None, None),
        },
        want::Network::Brought(brought) => (
            Some(look.brought(brought).map_err(Unresolved::Network)?),
            brought.router.as_ref(),
        ),
    };
    let router = router
        .map(|named| look.router(named))
        .transpose()
        .map_err(Unresolved::Router)?;
    let load_balancer_network = match &want.api.load_balancer {
        Some(balancer) => look
            .load_balancer_network(balancer)
            .map_err(Unresolved::Network)?,
        None => None,
    };
    Ok(Resolved {
        external,
        network,
        router,
        load_balancer_network,
    })
}

/// The subnet that a user named among those of a network.
pub(super) fn subnet_in<'a>(
    object: &str,
    named: &Named<SubnetFilter>,
    network: &Network,
    subnets: impl IntoIterator<Item = &'a Subnet>,
) -> Result<&'a Subnet, Problem> {
    let subnets = subnets
        .into_iter()
        .filter(|subnet| subnet.network_id == network.id);
    let choice = Choice {
        object,
        kind: "subnet",
        place: format!(" in network {}", network.name),
    };
    choice.one(
        named,
        subnets,
        |subnet| &subnet.id,
        |subnet| &subnet.name,
        filter::subnet,
    )
}

struct Lookup<'a, 'o> {
    object: &'o str,
    seen: &'a Seen,
}

impl<'a> Lookup<'a, '_> {
    fn external(&self, external: &External) -> Result<Option<&'a Network>, Problem> {
        let candidates: Vec<&Network> = self
            .seen
            .networks
            .iter()
            .filter(|network| network.external)
            .collect();
        match external {
            External::Disabled => Ok(None),
            External::Named(named) => self
                .network(named, "external network", candidates)
                .map(Some),
            External::TheOnlyOne => match candidates.as_slice() {
                [] => Ok(None),
                [one] => Ok(Some(one)),
                several => Err(Problem {
                    reason: "SeveralExternalNetworks".into(),
                    object: self.object.into(),
                    field: "spec.externalNetwork".into(),
                    value: String::new(),
                    way_out: format!(
                        "is not set, and this cloud has several external networks ({}): name the one to use",
                        several
                            .iter()
                            .map(|n| format!("{} {}", n.name, n.id))
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                }),
            },
        }
    }

    fn brought(&self, brought: &Brought) -> Result<Net<'a>, Problem> {
        let network = match (&brought.network, brought.subnets.first()) {
            (Some(named), _) => Some(self.network(named, "network", &self.seen.networks)?),
            (None, Some(first)) => {
                let subnet = self.any_subnet(first)?;
                self.seen
                    .networks
                    .iter()
                    .find(|network| network.id == subnet.network_id)
            }
            (None, None) => None,
        };
        let Some(network) = network else {
            return Err(Problem {
                reason: "NetworkNotFound".into(),
                object: self.object.into(),
                field: "spec.network".into(),
                value: String::new(),
                way_out: "is needed, unless spec.managedSubnets asks for a managed network".into(),
            });
        };
        self.subnets_of(network, &brought.subnets, "spec.subnets")
    }

    /// The named subnets of a network, or all when none is named.
    fn subnets_of(
        &self,
        network: &'a Network,
        named: &[Named<SubnetFilter>],
        field: &str,
    ) -> Result<Net<'a>, Problem> {
        let all = self
            .seen
            .subnets
            .iter()
            .filter(|subnet| subnet.network_id == network.id);
        let subnets: Vec<&Subnet> = if named.is_empty() {
            all.collect()
        } else {
            let one = |named| subnet_in(self.object, named, network, &self.seen.subnets);
            named.iter().map(one).collect::<Result<_, _>>()?
        };
        if subnets.is_empty() {
            return Err(Problem {
                reason: "SubnetNotFound".into(),
                object: self.object.into(),
                field: field.into(),
                value: String::new(),
                way_out: format!(
                    "network {} ({}) has no subnet that this project sees",
                    network.name, network.id
                ),
            });
        }
        Ok(Net { network, subnets })
    }

    fn load_balancer_network(
        &self,
        balancer: &want::LoadBalancer,
    ) -> Result<Option<Net<'a>>, Problem> {
        let Some(named) = &balancer.network else {
            return Ok(None);
        };
        let network = self.network(named, "network", &self.seen.networks)?;
        if balancer.subnets.is_empty() {
            // Octavia chooses among the network's subnets.
            return Ok(Some(Net {
                network,
                subnets: Vec::new(),
            }));
        }
        let field = "spec.apiServer.managedLoadBalancer.subnets";
        self.subnets_of(network, &balancer.subnets, field).map(Some)
    }

    fn network(
        &self,
        named: &Named<NetworkFilter>,
        kind: &'static str,
        candidates: impl IntoIterator<Item = &'a Network>,
    ) -> Result<&'a Network, Problem> {
        let choice = Choice {
            object: self.object,
            kind,
            place: String::new(),
        };
        choice.one(
            named,
            candidates,
            |network| &network.id,
            |network| &network.name,
            filter::network,
        )
    }

    fn any_subnet(&self, named: &Named<SubnetFilter>) -> Result<&'a Subnet, Problem> {
        let choice = Choice {
            object: self.object,
            kind: "subnet",
            place: String::new(),
        };
        choice.one(
            named,
            &self.seen.subnets,
            |subnet| &subnet.id,
            |subnet| &subnet.name,
            filter::subnet,
        )
    }

    fn router(&self, named: &Named<RouterFilter>) -> Result<&'a Router, Problem> {
        let choice = Choice {
            object: self.object,
            kind: "router",
            place: String::new(),
        };
        choice.one(
            named,
            &self.seen.routers,
            |router| &router.id,
            |router| &router.name,
            filter::router,
        )
    }
}

/// Choosing exactly one resource.
struct Choice<'o> {
    object: &'o str,
    kind: &'static str,
    /// ` in network x`, or nothing.
    place: String,
}

impl Choice<'_> {
    fn one<'a, T, F: Serialize>(
        &self,
        named: &Named<F>,
        candidates: impl IntoIterator<Item = &'a T>,
        id: fn(&T) -> &String,
        name: fn(&T) -> &String,
        matches: fn(&F, &T) -> bool,
    ) -> Result<&'a T, Problem> {
        let candidates: Vec<&T> = candidates.into_iter().collect();
        let fits = |candidate: &&&T| match &named.by {
            By::Id(wanted) => id(candidate) == wanted,
            By::Filter(filter) => matches(filter, candidate),
        };
        let found: Vec<&T> = candidates.iter().filter(fits).copied().collect();
        match found.as_slice() {
            [one] => Ok(one),
            [] => {
                let wanted = self.wanted_name(named);
                let hint = near::hint(
                    &wanted,
                    self.kind,
                    candidates.iter().map(|candidate| name(candidate).as_str()),
                );
                Err(self.problem(
                    named,
                    "NotFound",
                    format!("there is no such {}{}: {hint}", self.kind, self.place),
                ))
            }
            several => {
                let ids: Vec<&str> = several.iter().map(|one| id(one).as_str()).collect();
                let way_out = format!(
                    "matches {} {}s{} ({}): narrow the filter, or name one by id",
                    ids.len(),
                    self.kind,
                    self.place,
                    listed(&ids)
                );
                Err(self.problem(named, "Ambiguous", way_out))
            }
        }
    }

    /// The name that the user wrote, or the id: what a similar name is looked for with.
    fn wanted_name<F: Serialize>(&self, named: &Named<F>) -> String {
        match &named.by {
            By::Id(id) => id.clone(),
            By::Filter(filter) => serde_json::to_value(filter)
                .ok()
                .and_then(|filter| filter.get("name")?.as_str().map(str::to_string))
                .unwrap_or_default(),
        }
    }

    /// `reason`: `NotFound` or `Ambiguous`, put behind the kind: `ExternalNetworkNotFound`.
    fn problem<F: Serialize>(&self, named: &Named<F>, reason: &str, way_out: String) -> Problem {
        let value = match &named.by {
            By::Id(id) => id.clone(),
            By::Filter(filter) => serde_json::to_string(filter).unwrap_or_default(),
        };
        let kind: String = self.kind.split(' ').map(capitalised).collect();
        Problem {
            reason: format!("{kind}{reason}"),
            object: self.object.into(),
            field: named.field.clone(),
            value,
            way_out,
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
