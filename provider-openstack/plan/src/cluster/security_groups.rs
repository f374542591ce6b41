//! The managed security groups of control plane, workers and bastion.

use ipnet::IpNet;

use super::action::Action;
use super::network::set_tags;
use super::own::{self, Own};
use super::part::Part;
use super::seen::Seen;
use super::want::{Groups, UserRule, Want};
use crate::names::{Role, SECURITY_GROUP_DESCRIPTION};
use crate::rules::{self, WantedRule};
use crate::step::{Problem, Resource};
use crate::world::{Rule, SecurityGroup};

/// What a rule of the user calls the group that it is in.
const ITSELF: &str = "self";

/// The groups of the machines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MachineGroups<'a> {
    pub control_plane: &'a SecurityGroup,
    pub worker: &'a SecurityGroup,
    /// `None` without a bastion. The group of one that was switched off goes with it, not here.
    pub bastion: Option<&'a SecurityGroup>,
}

/// `subnets`: whose hosts may reach node ports. `api_from`: who may reach the API; empty means
/// everybody, and `None` that it stays as it is.
pub(super) fn plan<'a>(
    want: &Want,
    groups: &Groups,
    subnets: &[IpNet],
    api_from: Option<&[IpNet]>,
    seen: &'a Seen,
) -> Result<Part<MachineGroups<'a>>, Problem> {
    let roles = match want.bastion {
        Some(_) => &Role::ALL[..],
        None => &[Role::ControlPlane, Role::Worker],
    };
    let own = |role| Ok((role, own::security_group(&want.identity, role, seen)?));
    let own: Vec<(Role, Own<'_, SecurityGroup>)> =
        (roles.iter().copied().map(own)).collect::<Result<_, Problem>>()?;
    let kept = |wanted| {
        let found = own.iter().find(|(role, _)| *role == wanted);
        found.and_then(|(_, own)| own.kept)
    };
    let (Some(control_plane), Some(worker)) = (kept(Role::ControlPlane), kept(Role::Worker)) else {
        return Ok(Part::lacks(missing(want, &own)));
    };
    let found = MachineGroups {
        control_plane,
        worker,
        bastion: kept(Role::Bastion),
    };
    let mut actions = missing(want, &own);
    if !actions.is_empty() {
        return Ok(Part::lacks(actions));
    }
    let cluster = cluster(want, groups, subnets, api_from, &found);
    for (group, wanted) in wanted_rules(groups, &cluster, &found) {
        let (resource, id) = (Resource::SecurityGroup, &group.id);
        actions.extend(set_tags(want, seen, resource, id, &group.tags));
        let stays = |rule: &Rule| {
            api_from.is_none() && group.id == control_plane.id && rules::is_to_api(&cluster, rule)
        };
        actions.extend(change(group, &wanted, stays));
    }
    let delete = |surplus: &SecurityGroup| Action::DeleteSecurityGroup {
        group: surplus.id.clone(),
    };
    let surplus = own.iter().flat_map(|(_, own)| &own.surplus);
    actions.extend(surplus.map(|group| delete(group)));
    Ok(Part::usable(found, actions))
}

fn missing(want: &Want, own: &[(Role, Own<'_, SecurityGroup>)]) -> Vec<Action> {
    let missing = own.iter().filter(|(_, own)| own.kept.is_none());
    missing.map(|(role, _)| create(want, *role)).collect()
}

fn create(want: &Want, role: Role) -> Action {
    Action::CreateSecurityGroup {
        name: want.identity.names.security_group(role),
        description: SECURITY_GROUP_DESCRIPTION.into(),
    }
}

/// `stays`: the rules that are left although they are not `wanted`.
fn change(
    group: &SecurityGroup,
    wanted: &[WantedRule],
    stays: impl Fn(&Rule) -> bool,
) -> Vec<Action> {
    let difference = rules::difference(wanted, &group.rules);
    let left = |id: &String| {
        let mut rules = group.rules.iter();
        rules.any(|have| have.id == *id && stays(&have.rule))
    };
    let group = || group.id.clone();
    let delete = |rule| Action::DeleteRule {
        group: group(),
        rule,
    };
    let surplus = difference.surplus.into_iter().filter(|id| !left(id));
    let mut actions: Vec<Action> = surplus.map(delete).collect();
    if !difference.missing.is_empty() {
        actions.push(Action::CreateRules {
            group: group(),
            rules: difference.missing,
        });
    }
    actions
}

fn cluster<'a>(
    want: &'a Want,
    groups: &Groups,
    subnets: &'a [IpNet],
    api_from: Option<&'a [IpNet]>,
    found: &MachineGroups<'a>,
) -> rules::Cluster<'a> {
    let additional_ports = want
        .api
        .load_balancer
        .as_ref()
        .map(|lb| lb.additional_ports.as_slice());
    rules::Cluster {
        control_plane_group: &found.control_plane.id,
        worker_group: &found.worker.id,
        bastion_group: found.bastion.map(|group| group.id.as_str()),
        api_port: want.api.server_port,
        additional_ports: additional_ports.unwrap_or_default(),
        subnets,
        api_from,
        allow_all_in_cluster: groups.allow_all_in_cluster,
    }
}

fn wanted_rules<'a>(
    groups: &Groups,
    cluster: &rules::Cluster<'_>,
    found: &MachineGroups<'a>,
) -> Vec<(&'a SecurityGroup, Vec<WantedRule>)> {
    let with = |group: &'a SecurityGroup, mut rules: Vec<WantedRule>, users: &[UserRule]| {
        let users = users.iter();
        rules.extend(users.filter_map(|rule| user_rule(rule, group, found)));
        (group, rules)
    };
    let (control_plane, worker) = (rules::control_plane(cluster), rules::worker(cluster));
    let machines = [
        with(
            found.control_plane,
            control_plane,
            &groups.control_plane_rules,
        ),
        with(found.worker, worker, &groups.worker_rules),
    ];
    let bastion = found.bastion.map(|group| (group, rules::bastion(cluster)));
    machines.into_iter().chain(bastion).collect()
}

/// A rule of the user in `group`.
fn user_rule(
    user: &UserRule,
    group: &SecurityGroup,
    found: &MachineGroups<'_>,
) -> Option<WantedRule> {
    let mut rule = user.rule.clone();
    if rule.remote_group_id.as_deref() == Some(ITSELF) {
        rule.remote_group_id = Some(group.id.clone());
    }
    if let Some(role) = user.remote {
        let group = match role {
            Role::ControlPlane => found.control_plane,
            Role::Worker => found.worker,
            // Without a bastion nobody is on the other side.
            Role::Bastion => found.bastion?,
        };
        rule.remote_group_id = Some(group.id.clone());
    }
    Some(WantedRule {
        description: user.description.clone(),
        rule,
    })
}
