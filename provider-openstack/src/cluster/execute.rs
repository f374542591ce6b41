//! Doing what a plan says: each action is one call.

use cloud::loadbalancer::LoadBalancing;
use cloud::network::Networking;
use cloud::{ErrorKind, Tables, View};
use crds::openstack::v1alpha1::OpenStackServer;
use crds::openstack::v1beta2::OpenStackCluster;
use kube::{Api, ResourceExt};
use plan::cluster::{Action, Balance};

use super::observe::Observed;
use super::{Controller, locked, wire};
use crate::side_by_side::{self, Refused};
use crate::told::Told;
use crate::{Error, server_object};

/// A project, and what the actions were decided by.
type Project<'a> = (&'a View, &'a Tables);

impl Controller {
    /// Does all actions side by side, also when some fail.
    pub(super) async fn execute(
        &self,
        object: &OpenStackCluster,
        view: &View,
        observed: &Observed,
        actions: &[Action],
    ) -> Result<(), Box<Refused<Action>>> {
        let cloud = (view, observed.tables.as_ref());
        side_by_side::all(actions, |action| self.one(object, cloud, action)).await
    }

    async fn one(
        &self,
        object: &OpenStackCluster,
        cloud: Project<'_>,
        action: &Action,
    ) -> Result<(), Error> {
        let told = Told {
            verb: action.name(),
            action: action.to_string(),
        };
        let done = match action {
            Action::ForBastion(action) => self.call(cloud, object, action).await,
            action => self.call(cloud, object, action).await,
        };
        match done {
            Ok(()) => {
                told.on(&self.context, object, None).await;
                Ok(())
            }
            Err(error) => {
                if let Some(reason) = self.does_without(action, &error) {
                    let note = format!("could not {action}: {error}");
                    self.context.events.warning(object, reason, note).await;
                    return Ok(());
                }
                told.on(&self.context, object, Some(&error)).await;
                Err(error)
            }
        }
    }

    async fn call(
        &self,
        cloud: Project<'_>,
        object: &OpenStackCluster,
        action: &Action,
    ) -> Result<(), Error> {
        let namespace = object.namespace().unwrap_or_default();
        let client = || self.context.client.clone();
        let servers = || Api::<OpenStackServer>::namespaced(client(), &namespace);
        match action {
            Action::CreateServerObject(new) => server_object::create(&servers(), new).await?,
            Action::DeleteServerObject { name } => server_object::delete(&servers(), name).await?,
            Action::LabelServerObject { name, watch_filter } => {
                server_object::label(&servers(), name, watch_filter).await?;
            }
            Action::UpdateServerObject {
                name,
                identity_ref,
                ports,
            } => server_object::update(&servers(), name, identity_ref, ports).await?,
            in_cloud => call(cloud, in_cloud)
                .await
                .map_err(|source| Error::Execute {
                    action: action.to_string(),
                    source,
                })?,
        }
        Ok(())
    }

    /// Some providers of load balancers cannot do all that Octavia can; what they refuse is
    /// remembered. The reason of the event, when it can be done without.
    fn does_without(&self, action: &Action, error: &Error) -> Option<&'static str> {
        error
            .cloud()
            .filter(|source| source.kind == ErrorKind::Unsupported)?;
        let (feature, reason) = match action {
            Action::Balance {
                load_balancer,
                change: Balance::CreateMonitor { .. },
            } => (Feature::monitor(load_balancer), "Skippedcreatemonitor"),
            Action::CreateLoadBalancer(new) if !new.additional_vip_subnets.is_empty() => {
                (Feature::additional_vips(&new.name), "Skippedadditionalvip")
            }
            _ => return None,
        };
        locked(&self.refused).insert(feature);
        Some(reason)
    }
}

/// What the provider of a load balancer may refuse.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Feature {
    /// For the load balancer with this id.
    Monitor(String),
    /// For the load balancer of this name.
    AdditionalVips(String),
}

impl Feature {
    pub fn monitor(load_balancer: &str) -> Self {
        Self::Monitor(load_balancer.to_owned())
    }

    pub fn additional_vips(name: &str) -> Self {
        Self::AdditionalVips(name.to_owned())
    }
}

