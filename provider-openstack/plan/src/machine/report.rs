//! What the conditions of a machine say.

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1beta2::OpenStackMachineStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Action;
use crate::conditions::{self, New, Status};
use crate::step::Step;

/// The conditions; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub authentication: Option<Saying>,
    pub instance: Option<Saying>,
    pub ingress: Option<Saying>,
}

/// Status, reason and message of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    pub status: Status,
    pub reason: String,
    pub message: String,
}

/// The step, and what is said meanwhile.
pub type Outcome = (Step<Action>, Said);

impl From<&Condition> for Saying {
    fn from(condition: &Condition) -> Self {
        let status = match condition.status.as_str() {
            "True" => Status::True,
            "False" => Status::False,
            _ => Status::Unknown,
        };
        Self {
            status,
            reason: condition.reason.clone(),
            message: condition.message.clone(),
        }
    }
}

impl Saying {
    pub fn ready() -> Self {
        Self {
            status: Status::True,
            reason: Reason::Ready.into(),
            message: String::new(),
        }
    }

    pub fn not(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: Status::False,
            reason: reason.into(),
            message: message.into(),
        }
    }

    fn named(&self, type_: ConditionType) -> New<'_> {
        New {
            type_: type_.as_str(),
            status: self.status,
            reason: &self.reason,
            message: self.message.clone(),
        }
    }
}

impl Said {
    /// About the server alone.
    pub fn instance(saying: Saying) -> Self {
        Self {
            instance: Some(saying),
            ..Self::default()
        }
    }

    /// The server runs; this is about the traffic to it.
    pub fn ingress(saying: Saying) -> Self {
        Self {
            instance: Some(Saying::ready()),
            ingress: Some(saying),
            ..Self::default()
        }
    }
}

/// Puts what is said into the conditions. `Ready` is the first that does not hold, or True; a login
/// that fails is no reason by itself, for a machine does not stop to run because of it.
pub fn conditions(
    status: &mut OpenStackMachineStatus,
    said: Said,
    generation: Option<i64>,
    now: Timestamp,
) {
    let all = [
        (
            ConditionType::OpenStackAuthenticationSucceeded,
            said.authentication,
        ),
        (ConditionType::InstanceReady, said.instance),
        (ConditionType::APIServerIngressReady, said.ingress),
    ];
    let said: Vec<_> = all
        .into_iter()
        .filter_map(|(type_, saying)| Some((type_, saying?)))
        .collect();
    for (type_, saying) in &said {
        conditions::set(
            &mut status.conditions,
            saying.named(*type_),
            generation,
            now,
        );
    }
    let first = said
        .into_iter()
        .find(|(type_, saying)| {
            *type_ != ConditionType::OpenStackAuthenticationSucceeded
                && saying.status != Status::True
        })
        .map(|(_, saying)| saying);
    let ready = first.unwrap_or_else(Saying::ready);
    conditions::set(
        &mut status.conditions,
        ready.named(ConditionType::Ready),
        generation,
        now,
    );
}

/// The status after `action` was refused with `message`.
pub fn refused(
    status: &mut OpenStackMachineStatus,
    action: &Action,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) {
    let message = format!("{action}: {message}");
    let said = match action {
        Action::CreateServerObject(_) => {
            Said::instance(Saying::not(Reason::InstanceCreateFailed, message))
        }
        Action::LabelServerObject { .. } | Action::UpdateServerObject { .. } => {
            Said::instance(Saying::not(Reason::InstanceNotReady, message))
        }
        Action::DeleteServerObject { .. } => {
            Said::instance(Saying::not(Reason::InstanceDeleteFailed, message))
        }
        Action::CreateMember(_) | Action::DeleteMember { .. } => Said {
            ingress: Some(Saying::not(Reason::LoadBalancerMemberError, message)),
            ..Said::default()
        },
        Action::AssociateFloatingIp { .. } | Action::DisassociateFloatingIp { .. } => Said {
            ingress: Some(Saying::not(Reason::FloatingIPError, message)),
            ..Said::default()
        },
    };
    conditions(status, said, generation, now);
}

#[cfg(test)]
mod tests {
    use crds::openstack::v1alpha1::OpenStackServer;

    use super::*;

    /// Condition and reason, as users' tools know them of CAPO; `Ready` says the same.
    #[test]
    fn each_refusal_has_the_reason_of_its_action() {
        let text = || "text".to_string();
        let (instance, ingress) = (
            ConditionType::InstanceReady,
            ConditionType::APIServerIngressReady,
        );
        let member = Action::CreateMember(Default::default());
        let disassociate = Action::DisassociateFloatingIp {
            floating_ip: text(),
        };
        let associate = Action::AssociateFloatingIp {
            floating_ip: text(),
            port: text(),
        };
        let label = Action::LabelServerObject {
            name: text(),
            watch_filter: text(),
        };
        let delete = Action::DeleteServerObject { name: text() };
        let server = OpenStackServer::new("text", Default::default());
        let create = Action::CreateServerObject(Box::new(server));
        let cases = [
            (create, instance, Reason::InstanceCreateFailed),
            (delete, instance, Reason::InstanceDeleteFailed),
            (label, instance, Reason::InstanceNotReady),
            (member, ingress, Reason::LoadBalancerMemberError),
            (associate, ingress, Reason::FloatingIPError),
            (disassociate, ingress, Reason::FloatingIPError),
        ];
        for (action, condition, reason) in cases {
            let mut status = OpenStackMachineStatus::default();
            refused(&mut status, &action, "no", Some(1), Timestamp::UNIX_EPOCH);
            for type_ in [condition, ConditionType::Ready] {
                let mut conditions = status.conditions.iter();
                let said = conditions.find(|said| said.type_ == type_.as_str());
                let said = said.expect("a condition");
                assert_eq!(
                    (said.status.as_str(), said.reason.as_str()),
                    ("False", reason.as_str())
                );
                assert_eq!(said.message, format!("{action}: no"));
            }
        }
    }
}
