//! The bastion: a server in the cluster's network, from which people reach the machines by SSH.
//!
//! It is an `OpenStackServer` object, whose controller makes the ports and the server. Ours are the
//! object, a floating IP and the security group. None of it holds up the cluster: the bastion comes
//! after everything else is there, and whatever it lacks, machines are made and go.

use std::collections::BTreeMap;

use crds::capi::names::{CLUSTER_NAME_LABEL, WATCH_FILTER_LABEL};
use crds::openstack::names::GROUP;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerSpec};
use crds::openstack::v1beta2::{
    BastionStatus, OpenStackCluster, OpenStackClusterStatus, OpenStackIdentityReference,
    OpenStackMachineSpec, SubnetParam,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::action::Action;
use super::exposure::{self, Exposed};
use super::own;
use super::seen::Seen;
use super::validate::Owner;
use super::want::{Identity, Want};
use crate::machine::object::{Blueprint, is_owned};
use crate::names::Role;
use crate::step::{Problem, Waiting};
use crate::world::{FloatingIp, Network, Port};

/// A bastion that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Bastion {
    /// Name, namespace, labels and owner of its object.
    pub meta: ObjectMeta,
    pub machine: OpenStackMachineSpec,
    pub availability_zone: Option<String>,
    /// The subnets that ports take their addresses from which name no network; empty leaves it to
    /// Neutron.
    pub subnets: Vec<SubnetParam>,
    /// The floating IP that the user gave; never deleted.
    pub floating_ip: Option<String>,
}

/// Name of the object, and so of the server.
pub fn name(cluster: &str) -> String {
    format!("{cluster}-bastion")
}

impl Bastion {
    pub(super) fn of(cluster: &OpenStackCluster, owner: &Owner) -> Option<Self> {
        let spec = &cluster.spec;
        let bastion = spec.bastion.as_ref();
        let bastion = bastion.filter(|bastion| bastion.enabled != Some(false))?;
        Some(Self {
            meta: meta(cluster, owner),
            machine: bastion.spec.clone()?,
            availability_zone: bastion
                .availability_zone
                .clone()
                .filter(|zone| !zone.is_empty()),
            subnets: match &spec.primary_subnet {
                Some(subnet) => vec![subnet.clone()],
                None => spec.subnets.clone(),
            },
            floating_ip: bastion.floating_ip.clone(),
        })
    }

    /// Its object, in a cluster that has come this far.
    fn object(&self, want: &Want, status: &OpenStackClusterStatus) -> OpenStackServer {
        let group = status.bastion_security_group.as_ref();
        let blueprint = Blueprint {
            identity_ref: &want.identity.credentials,
            cluster_tags: &want.tags,
            network: status.network.as_ref().map(|network| network.id.as_str()),
            subnets: &self.subnets,
            security_group: group.map(|group| group.id.as_str()),
            availability_zone: self.availability_zone.clone(),
            user_data: None,
        };
        OpenStackServer {
            metadata: self.meta.clone(),
            spec: blueprint.spec(&self.machine),
            status: None,
        }
    }
}

fn meta(cluster: &OpenStackCluster, owner: &Owner) -> ObjectMeta {
    let mut labels = BTreeMap::from([(CLUSTER_NAME_LABEL.to_string(), owner.name.clone())]);
    let own = cluster.metadata.labels.iter().flatten();
    labels.extend(
        own.filter(|(key, _)| *key == WATCH_FILTER_LABEL)
            .map(|(key, value)| (key.clone(), value.clone())),
    );
    ObjectMeta {
        name: Some(name(&owner.name)),
        namespace: Some(owner.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![OwnerReference {
            api_version: format!("{GROUP}/v1beta2"),
            kind: "OpenStackCluster".to_string(),
            name: cluster.metadata.name.clone().unwrap_or_default(),
            uid: cluster.metadata.uid.clone().unwrap_or_default(),
            ..OwnerReference::default()
        }]),
        ..ObjectMeta::default()
    }
}

/// What the bastion is planned from: a cluster that is complete otherwise.
pub(super) struct Context<'a, 'w> {
    pub want: &'w Want,
    pub external: Option<&'a Network>,
    pub seen: &'a Seen,
    /// The status so far.
    pub status: &'w OpenStackClusterStatus,
    /// Host of the API, whose floating IP is described like that of the bastion.
    pub api_host: &'w str,
}

/// How far the bastion is.
#[derive(Default)]
pub(super) struct Progress {
    pub status: Option<BastionStatus>,
    pub actions: Vec<Action>,
    pub waiting: Option<Waiting>,
}

