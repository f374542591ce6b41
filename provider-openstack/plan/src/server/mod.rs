//! One server: its ports, its volumes, the server itself, and their end.
//!
//! What belongs to a server is recognised by what the cloud stores (see `owned`), so a status
//! that was lost, an answer that was lost and a controller that was killed all look alike: the next
//! plan finds what is there and goes on. A server that vanished is reported and never made again;
//! whoever owns the object decides what replaces it.

mod action;
mod block_devices;
mod delete;
mod floating;
mod image;
mod live;
mod owned;
mod pairs;
mod ports;
mod remarks;
mod report;
mod resolve;
#[cfg(test)]
mod tests;
mod volumes;

use crds::capi::names::CLUSTER_NAME_LABEL;
use crds::openstack::names::INSTANCE_ID_ANNOTATION;
use crds::openstack::v1alpha1::{OpenStackServer, OpenStackServerSpec, OpenStackServerStatus};
use crds::openstack::v1beta2::{PortOpts, SecurityGroupFilter};
use jiff::{SignedDuration, Timestamp};

use crate::step::{Decision, Step};
use crate::world::{
    Flavor, FloatingIp, Image, Network, Port, Router, SecurityGroup, Server, ServerGroup, State,
    Subnet, Trunk, Volume,
};

pub use action::{Action, BlockDevice, NewServer, NewTrunk, NewVolume, Source};
pub use floating::Claim;
pub use image::ImageObject;
pub use owned::CLUSTER_METADATA_KEY;
pub use remarks::{Remark, remarks};
pub use report::refused;

/// How long a volume or a server may be in the making before the condition says that it takes too
/// long. It is awaited all the same.
pub const CREATE_TIMEOUT: SignedDuration = SignedDuration::from_mins(5);

/// The server that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    /// Name of the `Cluster`, from the label `cluster.x-k8s.io/cluster-name`; empty without one.
    pub cluster: String,
    pub generation: Option<i64>,
    /// The object is being deleted.
    pub deleting: bool,
    pub spec: OpenStackServerSpec,
    /// What was published last; it may be lost, and then nothing breaks.
    pub status: OpenStackServerStatus,
    /// See [`CREATE_TIMEOUT`].
    pub create_timeout: SignedDuration,
}

impl From<&OpenStackServer> for Want {
    fn from(object: &OpenStackServer) -> Self {
        let meta = &object.metadata;
        let label = |key: &str| meta.labels.as_ref().and_then(|labels| labels.get(key));
        let annotation = |key: &str| meta.annotations.as_ref().and_then(|all| all.get(key));
        let mut status = object.status.clone().unwrap_or_default();
        if status.instance_id.is_none() {
            status.instance_id = annotation(INSTANCE_ID_ANNOTATION).cloned();
        }
        Self {
            namespace: meta.namespace.clone().unwrap_or_default(),
            name: meta.name.clone().unwrap_or_default(),
            uid: meta.uid.clone().unwrap_or_default(),
            cluster: label(CLUSTER_NAME_LABEL).cloned().unwrap_or_default(),
            generation: meta.generation,
            deleting: meta.deletion_timestamp.is_some(),
            spec: object.spec.clone(),
            status,
            create_timeout: CREATE_TIMEOUT,
        }
    }
}

impl Want {
    /// Whether [`Seen::catalog`] is needed: references are resolved once, before the server is made.
    pub fn needs_catalog(&self) -> bool {
        !self.deleting && self.status.instance_id.is_none() && !self.is_resolved()
    }

    /// CAPO may have stopped half-way.
    fn is_resolved(&self) -> bool {
        self.status.resolved.as_ref().is_some_and(|resolved| {
            resolved.image_id.is_some()
                && resolved.flavor_id.is_some()
                && !resolved.ports.is_empty()
        })
    }

    /// Whether the networks, subnets and security groups that the ports refer to are in `catalog`.
    pub fn finds_networking(&self, catalog: &Catalog) -> bool {
        resolve::finds_networking(self, catalog)
    }

    /// The filters that security groups are named by.
    pub fn security_group_filters(&self) -> impl Iterator<Item = &SecurityGroupFilter> {
        let of_ports = self
            .spec
            .ports
            .iter()
            .flat_map(|port| &port.security_groups);
        let params = self.spec.security_groups.iter().chain(of_ports);
        params.filter_map(|param| param.filter.as_ref())
    }

    /// How long until what the cloud makes for the server takes [too long](Self::create_timeout);
    /// `None` when nothing is being made, or takes too long already.
    pub fn late_in(&self, seen: &Seen, now: Timestamp) -> Option<SignedDuration> {
        let servers = seen.servers.iter().filter(|one| one.status == "BUILD");
        let volumes = seen
            .volumes
            .iter()
            .filter(|one| one.state == State::Pending);
        let made = servers
            .map(|one| one.created)
            .chain(volumes.map(|one| one.created));
        let left = made
            .flatten()
            .map(|created| self.create_timeout - now.duration_since(created));
        left.filter(|left| !left.is_negative()).min()
    }

