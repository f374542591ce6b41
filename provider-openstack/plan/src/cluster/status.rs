//! The status of a cluster, put together while its parts are planned.

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1beta2 as api;
use jiff::Timestamp;

use super::access::{self, Access, By};
use super::action::Action;
use super::bastion::Progress;
use super::endpoint::Endpoint;
use super::part::Part;
use super::resolve::{Net, Resolved};
use super::security_groups::MachineGroups;
use super::seen::Seen;
use super::want::{Identity, Want, Zones};
use super::{Decision, Published};
use crate::conditions::{self, New};
use crate::step::{Problem, Step, Waiting};
use crate::world::{Network, Router, SecurityGroup, Subnet};

/// A decision in the making.
pub(super) struct Draft<'w> {
    identity: &'w Identity,
    now: Timestamp,
    pub published: Published,
    pub actions: Vec<Action>,
    waiting: Option<Waiting>,
    problem: Option<Problem>,
    /// How far the bastion is, which comes last.
    bastion: Progress,
}

impl<'w> Draft<'w> {
    /// Starts from what was published before, so that nothing known is ever forgotten.
    pub fn new(identity: &'w Identity, seen: &Seen, now: Timestamp) -> Self {
        let published = Published {
            status: seen.status.clone(),
            endpoint: None,
            warnings: Vec::new(),
        };
        Self {
            identity,
            now,
            published,
            actions: Vec::new(),
            waiting: None,
            problem: None,
            bastion: Progress::default(),
        }
    }

    /// Takes over a part: its actions, its condition, and its value for other parts.
    /// `failed` is the reason of the condition when the part has a problem.
    pub fn take<T>(
        &mut self,
        condition: ConditionType,
        failed: Reason,
        part: Result<Part<T>, Problem>,
    ) -> Option<T> {
        match part {
            Ok(part) => {
                let condition_now = if part.is_settled() {
                    New::ready(condition.as_str())
                } else {
                    let message = part.message("waits for other parts of the cluster");
                    New::not(condition.as_str(), Reason::Progressing.as_str(), message)
                };
                self.set(condition_now);
                self.actions.extend(part.actions);
                self.waiting = self.waiting.take().or(part.waiting);
                part.value
            }
            Err(problem) => {
                self.fail(condition, failed, problem);
                None
            }
        }
    }

    pub fn fail(&mut self, condition: ConditionType, reason: Reason, problem: Problem) {
        self.set(New::not(
            condition.as_str(),
            reason.as_str(),
            problem.to_string(),
        ));
        self.problem.get_or_insert(problem);
    }

    pub fn is_settled(&self) -> bool {
        self.actions.is_empty() && self.waiting.is_none() && self.problem.is_none()
    }

    /// What is to be done next, and `Ready` according to it.
    pub fn finish(mut self) -> Decision {
        let (problem, waiting) = (self.problem.take(), self.waiting.take());
        let ready = ConditionType::Ready.as_str();
        let condition = match (&problem, self.actions.as_slice(), &waiting) {
            (Some(problem), _, _) => {
                New::not(ready, Reason::OpenStackError.as_str(), problem.to_string())
            }
            (None, [first, ..], _) => {
                New::not(ready, Reason::Progressing.as_str(), first.to_string())
            }
            (None, [], Some(waiting)) => {
                New::not(ready, Reason::Progressing.as_str(), waiting.message.clone())
            }
            (None, [], None) => New::ready(ready),
        };
        self.set(condition);
        let waiting = waiting.or(self.bastion.waiting);
        let otherwise = || match (problem, waiting) {
            (Some(problem), _) => Step::Blocked(problem),
            (None, Some(waiting)) => Step::Wait(waiting),
            (None, None) => Step::Done,
        };
        let bastion = self.bastion.actions.into_iter();
        self.actions
            .extend(bastion.map(|action| Action::ForBastion(Box::new(action))));
        Decision {
            step: Step::of(self.actions, otherwise),
            status: self.published,
        }
    }

    fn set(&mut self, condition: New<'_>) {
        let conditions = &mut self.published.status.conditions;
        conditions::set(conditions, condition, self.identity.generation, self.now);
    }

    fn status(&mut self) -> &mut api::OpenStackClusterStatus {
        &mut self.published.status
    }

    pub fn external(&mut self, external: Option<&Network>) {
        self.status().external_network = external.map(|network| api::NetworkStatus {
            name: network.name.clone(),
            id: network.id.clone(),
            tags: network.tags.clone(),
        });
    }

    pub fn network(&mut self, net: &Net<'_>) {
        self.status().network = Some(with_subnets(net));
    }

    pub fn router(&mut self, router: Option<&Router>) {
        self.status().router = router.map(|router| api::Router {
            name: router.name.clone(),
            id: router.id.clone(),
            tags: router.tags.clone(),
            ips: router
                .gateway_ips
                .iter()
                .map(|ip| ip.ip_address.clone())
                .collect(),
        });
    }

