//! What a plan can ask for, as data.

use std::fmt;

use crds::capi::names::{IPAM_GROUP, VERSION};
use crds::capi::{IPAMObjectRef, IPAddress, IPAddressSpec, IPPoolRef};
use crds::openstack::conditions::Reason;
use crds::openstack::names::{DELETE_FLOATING_IP_FINALIZER, GROUP};
use crds::openstack::v1alpha1::OpenStackFloatingIPPoolStatus;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::{Claim, READY, Want};
use crate::conditions::{self, New};

/// One call, to the cloud or to the API server.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Allocates a floating IP, with its tags.
    CreateFloatingIp(NewFloatingIp),
    /// Replaces the tags of a floating IP.
    TagFloatingIp {
        id: String,
        tags: Vec<String>,
    },
    DeleteFloatingIp {
        id: String,
        address: String,
    },
    /// Creates the IPAddress of a claim.
    CreateAddress(Box<IPAddress>),
    /// Says in the claim of this name that the IPAddress of the same name is its own.
    Answer(String),
    /// Takes our finalizer off the IPAddress of this name.
    ReleaseAddress(String),
}

/// A floating IP to allocate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewFloatingIp {
    pub network_id: String,
    pub description: String,
    pub tags: Vec<String>,
}

impl Action {
    /// Verb and resource, such as `CreateFloatingIP`: what events and metrics call it.
    pub fn name(&self) -> &'static str {
        match self {
            Action::CreateFloatingIp(_) => "CreateFloatingIP",
            Action::TagFloatingIp { .. } => "ReplaceAllAttributeTags",
            Action::DeleteFloatingIp { .. } => "DeleteFloatingIP",
            Action::CreateAddress(_) => "CreateIPAddress",
            Action::Answer(_) => "AnswerIPAddressClaim",
            Action::ReleaseAddress(_) => "ReleaseIPAddress",
        }
    }
}

/// What people read in conditions and events.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::CreateFloatingIp(new) => {
                write!(f, "create a floating IP in network {}", new.network_id)
            }
            Action::TagFloatingIp { id, .. } => write!(f, "set tags of floating IP {id}"),
            Action::DeleteFloatingIp { address, .. } => write!(f, "delete floating IP {address}"),
            Action::CreateAddress(new) => {
                let name = new.metadata.name.as_deref().unwrap_or_default();
                write!(f, "create IPAddress {name} ({})", new.spec.address)
            }
            Action::Answer(claim) => write!(f, "answer IPAddressClaim {claim}"),
            Action::ReleaseAddress(name) => write!(f, "release IPAddress {name}"),
        }
    }
}

/// The IPAddress that answers a claim.
pub fn address(want: &Want, claim: &Claim, address: &str) -> IPAddress {
    let mut object = IPAddress {
        spec: IPAddressSpec {
            claim_ref: IPAMObjectRef {
                name: claim.name.clone(),
            },
            pool_ref: IPPoolRef {
                name: want.name.clone(),
                kind: "OpenStackFloatingIPPool".to_string(),
                api_group: GROUP.to_string(),
            },
            address: address.to_string(),
            prefix: Some(32),
            gateway: String::new(),
        },
        ..IPAddress::default()
    };
    let meta = &mut object.metadata;
    meta.name = Some(claim.name.clone());
    meta.namespace = Some(want.namespace.clone());
    meta.finalizers = Some(vec![DELETE_FLOATING_IP_FINALIZER.to_string()]);
    meta.owner_references = Some(vec![OwnerReference {
        api_version: format!("{IPAM_GROUP}/{VERSION}"),
        kind: "IPAddressClaim".to_string(),
        name: claim.name.clone(),
        uid: claim.uid.clone(),
        ..OwnerReference::default()
    }]);
    object
}

/// The status after the cloud or the API server refused `action` with `message`.
pub fn refused(
    status: &mut OpenStackFloatingIPPoolStatus,
    action: &Action,
    message: &str,
    generation: Option<i64>,
    now: Timestamp,
) {
    let message = format!("{action}: {message}");
    let said = New::not(READY, Reason::OpenStackError.as_str(), message);
    conditions::set(&mut status.conditions, said, generation, now);
}
