//! Which resources of the cloud belong to a server.
//!
//! Never by name alone: equal names occur, for example the bastions of two clusters of the same
//! name in two namespaces.
//!
//! | resource | belongs to us when |
//! |---|---|
//! | port | its id is recorded, or name and network are ours and no foreign server holds it, and either a server holds it that is recorded or carries our mark, or its description and security groups are ours too |
//! | trunk | its parent is a port of ours |
//! | subport | we have marked it, when its trunk was to be taken apart |
//! | volume | name and description are ours, it does not carry the mark of another cluster, and no server holds it but ours |
//! | server | its id is recorded, or the name is ours and either our mark is in its metadata or it holds a port of ours, or it is [one of CAPO's that failed](failed_of_capo) |
//!
//! What an object of the same name in another namespace records is never ours, unless we record it as well.

use crds::openstack::v1beta2::{ResolvedPortSpec, SecurityGroupParam};

use crate::world::{Port, Server, Volume};
use crate::{names, server::block_devices};

use super::{Seen, Want};
use crate::tags;

/// Key of the metadata that says which cluster made a server or a volume. Its value is
/// `NAMESPACE/CLUSTER`; both are labels, so it always fits. What CAPO made lacks it.
pub const CLUSTER_METADATA_KEY: &str = "capstan-cluster";

/// The value of [`CLUSTER_METADATA_KEY`] for servers of this object.
pub fn mark(want: &Want) -> String {
    format!("{}/{}", want.namespace, want.cluster)
}

/// Our servers: the one to keep comes first, the others exist only because they were made twice. Nova
/// gives the ports to one of them, and the others fail.
pub fn servers<'a>(want: &Want, seen: &'a Seen) -> Vec<&'a Server> {
    let ports = all_ports(want, seen);
    let holds = |server: &Server| ports.iter().any(|port| port.device_id == server.id);
    let mut servers: Vec<&Server> = seen
        .servers
        .iter()
        .filter(|server| {
            recorded(want, server)
                || may_be_ours(want, server) && (marked(want, server) || holds(server))
                || failed_of_capo(want, seen, server)
        })
        .collect();
    let rank = |server: &Server| {
        let failed = server.status == "ERROR" && !holds(server);
        match (recorded(want, server), failed || gone(server)) {
            (true, _) if !failed => 0,
            (_, false) => 1,
            (true, _) => 2,
            (false, _) => 3,
        }
    };
    servers.sort_by_key(|server| {
        (
            rank(server),
            gone(server),
            !holds(server),
            server.created,
            server.id.clone(),
        )
    });
    servers
}

/// Nova keeps the record for a while, but the server is no more.
pub fn gone(server: &Server) -> bool {
    matches!(server.status.as_str(), "DELETED" | "SOFT_DELETED")
}

fn recorded(want: &Want, server: &Server) -> bool {
    want.status.instance_id.as_deref() == Some(server.id.as_str())
}

fn marks(metadata: &[(String, String)]) -> Option<&str> {
    let mark = metadata.iter().find(|(key, _)| key == CLUSTER_METADATA_KEY);
    mark.map(|(_, value)| value.as_str())
}

fn marked(want: &Want, server: &Server) -> bool {
    marks(&server.metadata) == Some(mark(want).as_str())
}

fn may_be_ours(want: &Want, server: &Server) -> bool {
    server.name == want.name && (marks(&server.metadata).is_none() || marked(want, server))
}

/// Whether CAPO made this server for us, and Nova could not build it and gave its ports back, so that
/// it neither carries our mark nor holds a port.
///
/// CAPO takes any server of the name. Here all has to fit: it is as the spec says, the ports that CAPO
/// makes before it are there and free, and nobody else can have made it: there is no second such
/// server, and no port of these names is another's.
fn failed_of_capo(want: &Want, seen: &Seen, server: &Server) -> bool {
    let is_candidate = |server: &&Server| {
        server.name == want.name && server.status == "ERROR" && marks(&server.metadata).is_none()
    };
    let is_only_one = seen.servers.iter().filter(is_candidate).count() == 1;
    want.status.instance_id.is_none()
        && is_candidate(&server)
        && is_only_one
        && server.addresses.is_empty()
        && !seen.ports.iter().any(|port| port.device_id == server.id)
        && is_as_specified(want, server)
        && slots(want)
            .iter()
            .all(|slot| waits_for_server(want, seen, slot))
}

fn is_as_specified(want: &Want, server: &Server) -> bool {
    let spec = &want.spec;
    let is_in_spec = |(key, value): &(String, String)| {
        let mut pairs = spec.server_metadata.iter();
        pairs.any(|pair| pair.key == *key && pair.value == *value)
    };
    server.metadata.len() == spec.server_metadata.len()
        && server.metadata.iter().all(is_in_spec)
        && tags::missing(&spec.tags, &server.tags).is_none()
        && tags::missing(&server.tags, &spec.tags).is_none()
        && server.key_name == spec.ssh_key_name
}

/// The slot has a free port of ours, which groups and network tell from those of others, and no
/// other port has its name.
fn waits_for_server(want: &Want, seen: &Seen, slot: &Slot) -> bool {
    let of_name = || seen.ports.iter().filter(|port| port.name == slot.name);
    let is_ours_and_free = |port: &Port| port.device_id.is_empty() && fits(want, seen, slot, port);
    slot.network_id.is_some()
        && slot.security_groups.is_some()
        && of_name().next().is_some()
        && of_name().all(is_ours_and_free)
}

/// One port that the server should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub name: String,
    pub description: String,
    /// Unknown only when the status was lost and the spec names the network by a filter.
    pub network_id: Option<String>,
    /// Unknown as the network. Those of another cluster are other ones.
    pub security_groups: Option<Vec<String>>,
}

