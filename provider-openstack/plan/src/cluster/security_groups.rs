//! The managed security groups of control plane and workers.

use ipnet::IpNet;

use super::action::Action;
use super::network::set_tags;
use super::own;
use super::part::Part;
use super::seen::Seen;
use super::want::{Groups, UserRule, Want};
use crate::names::{Role, SECURITY_GROUP_DESCRIPTION};
use crate::rules::{self, WantedRule};
use crate::step::{Problem, Resource};
use crate::world::SecurityGroup;

/// The groups of the machines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MachineGroups<'a> {
    pub control_plane: &'a SecurityGroup,
    pub worker: &'a SecurityGroup,
}

/// `subnets`: whose hosts may reach node ports. `api_from`: who may reach the API; empty means
/// everybody.
pub(super) fn plan<'a>(
    want: &Want,
    groups: &Groups,
    subnets: &[IpNet],
    api_from: &[IpNet],
    seen: &'a Seen,
) -> Result<Part<MachineGroups<'a>>, Problem> {
    let control_plane = own::security_group(&want.identity, Role::ControlPlane, seen)?;
    let worker = own::security_group(&want.identity, Role::Worker, seen)?;
    let (Some(control_plane), Some(worker), surplus) = (
        control_plane.kept,
        worker.kept,
        [control_plane.surplus, worker.surplus].concat(),
    ) else {
        let missing = [
            (Role::ControlPlane, control_plane.kept),
            (Role::Worker, worker.kept),
        ];
        let missing = missing.into_iter().filter(|(_, group)| group.is_none());
        return Ok(Part::lacks(
            missing.map(|(role, _)| create(want, role)).collect(),
        ));
    };
    let found = MachineGroups {
        control_plane,
        worker,
    };
    let [control_plane_rules, worker_rules] = wanted_rules(want, groups, subnets, api_from, &found);
    let mut actions = Vec::new();
    for (group, wanted) in [(control_plane, control_plane_rules), (worker, worker_rules)] {
        actions.extend(set_tags(
            want,
            seen,
            Resource::SecurityGroup,
            &group.id,
            &group.tags,
        ));
        actions.extend(change(group, &wanted));
    }
    let delete = |surplus: &SecurityGroup| Action::DeleteSecurityGroup {
        group: surplus.id.clone(),
    };
    actions.extend(surplus.into_iter().map(delete));
    Ok(Part::usable(found, actions))
}

fn create(want: &Want, role: Role) -> Action {
    Action::CreateSecurityGroup {
        name: want.identity.names.security_group(role),
        description: SECURITY_GROUP_DESCRIPTION.into(),
    }
}

fn change(group: &SecurityGroup, wanted: &[WantedRule]) -> Vec<Action> {
    let difference = rules::difference(wanted, &group.rules);
    let group = || group.id.clone();
    let delete = |rule| Action::DeleteRule {
        group: group(),
        rule,
    };
    let mut actions: Vec<Action> = difference.surplus.into_iter().map(delete).collect();
    if !difference.missing.is_empty() {
        actions.push(Action::CreateRules {
            group: group(),
            rules: difference.missing,
        });
    }
    actions
}

/// Of the control plane and of the workers.
fn wanted_rules(
    want: &Want,
    groups: &Groups,
    subnets: &[IpNet],
    api_from: &[IpNet],
    found: &MachineGroups<'_>,
) -> [Vec<WantedRule>; 2] {
    let additional_ports = want
        .api
        .load_balancer
        .as_ref()
        .map(|lb| lb.additional_ports.as_slice());
    let cluster = rules::Cluster {
        control_plane_group: &found.control_plane.id,
        worker_group: &found.worker.id,
        bastion_group: None,
        api_port: want.api.port,
        additional_ports: additional_ports.unwrap_or_default(),
        subnets,
        api_from,
        allow_all_in_cluster: groups.allow_all_in_cluster,
    };
    let with = |mut rules: Vec<WantedRule>, users: &[UserRule]| {
        rules.extend(users.iter().filter_map(|rule| user_rule(rule, found)));
        rules
    };
    [
        with(rules::control_plane(&cluster), &groups.control_plane_rules),
        with(rules::worker(&cluster), &groups.worker_rules),
    ]
}

fn user_rule(user: &UserRule, found: &MachineGroups<'_>) -> Option<WantedRule> {
    let mut rule = user.rule.clone();
    match user.remote {
        None => {}
        Some(Role::ControlPlane) => rule.remote_group_id = Some(found.control_plane.id.clone()),
        Some(Role::Worker) => rule.remote_group_id = Some(found.worker.id.clone()),
        // Without the bastion's group nobody is on the other side.
        Some(Role::Bastion) => return None,
    }
    Some(WantedRule {
        description: user.description.clone(),
        rule,
    })
}
