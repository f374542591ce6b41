//! The floating IP that a pool gives to a server, by way of an IPAddressClaim.

use crds::capi::names::CLUSTER_NAME_LABEL;
use crds::capi::{IPAddressClaim, IPAddressClaimSpec, IPPoolRef};
use crds::openstack::conditions::{ConditionType, Reason};
use crds::openstack::names::{GROUP, IP_CLAIM_FINALIZER};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::ports::Ports;
use super::report::{self, Outcome, Said, problem};
use super::{Action, Seen, Want};
use crate::conditions::New;
use crate::names;
use crate::step::{Problem, Step, Waiting};
use crate::world::{FloatingIp, Port};

const READY: &str = ConditionType::FloatingAddressFromPoolReady.as_str();

/// The claim as it is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claim {
    /// It carries our finalizer.
    pub held: bool,
    /// The address that the pool has given.
    pub address: Option<String>,
}

/// What is to be done so that the pool gives an address; nothing when no pool is asked.
pub fn claim(want: &Want, seen: &Seen) -> Option<Action> {
    let pool = want.spec.floating_ip_pool_ref.as_ref()?;
    if seen.claim.is_some() {
        return None;
    }
    let mut claim = IPAddressClaim {
        spec: IPAddressClaimSpec {
            pool_ref: IPPoolRef {
                name: pool.name.clone(),
                kind: pool.kind.clone(),
                api_group: pool.api_group.clone().unwrap_or_else(|| GROUP.to_string()),
            },
            ..IPAddressClaimSpec::default()
        },
        ..IPAddressClaim::default()
    };
    let meta = &mut claim.metadata;
    meta.name = Some(names::floating_ip_claim(&want.name));
    meta.namespace = Some(want.namespace.clone());
    meta.finalizers = Some(vec![IP_CLAIM_FINALIZER.to_string()]);
    if !want.cluster.is_empty() {
        let label = (CLUSTER_NAME_LABEL.to_string(), want.cluster.clone());
        meta.labels = Some([label].into());
    }
    meta.owner_references = Some(vec![OwnerReference {
        api_version: format!("{GROUP}/v1alpha1"),
        kind: "OpenStackServer".to_string(),
        name: want.name.clone(),
        uid: want.uid.clone(),
        ..OwnerReference::default()
    }]);
    Some(Action::CreateClaim(Box::new(claim)))
}

/// Waits while the pool has not answered. There is no server without its address, as in CAPO.
pub fn awaited(want: &Want, seen: &Seen) -> Option<Outcome> {
    want.spec.floating_ip_pool_ref.as_ref()?;
    if address(seen).is_some() {
        return None;
    }
    let message = unanswered(want);
    let waiting = Waiting::for_event(Reason::WaitingForIPAMProvider, message.clone());
    let said = report::not_ready(Reason::InstanceNotReady, message);
    Some((Step::Wait(waiting), said))
}

/// Leads the address to a port of the server; `None` when it does already.
pub fn attach(want: &Want, seen: &Seen, ports: &Ports) -> Option<Outcome> {
    let outcome = match attachment(want, seen, ports)? {
        Attachment::Done => return None,
        Attachment::Unanswered => match claim(want, seen) {
            Some(action) => doing(action),
            None => awaited(want, seen)?,
        },
        Attachment::Missing(action) => doing(action),
        Attachment::Impossible(problem) => report::blocked(Reason::FloatingIPError, problem),
    };
    Some(outcome)
}

fn doing(action: Action) -> Outcome {
    let message = action.to_string();
    report::doing(vec![action], Reason::InstanceNotReady, message, [])
}

/// What the condition says; `None` when no pool is asked.
pub fn condition(want: &Want, seen: &Seen) -> Option<Said> {
    let ports = Ports::of(want, seen);
    Some(match attachment(want, seen, &ports)? {
        Attachment::Done => New::ready(READY),
        Attachment::Unanswered => New::not(
            READY,
            Reason::WaitingForIPAMProvider.as_str(),
            unanswered(want),
        ),
        Attachment::Missing(action) => {
            New::not(READY, Reason::Progressing.as_str(), action.to_string())
        }
        Attachment::Impossible(problem) => {
            New::not(READY, Reason::FloatingIPError.as_str(), problem.to_string())
        }
    })
}

/// The address that reaches the server from outside, once it does.
pub fn attached<'a>(want: &Want, seen: &'a Seen, ports: &Ports) -> Option<&'a str> {
    match attachment(want, seen, ports)? {
        Attachment::Done => address(seen),
        _ => None,
    }
}

/// How far the floating IP has come.
enum Attachment {
    Done,
    Unanswered,
    Missing(Action),
    Impossible(Problem),
}

fn attachment(want: &Want, seen: &Seen, ports: &Ports) -> Option<Attachment> {
    let pool = want.spec.floating_ip_pool_ref.as_ref()?;
    let impossible = |value: &str, way_out: String| {
        let field = "spec.floatingIPPoolRef";
        let value = format!("{} gave {value}", pool.name);
        Attachment::Impossible(problem(want, field, value, way_out))
    };
    let Some(address) = address(seen) else {
        return Some(Attachment::Unanswered);
    };
    let Some(ip) = seen.floating_ips.iter().find(|ip| ip.address == address) else {
        let way_out =
            "the project has no such floating IP; delete the IPAddressClaim, or allocate it";
        return Some(impossible(address, way_out.to_string()));
    };
    if let Some(id) = &ip.port_id {
        let way_out =
            || format!("it leads to port {id}, which is not of this server; detach it there");
        return Some(match ports.iter().any(|port| port.id == *id) {
            true => Attachment::Done,
            false => impossible(address, way_out()),
        });
    }
    Some(match reached_from(seen, ports, ip) {
        Some(port) => Attachment::Missing(Action::AssociateFloatingIp {
            id: ip.id.clone(),
            address: address.to_string(),
            port_id: port.id.clone(),
        }),
        None => impossible(
            address,
            format!(
                "no port of the server is in a subnet with a router to its network {}; add the router, or use a pool of another network",
                ip.network_id
            ),
        ),
    })
}

/// The first port in a subnet that has a router whose gateway is in the network of `ip`.
fn reached_from<'a>(seen: &Seen, ports: &Ports<'a>, ip: &FloatingIp) -> Option<&'a Port> {
    let leads_there = |interface: &&Port| {
        let mut routers = seen.routers.iter();
        routers.any(|router| {
            router.id == interface.device_id
                && router.gateway_network_id.as_ref() == Some(&ip.network_id)
        })
    };
    let interfaces: Vec<&Port> = seen.interfaces.iter().filter(leads_there).collect();
    let subnets = |port: &Port| -> Vec<String> {
        let ips = port.fixed_ips.iter();
        ips.map(|ip| ip.subnet_id.clone()).collect()
    };
    ports.iter().find(|port| {
        let own = subnets(port);
        interfaces
            .iter()
            .any(|interface| subnets(interface).iter().any(|id| own.contains(id)))
    })
}

fn address(seen: &Seen) -> Option<&str> {
    seen.claim.as_ref()?.address.as_deref()
}

fn unanswered(want: &Want) -> String {
    let pool = want.spec.floating_ip_pool_ref.as_ref();
    let (kind, pool) = pool.map_or(("", ""), |pool| (pool.kind.as_str(), pool.name.as_str()));
    let name = names::floating_ip_claim(&want.name);
    format!("{kind} {pool} has not answered IPAddressClaim {name} yet")
}