pub(super) fn plan(cx: &Context<'_, '_>) -> Result<Progress, Problem> {
    let seen = cx.seen.bastion.as_ref();
    let outdated = seen.and_then(|object| correction(&cx.want.identity, object));
    if let Some(action) = outdated {
        return Ok(Progress {
            status: cx.seen.status.bastion.clone(),
            actions: vec![action],
            waiting: None,
        });
    }
    let Some(bastion) = &cx.want.bastion else {
        return match seen.filter(|object| is_ours(&cx.want.identity, object)) {
            Some(object) => Ok(take_away(cx, object)),
            None => rest(cx),
        };
    };
    let wanted = bastion.object(cx.want, cx.status);
    match seen {
        None => Ok(Progress {
            status: kept_address(cx),
            actions: vec![Action::CreateServerObject(Box::new(wanted))],
            waiting: None,
        }),
        Some(object) if !is_ours(&cx.want.identity, object) => Err(name_taken(cx, object)),
        Some(object) if is_going(object) => Ok(waits(kept_address(cx), object)),
        Some(object) if !is_same(&object.spec, &wanted.spec) => Ok(Progress {
            status: kept_address(cx),
            actions: vec![delete_object(object)],
            waiting: None,
        }),
        Some(object) => live(cx, bastion, object),
    }
}

fn live(
    cx: &Context<'_, '_>,
    bastion: &Bastion,
    object: &OpenStackServer,
) -> Result<Progress, Problem> {
    let reported = object.status.clone().unwrap_or_default();
    let Some(id) = reported.instance_id.filter(|_| reported.ready) else {
        return Ok(waits(kept_address(cx), object));
    };
    let network = cx.status.network.as_ref().map(|network| &network.id);
    let ports = ports(object, cx.seen);
    let in_network = |port: &&&Port| Some(&port.network_id) == network;
    let Some(port) = ports.iter().find(in_network).or(ports.first()) else {
        return Ok(waits(kept_address(cx), object));
    };
    let Exposed { address, actions } = exposure::plan(cx, bastion, port)?;
    let known = cx.seen.status.bastion.clone().unwrap_or_default();
    let status = BastionStatus {
        id: Some(id),
        name: object.metadata.name.clone(),
        ssh_key_name: Some(object.spec.ssh_key_name.clone()).filter(|name| !name.is_empty()),
        state: reported.instance_state,
        ip: address_of(port),
        floating_ip: address,
        ..known
    };
    Ok(Progress {
        status: Some(status),
        actions,
        waiting: None,
    })
}

/// Where connections of the bastion come from: its address, and its floating IP.
pub(super) fn addresses(want: &Want, seen: &Seen) -> Vec<String> {
    let object = seen.bastion.as_ref();
    let object = object.filter(|object| is_ours(&want.identity, object));
    let ports = object.map(|object| ports(object, seen)).unwrap_or_default();
    let mut addresses: Vec<String> = ports.iter().filter_map(|port| address_of(port)).collect();
    let leads_to_it = |ip: &&FloatingIp| {
        let mut ports = ports.iter();
        ports.any(|port| Some(&port.id) == ip.port_id.as_ref())
    };
    let ips = seen.floating_ips.iter().filter(leads_to_it);
    addresses.extend(ips.map(|ip| ip.address.clone()));
    // One that is made anew will have the floating IP of the one before.
    let known = seen.status.bastion.as_ref();
    let known = known.and_then(|bastion| bastion.floating_ip.clone());
    let anew = want.bastion.is_some() && addresses.is_empty();
    addresses.extend(known.filter(|_| anew));
    addresses
}

/// Whether its object is there and has nothing to tell of it yet: it is new, or its status was lost and
/// the bastion has had its addresses for long.
pub(super) fn is_unknown(want: &Want, seen: &Seen) -> bool {
    let object = seen.bastion.as_ref();
    let object = object.filter(|object| want.bastion.is_some() && is_ours(&want.identity, object));
    object.is_some_and(|object| {
        let status = object.status.as_ref();
        status.is_none_or(|status| status.resources.is_none() && status.instance_id.is_none())
    })
}

/// The first address, IPv4 before IPv6.
fn address_of(port: &Port) -> Option<String> {
    let addresses = || port.fixed_ips.iter().map(|ip| &ip.ip_address);
    let ipv4 = addresses().find(|address| !address.contains(':'));
    ipv4.or(addresses().next())
        .filter(|address| !address.is_empty())
        .cloned()
}

/// Floating IP first, so that it leaks in no case, then the server.
fn take_away(cx: &Context<'_, '_>, object: &OpenStackServer) -> Progress {
    let ips = exposure::take_away(cx, &ports(object, cx.seen));
    let status = cx.seen.status.bastion.clone();
    if !ips.is_empty() {
        return Progress {
            status,
            actions: ips,
            waiting: None,
        };
    }
    if is_going(object) {
        return waits(status, object);
    }
    Progress {
        status,
        actions: vec![delete_object(object)],
        waiting: None,
    }
}

/// What is left when the server is gone, or never was.
fn rest(cx: &Context<'_, '_>) -> Result<Progress, Problem> {
    let mut actions = exposure::take_away(cx, &[]);
    let group = own::security_group(&cx.want.identity, Role::Bastion, cx.seen)?;
    let unused = (group.kept.into_iter().chain(group.surplus))
        .filter(|group| !cx.seen.is_used(&group.id))
        .map(|group| Action::DeleteSecurityGroup {
            group: group.id.clone(),
        });
    actions.extend(unused);
    Ok(Progress {
        actions,
        ..Progress::default()
    })
}

