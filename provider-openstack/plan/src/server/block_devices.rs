//! The disks of a server.

use crds::openstack::v1beta2::{BlockDeviceType, VolumeAZSource, VolumeAvailabilityZone};

use super::{BlockDevice, NewVolume, Source, Want, owned};
use crate::names;

/// A volume that the server should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub new: NewVolume,
    /// Name of the additional block device; `None` for the root volume.
    pub device: Option<String>,
}

impl Wanted {
    /// Path of a field of the disk in the spec.
    pub fn field(&self, name: &str) -> String {
        match &self.device {
            None => format!("spec.rootVolume.{name}"),
            Some(device) => format!("spec.additionalBlockDevices[name={device}].{name}"),
        }
    }
}

/// The volumes that the server should have, the root volume first. `image_id` fills the latter.
pub fn volumes<'a>(want: &'a Want, image_id: &'a str) -> impl Iterator<Item = Wanted> + 'a {
    let root = want.spec.root_volume.iter().map(move |root| Wanted {
        new: NewVolume {
            name: names::root_volume(&want.name),
            description: format!("Root volume for {}", want.name),
            size_gib: root.size_gib,
            image_id: Some(image_id.to_string()),
            availability_zone: zone(want, root.availability_zone.as_ref()),
            volume_type: root.type_.clone(),
            metadata: metadata(want),
        },
        device: None,
    });
    let devices = want.spec.additional_block_devices.iter();
    let devices = devices.filter(|device| device.storage.type_ == BlockDeviceType::Volume);
    root.chain(devices.map(|device| {
        let options = device.storage.volume.as_ref();
        Wanted {
            new: NewVolume {
                name: names::volume(&want.name, &device.name),
                description: format!("Additional block device for {}", want.name),
                size_gib: device.size_gib,
                image_id: None,
                availability_zone: zone(want, options.and_then(|o| o.availability_zone.as_ref())),
                volume_type: options.and_then(|options| options.type_.clone()),
                metadata: metadata(want),
            },
            device: Some(device.name.clone()),
        }
    }))
}

fn metadata(want: &Want) -> Vec<(String, String)> {
    vec![(owned::CLUSTER_METADATA_KEY.to_string(), owned::mark(want))]
}

fn zone(want: &Want, zone: Option<&VolumeAvailabilityZone>) -> Option<String> {
    let zone = zone?;
    match zone.from.unwrap_or_default() {
        VolumeAZSource::Name => zone.name.clone(),
        VolumeAZSource::Machine => want.spec.availability_zone.clone(),
    }
}

/// The disks of the new server, the one that boots first. `volume_id` finds the volume of a device.
pub fn devices(
    want: &Want,
    image_id: &str,
    volume_id: impl Fn(Option<&str>) -> String,
) -> Vec<BlockDevice> {
    let volume = |device| Source::Volume {
        id: volume_id(device),
    };
    let boot = BlockDevice {
        source: match want.spec.root_volume {
            Some(_) => volume(None),
            None => Source::Image {
                id: image_id.to_string(),
            },
        },
        boot_index: 0,
        tag: None,
    };
    let further = want
        .spec
        .additional_block_devices
        .iter()
        .map(|device| BlockDevice {
            source: match device.storage.type_ {
                BlockDeviceType::Volume => volume(Some(&device.name)),
                BlockDeviceType::Local => Source::Blank {
                    size_gib: device.size_gib,
                },
            },
            boot_index: -1,
            tag: Some(device.name.clone()),
        });
    std::iter::once(boot).chain(further).collect()
}