async fn call((view, seen): Project<'_>, action: &Action) -> cloud::Result<()> {
    let (network, octavia) = (view.cloud().network(), view.cloud().load_balancer());
    match action {
        Action::CreateLoadBalancer(new) => octavia
            .create_load_balancer(&wire::load_balancer(new))
            .await
            .map(drop),
        Action::Balance {
            load_balancer,
            change,
        } => balance(octavia, load_balancer, change).await,
        Action::CreateFloatingIp(new) => network
            .create_floating_ip(&wire::floating_ip(new))
            .await
            .map(drop),
        Action::AssociateFloatingIp { floating_ip, port } => {
            view.associate_floating_ip(floating_ip, Some(port), seen)
                .await
        }
        Action::DisassociateFloatingIp { floating_ip } => {
            view.associate_floating_ip(floating_ip, None, seen).await
        }
        Action::DeleteFloatingIp { floating_ip } => network.delete_floating_ip(floating_ip).await,
        Action::SetTags { resource, id, tags } => match wire::taggable(*resource) {
            Some(kind) => network.set_tags(kind, id, tags).await,
            None => Ok(()),
        },
        of_network => connect(network, of_network).await,
    }
}

/// Networks, routers and security groups.
async fn connect(network: Networking<'_>, action: &Action) -> cloud::Result<()> {
    match action {
        Action::CreateNetwork(new) => network.create_network(&wire::network(new)).await.map(drop),
        Action::CreateSubnet(new) => network.create_subnet(&wire::subnet(new)).await.map(drop),
        Action::UpdateNameservers {
            subnet,
            nameservers,
        } => network
            .set_dns_nameservers(subnet, nameservers)
            .await
            .map(drop),
        Action::CreateRouter(new) => network.create_router(&wire::router(new)).await.map(drop),
        Action::SetGateway {
            router,
            network: external,
            addresses,
        } => network
            .set_gateway(router, &wire::gateway(external, addresses))
            .await
            .map(drop),
        Action::AddRouterInterface { router, subnet } => {
            network.add_router_interface(router, subnet).await
        }
        Action::RemoveRouterInterface { router, subnet } => {
            network.remove_router_interface(router, subnet).await
        }
        Action::CreateSecurityGroup { name, description } => network
            .create_security_group(name, description)
            .await
            .map(drop),
        Action::CreateRules { group, rules } => {
            let rules: Vec<_> = rules
                .iter()
                .map(|wanted| wire::rule(group, wanted))
                .collect();
            network.create_rules(&rules).await.map(drop)
        }
        Action::DeleteRule { rule, .. } => network.delete_rule(rule).await,
        Action::DeletePort { port } => network.delete_port(port).await,
        Action::DeleteRouter { router } => network.delete_router(router).await,
        Action::DeleteNetwork { network: id } => network.delete_network(id).await,
        Action::DeleteSecurityGroup { group } => network.delete_security_group(group).await,
        // Done by the caller.
        Action::CreateLoadBalancer(_)
        | Action::Balance { .. }
        | Action::CreateFloatingIp(_)
        | Action::AssociateFloatingIp { .. }
        | Action::DisassociateFloatingIp { .. }
        | Action::DeleteFloatingIp { .. }
        | Action::SetTags { .. }
        | Action::CreateServerObject(_)
        | Action::DeleteServerObject { .. }
        | Action::LabelServerObject { .. }
        | Action::UpdateServerObject { .. }
        | Action::ForBastion(_) => Ok(()),
    }
}

async fn balance(
    octavia: LoadBalancing<'_>,
    load_balancer: &str,
    change: &Balance,
) -> cloud::Result<()> {
    match change {
        Balance::CreateListener(new) => octavia
            .create_listener(&wire::listener(load_balancer, new))
            .await
            .map(drop),
        Balance::UpdateAllowedCidrs {
            listener,
            allowed_cidrs,
        } => octavia
            .set_allowed_cidrs(listener, allowed_cidrs)
            .await
            .map(drop),
        Balance::CreatePool(new) => octavia.create_pool(&wire::pool(new)).await.map(drop),
        Balance::CreateMonitor { pool, name, probe } => octavia
            .create_monitor(&wire::monitor(pool, name, *probe))
            .await
            .map(drop),
        Balance::UpdateMonitor { monitor, probe } => octavia
            .update_monitor(monitor, &wire::probe(*probe))
            .await
            .map(drop),
        Balance::DeleteMonitor { monitor } => octavia.delete_monitor(monitor).await,
        Balance::Delete => octavia.delete_load_balancer(load_balancer).await,
    }
}