/// A bastion that is made anew gets the floating IP of the one before.
fn kept_address(cx: &Context<'_, '_>) -> Option<BastionStatus> {
    let known = cx.seen.status.bastion.as_ref()?;
    Some(BastionStatus {
        floating_ip: Some(known.floating_ip.clone()?),
        ..BastionStatus::default()
    })
}

fn waits(status: Option<BastionStatus>, object: &OpenStackServer) -> Progress {
    let (name, what) = (
        object.metadata.name.as_deref().unwrap_or_default(),
        if is_going(object) { "end" } else { "server" },
    );
    let message = format!("waiting for the {what} of OpenStackServer {name}");
    Progress {
        status,
        actions: Vec::new(),
        waiting: Some(Waiting::for_event("WaitingForBastion", message)),
    }
}

/// The ports of the bastion, in order: as its object names them, or as they name its server.
pub(super) fn ports<'a>(object: &OpenStackServer, seen: &'a Seen) -> Vec<&'a Port> {
    let Some(reported) = &object.status else {
        return Vec::new();
    };
    let of_object: Vec<&str> = reported
        .resources
        .iter()
        .flat_map(|resources| &resources.ports)
        .map(|port| port.id.as_str())
        .collect();
    let place = |port: &&Port| of_object.iter().position(|id| *id == port.id);
    let is_its = |port: &&Port| {
        place(port).is_some() || reported.instance_id.as_ref() == Some(&port.device_id)
    };
    let mut ports: Vec<&Port> = seen.ports.iter().filter(is_its).collect();
    ports.sort_by_key(|port| (place(port).unwrap_or(usize::MAX), &port.name));
    ports
}

pub(super) fn delete_object(object: &OpenStackServer) -> Action {
    Action::DeleteServerObject {
        name: object.metadata.name.clone().unwrap_or_default(),
    }
}

/// What its object needs so that somebody can handle it, also when it goes.
pub(super) fn correction(identity: &Identity, object: &OpenStackServer) -> Option<Action> {
    if !is_ours(identity, object) {
        return None;
    }
    label(identity, object).or_else(|| update(identity, object))
}

/// CAPO gives the object no label of the watch filter, without which nobody here handles it.
fn label(identity: &Identity, object: &OpenStackServer) -> Option<Action> {
    let filter = identity.watch_filter.as_ref()?;
    let labels = object.metadata.labels.as_ref();
    let has = labels.and_then(|labels| labels.get(WATCH_FILTER_LABEL));
    (has != Some(filter)).then(|| Action::LabelServerObject {
        name: object.metadata.name.clone().unwrap_or_default(),
        watch_filter: filter.clone(),
    })
}

/// The credentials that it was made with may be of no use any more.
fn update(identity: &Identity, object: &OpenStackServer) -> Option<Action> {
    let wanted = &identity.credentials;
    (plain(&object.spec.identity_ref) != plain(wanted)).then(|| Action::UpdateServerObject {
        name: object.metadata.name.clone().unwrap_or_default(),
        identity_ref: wanted.clone(),
        ports: object.spec.ports.clone(),
    })
}

/// However the default is written.
fn plain(identity: &OpenStackIdentityReference) -> OpenStackIdentityReference {
    OpenStackIdentityReference {
        type_: Some(identity.type_.unwrap_or_default()),
        ..identity.clone()
    }
}

pub(super) fn is_going(object: &OpenStackServer) -> bool {
    object.metadata.deletion_timestamp.is_some()
}

/// Its owner is this `OpenStackCluster`. By name, because a move gives it another UID.
pub(super) fn is_ours(identity: &Identity, object: &OpenStackServer) -> bool {
    is_owned(object, "OpenStackCluster", &identity.name)
}

/// Whether the object is what is wanted, however defaults are written. Its credentials may change.
fn is_same(have: &OpenStackServerSpec, wanted: &OpenStackServerSpec) -> bool {
    let plain = |spec: &OpenStackServerSpec| {
        let mut spec = spec.clone();
        spec.identity_ref = OpenStackIdentityReference::default();
        spec.trunk = spec.trunk.filter(|trunk| *trunk);
        spec.availability_zone = spec.availability_zone.filter(|zone| !zone.is_empty());
        spec.tags.sort();
        spec
    };
    plain(have) == plain(wanted)
}

fn name_taken(cx: &Context<'_, '_>, object: &OpenStackServer) -> Problem {
    let name = object.metadata.name.clone().unwrap_or_default();
    Problem {
        reason: "BastionNameTaken".into(),
        object: cx.want.identity.object.clone(),
        field: "spec.bastion".into(),
        way_out: format!(
            "OpenStackServer {name} in namespace {} is not of this cluster and keeps the bastion from being made: \
             delete or rename it, or leave the bastion out",
            cx.want.identity.namespace
        ),
        value: name,
    }
}
