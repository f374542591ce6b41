//! Servers, and what they are made of, as plans see them.

use cloud::block_storage::{self, VolumeStatus};
use cloud::{compute, image, network};
use plan::world::{Flavor, Image, Server, ServerAddress, ServerGroup, State, Trunk, Volume};

/// A server.
pub fn server(row: &compute::Server) -> Server {
    let addresses = row.addresses.iter().flat_map(|(network, addresses)| {
        addresses.iter().map(|address| ServerAddress {
            network: network.clone(),
            address: address.address.clone(),
            version: address.version,
            floating: address.kind == "floating",
        })
    });
    Server {
        id: row.id.clone(),
        name: row.name.clone(),
        status: row.status.as_str().to_owned(),
        deleting: row.is_being_deleted(),
        fault: row.fault.as_ref().map(|fault| fault.message.clone()),
        availability_zone: Some(row.availability_zone.clone()).filter(|zone| !zone.is_empty()),
        metadata: row
            .metadata
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        tags: row.tags.clone(),
        key_name: row.key_name.clone(),
        addresses: addresses.collect(),
        attached_volume_ids: row
            .volumes_attached
            .iter()
            .map(|volume| volume.id.clone())
            .collect(),
        created: row.created.parse().ok(),
    }
}

/// A volume.
pub fn volume(row: &block_storage::Volume) -> Volume {
    Volume {
        id: row.id.clone(),
        name: row.name.clone(),
        description: row.description.clone(),
        size_gib: i32::try_from(row.size).unwrap_or(i32::MAX),
        state: match row.status {
            VolumeStatus::Available | VolumeStatus::InUse => State::Active,
            VolumeStatus::Deleting => State::Deleting,
            VolumeStatus::Error | VolumeStatus::ErrorDeleting => State::Error,
            // Creating, downloading, attaching and the like: Cinder works on it.
            _ => State::Pending,
        },
        status: row.status.as_str().to_owned(),
        attached_server_ids: row
            .attachments
            .iter()
            .map(|one| one.server_id.clone())
            .collect(),
        multiattach: row.multiattach,
        metadata: row
            .metadata
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
        // Cinder leaves the time zone out.
        created: format!("{}Z", row.created_at.trim_end_matches('Z'))
            .parse()
            .ok(),
    }
}

/// A trunk.
pub fn trunk(row: &network::Trunk) -> Trunk {
    let sub_ports = row.sub_ports.iter();
    Trunk {
        id: row.id.clone(),
        name: row.name.clone(),
        tags: row.tags.clone(),
        port_id: row.port_id.clone(),
        sub_port_ids: sub_ports.map(|port| port.port_id.clone()).collect(),
    }
}

/// An image.
pub fn image(row: &image::Image) -> Image {
    Image {
        id: row.id.clone(),
        name: row.name.clone(),
        tags: row.tags.clone(),
        status: row.status.as_str().to_owned(),
        os_type: row.os_type.clone(),
    }
}

/// A flavor.
pub fn flavor(row: &compute::Flavor) -> Flavor {
    let small = |number: i64| i32::try_from(number).unwrap_or(i32::MAX);
    Flavor {
        id: row.id.clone(),
        name: row.name.clone(),
        vcpus: small(row.vcpus),
        ram_mib: small(row.ram),
        disk_gib: small(row.disk),
        ephemeral_gib: small(row.ephemeral),
    }
}

/// A server group.
pub fn server_group(row: &compute::ServerGroup) -> ServerGroup {
    ServerGroup {
        id: row.id.clone(),
        name: row.name.clone(),
    }
}