    pub fn groups(&mut self, groups: &MachineGroups<'_>) {
        let status = |group: &SecurityGroup| {
            Some(api::SecurityGroupStatus {
                name: group.name.clone(),
                id: group.id.clone(),
            })
        };
        self.status().control_plane_security_group = status(groups.control_plane);
        self.status().worker_security_group = status(groups.worker);
        self.status().bastion_security_group = groups.bastion.and_then(status);
    }

    /// Takes over how far the bastion is. What keeps it from getting on is told by `Ready`, as in
    /// CAPO; what it waits for is not.
    pub fn bastion(&mut self, bastion: Result<Progress, Problem>) {
        match bastion {
            Ok(progress) => {
                self.status().bastion.clone_from(&progress.status);
                self.bastion = progress;
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    /// Whether `allowedCIDRs` are in force; nothing is said of a load balancer that is open to everybody.
    pub fn access(&mut self, want: &Want, access: Option<&Access>) {
        let type_ = ConditionType::APIAccessRestricted.as_str();
        if !access::is_restricted(want) {
            let conditions = &mut self.status().conditions;
            conditions.retain(|condition| condition.type_ != type_);
            return;
        }
        // Nothing has changed for those who connect.
        let Some(access) = access else { return };
        let reason = Reason::AllowedCIDRsNotInForce.as_str();
        self.set(match (&access.refused, &access.by) {
            (Some(refused), _) => New::not(type_, reason, refused.to_string()),
            (None, By::Nothing(why)) => New::not(type_, reason, why),
            (None, By::Listeners | By::SecurityGroup) => New::ready(type_),
        });
    }

    pub fn endpoint(
        &mut self,
        resolved: &Resolved<'_>,
        net: Option<&Net<'_>>,
        endpoint: &Endpoint<'_>,
        access: Option<&Access>,
    ) {
        let Some(balancer) = endpoint.balancer else {
            return;
        };
        let allowed_cidrs = match access {
            Some(Access {
                by: By::Nothing(_), ..
            })
            | None => Vec::new(),
            Some(access) => access.cidrs.clone(),
        };
        self.status().api_server_managed_load_balancer = Some(api::LoadBalancer {
            name: balancer.name.clone(),
            id: balancer.id.clone(),
            ip: endpoint.host.clone(),
            internal_ip: balancer.vip_address.clone(),
            allowed_cidrs,
            tags: balancer.tags.clone(),
            load_balancer_network: resolved
                .load_balancer_network
                .as_ref()
                .or(net)
                .map(with_subnets),
        });
    }

    /// Everything was there once: Cluster API may go on. The zones stay as they are first found, so
    /// that one that comes and goes does not move machines; but for those that the user names.
    pub fn provisioned(&mut self, want: &Want, seen: &Seen, endpoint: &Endpoint<'_>) {
        let known = &self.published.status.failure_domains;
        self.published.status.failure_domains = failure_domains(&want.zones, known, seen);
        self.status().initialization = Some(api::ClusterInitialization {
            provisioned: Some(true),
        });
        if want.api.host.is_none() {
            self.published.endpoint = Some((endpoint.host.clone(), endpoint.port));
        }
    }
}

fn with_subnets(net: &Net<'_>) -> api::NetworkStatusWithSubnets {
    let subnet = |subnet: &&Subnet| api::Subnet {
        // A subnet may be without a name, but not in the API.
        name: if subnet.name.is_empty() {
            subnet.id.clone()
        } else {
            subnet.name.clone()
        },
        id: subnet.id.clone(),
        cidr: subnet.cidr.to_string(),
        tags: subnet.tags.clone(),
    };
    api::NetworkStatusWithSubnets {
        name: net.network.name.clone(),
        id: net.network.id.clone(),
        tags: net.network.tags.clone(),
        subnets: net.subnets.iter().map(subnet).collect(),
    }
}

fn failure_domains(
    zones: &Zones,
    known: &[api::FailureDomain],
    seen: &Seen,
) -> Vec<api::FailureDomain> {
    let is_named = |zone: &String| matches!(zones, Zones::Only(named) if named.contains(zone));
    let is_new = |zone: &&String| !known.iter().any(|domain| domain.name == **zone);
    let available = seen.availability_zones.iter().filter(|zone| zone.available);
    let new = available
        .map(|zone| &zone.name)
        .filter(is_new)
        .filter(|zone| known.is_empty() || is_named(zone))
        .map(|zone| api::FailureDomain {
            name: zone.clone(),
            ..api::FailureDomain::default()
        });
    let mut domains: Vec<_> = known.iter().cloned().chain(new).collect();
    for domain in &mut domains {
        domain.control_plane = Some(match zones {
            Zones::All => true,
            Zones::None => false,
            Zones::Only(named) => named.contains(&domain.name),
        });
    }
    domains.sort_by(|a, b| a.name.cmp(&b.name));
    domains
}