    /// Whether [`Seen::volumes`] is needed.
    pub fn needs_volumes(&self) -> bool {
        block_devices::volumes(self, "").next().is_some()
    }

    /// Whether [`Seen::trunks`] is needed, besides the trunks of ports that say that they have one.
    pub fn needs_trunks(&self) -> bool {
        let trunked = |port: &PortOpts| port.trunk.or(self.spec.trunk) == Some(true);
        self.spec.ports.iter().any(trunked)
    }

    /// Name of the IPAddressClaim, if a pool is to give a floating IP.
    pub fn claim(&self) -> Option<String> {
        let pool = self.spec.floating_ip_pool_ref.as_ref();
        pool.map(|_| crate::names::floating_ip_claim(&self.name))
    }

    /// Whether [`Seen::tagging`] is needed.
    pub fn needs_tags(&self) -> bool {
        let tagged = |port: &PortOpts| !port.tags.is_empty();
        !self.deleting && (!self.spec.tags.is_empty() || self.spec.ports.iter().any(tagged))
    }

    /// Whether there is a server of the name that nothing in the cloud or the status says is ours, as
    /// when the status is lost and somebody has edited its ports. The machine may know it.
    pub fn has_stranger(&self, seen: &Seen) -> bool {
        let ours = owned::servers(self, seen);
        let is_ours = |server: &Server| ours.iter().any(|one| one.id == server.id);
        let mut named = seen.servers.iter().filter(|one| one.name == self.name);
        self.status.instance_id.is_none() && named.any(|server| !is_ours(server))
    }

    /// Whether a port or a volume of this name may belong to the server.
    pub fn may_own(&self, name: &str) -> bool {
        name.strip_prefix(self.name.as_str())
            .is_some_and(|rest| rest.starts_with('-'))
    }

    /// What the server and its ports are called. There should be one of each name.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let ports = owned::slots(self).into_iter().map(|slot| slot.name);
        std::iter::once(self.name.clone()).chain(ports)
    }

    /// Ids of the ports that the status records.
    pub fn recorded_ports(&self) -> impl Iterator<Item = &str> {
        let resources = self.status.resources.iter();
        resources.flat_map(|resources| resources.ports.iter().map(|port| port.id.as_str()))
    }

    /// How messages call the object.
    fn object(&self) -> String {
        format!("OpenStackServer {}/{}", self.namespace, self.name)
    }
}

/// What the cloud holds now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// Every server that has the name or the recorded id, or that holds one of `ports`.
    pub servers: Vec<Server>,
    /// Every port that [may belong](Want::may_own) to the server or is recorded, or that one of
    /// `servers` holds.
    pub ports: Vec<Port>,
    /// Every volume that [may belong](Want::may_own) to the server.
    pub volumes: Vec<Volume>,
    /// Every trunk whose parent is one of `ports` and may be ours.
    pub trunks: Vec<Trunk>,
    /// Ids of servers and ports that the status of an object of the same name in another namespace
    /// records.
    pub of_namesakes: Vec<String>,
    /// The [claim](Want::claim), if it is there.
    pub claim: Option<Claim>,
    /// The floating IPs with the address that the claim got.
    pub floating_ips: Vec<FloatingIp>,
    /// The ports of routers in the networks of `ports`, when there is a claim.
    pub interfaces: Vec<Port>,
    /// The routers of `interfaces`.
    pub routers: Vec<Router>,
    /// Empty when [not needed](Want::needs_catalog).
    pub catalog: Catalog,
    /// Whether Neutron can tag ports (`standard-attr-tag`).
    pub tagging: bool,
}

/// What a server's references are resolved in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    pub images: Vec<Image>,
    /// What the spec's `imageRef` leads to.
    pub image_object: ImageObject,
    /// Whether Neutron has trunks.
    pub trunks: bool,
    pub flavors: Vec<Flavor>,
    pub server_groups: Vec<ServerGroup>,
    pub networks: Vec<Network>,
    pub subnets: Vec<Subnet>,
    /// Those of the project.
    pub security_groups: Vec<SecurityGroup>,
    /// Those of the other projects that filters name.
    pub shared_groups: Vec<SecurityGroup>,
}

/// Decides the next step of a server, and its status.
pub fn plan(want: &Want, seen: &Seen, now: Timestamp) -> Decision<Action, OpenStackServerStatus> {
    let mut status = want.status.clone();
    let (step, said): (Step<Action>, report::Said) = if want.deleting {
        delete::step(want, seen, &mut status)
    } else {
        live::step(want, seen, &mut status, now)
    };
    report::condition(&mut status, said, want.generation, now);
    if let Some(said) = floating::condition(want, seen).filter(|_| !want.deleting) {
        report::condition(&mut status, said, want.generation, now);
    }
    Decision { step, status }
}
