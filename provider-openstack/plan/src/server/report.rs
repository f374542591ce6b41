//! What the status says.

use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::v1alpha1::OpenStackServerStatus;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::NodeAddress;

use super::{Action, Want};
use crate::conditions::{self, New};
use crate::step::{Awaited, Problem, Step, Waiting};
use crate::world::Server;

/// What the condition `InstanceReady` says.
pub type Said = New<'static>;

/// The step, and what is said meanwhile.
pub type Outcome = (Step<Action>, Said);

const INSTANCE_READY: &str = ConditionType::InstanceReady.as_str();

/// Puts `said` into the conditions.
pub fn condition(
    status: &mut OpenStackServerStatus,
    said: Said,
    generation: Option<i64>,
    now: Timestamp,
) {
    conditions::set(&mut status.conditions, said, generation, now);
}

/// Why the server is not ready.
pub fn not_ready(reason: Reason, message: impl Into<String>) -> Said {
    New::not(INSTANCE_READY, reason.as_str(), message)
}

/// Nobody can tell whether the server is ready.
pub fn unknown(reason: Reason, message: impl Into<String>) -> Said {
    New::unknown(INSTANCE_READY, reason.as_str(), message)
}

/// The server is ready.
pub fn ready() -> Said {
    New::ready(INSTANCE_READY)
}

/// Blocked by a problem that the condition repeats.
pub fn blocked(reason: Reason, mut problem: Problem) -> Outcome {
    problem.reason = reason.to_string();
    let said = not_ready(reason, problem.to_string());
    (Step::Blocked(problem), said)
}

/// Waits, and says so in the condition.
pub fn waiting(reason: Reason, message: String, on: impl IntoIterator<Item = Awaited>) -> Outcome {
    let said = not_ready(reason, message.clone());
    (Step::Wait(Waiting::for_cloud(reason, message, on)), said)
}

/// Does `actions`, or waits when there are none; the condition says `message` either way.
pub fn doing(
    actions: Vec<Action>,
    reason: Reason,
    message: impl Into<String>,
    on: impl IntoIterator<Item = Awaited>,
) -> Outcome {
    let message = message.into();
    let said = not_ready(reason, message.clone());
    (
        Step::of(actions, || {
            Step::Wait(Waiting::for_cloud(reason, message, on))
        }),
        said,
    )
}

/// A problem with the field `path` of the object.
pub fn problem(
    want: &Want,
    path: &str,
    value: impl Into<String>,
    way_out: impl Into<String>,
) -> Problem {
    Problem {
        reason: String::new(),
        object: want.object(),
        field: path.to_string(),
        value: value.into(),
        way_out: way_out.into(),
    }
}

/// Whether something that was `created` then should be there by `now`.
pub fn is_late(want: &Want, created: Option<Timestamp>, now: Timestamp) -> bool {
    created.is_some_and(|created| now.duration_since(created) > want.create_timeout)
}

/// Takes over what Nova says about the server, and the floating IP from the pool, which Nova
/// learns of later.
pub fn instance(status: &mut OpenStackServerStatus, server: &Server, floating_ip: Option<&str>) {
    status.instance_id = Some(server.id.clone());
    status.instance_state = Some(server.status.clone());
    status.addresses = addresses(server);
    let external = floating_ip.map(|address| NodeAddress {
        type_: "ExternalIP".to_string(),
        address: address.to_string(),
    });
    if let Some(external) = external
        && !status.addresses.is_empty()
        && !status.addresses.contains(&external)
    {
        // The host name comes last.
        status
            .addresses
            .insert(status.addresses.len() - 1, external);
    }
}

/// Addresses as Cluster API wants them: networks in order, IPv4 before IPv6, then the host name.
fn addresses(server: &Server) -> Vec<NodeAddress> {
    if server.addresses.is_empty() {
        return Vec::new();
    }
    let mut sorted: Vec<_> = server.addresses.iter().collect();
    sorted.sort_by_key(|a| (&a.network, a.version, a.floating, &a.address));
    let ips = sorted.into_iter().map(|a| NodeAddress {
        type_: if a.floating {
            "ExternalIP"
        } else {
            "InternalIP"
        }
        .to_string(),
        address: a.address.clone(),
    });
    let dns = NodeAddress {
        type_: "InternalDNS".to_string(),
        address: server.name.clone(),
    };
    ips.chain([dns]).collect()
}

/// The status after the cloud refused `action` with `message`.
pub fn refused(
    status: &mut OpenStackServerStatus,
    action: &Action,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) {
    let reason = match action {
        Action::CreatePort(_) | Action::CreateTrunk(_) => Reason::PortCreateFailed,
        Action::CreateServer(_) | Action::CreateVolume(_) => Reason::InstanceCreateFailed,
        Action::DeleteServer(_) => Reason::InstanceDeleteFailed,
        Action::AssociateFloatingIp { .. } | Action::CreateClaim(_) | Action::ReleaseClaim(_) => {
            let condition = ConditionType::FloatingAddressFromPoolReady.as_str();
            let reason = Reason::FloatingIPError.as_str();
            let said = New::not(condition, reason, format!("{action}: {message}"));
            self::condition(status, said, generation, now);
            if status.ready {
                return;
            }
            Reason::FloatingIPError
        }
        Action::TagPort { .. }
        | Action::SetAddressPairs { .. }
        | Action::DeletePort(_)
        | Action::TagTrunk { .. }
        | Action::MarkSubPort { .. }
        | Action::RemoveSubPorts { .. }
        | Action::DeleteTrunk(_)
        | Action::DeleteVolume(_) => Reason::OpenStackError,
    };
    let said = not_ready(reason, format!("{action}: {message}"));
    condition(status, said, generation, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Condition and reason, as users' tools know them of CAPO.
    #[test]
    fn each_refusal_has_the_reason_of_its_action() {
        let id = || "id".to_string();
        let instance = ConditionType::InstanceReady;
        let cases = [
            (Action::CreatePort(Box::default()), Reason::PortCreateFailed),
            (
                Action::CreateTrunk(Default::default()),
                Reason::PortCreateFailed,
            ),
            (
                Action::CreateVolume(Default::default()),
                Reason::InstanceCreateFailed,
            ),
            (
                Action::CreateServer(Box::default()),
                Reason::InstanceCreateFailed,
            ),
            (Action::DeleteServer(id()), Reason::InstanceDeleteFailed),
            (Action::ReleaseClaim(id()), Reason::FloatingIPError),
            (Action::DeletePort(id()), Reason::OpenStackError),
            (Action::DeleteTrunk(id()), Reason::OpenStackError),
            (Action::DeleteVolume(id()), Reason::OpenStackError),
        ];
        for (action, reason) in cases {
            let mut status = OpenStackServerStatus::default();
            refused(&mut status, &action, "no", Some(1), Timestamp::UNIX_EPOCH);
            let mut conditions = status.conditions.iter();
            let said = conditions.find(|said| said.type_ == instance.as_str());
            let said = said.expect("a condition");
            assert_eq!(
                (said.status.as_str(), said.reason.as_str()),
                ("False", reason.as_str())
            );
            assert_eq!(said.message, format!("{action}: no"));
        }
    }
}