/// The ports that the server should have, in order.
pub fn slots(want: &Want) -> Vec<Slot> {
    if let Some(resolved) = &want.status.resolved {
        let slot = |port: &ResolvedPortSpec| Slot {
            name: port.name.clone(),
            description: port.description.clone().unwrap_or_default(),
            network_id: Some(port.network_id.clone()),
            security_groups: Some(port.security_groups.clone()),
        };
        return resolved.ports.iter().map(slot).collect();
    }
    let ports = want.spec.ports.iter().enumerate();
    ports
        .map(|(index, port)| Slot {
            name: port_name(want, index),
            description: port_description(want, index),
            network_id: port.network.as_ref().and_then(|network| network.id.clone()),
            security_groups: ids(&port.security_groups),
        })
        .collect()
}

/// Ids of security groups, if all are known.
fn ids(groups: &[SecurityGroupParam]) -> Option<Vec<String>> {
    groups.iter().map(|group| group.id.clone()).collect()
}

/// The name of the port at `index` of the spec.
pub fn port_name(want: &Want, index: usize) -> String {
    let suffix = want
        .spec
        .ports
        .get(index)
        .and_then(|port| port.name_suffix.clone());
    names::port(&want.name, &suffix.unwrap_or_else(|| index.to_string()))
}

/// The description of the port at `index` of the spec.
pub fn port_description(want: &Want, index: usize) -> String {
    let given = want
        .spec
        .ports
        .get(index)
        .and_then(|port| port.description.clone());
    given.unwrap_or_else(|| names::description(&want.cluster))
}

/// Our ports for one slot: the one to keep comes first, the others exist only because an answer
/// was lost.
pub fn ports<'a>(want: &Want, seen: &'a Seen, slot: &Slot) -> Vec<&'a Port> {
    let mut ports: Vec<&Port> = seen
        .ports
        .iter()
        .filter(|port| fits(want, seen, slot, port))
        .collect();
    ports.sort_by_key(|port| {
        (
            !is_recorded(want, port),
            port.device_id.is_empty(),
            &port.id,
        )
    });
    ports
}

/// Our ports for all slots, those that are recorded whatever they are called now, and the subports
/// of trunks that are taken apart.
pub fn all_ports<'a>(want: &Want, seen: &'a Seen) -> Vec<&'a Port> {
    let slots = slots(want);
    let ours = |port: &&Port| {
        is_recorded(want, port)
            || is_sub_port(want, port)
            || slots.iter().any(|slot| fits(want, seen, slot, port))
    };
    seen.ports.iter().filter(ours).collect()
}

fn is_recorded(want: &Want, port: &Port) -> bool {
    want.recorded_ports().any(|id| id == port.id)
}

fn is_sub_port(want: &Want, port: &Port) -> bool {
    port.name == names::sub_port(&want.name)
        && port.description == names::sub_port_description(&want.namespace, &want.name)
}

fn fits(want: &Want, seen: &Seen, slot: &Slot, port: &Port) -> bool {
    port.name == slot.name
        && slot
            .network_id
            .as_ref()
            .is_none_or(|id| *id == port.network_id)
        && (is_recorded(want, port)
            || !is_of_namesake(seen, &port.id)
                && !held_by_another(want, seen, &port.device_id)
                && (held_by_marked(want, seen, &port.device_id)
                    || is_described(want, slot, port) && has_groups(slot, port)))
}

/// Before release 0.11 CAPO put the namespace before the name of the cluster, and ports that are older
/// still say so.
fn is_described(want: &Want, slot: &Slot, port: &Port) -> bool {
    let old = || names::description(&format!("{}-{}", want.namespace, want.cluster));
    port.description == slot.description
        || slot.description == names::description(&want.cluster) && port.description == old()
}

fn has_groups(slot: &Slot, port: &Port) -> bool {
    let mut wanted = slot.security_groups.iter().flatten();
    wanted.all(|group| port.security_groups.contains(group))
}

/// Whether a server that cannot be ours uses the port. A server that no longer exists holds nothing.
fn held_by_another(want: &Want, seen: &Seen, device_id: &str) -> bool {
    let cannot_be_ours =
        |server: &Server| !may_be_ours(want, server) || is_of_namesake(seen, &server.id);
    holder(seen, device_id).is_some_and(|server| !recorded(want, server) && cannot_be_ours(server))
}

/// Whether a server uses the port that cannot be another's.
fn held_by_marked(want: &Want, seen: &Seen, device_id: &str) -> bool {
    holder(seen, device_id).is_some_and(|server| recorded(want, server) || marked(want, server))
}

fn holder<'a>(seen: &'a Seen, device_id: &str) -> Option<&'a Server> {
    seen.servers.iter().find(|server| server.id == device_id)
}

fn is_of_namesake(seen: &Seen, id: &str) -> bool {
    seen.of_namesakes.iter().any(|recorded| recorded == id)
}

/// Our volumes of this name and description; more than one only because an answer was lost.
pub fn volumes<'a>(want: &Want, seen: &'a Seen, wanted: &block_devices::Wanted) -> Vec<&'a Volume> {
    let servers = servers(want, seen);
    let is_another =
        |id: &String| holder(seen, id).is_some() && !servers.iter().any(|server| server.id == *id);
    let ours = |volume: &&Volume| {
        volume.name == wanted.new.name
            && volume.description == wanted.new.description
            && marks(&volume.metadata).is_none_or(|found| found == mark(want))
            && !volume.attached_server_ids.iter().any(is_another)
    };
    let mut volumes: Vec<&Volume> = seen.volumes.iter().filter(ours).collect();
    volumes.sort_by_key(|volume| (volume.attached_server_ids.is_empty(), &volume.id));
    volumes
}
